//! TLS; no listener serves it yet.

use ottla_base::config_table;

config_table! {
    /// TLS; no listener serves it yet.
    pub rows TLS_ROWS, scope Broker;

    /// TLS version that a connection starts from.
    "ssl.protocol" [String = "TLSv1.3", Any, Medium, PerBroker, Accepted];

    /// TLS versions that are allowed.
    "ssl.enabled.protocols"
        [List = "TLSv1.2,TLSv1.3", List{empty: true, of: &[]}, Medium, PerBroker, Accepted];

    /// Cipher suites that are allowed; empty means the library's choice.
    "ssl.cipher.suites" [List = "", List{empty: true, of: &[]}, Medium, PerBroker, Accepted];

    /// Java provider of TLS.
    "ssl.provider" [String = null, Any, Medium, PerBroker, Accepted];

    /// Whether clients must, may or need not show a certificate.
    "ssl.client.auth"
        [String = "none", OneOf(&["required", "requested", "none"]), Medium, PerBroker, Accepted];

    /// How the name in a certificate is compared with the host; empty means not at all.
    "ssl.endpoint.identification.algorithm" [String = "https", Any, Low, PerBroker, Accepted];

    /// Java class that makes TLS engines.
    "ssl.engine.factory.class" [Class = null, Any, Low, PerBroker, Accepted];

    /// File of the server's key and certificate.
    "ssl.keystore.location" [String = null, Any, Medium, PerBroker, Accepted];

    /// Format of the key store.
    "ssl.keystore.type" [String = "JKS", Any, Medium, PerBroker, Accepted];

    /// Password of the key store.
    "ssl.keystore.password" [Password = null, Any, Medium, PerBroker, Accepted];

    /// The server's private key itself, in PEM.
    "ssl.keystore.key" [Password = null, Any, Medium, PerBroker, Accepted];

    /// The server's certificates themselves, in PEM.
    "ssl.keystore.certificate.chain" [Password = null, Any, Medium, PerBroker, Accepted];

    /// Password of the private key.
    "ssl.key.password" [Password = null, Any, Medium, PerBroker, Accepted];

    /// File of the certificates to trust.
    "ssl.truststore.location" [String = null, Any, Medium, PerBroker, Accepted];

    /// Format of the trust store.
    "ssl.truststore.type" [String = "JKS", Any, Medium, PerBroker, Accepted];

    /// Password of the trust store.
    "ssl.truststore.password" [Password = null, Any, Medium, PerBroker, Accepted];

    /// Certificates to trust themselves, in PEM.
    "ssl.truststore.certificates" [Password = null, Any, Medium, PerBroker, Accepted];

    /// Java's algorithm for choosing keys.
    "ssl.keymanager.algorithm" [String = "SunX509", Any, Medium, PerBroker, Accepted];

    /// Java's algorithm for checking certificates.
    "ssl.trustmanager.algorithm" [String = "PKIX", Any, Medium, PerBroker, Accepted];

    /// Java's random number generator for TLS.
    "ssl.secure.random.implementation" [String = null, Any, Low, PerBroker, Accepted];

    /// Rules that turn a certificate's name into a user name.
    "ssl.principal.mapping.rules" [String = "DEFAULT", Any, Low, ReadOnly, Accepted];

    /// Whether a replaced certificate may carry another distinguished name.
    "ssl.allow.dn.changes" [Boolean = "false", Any, Low, ReadOnly, Accepted];

    /// Whether a replaced certificate may carry other alternative names.
    "ssl.allow.san.changes" [Boolean = "false", Any, Low, ReadOnly, Accepted];
}
