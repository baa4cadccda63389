//! Programs that drive system tests: they produce and consume, and print each step as a line of JSON.

pub(crate) mod consumer;
pub(crate) mod producer;
pub(crate) mod share_consumer;

use std::time::{SystemTime, UNIX_EPOCH};

use ottla_client::Properties;

use crate::common::argparse::Parsed;
use crate::common::client::properties_file;
use crate::common::output;
use crate::common::usage::Failure;

/// Prints an event. `fields` are names with values that are JSON already.
fn event(name: &str, fields: &[(&str, String)]) {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    let mut line = format!("{{\"timestamp\":{},\"name\":\"{name}\"", now.as_millis());
    for (field, value) in fields {
        line.push_str(&format!(",\"{field}\":{value}"));
    }
    line.push('}');
    output::line(&line);
    output::flush();
}

/// Text as JSON.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// Bytes of a key or a value as JSON.
fn quoted_bytes(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(
        || "null".to_owned(),
        |bytes| quoted(&String::from_utf8_lossy(bytes)),
    )
}

/// The properties of the file that is named, if one is.
fn file(parsed: &Parsed, old: &str) -> Result<Properties, Failure> {
    if parsed.has(old) && parsed.has("command-config") {
        return Err(Failure::Failed(format!(
            "Exception in thread \"main\" java.lang.RuntimeException: Options --{old} and --command-config \
             are mutually exclusive."
        )));
    }
    if parsed.has(old) {
        output::line(&format!(
            "Option --{old} has been deprecated and will be removed in a future version. Use \
             --command-config instead."
        ));
    }
    match parsed.value("command-config").or_else(|| parsed.value(old)) {
        Some(path) => Ok(properties_file(path)?),
        None => Ok(Properties::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_json() {
        assert_eq!(quoted("a\"b\n"), r#""a\"b\n""#);
        assert_eq!(quoted_bytes(None), "null");
        assert_eq!(quoted_bytes(Some(b"7.0")), "\"7.0\"");
    }
}
