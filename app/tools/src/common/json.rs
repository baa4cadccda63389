//! Fields of JSON files that users write, with what Kafka's tools say of those that are wrong.

use serde_json::Value;

/// Reads a file as text.
///
/// # Errors
/// Kafka's sentence.
pub(crate) fn file(path: &str) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|_| format!("Unable to read file {path}"))
}

/// Reads text as JSON.
///
/// # Errors
/// Kafka's sentence.
pub(crate) fn parse(text: &str) -> Result<Value, String> {
    serde_json::from_str(text).map_err(|_| "The input string is not a valid JSON".to_owned())
}

/// A field of an object; `None` if it is not there.
///
/// # Errors
/// Kafka's sentence, if the value is no object.
pub(crate) fn optional<'a>(value: &'a Value, name: &str) -> Result<Option<&'a Value>, String> {
    value
        .as_object()
        .map(|object| object.get(name))
        .ok_or_else(|| format!("Expected JSON object, received {value}"))
}

/// A field that has to be there.
///
/// # Errors
/// Kafka's sentence.
pub(crate) fn field<'a>(value: &'a Value, name: &str) -> Result<&'a Value, String> {
    optional(value, name)?.ok_or_else(|| format!("No such field exists: `{name}`"))
}

/// The elements of an array.
///
/// # Errors
/// Kafka's sentence.
pub(crate) fn array(value: &Value) -> Result<&[Value], String> {
    value
        .as_array()
        .map(Vec::as_slice)
        .ok_or_else(|| format!("Expected JSON array, received {value}"))
}

/// Text.
///
/// # Errors
/// Kafka's sentence.
pub(crate) fn string(value: &Value) -> Result<&str, String> {
    value
        .as_str()
        .ok_or_else(|| format!("Expected `String` value, received {value}"))
}

/// A number of 32 bits.
///
/// # Errors
/// Kafka's sentence.
pub(crate) fn int(value: &Value) -> Result<i32, String> {
    value
        .as_i64()
        .and_then(|number| number.try_into().ok())
        .ok_or_else(|| format!("Expected `Integer` value, received {value}"))
}

/// A number of 64 bits.
///
/// # Errors
/// Kafka's sentence.
pub(crate) fn long(value: &Value) -> Result<i64, String> {
    value
        .as_i64()
        .ok_or_else(|| format!("Expected `Long` value, received {value}"))
}
