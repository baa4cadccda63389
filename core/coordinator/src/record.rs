//! A coordinator's record on its way to the log.

/// One record as bytes: the key begins with its type, the value with its version (both 16 bits).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CoordinatorRecord {
    /// Key.
    pub key: Vec<u8>,
    /// Value; `None` is a tombstone.
    pub value: Option<Vec<u8>>,
}

/// A machine's own record that can be written down.
pub trait PutRecord {
    /// Why a record cannot be written.
    type Error: std::error::Error;

    /// Writes key and value into the two buffers, whatever they held, and tells whether there is a value
    /// (`false`: a tombstone).
    ///
    /// # Errors
    /// If a field does not fit its place in the schema.
    fn put(&self, key: &mut Vec<u8>, value: &mut Vec<u8>) -> Result<bool, Self::Error>;

    /// The record as bytes.
    ///
    /// # Errors
    /// As [`put`](Self::put).
    fn to_record(&self) -> Result<CoordinatorRecord, Self::Error> {
        let (mut key, mut value) = (Vec::new(), Vec::new());
        let has_value = self.put(&mut key, &mut value)?;
        Ok(CoordinatorRecord {
            key,
            value: has_value.then_some(value),
        })
    }
}
