//! How the console consumers print a record; the classes that `--formatter` takes.

mod deserializer;
mod internal;
mod plain;

use krafka::ConsumerRecord;
use ottla_client::Properties;

pub(crate) use deserializer::java_double;
use internal::Internal;
use plain::Plain;

use crate::common::client::properties_file;
use crate::common::jopt::Options;
use crate::common::usage::Failure;
use crate::console::options::{deprecated_pair, key_values};

/// A way to print records.
#[derive(Debug)]
pub(crate) enum Formatter {
    /// Key, value and whatever else is asked for, as text.
    Plain(Box<Plain>),
    /// A record of a topic that the nodes keep for themselves, as JSON.
    Internal(Box<Internal>),
    /// Nothing.
    Nothing,
}

/// The class that the tools use unless told otherwise.
const CLASS: &str = "org.apache.kafka.tools.consumer.DefaultMessageFormatter";

impl Formatter {
    /// The formatter of a class.
    ///
    /// # Errors
    /// The name of a class that is not known, as Kafka's tool prints it.
    fn new(class: &str, properties: &Properties) -> Result<Self, String> {
        match class.strip_prefix("org.apache.kafka.tools.consumer.") {
            // The logging one prints as well; what it logs is below the level of a tool's log.
            Some("DefaultMessageFormatter" | "LoggingMessageFormatter") => {
                Ok(Self::Plain(Box::new(Plain::new(properties))))
            }
            Some("NoOpMessageFormatter") => Ok(Self::Nothing),
            Some(name) => match Internal::of_class(name) {
                Some(internal) => Ok(Self::Internal(Box::new(internal))),
                None => Err(class.to_owned()),
            },
            None => Err(class.to_owned()),
        }
    }

    /// The formatter that the options of a console consumer ask for.
    ///
    /// # Errors
    /// If a file cannot be read, or a class is not known.
    pub(crate) fn of_options(options: &Options) -> Result<Self, Failure> {
        deprecated_pair(
            options,
            "property",
            "formatter-property",
            "Option --property is deprecated and will be removed in a future version. Use --formatter-property instead.",
        )?;
        let mut properties = match options.value("formatter-config")? {
            Some(path) => properties_file(path)?,
            None => Properties::new(),
        };
        for name in ["key-deserializer", "value-deserializer"] {
            if let Some(class) = options.value(name)?.filter(|class| !class.is_empty()) {
                properties.insert(name.replace('-', "."), class.to_owned());
            }
        }
        for name in ["property", "formatter-property"] {
            properties.extend(key_values(options.values(name)));
        }
        let class = options.value("formatter")?.unwrap_or(CLASS);
        Self::new(class, &properties).map_err(Failure::Usage)
    }

    /// Writes a record behind `out`.
    ///
    /// # Errors
    /// The exception of Kafka's formatter. What was written before it stays.
    pub(crate) fn write(&self, record: &ConsumerRecord, out: &mut Vec<u8>) -> Result<(), String> {
        match self {
            Self::Plain(plain) => plain.write(record, out),
            Self::Internal(internal) => internal.write(record, out),
            Self::Nothing => Ok(()),
        }
    }
}
