//! Kafka's formatters of the topics that coordinators keep: each record a JSON object with its key and its
//! value.

use krafka::ConsumerRecord;

use crate::common::coordinator::{Members, Schemas, Unreadable};

/// States of a transaction, by the number in the log.
const TRANSACTION_STATES: [&str; 8] = [
    "Empty",
    "Ongoing",
    "PrepareCommit",
    "PrepareAbort",
    "CompleteCommit",
    "CompleteAbort",
    "Dead",
    "PrepareEpochFence",
];

/// The field of the log of transactions that is shown by name.
const TRANSACTION_STATUS: &str = "\"transactionStatus\":";

/// A formatter of one topic.
#[derive(Debug)]
pub(crate) struct Internal {
    schemas: Schemas,
    /// Types of the records that are shown; all for none.
    types: Option<&'static [i16]>,
    transactions: bool,
}

impl Internal {
    /// The formatter of a class, named without the package of Kafka's formatters.
    pub(crate) fn of_class(name: &str) -> Option<Self> {
        let groups = |types: &'static [i16]| (Schemas::offsets(), Some(types), false);
        let (schemas, types, transactions) = match name {
            "OffsetsMessageFormatter" => groups(&[0, 1]),
            "GroupMetadataMessageFormatter" => groups(&[2]),
            "ShareGroupMessageFormatter" => groups(&[10, 11, 12, 13, 14, 15]),
            "TransactionLogMessageFormatter" => (Schemas::transactions(), None, true),
            "group.share.ShareGroupStateMessageFormatter" => (Schemas::share_state(), None, false),
            _ => return None,
        };
        Some(Self {
            schemas,
            types,
            transactions,
        })
    }

    /// Writes a record behind `out`, if it is of a type that this formatter shows. Kafka puts nothing
    /// behind it, not even an end of line.
    ///
    /// # Errors
    /// The exception of Kafka's formatter.
    pub(crate) fn write(&self, record: &ConsumerRecord, out: &mut Vec<u8>) -> Result<(), String> {
        let Some(key) = record.key.as_deref() else {
            return Ok(());
        };
        let read = match self
            .schemas
            .read(key, record.value.as_deref(), Members::Bytes)
        {
            Ok(read) => read,
            Err(Unreadable::Type(_)) => return Ok(()),
            Err(why) => {
                return Err(format!(
                    "java.lang.RuntimeException: Could not read record at offset {} due to: {why}",
                    record.offset
                ));
            }
        };
        if self.types.is_some_and(|types| !types.contains(&read.kind)) {
            return Ok(());
        }
        let value = match read.value {
            None => "null".to_owned(),
            Some((version, data)) => {
                let data = if self.transactions {
                    with_state(&data)
                } else {
                    data
                };
                format!("{{\"version\":{version},\"data\":{data}}}")
            }
        };
        let text = format!(
            "{{\"key\":{{\"type\":{},\"data\":{}}},\"value\":{value}}}",
            read.kind, read.key
        );
        out.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

/// A value of the log of transactions, with the name of its state in place of the number. No text stands
/// before that field.
fn with_state(data: &str) -> String {
    let Some((before, rest)) = data.split_once(TRANSACTION_STATUS) else {
        return data.to_owned();
    };
    let end = rest.find([',', '}']).unwrap_or(rest.len());
    let (number, after) = rest.split_at(end);
    let name = number
        .parse::<usize>()
        .ok()
        .and_then(|number| TRANSACTION_STATES.get(number).copied())
        .unwrap_or(number);
    format!("{before}{TRANSACTION_STATUS}\"{name}\"{after}")
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    fn shown(class: &str, key: &[u8], value: Option<&[u8]>) -> Result<String, String> {
        let bytes = Bytes::copy_from_slice;
        let record = ConsumerRecord::new("t", 0, 42, Some(bytes(key)), value.map(bytes));
        let mut out = Vec::new();
        Internal::of_class(class)
            .expect("the class is known")
            .write(&record, &mut out)?;
        Ok(String::from_utf8_lossy(&out).into_owned())
    }

    const OFFSETS: &str = "OffsetsMessageFormatter";
    const COMMIT: &[u8] = &[0, 1, 0, 1, b'g', 0, 1, b't', 0, 0, 0, 3];

    #[test]
    fn a_record_is_one_object() {
        let value = [
            0, 3, 0, 0, 0, 0, 0, 0, 0, 7, 0xff, 0xff, 0xff, 0xff, 0, 1, b'm', 0, 0, 0, 0, 0, 0, 0,
            9,
        ];
        assert_eq!(
            shown(OFFSETS, COMMIT, Some(&value)).as_deref(),
            Ok(
                r#"{"key":{"type":1,"data":{"group":"g","topic":"t","partition":3}},"value":{"version":3,"data":{"offset":7,"leaderEpoch":-1,"metadata":"m","commitTimestamp":9}}}"#
            )
        );
        assert_eq!(
            shown(OFFSETS, COMMIT, None).as_deref(),
            Ok(r#"{"key":{"type":1,"data":{"group":"g","topic":"t","partition":3}},"value":null}"#)
        );
    }

    #[test]
    fn records_of_other_types_are_passed_over_and_broken_ones_are_told() {
        assert_eq!(
            shown("GroupMetadataMessageFormatter", COMMIT, None),
            Ok(String::new())
        );
        assert_eq!(shown(OFFSETS, &[1, 0], None), Ok(String::new()));
        assert_eq!(
            shown(OFFSETS, &[0], None),
            Err(
                "java.lang.RuntimeException: Could not read record at offset 42 due to: Could not read \
                 version from key's buffer."
                    .to_owned()
            )
        );
    }

    #[test]
    fn states_of_transactions_have_names() {
        assert_eq!(
            with_state(r#"{"a":1,"transactionStatus":4,"x":"\"transactionStatus\":1"}"#),
            r#"{"a":1,"transactionStatus":"CompleteCommit","x":"\"transactionStatus\":1"}"#
        );
        assert_eq!(
            with_state(r#"{"transactionStatus":99}"#),
            r#"{"transactionStatus":"99"}"#
        );
    }
}
