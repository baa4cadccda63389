//! Base64 as Java's codecs read and write it, with what they say of text that is none.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Bits of a letter.
const LETTER_BITS: u32 = 6;

/// Writes bytes, with padding.
pub(crate) fn encode(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Reads text; padding may be left out.
///
/// # Errors
/// The message of Java's exception.
pub(crate) fn decode(text: &str) -> Result<Vec<u8>, String> {
    decode_with(text, *b"+/")
}

/// The same in the alphabet for names of files and pages.
///
/// # Errors
/// The message of Java's exception.
pub(crate) fn decode_url(text: &str) -> Result<Vec<u8>, String> {
    decode_with(text, *b"-_")
}

/// Reads text in the alphabet whose last two letters are `last`.
fn decode_with(text: &str, last: [u8; 2]) -> Result<Vec<u8>, String> {
    // Java looks at the text in ISO 8859-1, in which other letters are question marks.
    let letters: Vec<u8> = text
        .chars()
        .map(|c| u8::try_from(c).unwrap_or(b'?'))
        .collect();
    if letters.len() == 1 {
        return Err("Input byte[] should at least have 2 bytes for base64 bytes".to_owned());
    }
    let mut bytes = Vec::with_capacity(letters.len());
    let mut rest = letters.iter();
    // Bits that do not make a byte yet, and how many letters of four were read.
    let (mut bits, mut count) = (0_u32, 0_u32);
    while let Some(letter) = rest.next() {
        if *letter == b'=' {
            let second = count == 2 && rest.next() != Some(&b'=');
            if count == 0 || second {
                return Err("Input byte array has wrong 4-byte ending unit".to_owned());
            }
            break;
        }
        let value = value(*letter, last).ok_or_else(|| illegal(*letter))?;
        bits = (bits << LETTER_BITS) | u32::from(value);
        count = (count + 1) % 4;
        if count == 0 {
            bytes.extend(bits.to_be_bytes().into_iter().skip(1));
            bits = 0;
        }
    }
    match count {
        1 => return Err("Last unit does not have enough valid bits".to_owned()),
        2 => bytes.extend((bits << 12).to_be_bytes().into_iter().skip(1).take(1)),
        3 => bytes.extend((bits << 6).to_be_bytes().into_iter().skip(1).take(2)),
        _ => {}
    }
    match rest.len() {
        0 => Ok(bytes),
        left => Err(format!(
            "Input byte array has incorrect ending byte at {}",
            letters.len().saturating_sub(left)
        )),
    }
}

fn value(letter: u8, last: [u8; 2]) -> Option<u8> {
    let [second_last, last] = last;
    match letter {
        b'A'..=b'Z' => letter.checked_sub(b'A'),
        b'a'..=b'z' => letter.checked_sub(b'a' - 26),
        b'0'..=b'9' => letter.checked_add(52 - b'0'),
        _ if letter == second_last => Some(62),
        _ if letter == last => Some(63),
        _ => None,
    }
}

/// The letter in hexadecimal digits; Java's bytes have a sign.
fn illegal(letter: u8) -> String {
    let signed = letter.cast_signed();
    let sign = if signed < 0 { "-" } else { "" };
    format!("Illegal base64 character {sign}{:x}", signed.unsigned_abs())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_read_as_java_reads_it() {
        for bytes in [&b""[..], b"f", b"fo", b"foo", b"foob", &[0, 255, 128, 63]] {
            let text = encode(bytes);
            assert_eq!(decode(&text).as_deref(), Ok(bytes), "{text}");
            let bare = text.trim_end_matches('=');
            assert_eq!(decode(bare).as_deref(), Ok(bytes), "{bare}");
        }
    }

    #[test]
    fn the_alphabets_differ_in_two_letters() {
        assert_eq!(decode("+/+/"), decode_url("-_-_"));
        assert!(decode("-_-_").is_err() && decode_url("+/+/").is_err());
    }

    #[test]
    fn what_is_no_base64_gets_javas_words() {
        let check = |text: &str, expected: &str| {
            assert_eq!(decode(text).expect_err(text), expected, "{text}");
        };
        check(
            "x",
            "Input byte[] should at least have 2 bytes for base64 bytes",
        );
        check("!!", "Illegal base64 character 21");
        check("é_", "Illegal base64 character -17");
        check("日本", "Illegal base64 character 3f");
        check("xx=", "Input byte array has wrong 4-byte ending unit");
        check("====", "Input byte array has wrong 4-byte ending unit");
        check("x===", "Last unit does not have enough valid bits");
        check("abcdx", "Last unit does not have enough valid bits");
        check("xx==x", "Input byte array has incorrect ending byte at 4");
    }
}
