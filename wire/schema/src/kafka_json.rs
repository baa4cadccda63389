//! Messages as the JSON that Kafka's own tools print of them: fields in the order of the schema with a
//! small first letter, bytes in base64, tagged fields only where they differ from their default.
//!
//! Written straight to text, because a tool prints millions of records. As [`crate::json`] it neither
//! loops nor allocates by a length that the bytes do not have.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ottla_base::Uuid;

use crate::json::{JsonError, Result, error, read_length, read_uvarint, size, take, take_array};
use crate::model::{Field, Message, Struct, Type};

/// Shows the bytes of a field in another way, by the field's name; `None` for base64.
pub type ShowBytes<'a> = &'a dyn Fn(&str, &[u8]) -> Option<String>;

/// Reads `message` of `version` from the front of `bytes`; gives its JSON with the bytes behind it.
///
/// # Errors
/// [`JsonError`] if the bytes are no such message.
pub fn to_kafka_json<'a>(
    message: &Message,
    version: i16,
    bytes: &'a [u8],
    show_bytes: ShowBytes<'_>,
) -> std::result::Result<(String, &'a [u8]), JsonError> {
    let writer = Writer {
        message,
        version,
        show_bytes,
    };
    let mut rest = bytes;
    let text = writer.fields(&message.fields, &mut rest)?;
    Ok((text, rest))
}

/// A name as Kafka's JSON has it.
#[must_use]
pub fn field_name(name: &str) -> String {
    let mut chars = name.chars();
    match chars.next() {
        Some(first) => first.to_lowercase().chain(chars).collect(),
        None => String::new(),
    }
}

struct Writer<'m> {
    message: &'m Message,
    version: i16,
    show_bytes: ShowBytes<'m>,
}

impl Writer<'_> {
    fn is_flexible(&self, field: &Field) -> bool {
        self.message.flexible.contains(self.version) && !field.never_flexible
    }

    fn tag(&self, field: &Field) -> Option<u32> {
        field
            .tag
            .filter(|(_, versions)| versions.contains(self.version))
            .map(|(tag, _)| tag)
    }

    fn find(&self, name: &str) -> Result<&Struct> {
        let found = self.message.find_struct(name);
        found.map_or_else(|| error(format!("no struct {name}")), Ok)
    }

    fn fields(&self, fields: &[Field], bytes: &mut &[u8]) -> Result<String> {
        // One place a field, because a tagged field comes last in the bytes but has its place in the text.
        let mut texts: Vec<Option<String>> = Vec::with_capacity(fields.len());
        for field in fields {
            let is_there = field.versions.contains(self.version) && self.tag(field).is_none();
            texts.push(if is_there {
                Some(self.value(field, &field.ty, bytes)?)
            } else {
                // Kafka's converter takes an empty struct for the default of a struct that may be null.
                (field.versions.contains(self.version) && self.is_optional_struct(field))
                    .then(|| "null".to_owned())
            });
        }
        if self.message.flexible.contains(self.version) {
            for _ in 0..read_uvarint(bytes)? {
                let tag = read_uvarint(bytes)?;
                let length = size(read_uvarint(bytes)?)?;
                let mut data = take(bytes, length)?;
                let found = fields.iter().zip(&mut texts).find(|(field, _)| {
                    field.versions.contains(self.version) && self.tag(field) == Some(tag)
                });
                if let Some((field, place)) = found {
                    let text = self.value(field, &field.ty, &mut data)?;
                    *place = (text != self.default(field)?).then_some(text);
                }
            }
        }
        let mut out = String::from("{");
        for (field, text) in fields.iter().zip(texts) {
            if let Some(text) = text {
                if out.len() > 1 {
                    out.push(',');
                }
                quote(&mut out, &field_name(&field.name));
                out.push(':');
                out.push_str(&text);
            }
        }
        out.push('}');
        Ok(out)
    }

    fn value(&self, field: &Field, ty: &Type, bytes: &mut &[u8]) -> Result<String> {
        let flexible = self.is_flexible(field);
        Ok(match ty {
            Type::Bool => (take_array::<1>(bytes)? != [0]).to_string(),
            Type::I8 => i8::from_be_bytes(take_array(bytes)?).to_string(),
            Type::I16 => i16::from_be_bytes(take_array(bytes)?).to_string(),
            Type::U16 => u16::from_be_bytes(take_array(bytes)?).to_string(),
            Type::I32 => i32::from_be_bytes(take_array(bytes)?).to_string(),
            Type::U32 => u32::from_be_bytes(take_array(bytes)?).to_string(),
            Type::I64 => i64::from_be_bytes(take_array(bytes)?).to_string(),
            Type::F64 => double(f64::from_be_bytes(take_array(bytes)?)),
            Type::Uuid => text(&Uuid(take_array(bytes)?).to_string()),
            Type::String => match read_length(flexible, 2, bytes)? {
                None => "null".to_owned(),
                Some(length) => text(&String::from_utf8_lossy(take(bytes, length)?)),
            },
            Type::Bytes | Type::Records => match read_length(flexible, 4, bytes)? {
                None => "null".to_owned(),
                Some(length) => {
                    let data = take(bytes, length)?;
                    (self.show_bytes)(&field.name, data).unwrap_or_else(|| text(&base64(data)))
                }
            },
            Type::Array(element) => match read_length(flexible, 4, bytes)? {
                None => "null".to_owned(),
                Some(length) => {
                    let mut out = String::from("[");
                    for at in 0..length {
                        if at > 0 {
                            out.push(',');
                        }
                        out.push_str(&self.value(field, element, bytes)?);
                    }
                    out.push(']');
                    out
                }
            },
            Type::Struct(name) => {
                let marked =
                    field.nullable.contains(self.version) && matches!(field.ty, Type::Struct(_));
                if marked {
                    let [mark] = take_array(bytes)?;
                    // In a tagged field zero stands for null, elsewhere -1.
                    if mark == 0xff || (mark == 0 && self.tag(field).is_some()) {
                        return Ok("null".to_owned());
                    }
                }
                self.fields(&self.find(name)?.fields, bytes)?
            }
        })
    }

    /// Whether a field is a struct that may be null.
    fn is_optional_struct(&self, field: &Field) -> bool {
        matches!(field.ty, Type::Struct(_)) && field.nullable.contains(self.version)
    }

    /// The text of a field's default.
    fn default(&self, field: &Field) -> Result<String> {
        if let Some(default) = &field.default
            && !self.is_optional_struct(field)
        {
            return Ok(match &field.ty {
                _ if default == "null" => "null".to_owned(),
                Type::String | Type::Bytes | Type::Uuid => text(default.trim_matches('"')),
                Type::F64 => default.parse().map_or_else(|_| default.clone(), double),
                _ => default.clone(),
            });
        }
        Ok(match &field.ty {
            Type::Bool => "false".to_owned(),
            Type::I8 | Type::I16 | Type::U16 | Type::I32 | Type::U32 | Type::I64 => "0".to_owned(),
            Type::F64 => double(0.0),
            Type::Uuid => text(&Uuid::ZERO.to_string()),
            Type::String | Type::Bytes => text(""),
            Type::Records => "null".to_owned(),
            Type::Array(_) => "[]".to_owned(),
            Type::Struct(name) => {
                let mut parts = Vec::new();
                for field in &self.find(name)?.fields {
                    if field.versions.contains(self.version) && self.tag(field).is_none() {
                        let name = text(&field_name(&field.name));
                        parts.push(format!("{name}:{}", self.default(field)?));
                    }
                }
                format!("{{{}}}", parts.join(","))
            }
        })
    }
}

/// A text in quotes, escaped as Jackson escapes.
#[must_use]
pub fn text(value: &str) -> String {
    let mut out = String::with_capacity(value.len() + 2);
    quote(&mut out, value);
    out
}

fn quote(out: &mut String, value: &str) {
    out.push('"');
    for char in value.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            control if control < ' ' => {
                write!(out, "\\u{:04X}", u32::from(control)).expect("a String takes all");
            }
            other => out.push(other),
        }
    }
    out.push('"');
}

/// A floating-point number as Java writes it: `1000.0`, `1.0E7`, `NaN`.
#[must_use]
pub fn double(value: f64) -> String {
    let magnitude = value.abs();
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    if magnitude == 0.0 || (1e-3..1e7).contains(&magnitude) {
        return format!("{value:?}");
    }
    let text = format!("{value:e}");
    match text.split_once('e') {
        Some((digits, exponent)) if digits.contains('.') => format!("{digits}E{exponent}"),
        Some((digits, exponent)) => format!("{digits}.0E{exponent}"),
        None => text,
    }
}

/// Standard base64 with padding.
#[must_use]
pub fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SCHEMA: &str = "\
metadata ThingRecord key=1 versions=0-1 flexible=0+
  KRaftName: string 0+ null=0+
  Late: i16 1+ tag=3@1+ default=7
  Parts: []Part 0+
    Id: uuid 0+
    Data: bytes 0+ null=0+
  Rate: f64 0+
";

    #[test]
    fn fields_are_as_kafka_prints_them() {
        let messages = crate::parse(SCHEMA).unwrap();
        let check = |version: i16, value: serde_json::Value, expected: &str| {
            let mut bytes = Vec::new();
            crate::json::encode(&messages[0], version, &value, &mut bytes).unwrap();
            let plain: ShowBytes<'_> = &|_, _| None;
            let (text, rest) = to_kafka_json(&messages[0], version, &bytes, plain).unwrap();
            assert_eq!(text, expected);
            assert!(rest.is_empty());
            for cut in 0..bytes.len() {
                assert!(to_kafka_json(&messages[0], version, &bytes[..cut], plain).is_err());
            }
        };
        check(
            1,
            json!({"KRaftName": "a\"\u{1f}", "Late": 9, "Parts": [{"Data": "00ff"}], "Rate": 1e7}),
            r#"{"kRaftName":"a\"\u001F","late":9,"parts":[{"id":"AAAAAAAAAAAAAAAAAAAAAA","data":"AP8="}],"rate":1.0E7}"#,
        );
        check(
            0,
            json!({"KRaftName": null, "Rate": 0.5}),
            r#"{"kRaftName":null,"parts":[],"rate":0.5}"#,
        );
    }

    #[test]
    fn a_tagged_field_with_its_default_is_not_shown() {
        let messages = crate::parse(SCHEMA).unwrap();
        // A writer may send a default all the same.
        let bytes = [0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 3, 2, 0, 7];
        let (text, _) = to_kafka_json(&messages[0], 1, &bytes, &|_, _| None).unwrap();
        assert_eq!(text, r#"{"kRaftName":null,"parts":[],"rate":0.0}"#);
    }

    #[test]
    fn a_tagged_struct_may_be_null() {
        let schema = "\
coordinator-value Thing key=1 versions=0 flexible=0+
  Part: Part 0+ null=0+ tag=0@0+ default=null
    Id: i8 0+
";
        let messages = crate::parse(schema).unwrap();
        for (bytes, expected) in [
            (&[0][..], r#"{"part":null}"#),
            (&[1, 0, 1, 0], r#"{"part":null}"#),
            (&[1, 0, 3, 1, 5, 0], r#"{"part":{"id":5}}"#),
            (&[1, 0, 3, 1, 0, 0], "{}"),
        ] {
            let (text, _) = to_kafka_json(&messages[0], 0, bytes, &|_, _| None).unwrap();
            assert_eq!(text, expected, "{bytes:?}");
        }
    }

    #[test]
    fn numbers_and_bytes_are_javas() {
        for (value, expected) in [
            (0.0, "0.0"),
            (1000.0, "1000.0"),
            (9_999_999.5, "9999999.5"),
            (12_345_678.0, "1.2345678E7"),
            (0.001, "0.001"),
            (0.0001, "1.0E-4"),
            (-2e10, "-2.0E10"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(double(value), expected);
        }
        for (bytes, expected) in [
            (&b""[..], ""),
            (b"a", "YQ=="),
            (b"ab", "YWI="),
            (b"abc", "YWJj"),
            (b"\xff\xfe\xfd\xfc", "//79/A=="),
        ] {
            assert_eq!(base64(bytes), expected);
        }
    }
}
