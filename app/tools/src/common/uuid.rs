//! Ids on command lines, with what Java's decoder says of those that are none.

use ottla_base::Uuid;

use super::base64;

/// Longest text that is looked at.
const LENGTH_MAX: usize = 24;

/// Reads an id.
///
/// # Errors
/// The message of the exception that Kafka's clients throw.
pub(crate) fn parse(text: &str) -> Result<Uuid, String> {
    if let Ok(id) = text.parse() {
        return Ok(id);
    }
    let start: String = text.chars().take(LENGTH_MAX).collect();
    if start.len() < text.len() {
        return Err(format!(
            "Input string with prefix `{start}` is too long to be decoded as a base64 UUID"
        ));
    }
    let bytes = base64::decode_url(text)?;
    Err(format!(
        "Input string `{text}` decoded as {} bytes, which is not equal to the expected 16 bytes of a \
         base64-encoded UUID",
        bytes.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_id_gets_javas_words() {
        let bytes = |text: &str, count: u8| {
            format!(
                "Input string `{text}` decoded as {count} bytes, which is not equal to the expected 16 \
                 bytes of a base64-encoded UUID"
            )
        };
        let check = |text: &str, expected: &str| {
            assert_eq!(parse(text).expect_err("none"), expected, "{text}");
        };
        assert_eq!(parse("AAAAAAAAAAAAAAAAAAAAAA=="), Ok(Uuid::ZERO));
        check("", &bytes("", 0));
        check(
            "x",
            "Input byte[] should at least have 2 bytes for base64 bytes",
        );
        check("x*", "Illegal base64 character 2a");
        check("xx", &bytes("xx", 1));
        check("xxx=", &bytes("xxx=", 2));
        check("xxxxx", "Last unit does not have enough valid bits");
        check(
            "xxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
            "Input string with prefix `xxxxxxxxxxxxxxxxxxxxxxxx` is too long to be decoded as a base64 UUID",
        );
        check(
            "AAAAAAAAAAAAAAAAAAAAAAAA",
            &bytes("AAAAAAAAAAAAAAAAAAAAAAAA", 18),
        );
        check(
            "AAAAAAAAAAAAAAAAAAAAAA=",
            "Input byte array has wrong 4-byte ending unit",
        );
    }
}
