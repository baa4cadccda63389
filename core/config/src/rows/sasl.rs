//! SASL; no listener serves it yet.

use ottla_base::config_table;

config_table! {
    /// SASL; no listener serves it yet.
    pub rows SASL_ROWS, scope Broker;

    /// Mechanisms that clients may log in with.
    "sasl.enabled.mechanisms"
        [List = "GSSAPI", List{empty: true, of: &[]}, Medium, PerBroker, Accepted];

    /// Login modules with their options, in JAAS notation.
    "sasl.jaas.config" [Password = null, Any, Medium, PerBroker, Accepted];

    /// Mechanism for connections to controllers.
    "sasl.mechanism.controller.protocol" [String = "GSSAPI", Any, High, ReadOnly, Accepted];

    /// Mechanism for connections between brokers.
    "sasl.mechanism.inter.broker.protocol" [String = "GSSAPI", Any, Medium, PerBroker, Accepted];

    /// Java class that checks credentials on the server's side.
    "sasl.server.callback.handler.class" [Class = null, Any, Medium, ReadOnly, Accepted];

    /// Java class that supplies credentials on the client's side.
    "sasl.client.callback.handler.class" [Class = null, Any, Medium, ReadOnly, Accepted];

    /// Java class that supplies what a login module asks for.
    "sasl.login.callback.handler.class" [Class = null, Any, Medium, ReadOnly, Accepted];

    /// Java class that performs the login.
    "sasl.login.class" [Class = null, Any, Medium, ReadOnly, Accepted];

    /// Time limit for reaching an OAuth server.
    "sasl.login.connect.timeout.ms" [Int = null, Any, Low, ReadOnly, Accepted];

    /// Time limit for the answer of an OAuth server.
    "sasl.login.read.timeout.ms" [Int = null, Any, Low, ReadOnly, Accepted];

    /// A credential is renewed at least this long before it expires.
    "sasl.login.refresh.buffer.seconds" [Short = "300", Any, Medium, PerBroker, Accepted];

    /// A credential is not renewed again sooner than this.
    "sasl.login.refresh.min.period.seconds" [Short = "60", Any, Medium, PerBroker, Accepted];

    /// Share of a credential's life after which it is renewed.
    "sasl.login.refresh.window.factor" [Double = "0.8", Any, Medium, PerBroker, Accepted];

    /// Share of a credential's life by which its renewal varies.
    "sasl.login.refresh.window.jitter" [Double = "0.05", Any, Medium, PerBroker, Accepted];

    /// First pause between tries to reach an OAuth server.
    "sasl.login.retry.backoff.ms" [Long = "100", Any, Low, ReadOnly, Accepted];

    /// Longest pause between tries to reach an OAuth server.
    "sasl.login.retry.backoff.max.ms" [Long = "10000", Any, Low, ReadOnly, Accepted];

    /// Largest message of a client before it has logged in.
    "sasl.server.max.receive.size" [Int = "524288", Any, Medium, ReadOnly, Accepted];

    /// Kerberos name of the service.
    "sasl.kerberos.service.name" [String = null, Any, Medium, PerBroker, Accepted];

    /// Path of the `kinit` program.
    "sasl.kerberos.kinit.cmd" [String = "/usr/bin/kinit", Any, Medium, PerBroker, Accepted];

    /// Least time between two Kerberos logins.
    "sasl.kerberos.min.time.before.relogin" [Long = "60000", Any, Medium, PerBroker, Accepted];

    /// Rules that turn Kerberos principals into user names.
    "sasl.kerberos.principal.to.local.rules"
        [List = "DEFAULT", List{empty: true, of: &[]}, Medium, PerBroker, Accepted];

    /// Share of chance in the time of a ticket's renewal.
    "sasl.kerberos.ticket.renew.jitter" [Double = "0.05", Any, Medium, PerBroker, Accepted];

    /// Share of a ticket's life after which it is renewed.
    "sasl.kerberos.ticket.renew.window.factor" [Double = "0.8", Any, Medium, PerBroker, Accepted];

    /// Whether a token is taken without a check of whom it was made for.
    "sasl.oauthbearer.allow.unverified.audience"
        [Boolean = "false", Any, Medium, ReadOnly, Accepted];

    /// Whether a token is taken without a check of who made it.
    "sasl.oauthbearer.allow.unverified.issuer" [Boolean = "false", Any, Medium, ReadOnly, Accepted];

    /// How assertions to the OAuth server are signed.
    "sasl.oauthbearer.assertion.algorithm"
        [String = "RS256", OneOfAnyCase(&["ES256", "RS256"]), Medium, ReadOnly, Accepted];

    /// Audience written into an assertion.
    "sasl.oauthbearer.assertion.claim.aud" [String = null, Any, Medium, ReadOnly, Accepted];

    /// How long an assertion is valid.
    "sasl.oauthbearer.assertion.claim.exp.seconds"
        [Int = "300", Between(0, 86_400), Low, ReadOnly, Accepted];

    /// Issuer written into an assertion.
    "sasl.oauthbearer.assertion.claim.iss" [String = null, Any, Medium, ReadOnly, Accepted];

    /// Whether each assertion gets an id of its own.
    "sasl.oauthbearer.assertion.claim.jti.include"
        [Boolean = "false", Any, Medium, ReadOnly, Accepted];

    /// How far back the begin of an assertion is dated.
    "sasl.oauthbearer.assertion.claim.nbf.seconds"
        [Int = "60", Between(0, 3600), Low, ReadOnly, Accepted];

    /// Subject written into an assertion.
    "sasl.oauthbearer.assertion.claim.sub" [String = null, Any, Medium, ReadOnly, Accepted];

    /// File with a ready assertion.
    "sasl.oauthbearer.assertion.file" [String = null, Any, Medium, ReadOnly, Accepted];

    /// File of the key that signs assertions.
    "sasl.oauthbearer.assertion.private.key.file" [String = null, Any, Medium, ReadOnly, Accepted];

    /// Passphrase of the key that signs assertions.
    "sasl.oauthbearer.assertion.private.key.passphrase"
        [Password = null, Any, Medium, ReadOnly, Accepted];

    /// File with further headers and claims of an assertion.
    "sasl.oauthbearer.assertion.template.file" [String = null, Any, Medium, ReadOnly, Accepted];

    /// Client id for the OAuth server.
    "sasl.oauthbearer.client.credentials.client.id"
        [String = null, Any, Medium, ReadOnly, Accepted];

    /// Client secret for the OAuth server.
    "sasl.oauthbearer.client.credentials.client.secret"
        [Password = null, Any, Medium, ReadOnly, Accepted];

    /// How far the clock of the OAuth server may differ.
    "sasl.oauthbearer.clock.skew.seconds" [Int = "30", Any, Low, ReadOnly, Accepted];

    /// Audiences of which a token must name one.
    "sasl.oauthbearer.expected.audience"
        [List = "", List{empty: true, of: &[]}, High, ReadOnly, Accepted];

    /// Issuer that a token must name.
    "sasl.oauthbearer.expected.issuer" [String = null, Any, High, ReadOnly, Accepted];

    /// Where the OAuth server's public keys are found.
    "sasl.oauthbearer.jwks.endpoint.url" [String = null, Any, Medium, ReadOnly, Accepted];

    /// How often the public keys are fetched anew.
    "sasl.oauthbearer.jwks.endpoint.refresh.ms" [Long = "3600000", Any, Low, ReadOnly, Accepted];

    /// First pause between tries to fetch the public keys.
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms" [Long = "100", Any, Low, ReadOnly, Accepted];

    /// Longest pause between tries to fetch the public keys.
    "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms"
        [Long = "10000", Any, Low, ReadOnly, Accepted];

    /// Java class that obtains tokens.
    "sasl.oauthbearer.jwt.retriever.class"
        [Class = "org.apache.kafka.common.security.oauthbearer.DefaultJwtRetriever", Any, Medium,
         ReadOnly, Accepted];

    /// Java class that checks tokens.
    "sasl.oauthbearer.jwt.validator.class"
        [Class = "org.apache.kafka.common.security.oauthbearer.DefaultJwtValidator", Any, Medium,
         ReadOnly, Accepted];

    /// Scope that a token is asked for.
    "sasl.oauthbearer.scope" [String = null, Any, Medium, ReadOnly, Accepted];

    /// Claim that holds the scope.
    "sasl.oauthbearer.scope.claim.name" [String = "scope", Any, Low, ReadOnly, Accepted];

    /// Claim that holds the subject.
    "sasl.oauthbearer.sub.claim.name" [String = "sub", Any, Low, ReadOnly, Accepted];

    /// Where tokens are issued.
    "sasl.oauthbearer.token.endpoint.url" [String = null, Any, Medium, ReadOnly, Accepted];
}
