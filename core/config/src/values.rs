//! Parsed values of a whole table.

use std::collections::BTreeMap;

use ottla_base::{ConfigRow, ConfigValues, InvalidValue, Valid, Value};

/// Keys with their texts, as a file, a request or the metadata log gives them.
pub type RawConfigs = BTreeMap<String, String>;

/// Parsed values by key; a key without one is null.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Values(BTreeMap<&'static str, Value>);

impl Values {
    /// Parses the value of each row from `raw`, or takes its default. Keys without a row are left alone.
    ///
    /// # Errors
    /// [`InvalidValue`] for the first value that its row does not take, or that is missing.
    pub fn parse<'r>(
        rows: impl IntoIterator<Item = &'r &'static ConfigRow>,
        raw: &RawConfigs,
    ) -> Result<Self, InvalidValue> {
        let mut values = BTreeMap::new();
        for row in rows {
            let value = match raw.get(row.name) {
                Some(text) => Some(parse_one(row, text)?),
                None => row.default_value()?,
            };
            if let Some(value) = value {
                values.insert(row.name, value);
            }
        }
        Ok(Self(values))
    }

    /// Overlays `value`.
    pub fn set(&mut self, key: &'static str, value: Value) {
        self.0.insert(key, value);
    }
}

impl ConfigValues for Values {
    fn value(&self, key: &str) -> Option<&Value> {
        self.0.get(key)
    }
}

/// Parses one value. Repeated entries of a list are dropped before it is checked, as Kafka does since
/// lists may not repeat (KIP-1161).
///
/// # Errors
/// [`InvalidValue`] if the row does not take it.
pub(crate) fn parse_one(row: &ConfigRow, text: &str) -> Result<Value, InvalidValue> {
    if !matches!(row.valid, Valid::List { .. }) {
        return row.parse(text);
    }
    match Value::parse(row.name, row.kind, text)? {
        Value::List(entries) => {
            let mut unique: Vec<String> = Vec::with_capacity(entries.len());
            for entry in entries {
                if !unique.contains(&entry) {
                    unique.push(entry);
                }
            }
            row.parse(&unique.join(","))
        }
        _ => row.parse(text),
    }
}
