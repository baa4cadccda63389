//! Kafka's deserializers, by the names of their classes, and how Java prints what they give.

use std::fmt::Write as _;

use crate::console::log;

/// What the bytes of a key or a value are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Deserializer {
    /// Text.
    String,
    /// Whatever they are. Kafka differs: Java prints the address of an array; here the bytes are printed.
    ByteArray,
    /// Printed with escapes.
    Bytes,
    /// Printed as Java prints a buffer.
    ByteBuffer,
    /// A byte that is 0 or 1.
    Boolean,
    /// Two bytes.
    Short,
    /// Four bytes.
    Integer,
    /// Eight bytes.
    Long,
    /// Four bytes.
    Float,
    /// Eight bytes.
    Double,
    /// Text of an id.
    Uuid,
    /// Nothing at all.
    Void,
}

const PACKAGE: &str = "org.apache.kafka.common.serialization.";

impl Deserializer {
    /// The deserializer of a class. One that is not known is logged and left out, as in Kafka.
    pub(crate) fn of_class(class: &str) -> Option<Self> {
        let found = class
            .strip_prefix(PACKAGE)
            .and_then(|name| name.strip_suffix("Deserializer"))
            .and_then(|name| {
                Some(match name {
                    "String" => Self::String,
                    "ByteArray" => Self::ByteArray,
                    "Bytes" => Self::Bytes,
                    "ByteBuffer" => Self::ByteBuffer,
                    "Boolean" => Self::Boolean,
                    "Short" => Self::Short,
                    "Integer" => Self::Integer,
                    "Long" => Self::Long,
                    "Float" => Self::Float,
                    "Double" => Self::Double,
                    "UUID" => Self::Uuid,
                    "Void" => Self::Void,
                    _ => return None,
                })
            });
        if found.is_none() {
            log::error(
                &format!("Unable to instantiate a deserializer from {class}"),
                "org.apache.kafka.tools.consumer.DefaultMessageFormatter",
                &format!("java.lang.ClassNotFoundException: {class}"),
            );
        }
        found
    }

    /// Writes what the bytes are behind `out`.
    ///
    /// # Errors
    /// The exception of Kafka's deserializer.
    pub(crate) fn write(self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), String> {
        let text = match self {
            Self::ByteArray => {
                out.extend_from_slice(bytes);
                return Ok(());
            }
            Self::String => String::from_utf8_lossy(bytes).into_owned(),
            Self::Bytes => escaped(bytes),
            Self::ByteBuffer => {
                let length = bytes.len();
                format!("java.nio.HeapByteBuffer[pos=0 lim={length} cap={length}]")
            }
            Self::Boolean => match bytes {
                [0] => "false".to_owned(),
                [1] => "true".to_owned(),
                [other] => {
                    let other = i8::from_be_bytes([*other]);
                    return Err(exception(&format!(
                        "Unexpected byte received by BooleanDeserializer: {other}"
                    )));
                }
                _ => return Err(wrong_size("BooleanDeserializer", 1)),
            },
            Self::Short => i16::from_be_bytes(array(bytes, "ShortDeserializer")?).to_string(),
            Self::Integer => i32::from_be_bytes(array(bytes, "IntegerDeserializer")?).to_string(),
            Self::Long => i64::from_be_bytes(array(bytes, "LongDeserializer")?).to_string(),
            Self::Float => {
                let value = f32::from_be_bytes(array(bytes, "Deserializer")?);
                java_decimal(&format!("{value:e}"), f64::from(value))
            }
            Self::Double => java_double(f64::from_be_bytes(array(bytes, "Deserializer")?)),
            Self::Uuid => uuid(bytes)?,
            Self::Void => {
                return Err(
                    "java.lang.IllegalArgumentException: Data should be null for a \
                            VoidDeserializer."
                        .to_owned(),
                );
            }
        };
        out.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

fn array<const N: usize>(bytes: &[u8], name: &str) -> Result<[u8; N], String> {
    bytes.try_into().map_err(|_| wrong_size(name, N))
}

fn wrong_size(name: &str, size: usize) -> String {
    exception(&format!("Size of data received by {name} is not {size}"))
}

fn exception(text: &str) -> String {
    format!("org.apache.kafka.common.errors.SerializationException: {text}")
}

/// Kafka's `Bytes.toString`: ASCII that can be printed as it is, the rest as `\x0A`.
fn escaped(bytes: &[u8]) -> String {
    let mut out = String::new();
    for byte in bytes {
        if (b' '..=b'~').contains(byte) && *byte != b'\\' {
            out.push(char::from(*byte));
        } else {
            let _ = write!(out, "\\x{byte:02X}");
        }
    }
    out
}

/// A number as Java prints it.
pub(crate) fn java_double(value: f64) -> String {
    java_decimal(&format!("{value:e}"), value)
}

/// A number as Java prints it. `scientific` is its shortest form: `1.5e-7`.
fn java_decimal(scientific: &str, value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if value == 0.0 || (-3..7).contains(&exponent) {
        let (sign, digits) = match mantissa.strip_prefix('-') {
            Some(digits) => ("-", digits),
            None => ("", mantissa),
        };
        let digits = digits.replace('.', "");
        let whole = usize::try_from(exponent + 1).unwrap_or_default();
        if whole == 0 {
            let zeros = usize::try_from(-exponent - 1).unwrap_or_default();
            return format!("{sign}0.{}{digits}", "0".repeat(zeros));
        }
        let padded = format!("{digits:0<whole$}");
        let (before, after) = padded.split_at(whole);
        let after = if after.is_empty() { "0" } else { after };
        return format!("{sign}{before}.{after}");
    }
    let point = if mantissa.contains('.') { "" } else { ".0" };
    format!("{mantissa}{point}E{exponent}")
}

/// The text of an id, as Java reads and prints it: five groups of hexadecimal digits, which may be short.
fn uuid(bytes: &[u8]) -> Result<String, String> {
    let text = String::from_utf8_lossy(bytes);
    let refused = || exception("Error parsing data into UUID");
    let mut groups = Vec::new();
    for (group, digits) in text
        .split('-')
        .zip([8_usize, 4, 4, 4, 12].into_iter().chain([0]))
    {
        let value = u64::from_str_radix(group, 16).map_err(|_| refused())?;
        let kept = 1_u64
            .checked_shl(u32::try_from(digits * 4).unwrap_or(0))
            .map_or(u64::MAX, |top| top - 1);
        groups.push(format!("{:0digits$x}", value & kept));
    }
    if groups.len() != 5 || text.len() > 36 {
        return Err(refused());
    }
    Ok(groups.join("-"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(deserializer: Deserializer, bytes: &[u8]) -> Result<String, String> {
        let mut out = Vec::new();
        deserializer.write(bytes, &mut out)?;
        Ok(String::from_utf8_lossy(&out).into_owned())
    }

    #[test]
    fn values_look_as_java_prints_them() {
        let check = |deserializer, bytes: &[u8], expected: &str| {
            assert_eq!(
                printed(deserializer, bytes).as_deref(),
                Ok(expected),
                "{deserializer:?}"
            );
        };
        check(Deserializer::String, b"a\xffb", "a\u{fffd}b");
        check(Deserializer::Bytes, b"a\\\n\xff~", r"a\x5C\x0A\xFF~");
        check(Deserializer::Boolean, &[1], "true");
        check(Deserializer::Short, &[0xff, 0xfe], "-2");
        check(Deserializer::Integer, &[0, 0, 1, 0], "256");
        check(Deserializer::Long, &[0xff; 8], "-1");
        check(
            Deserializer::ByteBuffer,
            b"abc",
            "java.nio.HeapByteBuffer[pos=0 lim=3 cap=3]",
        );
        check(
            Deserializer::Uuid,
            b"123E4567-e89b-12d3-a456-426614174000",
            "123e4567-e89b-12d3-a456-426614174000",
        );
        for (value, expected) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (100.0, "100.0"),
            (1.5, "1.5"),
            (0.001, "0.001"),
            (0.000_15, "1.5E-4"),
            (1e7, "1.0E7"),
            (1_234_567.0, "1234567.0"),
            (12_345_678.9, "1.23456789E7"),
            (-2.5e-10, "-2.5E-10"),
            (f64::INFINITY, "Infinity"),
            (0.1, "0.1"),
            (-123.25, "-123.25"),
        ] {
            check(Deserializer::Double, &f64::to_be_bytes(value), expected);
        }
        check(Deserializer::Float, &0.1_f32.to_be_bytes(), "0.1");
    }

    #[test]
    fn bytes_that_are_no_value_get_the_words_of_kafka() {
        let check = |deserializer, bytes: &[u8], expected: &str| {
            let error = printed(deserializer, bytes).expect_err("no value");
            assert!(error.ends_with(expected), "{error}");
        };
        check(
            Deserializer::Long,
            b"b",
            "Size of data received by LongDeserializer is not 8",
        );
        check(
            Deserializer::Float,
            b"b",
            "Size of data received by Deserializer is not 4",
        );
        check(
            Deserializer::Boolean,
            &[3],
            "Unexpected byte received by BooleanDeserializer: 3",
        );
        check(Deserializer::Uuid, b"no", "Error parsing data into UUID");
    }

    #[test]
    fn classes_are_known_by_their_full_names() {
        let name = "org.apache.kafka.common.serialization.UUIDDeserializer";
        assert_eq!(Deserializer::of_class(name), Some(Deserializer::Uuid));
        assert_eq!(Deserializer::of_class("LongDeserializer"), None);
    }
}
