//! Who may do what; tokens and plugins.

use ottla_base::config_table;

config_table! {
    /// Who may do what; tokens and plugins.
    pub rows SECURITY_ROWS, scope Broker;

    /// Java class that decides who may do what; access control is not built yet, so naming one is
    /// refused rather than ignored.
    "authorizer.class.name" [String = "", Any, Low, ReadOnly, Refused];

    /// Java class that names the user of a connection; there is no Java here.
    "principal.builder.class"
        [Class = "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
         Any, Medium, PerBroker, Refused];

    /// Java classes that add cryptography.
    "security.providers" [String = null, Any, Low, ReadOnly, Accepted];

    /// Secret that signs delegation tokens.
    "delegation.token.secret.key" [Password = null, Any, Medium, ReadOnly, Accepted];

    /// How long a delegation token is valid unless it is renewed.
    "delegation.token.expiry.time.ms" [Long = "86400000", AtLeast(1), Medium, ReadOnly, Accepted];

    /// How long a delegation token can be renewed.
    "delegation.token.max.lifetime.ms" [Long = "604800000", AtLeast(1), Medium, ReadOnly, Accepted];

    /// Pause between two looks for expired tokens.
    "delegation.token.expiry.check.interval.ms"
        [Long = "3600000", AtLeast(1), Low, ReadOnly, Accepted];

    /// A SASL connection must log in again after this long; 0 never.
    "connections.max.reauth.ms" [Long = "0", Any, Medium, ReadOnly, Accepted];
}
