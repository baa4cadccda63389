//! Bytes with a name for each of them, for pages that explain a format by a real file.
//!
//! The formats are written down here a second time on purpose: by hand, from what Apache Kafka writes, without the
//! crates that Ottla reads and writes them with. A byte without a name, or a name without bytes, is an error.

use anyhow::{Context as _, Result, bail, ensure};

/// Longest run of bytes that is shown whole.
const SHOWN: usize = 12;

/// Walks over bytes and writes a line for each field.
#[derive(Debug)]
pub struct Annotator<'a> {
    bytes: &'a [u8],
    at: usize,
    lines: Vec<String>,
}

impl<'a> Annotator<'a> {
    /// Begins at the first byte.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        let head = format!("{:>6}  {:<24}  {:<28}  value", "offset", "bytes", "field");
        Self {
            bytes,
            at: 0,
            lines: vec![head],
        }
    }

    /// Bytes that have no name yet.
    #[must_use]
    pub fn left(&self) -> usize {
        self.bytes.len() - self.at
    }

    /// Number of bytes that have a name.
    #[must_use]
    pub fn at(&self) -> usize {
        self.at
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8]> {
        let taken = self
            .bytes
            .get(self.at..self.at + count)
            .context("the bytes end here")?;
        self.at += count;
        Ok(taken)
    }

    fn line(&mut self, bytes: &[u8], name: &str, value: &str) {
        let mut hex: String = bytes
            .iter()
            .take(SHOWN)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        if bytes.len() > SHOWN {
            hex.truncate(2 * (SHOWN - 2));
            hex.push_str("...");
        }
        let at = self.at - bytes.len();
        let line = format!("{at:>6}  {hex:<24}  {name:<28}  {value}");
        self.lines.push(line.trim_end().to_owned());
    }

    /// A big-endian integer of `size` bytes.
    ///
    /// # Errors
    /// If the bytes end before.
    pub fn int(&mut self, size: usize, name: &str) -> Result<i64> {
        let bytes = self.take(size)?;
        let first = i64::from(bytes[0].cast_signed());
        let value = bytes[1..]
            .iter()
            .fold(first, |value, byte| value << 8 | i64::from(*byte));
        self.line(bytes, name, &value.to_string());
        Ok(value)
    }

    /// A checksum of four bytes.
    ///
    /// # Errors
    /// If the bytes end before.
    pub fn crc(&mut self, name: &str) -> Result<u32> {
        let bytes = self.take(4)?;
        let value = bytes
            .iter()
            .fold(0, |value, byte| value << 8 | u32::from(*byte));
        self.line(bytes, name, &format!("0x{value:08x}"));
        Ok(value)
    }

    /// A zigzag varint.
    ///
    /// # Errors
    /// If the bytes end before.
    pub fn varint(&mut self, name: &str) -> Result<i64> {
        let (bytes, raw) = self.raw_varint()?;
        let value = i64::try_from(raw >> 1)? ^ -i64::try_from(raw & 1)?;
        self.line(bytes, name, &value.to_string());
        Ok(value)
    }

    /// An unsigned varint.
    ///
    /// # Errors
    /// If the bytes end before.
    pub fn uvarint(&mut self, name: &str) -> Result<u64> {
        let (bytes, raw) = self.raw_varint()?;
        self.line(bytes, name, &raw.to_string());
        Ok(raw)
    }

    fn raw_varint(&mut self) -> Result<(&'a [u8], u64)> {
        let rest = &self.bytes[self.at..];
        let last = rest
            .iter()
            .position(|byte| byte & 0x80 == 0)
            .context("a varint without end")?;
        ensure!(last < 9, "a varint that is too long");
        let value = rest[..=last]
            .iter()
            .rev()
            .fold(0, |value, byte| value << 7 | u64::from(byte & 0x7f));
        Ok((self.take(last + 1)?, value))
    }

    /// Bytes shown as text.
    ///
    /// # Errors
    /// If the bytes end before.
    pub fn text(&mut self, count: i64, name: &str) -> Result<String> {
        let bytes = self.take(usize::try_from(count)?)?;
        let text = String::from_utf8_lossy(bytes).into_owned();
        self.line(bytes, name, &format!("{text:?}"));
        Ok(text)
    }

    /// Bytes whose inside is explained elsewhere.
    ///
    /// # Errors
    /// If the bytes end before.
    pub fn opaque(&mut self, count: usize, name: &str, value: &str) -> Result<()> {
        let bytes = self.take(count)?;
        self.line(bytes, name, value);
        Ok(())
    }

    /// A string with a length of two bytes, as the old formats have it.
    ///
    /// # Errors
    /// If the bytes end before.
    pub fn string(&mut self, name: &str) -> Result<String> {
        let length = self.int(2, &format!("length of {name}"))?;
        self.text(length, name)
    }

    /// A string of a flexible version: an unsigned varint that is one more than the length in front.
    ///
    /// # Errors
    /// If the bytes end before.
    pub fn compact_string(&mut self, name: &str) -> Result<String> {
        let length = self.uvarint(&format!("length of {name}, + 1"))?;
        self.text(i64::try_from(length)? - 1, name)
    }

    /// The tagged fields of a flexible version.
    ///
    /// # Errors
    /// If the bytes end before.
    pub fn tags(&mut self) -> Result<()> {
        for _ in 0..self.uvarint("count of tagged fields")? {
            let tag = self.uvarint("tag")?;
            let length = self.uvarint("length of the tagged field")?;
            self.opaque(usize::try_from(length)?, &format!("tagged field {tag}"), "")?;
        }
        Ok(())
    }

    /// Fields of fixed width, one after the other.
    ///
    /// # Errors
    /// If the bytes end before.
    pub fn fields(&mut self, fields: &[(usize, &str)]) -> Result<()> {
        for (size, name) in fields {
            self.int(*size, name)?;
        }
        Ok(())
    }

    /// The lines, when every byte has its name.
    ///
    /// # Errors
    /// If bytes are left.
    pub fn finish(self) -> Result<String> {
        if self.left() > 0 {
            bail!(
                "{} bytes without a name at {}:\n{}",
                self.left(),
                self.at,
                self.lines.join("\n")
            );
        }
        Ok(self.lines.join("\n"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_has_one_name() {
        let mut a = Annotator::new(&[0xff, 0xfe, 0x03, 0xac, 0x02, b'x']);
        assert_eq!(a.int(2, "short").unwrap(), -2);
        assert_eq!(a.varint("odd").unwrap(), -2);
        assert_eq!(a.uvarint("long").unwrap(), 300);
        assert!(a.int(2, "too much").is_err());
        assert_eq!(a.left(), 1);
        a.text(1, "letter").unwrap();
        let page = a.finish().unwrap();
        assert!(
            page.ends_with("     5  78                        letter                        \"x\""),
            "{page}"
        );
        assert!(Annotator::new(&[1]).finish().is_err());
    }
}
