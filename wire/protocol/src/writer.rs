//! Values to bytes.

use ottla_base::Uuid;
use thiserror::Error;

use crate::reader::RawTaggedField;

/// A message that cannot be written in the version asked for. Always a mistake of this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum EncodeError {
    /// A version that the message does not have.
    #[error("version is not known: version={0}")]
    UnsupportedVersion(i16),
    /// A value that the version has no room for and that may not be dropped.
    #[error("field does not exist in this version: field={field} version={version}")]
    FieldNotInVersion {
        /// Field, as Kafka spells it.
        field: &'static str,
        /// Version asked for.
        version: i16,
    },
    /// A null where none may stand.
    #[error("field may not be null: field={0}")]
    UnexpectedNull(&'static str),
    /// A value whose length does not fit its length field.
    #[error("value is too long: length={0}")]
    TooLong(usize),
}

type Result<T> = std::result::Result<T, EncodeError>;

/// Bytes that are not in the buffer and are to be sent at a place inside it, such as a region of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Splice {
    /// Offset in the buffer before which they are sent.
    pub at: usize,
    /// Number of bytes.
    pub len: u32,
    /// Which bytes, in the words of whoever encodes and sends.
    pub tag: u64,
}

/// Appends values to a buffer.
#[derive(Debug, Default)]
pub struct Writer {
    /// What was written.
    pub buf: Vec<u8>,
    /// What is to be sent in between, in ascending order of place.
    pub splices: Vec<Splice>,
}

macro_rules! fixed {
    ($($(#[$doc:meta])* $name:ident($ty:ty);)*) => {
        $($(#[$doc])*
        pub fn $name(&mut self, value: $ty) {
            self.buf.extend_from_slice(&value.to_be_bytes());
        })*
    };
}

impl Writer {
    /// Starts with an empty buffer.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    fixed! {
        /// Writes a byte.
        i8(i8);
        /// Writes two bytes.
        i16(i16);
        /// Writes two bytes, unsigned.
        u16(u16);
        /// Writes four bytes.
        i32(i32);
        /// Writes four bytes, unsigned.
        u32(u32);
        /// Writes eight bytes.
        i64(i64);
        /// Writes an IEEE 754 double.
        f64(f64);
    }

    /// Writes a byte, 0 or 1.
    pub fn bool(&mut self, value: bool) {
        self.buf.push(u8::from(value));
    }

    /// Writes sixteen bytes.
    pub fn uuid(&mut self, value: Uuid) {
        self.buf.extend_from_slice(&value.0);
    }

    /// Writes an unsigned number, seven bits a byte, the lowest first.
    pub fn uvarint(&mut self, value: u32) {
        let (bytes, len) = uvarint_bytes(value);
        self.buf
            .extend_from_slice(bytes.get(..len).unwrap_or_default());
    }

    /// Writes a zigzag number.
    pub fn varint(&mut self, value: i32) {
        self.uvarint(((value << 1) ^ (value >> 31)).cast_unsigned());
    }

    /// Writes a zigzag number of 64 bits.
    pub fn varlong(&mut self, value: i64) {
        let mut rest = ((value << 1) ^ (value >> 63)).cast_unsigned();
        while rest > 0x7f {
            self.buf.push(rest.to_le_bytes()[0] | 0x80);
            rest >>= 7;
        }
        self.buf.push(rest.to_le_bytes()[0]);
    }

    /// Writes the compact length `len`, which reads back as `None` for null.
    fn compact_len(&mut self, len: Option<usize>) -> Result<()> {
        let Some(len) = len else {
            self.uvarint(0);
            return Ok(());
        };
        // Lengths are signed on the other side.
        let raw = i32::try_from(len).map_err(|_| EncodeError::TooLong(len))?;
        self.uvarint(raw.cast_unsigned() + 1);
        Ok(())
    }

    fn len_i32(&mut self, len: Option<usize>) -> Result<()> {
        let raw = match len {
            None => -1,
            Some(len) => i32::try_from(len).map_err(|_| EncodeError::TooLong(len))?,
        };
        self.i32(raw);
        Ok(())
    }

    /// Writes a string that may be null.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] above 32767 bytes.
    pub fn nullable_str(&mut self, value: Option<&str>, flexible: bool) -> Result<()> {
        let len = value.map(str::len);
        let short = match len {
            None => -1,
            Some(len) => i16::try_from(len).map_err(|_| EncodeError::TooLong(len))?,
        };
        if flexible {
            self.compact_len(len)?;
        } else {
            self.i16(short);
        }
        self.buf
            .extend_from_slice(value.unwrap_or_default().as_bytes());
        Ok(())
    }

    /// Writes a string.
    ///
    /// # Errors
    /// As [`Self::nullable_str`].
    pub fn str(&mut self, value: &str, flexible: bool) -> Result<()> {
        self.nullable_str(Some(value), flexible)
    }

    /// Writes bytes that may be null.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] above 2 GiB.
    pub fn nullable_bytes(&mut self, value: Option<&[u8]>, flexible: bool) -> Result<()> {
        self.count(value.map(<[u8]>::len), flexible)?;
        self.buf.extend_from_slice(value.unwrap_or_default());
        Ok(())
    }

    /// Writes bytes.
    ///
    /// # Errors
    /// As [`Self::nullable_bytes`].
    pub fn bytes(&mut self, value: &[u8], flexible: bool) -> Result<()> {
        self.nullable_bytes(Some(value), flexible)
    }

    /// Writes the length of bytes that are sent from elsewhere, and remembers the place.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] above 2 GiB.
    pub fn external_bytes(&mut self, len: u32, tag: u64, flexible: bool) -> Result<()> {
        let count = usize::try_from(len).map_err(|_| EncodeError::TooLong(usize::MAX))?;
        self.count(Some(count), flexible)?;
        if len > 0 {
            self.splices.push(Splice {
                at: self.buf.len(),
                len,
                tag,
            });
        }
        Ok(())
    }

    /// Writes the count of an array, `None` for null.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] above 2^31.
    pub fn count(&mut self, count: Option<usize>, flexible: bool) -> Result<()> {
        if flexible {
            self.compact_len(count)
        } else {
            self.len_i32(count)
        }
    }

    /// Writes an array that may be null, each element by `write`.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub fn nullable_array<T: Copy>(
        &mut self,
        values: Option<&[T]>,
        flexible: bool,
        write: fn(&mut Self, T),
    ) -> Result<()> {
        self.count(values.map(<[T]>::len), flexible)?;
        for value in values.unwrap_or_default() {
            write(self, *value);
        }
        Ok(())
    }

    /// Writes an array, each element by `write`.
    ///
    /// # Errors
    /// As [`Self::count`].
    pub fn array<T: Copy>(
        &mut self,
        values: &[T],
        flexible: bool,
        write: fn(&mut Self, T),
    ) -> Result<()> {
        self.nullable_array(Some(values), flexible, write)
    }

    /// Writes an array of strings that may be null.
    ///
    /// # Errors
    /// As [`Self::count`] and [`Self::str`].
    pub fn nullable_strings<S: AsRef<str>>(
        &mut self,
        values: Option<&[S]>,
        flexible: bool,
    ) -> Result<()> {
        self.count(values.map(<[S]>::len), flexible)?;
        for value in values.unwrap_or_default() {
            self.str(value.as_ref(), flexible)?;
        }
        Ok(())
    }

    /// Writes an array of strings.
    ///
    /// # Errors
    /// As [`Self::nullable_strings`].
    pub fn strings<S: AsRef<str>>(&mut self, values: &[S], flexible: bool) -> Result<()> {
        self.nullable_strings(Some(values), flexible)
    }

    /// Writes an array of structs that may be null.
    ///
    /// # Errors
    /// As [`Self::count`], and those of `write`.
    pub fn nullable_structs<T>(
        &mut self,
        values: Option<&[T]>,
        flexible: bool,
        version: i16,
        write: fn(&T, &mut Self, i16) -> Result<()>,
    ) -> Result<()> {
        self.count(values.map(<[T]>::len), flexible)?;
        for value in values.unwrap_or_default() {
            write(value, self, version)?;
        }
        Ok(())
    }

    /// Writes an array of structs.
    ///
    /// # Errors
    /// As [`Self::nullable_structs`].
    pub fn structs<T>(
        &mut self,
        values: &[T],
        flexible: bool,
        version: i16,
        write: fn(&T, &mut Self, i16) -> Result<()>,
    ) -> Result<()> {
        self.nullable_structs(Some(values), flexible, version, write)
    }

    /// Writes the byte in front of a struct that may be null.
    pub fn presence(&mut self, present: bool) {
        self.i8(if present { 1 } else { -1 });
    }

    /// Begins a tagged field; returns the place to give to [`Self::end_tag`].
    pub fn begin_tag(&mut self, tag: u32) -> usize {
        self.uvarint(tag);
        self.buf.len()
    }

    /// Ends a tagged field by putting its length in front.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] above 2 GiB.
    pub fn end_tag(&mut self, begun: usize) -> Result<()> {
        let len = self.buf.len() - begun;
        let raw = i32::try_from(len).map_err(|_| EncodeError::TooLong(len))?;
        let (bytes, count) = uvarint_bytes(raw.cast_unsigned());
        self.buf.splice(begun..begun, bytes.into_iter().take(count));
        Ok(())
    }

    /// Number of tagged fields that this program does not know.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] above 2^32.
    pub fn tag_count(&self, fields: &[RawTaggedField]) -> Result<u32> {
        u32::try_from(fields.len()).map_err(|_| EncodeError::TooLong(fields.len()))
    }

    /// Writes tagged fields that this program does not know.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] above 2 GiB.
    pub fn raw_tags(&mut self, fields: &[RawTaggedField]) -> Result<()> {
        for field in fields {
            let begun = self.begin_tag(field.tag);
            self.buf.extend_from_slice(&field.data);
            self.end_tag(begun)?;
        }
        Ok(())
    }
}

/// The bytes of an unsigned number, and how many of them count.
fn uvarint_bytes(value: u32) -> ([u8; 5], usize) {
    let mut bytes = [0; 5];
    let mut rest = value;
    let mut len = 0;
    for byte in &mut bytes {
        len += 1;
        *byte = rest.to_le_bytes()[0] & 0x7f;
        rest >>= 7;
        if rest == 0 {
            break;
        }
        *byte |= 0x80;
    }
    (bytes, len)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::Reader;

    #[test]
    fn varints_come_back() {
        for value in [0, 1, 127, 128, 16_383, 16_384, 1 << 28, u32::MAX] {
            let mut writer = Writer::new();
            writer.uvarint(value);
            writer.varint(value.cast_signed());
            writer.varlong(i64::from(value) * -77_777_777);
            let mut reader = Reader::new(&writer.buf);
            assert_eq!(reader.uvarint(), Ok(value));
            assert_eq!(reader.varint(), Ok(value.cast_signed()));
            assert_eq!(reader.varlong(), Ok(i64::from(value) * -77_777_777));
            assert_eq!(reader.remaining(), 0);
        }
    }

    #[test]
    fn tagged_field_has_its_length_in_front() {
        let mut writer = Writer::new();
        let begun = writer.begin_tag(3);
        writer.buf.extend_from_slice(&[7; 200]);
        writer.end_tag(begun).expect("short");
        assert_eq!(writer.buf.get(..4), Some(&[3, 0xc8, 0x01, 7][..]));
        assert_eq!(writer.buf.len(), 203);
    }

    #[test]
    fn external_bytes_leave_a_place() {
        let mut writer = Writer::new();
        writer.external_bytes(300, 9, true).expect("short");
        assert_eq!(writer.buf, [0xad, 0x02]);
        assert_eq!(
            writer.splices,
            [Splice {
                at: 2,
                len: 300,
                tag: 9
            }]
        );
    }
}
