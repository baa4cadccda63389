//! Messages as JSON, by their schemas alone: what a test writes down, and what it compares.
//!
//! Written apart from the generated codec, so that the two check each other. For tests and tools: it trusts
//! its input more than a server may, but neither loops nor allocates by a length that the bytes do not have.
//!
//! Fields have Kafka's names. An absent field has its default. Bytes are hexadecimal text, uuids are text in
//! Kafka's form, numbers are numbers.

use ottla_base::Uuid;
use serde_json::{Map, Number, Value};
use thiserror::Error;

use crate::model::{Field, Message, Struct, Type};

/// A value that does not fit a message, or bytes that are none.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{path}: {what}")]
pub struct JsonError {
    /// Where, as names of fields.
    pub path: String,
    /// What is wrong there.
    pub what: String,
}

pub(crate) type Result<T> = std::result::Result<T, JsonError>;

pub(crate) fn error<T>(what: impl Into<String>) -> Result<T> {
    Err(JsonError {
        path: String::new(),
        what: what.into(),
    })
}

impl JsonError {
    fn within(mut self, name: &str) -> Self {
        let separator = if self.path.is_empty() { "" } else { "." };
        self.path = format!("{name}{separator}{}", self.path);
        self
    }
}

/// Writes `value` as `message` of `version`, behind `out`.
///
/// # Errors
/// [`JsonError`] for an unknown field, a value of another type or out of range.
pub fn encode(message: &Message, version: i16, value: &Value, out: &mut Vec<u8>) -> Result<()> {
    let codec = Codec { message, version };
    codec.write_fields(&message.fields, value, out)
}

/// Reads `message` of `version` from the front of `bytes`; gives it with the bytes behind it.
///
/// # Errors
/// [`JsonError`] if the bytes are no such message.
pub fn decode<'a>(message: &Message, version: i16, bytes: &'a [u8]) -> Result<(Value, &'a [u8])> {
    let codec = Codec { message, version };
    let mut rest = bytes;
    let value = codec.read_fields(&message.fields, &mut rest)?;
    Ok((value, rest))
}

struct Codec<'m> {
    message: &'m Message,
    version: i16,
}

impl Codec<'_> {
    fn flexible(&self) -> bool {
        self.message.flexible.contains(self.version)
    }

    fn is_flexible(&self, field: &Field) -> bool {
        self.flexible() && !field.never_flexible
    }

    /// The number under which a field is tagged in this version.
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

    fn write_fields(&self, fields: &[Field], value: &Value, out: &mut Vec<u8>) -> Result<()> {
        let Some(object) = value.as_object() else {
            return error("not an object");
        };
        for name in object.keys() {
            if !fields.iter().any(|field| field.name == *name) {
                return error(format!("no field {name}"));
            }
        }
        let present = || {
            fields
                .iter()
                .filter(|field| field.versions.contains(self.version))
        };
        for field in present().filter(|field| self.tag(field).is_none()) {
            let value = object.get(&field.name).cloned();
            let value = value.map_or_else(|| self.default(field), Ok);
            value
                .and_then(|value| self.write(field, &field.ty, &value, out))
                .map_err(|error| error.within(&field.name))?;
        }
        if !self.flexible() {
            return Ok(());
        }
        let mut tagged = Vec::new();
        for field in present() {
            if let (Some(tag), Some(value)) = (self.tag(field), object.get(&field.name))
                && *value != self.default(field)?
            {
                let mut bytes = Vec::new();
                self.write(field, &field.ty, value, &mut bytes)
                    .map_err(|error| error.within(&field.name))?;
                tagged.push((tag, bytes));
            }
        }
        tagged.sort();
        write_uvarint(count(tagged.len())?, out);
        for (tag, bytes) in tagged {
            write_uvarint(tag, out);
            write_uvarint(count(bytes.len())?, out);
            out.extend_from_slice(&bytes);
        }
        Ok(())
    }

    fn write(&self, field: &Field, ty: &Type, value: &Value, out: &mut Vec<u8>) -> Result<()> {
        let flexible = self.is_flexible(field);
        match ty {
            Type::Bool => match value.as_bool() {
                Some(value) => out.push(u8::from(value)),
                None => return error("not a boolean"),
            },
            Type::I8 => out.extend(integer::<i8>(value)?.to_be_bytes()),
            Type::I16 => out.extend(integer::<i16>(value)?.to_be_bytes()),
            Type::U16 => out.extend(integer::<u16>(value)?.to_be_bytes()),
            Type::I32 => out.extend(integer::<i32>(value)?.to_be_bytes()),
            Type::U32 => out.extend(integer::<u32>(value)?.to_be_bytes()),
            Type::I64 => out.extend(integer::<i64>(value)?.to_be_bytes()),
            Type::F64 => match value.as_f64() {
                Some(value) => out.extend(value.to_be_bytes()),
                None => return error("not a number"),
            },
            Type::Uuid => match value.as_str().and_then(|text| text.parse::<Uuid>().ok()) {
                Some(uuid) => out.extend(uuid.0),
                None => return error("not a uuid"),
            },
            Type::String => match value {
                Value::Null => write_length(None, flexible, 2, out)?,
                Value::String(text) => {
                    write_length(Some(text.len()), flexible, 2, out)?;
                    out.extend(text.as_bytes());
                }
                _ => return error("not a string"),
            },
            Type::Bytes | Type::Records => match value {
                Value::Null => write_length(None, flexible, 4, out)?,
                Value::String(text) => {
                    let Some(bytes) = from_hex(text) else {
                        return error("not hexadecimal");
                    };
                    write_length(Some(bytes.len()), flexible, 4, out)?;
                    out.extend(bytes);
                }
                _ => return error("not bytes"),
            },
            Type::Array(element) => match value {
                Value::Null => write_length(None, flexible, 4, out)?,
                Value::Array(values) => {
                    write_length(Some(values.len()), flexible, 4, out)?;
                    for (at, value) in values.iter().enumerate() {
                        self.write(field, element, value, out)
                            .map_err(|error| error.within(&at.to_string()))?;
                    }
                }
                _ => return error("not an array"),
            },
            Type::Struct(name) => {
                let nullable = field.nullable.contains(self.version);
                if nullable && value.is_null() {
                    out.push(0xff);
                    return Ok(());
                }
                // A struct in an array has no mark of its own.
                if nullable && matches!(field.ty, Type::Struct(_)) {
                    out.push(1);
                }
                self.write_fields(&self.find(name)?.fields, value, out)?;
            }
        }
        Ok(())
    }

    /// The value of a field that is not given.
    fn default(&self, field: &Field) -> Result<Value> {
        let Some(text) = &field.default else {
            return Ok(match &field.ty {
                Type::Bool => Value::Bool(false),
                Type::I8 | Type::I16 | Type::U16 | Type::I32 | Type::U32 | Type::I64 => 0.into(),
                Type::F64 => 0.0.into(),
                Type::Uuid => Uuid::ZERO.to_string().into(),
                Type::String | Type::Bytes => "".into(),
                Type::Records => Value::Null,
                Type::Array(_) => Value::Array(Vec::new()),
                Type::Struct(name) => {
                    let mut object = Map::new();
                    for field in &self.find(name)?.fields {
                        if field.versions.contains(self.version) {
                            object.insert(field.name.clone(), self.default(field)?);
                        }
                    }
                    Value::Object(object)
                }
            });
        };
        if text == "null" {
            return Ok(Value::Null);
        }
        Ok(match &field.ty {
            Type::Bool => Value::Bool(text == "true"),
            Type::F64 => match text.parse::<f64>() {
                Ok(value) => value.into(),
                Err(_) => return error("bad default"),
            },
            Type::I8 | Type::I16 | Type::U16 | Type::I32 | Type::U32 | Type::I64 => {
                let number = match text.strip_prefix("0x") {
                    Some(digits) => i64::from_str_radix(digits, 16),
                    None => text.parse(),
                };
                match number {
                    Ok(number) => number.into(),
                    Err(_) => return error("bad default"),
                }
            }
            _ => text.trim_matches('"').into(),
        })
    }

    fn read_fields(&self, fields: &[Field], bytes: &mut &[u8]) -> Result<Value> {
        let mut object = Map::new();
        let present = || {
            fields
                .iter()
                .filter(|field| field.versions.contains(self.version))
        };
        for field in present() {
            let value = if self.tag(field).is_some() {
                self.default(field)
            } else {
                self.read(field, &field.ty, bytes)
            };
            let value = value.map_err(|error| error.within(&field.name))?;
            object.insert(field.name.clone(), value);
        }
        if self.flexible() {
            for _ in 0..read_uvarint(bytes)? {
                let tag = read_uvarint(bytes)?;
                let size = size(read_uvarint(bytes)?)?;
                let mut data = take(bytes, size)?;
                match present().find(|field| self.tag(field) == Some(tag)) {
                    Some(field) => {
                        let value = self
                            .read(field, &field.ty, &mut data)
                            .map_err(|error| error.within(&field.name))?;
                        object.insert(field.name.clone(), value);
                    }
                    None => {
                        object.insert(format!("tag {tag}"), to_hex(data).into());
                    }
                }
            }
        }
        Ok(Value::Object(object))
    }

    fn read(&self, field: &Field, ty: &Type, bytes: &mut &[u8]) -> Result<Value> {
        let flexible = self.is_flexible(field);
        Ok(match ty {
            Type::Bool => Value::Bool(take_array::<1>(bytes)? != [0]),
            Type::I8 => i8::from_be_bytes(take_array(bytes)?).into(),
            Type::I16 => i16::from_be_bytes(take_array(bytes)?).into(),
            Type::U16 => u16::from_be_bytes(take_array(bytes)?).into(),
            Type::I32 => i32::from_be_bytes(take_array(bytes)?).into(),
            Type::U32 => u32::from_be_bytes(take_array(bytes)?).into(),
            Type::I64 => i64::from_be_bytes(take_array(bytes)?).into(),
            Type::F64 => {
                let number = Number::from_f64(f64::from_be_bytes(take_array(bytes)?));
                number.map_or(Value::Null, Value::Number)
            }
            Type::Uuid => Uuid(take_array(bytes)?).to_string().into(),
            Type::String => match read_length(flexible, 2, bytes)? {
                None => Value::Null,
                Some(length) => String::from_utf8_lossy(take(bytes, length)?).into(),
            },
            Type::Bytes | Type::Records => match read_length(flexible, 4, bytes)? {
                None => Value::Null,
                Some(length) => to_hex(take(bytes, length)?).into(),
            },
            Type::Array(element) => match read_length(flexible, 4, bytes)? {
                None => Value::Null,
                Some(length) => {
                    let mut values = Vec::new();
                    for at in 0..length {
                        let value = self.read(field, element, bytes);
                        values.push(value.map_err(|error| error.within(&at.to_string()))?);
                    }
                    Value::Array(values)
                }
            },
            Type::Struct(name) => {
                let marked =
                    field.nullable.contains(self.version) && matches!(field.ty, Type::Struct(_));
                if marked && take_array::<1>(bytes)? == [0xff] {
                    return Ok(Value::Null);
                }
                self.read_fields(&self.find(name)?.fields, bytes)?
            }
        })
    }
}

fn count(len: usize) -> Result<u32> {
    u32::try_from(len).map_or_else(|_| error("too long"), Ok)
}

pub(crate) fn size(length: u32) -> Result<usize> {
    usize::try_from(length).map_or_else(|_| error("too long"), Ok)
}

fn integer<T: TryFrom<i64>>(value: &Value) -> Result<T> {
    let number = value.as_i64().and_then(|number| T::try_from(number).ok());
    number.map_or_else(|| error("not an integer of this type"), Ok)
}

/// Writes a length: compact in flexible versions, else of `width` bytes, where -1 stands for null.
fn write_length(len: Option<usize>, flexible: bool, width: usize, out: &mut Vec<u8>) -> Result<()> {
    if flexible {
        let plus_one = len.map_or(Ok(0), |len| count(len.saturating_add(1)));
        write_uvarint(plus_one?, out);
        return Ok(());
    }
    let len = len.map_or(Ok(-1), i64::try_from);
    match (len, width) {
        (Ok(len), 2) => match i16::try_from(len) {
            Ok(len) => out.extend(len.to_be_bytes()),
            Err(_) => return error("too long"),
        },
        (Ok(len), _) => match i32::try_from(len) {
            Ok(len) => out.extend(len.to_be_bytes()),
            Err(_) => return error("too long"),
        },
        (Err(_), _) => return error("too long"),
    }
    Ok(())
}

pub(crate) fn read_length(
    flexible: bool,
    width: usize,
    bytes: &mut &[u8],
) -> Result<Option<usize>> {
    let length = if flexible {
        i64::from(read_uvarint(bytes)?) - 1
    } else if width == 2 {
        i16::from_be_bytes(take_array(bytes)?).into()
    } else {
        i32::from_be_bytes(take_array(bytes)?).into()
    };
    match usize::try_from(length) {
        Ok(length) if length <= bytes.len() => Ok(Some(length)),
        Ok(_) => error("length is larger than what is left"),
        Err(_) if length == -1 => Ok(None),
        Err(_) => error("negative length"),
    }
}

fn write_uvarint(mut value: u32, out: &mut Vec<u8>) {
    loop {
        let [low, ..] = value.to_le_bytes();
        value >>= 7;
        if value == 0 {
            out.push(low & 0x7f);
            return;
        }
        out.push(low | 0x80);
    }
}

pub(crate) fn read_uvarint(bytes: &mut &[u8]) -> Result<u32> {
    let mut value = 0u32;
    for shift in [0, 7, 14, 21, 28] {
        let [byte] = take_array(bytes)?;
        value |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    error("variable-length number does not end")
}

pub(crate) fn take<'a>(bytes: &mut &'a [u8], len: usize) -> Result<&'a [u8]> {
    let Some((taken, rest)) = bytes.split_at_checked(len) else {
        return error("message ends early");
    };
    *bytes = rest;
    Ok(taken)
}

pub(crate) fn take_array<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N]> {
    let Some((taken, rest)) = bytes.split_first_chunk() else {
        return error("message ends early");
    };
    *bytes = rest;
    Ok(*taken)
}

/// Bytes as hexadecimal text.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Hexadecimal text as bytes.
#[must_use]
pub fn from_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    let pairs = (0..text.len()).step_by(2);
    pairs
        .map(|at| u8::from_str_radix(text.get(at..at + 2)?, 16).ok())
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SCHEMA: &str = "\
request ThingRequest key=1 versions=0-2 flexible=1+ listeners=broker
  Name: string 0+ null=1+
  Count: i32 0+ default=-1
  Parts: []Part 0+
    Id: uuid 0+
    Data: bytes 0+ null=0+
  Late: i16 2+ tag=3@2+ default=7
";

    fn round(version: i16, value: &Value) -> (Vec<u8>, Value) {
        let messages = crate::parse(SCHEMA).unwrap();
        let mut bytes = Vec::new();
        encode(&messages[0], version, value, &mut bytes).unwrap();
        let (back, rest) = decode(&messages[0], version, &bytes).unwrap();
        assert!(rest.is_empty());
        (bytes, back)
    }

    #[test]
    fn values_come_back_with_their_defaults() {
        let (bytes, back) = round(0, &json!({"Name": "a", "Parts": [{"Data": "00ff"}]}));
        let head = [0, 1, b'a', 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1];
        assert_eq!(bytes[..11], head);
        assert_eq!(bytes[27..], [0, 0, 0, 2, 0, 0xff]);
        let part = json!({"Id": "AAAAAAAAAAAAAAAAAAAAAA", "Data": "00ff"});
        assert_eq!(back, json!({"Name": "a", "Count": -1, "Parts": [part]}));
    }

    #[test]
    fn flexible_versions_have_short_lengths_and_tags() {
        let (bytes, back) = round(2, &json!({"Name": null, "Late": 9}));
        assert_eq!(bytes, [0, 0xff, 0xff, 0xff, 0xff, 1, 1, 3, 2, 0, 9]);
        assert_eq!(back["Late"], 9);
        // A tagged field with its default does not travel.
        let (bytes, back) = round(2, &json!({"Late": 7}));
        assert_eq!(bytes, [1, 0xff, 0xff, 0xff, 0xff, 1, 0]);
        assert_eq!(back["Late"], 7);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let messages = crate::parse(SCHEMA).unwrap();
        let mut out = Vec::new();
        let error = encode(&messages[0], 0, &json!({"Parts": [{"Data": 5}]}), &mut out);
        assert_eq!(error.unwrap_err().path, "Parts.0.Data");
        assert!(encode(&messages[0], 0, &json!({"Nme": ""}), &mut out).is_err());
        for bytes in [&[0u8][..], &[0, 5, b'a'], &[0xff; 9]] {
            assert!(decode(&messages[0], 0, bytes).is_err(), "{bytes:?}");
        }
    }
}
