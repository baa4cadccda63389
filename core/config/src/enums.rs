//! Texts of which only a few are valid, as types.

use ottla_base::{FromValue, Value};

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$variant_doc])* $variant),+
        }

        impl $name {
            /// The text that stands for it in a configuration.
            #[must_use]
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }

            /// The reverse of [`Self::name`].
            #[must_use]
            pub fn from_name(text: &str) -> Option<Self> {
                match text {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl FromValue for $name {
            fn from_value(value: Option<&Value>) -> Option<Self> {
                match value {
                    Some(Value::Text(text)) => Self::from_name(text),
                    _ => None,
                }
            }
        }
    };
}

choice! {
    /// `compression.type`: the codec in which batches are stored.
    CompressionType {
        /// As the producer sent it.
        Producer = "producer",
        /// Without compression.
        Uncompressed = "uncompressed",
        /// gzip.
        Gzip = "gzip",
        /// snappy.
        Snappy = "snappy",
        /// lz4.
        Lz4 = "lz4",
        /// zstd.
        Zstd = "zstd",
    }
}

choice! {
    /// `message.timestamp.type`: whose time a record carries.
    TimestampType {
        /// The producer's.
        CreateTime = "CreateTime",
        /// The broker's at append.
        LogAppendTime = "LogAppendTime",
    }
}

choice! {
    /// `ottla.commit.flush`: when an acks=all record counts as kept.
    CommitFlush {
        /// On disk while this node is the only in-sync replica, else in the memory of all of them.
        Alone = "alone",
        /// On the disk of every in-sync replica.
        Always = "always",
        /// In the memory of every in-sync replica.
        Never = "never",
    }
}

choice! {
    /// `listener.security.protocol.map`: how a listener's connections are protected.
    SecurityProtocol {
        /// Not at all.
        Plaintext = "PLAINTEXT",
        /// TLS.
        Ssl = "SSL",
        /// A login, without TLS.
        SaslPlaintext = "SASL_PLAINTEXT",
        /// A login within TLS.
        SaslSsl = "SASL_SSL",
    }
}

impl SecurityProtocol {
    /// Number of the protocol in registration records.
    #[must_use]
    pub fn id(self) -> i16 {
        match self {
            Self::Plaintext => 0,
            Self::Ssl => 1,
            Self::SaslPlaintext => 2,
            Self::SaslSsl => 3,
        }
    }
}
