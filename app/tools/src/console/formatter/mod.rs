//! How the console consumers print a record; the classes that `--formatter` takes.

mod deserializer;
mod plain;

use krafka::ConsumerRecord;
use ottla_client::Properties;

pub(crate) use deserializer::java_double;
use plain::Plain;

/// A way to print records.
#[derive(Debug)]
pub(crate) enum Formatter {
    /// Key, value and whatever else is asked for, as text.
    Plain(Box<Plain>),
    /// Nothing.
    Nothing,
}

/// The class that the tools use unless told otherwise.
pub(crate) const CLASS: &str = "org.apache.kafka.tools.consumer.DefaultMessageFormatter";

impl Formatter {
    /// The formatter of a class.
    ///
    /// # Errors
    /// The name of a class that is not known, as Kafka's tool prints it.
    pub(crate) fn new(class: &str, properties: &Properties) -> Result<Self, String> {
        match class.strip_prefix("org.apache.kafka.tools.consumer.") {
            // The logging one prints as well; what it logs is below the level of a tool's log.
            Some("DefaultMessageFormatter" | "LoggingMessageFormatter") => {
                Ok(Self::Plain(Box::new(Plain::new(properties))))
            }
            Some("NoOpMessageFormatter") => Ok(Self::Nothing),
            _ => Err(class.to_owned()),
        }
    }

    /// Writes a record behind `out`.
    ///
    /// # Errors
    /// The exception of Kafka's formatter. What was written before it stays.
    pub(crate) fn write(&self, record: &ConsumerRecord, out: &mut Vec<u8>) -> Result<(), String> {
        match self {
            Self::Plain(plain) => plain.write(record, out),
            Self::Nothing => Ok(()),
        }
    }
}
