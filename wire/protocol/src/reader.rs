//! Bytes of a peer to values, without trust.
//!
//! Nothing here allocates what a length field claims: a count is checked against the bytes that are
//! left, and the elements of all arrays of one message are counted against [`ELEMENTS_MAX`], because
//! a struct in memory is larger than its bytes.

use bumpalo::Bump;
use ottla_base::Uuid;
use thiserror::Error;

/// Structs and strings that all arrays of one message may hold together. A frame of 100 MiB could
/// else become gigabytes of structs. At the limit the message is refused.
///
/// Kafka differs: it has no such limit.
pub const ELEMENTS_MAX: usize = 1 << 21;

/// Longest string, as Kafka's (`Short.MAX_VALUE`).
const STRING_MAX: usize = 0x7fff;

/// Bytes that are no message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum DecodeError {
    /// The bytes end inside a value.
    #[error("message ends early: needed={needed} remaining={remaining}")]
    Truncated {
        /// Bytes that the value needs.
        needed: usize,
        /// Bytes that are left.
        remaining: usize,
    },
    /// A count is larger than what the bytes could hold, or below -1.
    #[error("length is out of range: length={0}")]
    BadLength(i64),
    /// A null where none may stand.
    #[error("null in a field that may not be null")]
    UnexpectedNull,
    /// A variable-length number of more than its longest form.
    #[error("variable-length number does not end")]
    BadVarint,
    /// Text that is not UTF-8. The connection is closed.
    ///
    /// Kafka differs: it puts U+FFFD in the place of what it cannot read.
    #[error("string is not UTF-8")]
    BadUtf8,
    /// More array elements than [`ELEMENTS_MAX`].
    #[error("message has too many elements")]
    TooManyElements,
    /// A version that the message does not have.
    #[error("version is not known: version={0}")]
    UnsupportedVersion(i16),
}

type Result<T> = std::result::Result<T, DecodeError>;

/// A tagged field that this program does not know, kept so that it can be written back (KIP-482).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawTaggedField {
    /// Its number.
    pub tag: u32,
    /// Its bytes.
    pub data: Vec<u8>,
}

/// Reads values from the front of a slice.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    bytes: &'a [u8],
    elements_left: usize,
}

macro_rules! fixed {
    ($($(#[$doc:meta])* $name:ident -> $ty:ty;)*) => {
        $($(#[$doc])*
        ///
        /// # Errors
        /// [`DecodeError::Truncated`].
        pub fn $name(&mut self) -> Result<$ty> {
            Ok(<$ty>::from_be_bytes(*self.take_array()?))
        })*
    };
}

impl<'a> Reader<'a> {
    /// Starts at the front of `bytes`.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            elements_left: ELEMENTS_MAX,
        }
    }

    /// Number of bytes not yet read.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.bytes.len()
    }

    /// The bytes not yet read.
    #[must_use]
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }

    /// Takes the next `len` bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn take(&mut self, len: usize) -> Result<&'a [u8]> {
        let (taken, rest) = self
            .bytes
            .split_at_checked(len)
            .ok_or(DecodeError::Truncated {
                needed: len,
                remaining: self.bytes.len(),
            })?;
        self.bytes = rest;
        Ok(taken)
    }

    fn take_array<const N: usize>(&mut self) -> Result<&'a [u8; N]> {
        let (taken, rest) = self
            .bytes
            .split_first_chunk()
            .ok_or(DecodeError::Truncated {
                needed: N,
                remaining: self.bytes.len(),
            })?;
        self.bytes = rest;
        Ok(taken)
    }

    fixed! {
        /// Reads a byte.
        i8 -> i8;
        /// Reads two bytes.
        i16 -> i16;
        /// Reads two bytes, unsigned.
        u16 -> u16;
        /// Reads four bytes.
        i32 -> i32;
        /// Reads four bytes, unsigned.
        u32 -> u32;
        /// Reads eight bytes.
        i64 -> i64;
        /// Reads an IEEE 754 double.
        f64 -> f64;
    }

    /// Reads a byte; anything but 0 is true, as in Kafka.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn bool(&mut self) -> Result<bool> {
        Ok(self.i8()? != 0)
    }

    /// Reads sixteen bytes.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn uuid(&mut self) -> Result<Uuid> {
        Ok(Uuid(*self.take_array()?))
    }

    /// Reads an unsigned number of up to five bytes of seven bits, the lowest first. Bits beyond the
    /// 32nd are dropped and superfluous zero bytes accepted, as in Kafka.
    ///
    /// # Errors
    /// [`DecodeError::BadVarint`] if a fifth byte says that another follows; [`DecodeError::Truncated`].
    pub fn uvarint(&mut self) -> Result<u32> {
        let mut value = 0_u32;
        for shift in [0, 7, 14, 21, 28] {
            let [byte] = *self.take_array()?;
            value |= u32::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(DecodeError::BadVarint)
    }

    /// Reads a zigzag number of up to five bytes.
    ///
    /// # Errors
    /// As [`Self::uvarint`].
    pub fn varint(&mut self) -> Result<i32> {
        let raw = self.uvarint()?;
        Ok((raw >> 1).cast_signed() ^ -((raw & 1).cast_signed()))
    }

    /// Reads a zigzag number of up to ten bytes.
    ///
    /// # Errors
    /// As [`Self::uvarint`], with ten bytes.
    pub fn varlong(&mut self) -> Result<i64> {
        let mut raw = 0_u64;
        for index in 0..10_u32 {
            let [byte] = *self.take_array()?;
            raw |= u64::from(byte & 0x7f) << (index * 7);
            if byte & 0x80 == 0 {
                return Ok((raw >> 1).cast_signed() ^ -((raw & 1).cast_signed()));
            }
        }
        Err(DecodeError::BadVarint)
    }

    /// Reads the length of a compact value: the number less one, `None` for null.
    fn compact_len(&mut self) -> Result<Option<usize>> {
        let raw = self.uvarint()?;
        let len =
            |len: u32| usize::try_from(len).map_err(|_| DecodeError::BadLength(i64::from(len)));
        raw.checked_sub(1).map(len).transpose()
    }

    /// Reads a length of a fixed size: -1 for null.
    fn fixed_len(raw: i64) -> Result<Option<usize>> {
        match raw {
            -1 => Ok(None),
            _ => usize::try_from(raw)
                .map(Some)
                .map_err(|_| DecodeError::BadLength(raw)),
        }
    }

    /// Reads a string that may be null, in place.
    ///
    /// # Errors
    /// [`DecodeError::BadLength`] above 32767 bytes, [`DecodeError::BadUtf8`], [`DecodeError::Truncated`].
    pub fn nullable_str(&mut self, flexible: bool) -> Result<Option<&'a str>> {
        let len = match flexible {
            true => self.compact_len()?,
            false => Self::fixed_len(i64::from(self.i16()?))?,
        };
        let Some(len) = len else { return Ok(None) };
        if len > STRING_MAX {
            return Err(DecodeError::BadLength(
                i64::try_from(len).unwrap_or(i64::MAX),
            ));
        }
        std::str::from_utf8(self.take(len)?)
            .map(Some)
            .map_err(|_| DecodeError::BadUtf8)
    }

    /// Reads a string, in place.
    ///
    /// # Errors
    /// As [`Self::nullable_str`], and [`DecodeError::UnexpectedNull`].
    pub fn str(&mut self, flexible: bool) -> Result<&'a str> {
        self.nullable_str(flexible)?
            .ok_or(DecodeError::UnexpectedNull)
    }

    /// Reads a string that may be null.
    ///
    /// # Errors
    /// As [`Self::nullable_str`].
    pub fn nullable_string(&mut self, flexible: bool) -> Result<Option<String>> {
        Ok(self.nullable_str(flexible)?.map(str::to_owned))
    }

    /// Reads a string.
    ///
    /// # Errors
    /// As [`Self::str`].
    pub fn string(&mut self, flexible: bool) -> Result<String> {
        self.str(flexible).map(str::to_owned)
    }

    /// Reads bytes that may be null, in place.
    ///
    /// # Errors
    /// [`DecodeError::BadLength`], [`DecodeError::Truncated`].
    pub fn nullable_slice(&mut self, flexible: bool) -> Result<Option<&'a [u8]>> {
        let len = match flexible {
            true => self.compact_len()?,
            false => Self::fixed_len(i64::from(self.i32()?))?,
        };
        len.map(|len| self.take(len)).transpose()
    }

    /// Reads bytes, in place.
    ///
    /// # Errors
    /// As [`Self::nullable_slice`], and [`DecodeError::UnexpectedNull`].
    pub fn slice(&mut self, flexible: bool) -> Result<&'a [u8]> {
        self.nullable_slice(flexible)?
            .ok_or(DecodeError::UnexpectedNull)
    }

    /// Reads bytes that may be null.
    ///
    /// # Errors
    /// As [`Self::nullable_slice`].
    pub fn nullable_bytes(&mut self, flexible: bool) -> Result<Option<Vec<u8>>> {
        Ok(self.nullable_slice(flexible)?.map(<[u8]>::to_vec))
    }

    /// Reads bytes.
    ///
    /// # Errors
    /// As [`Self::slice`].
    pub fn bytes(&mut self, flexible: bool) -> Result<Vec<u8>> {
        self.slice(flexible).map(<[u8]>::to_vec)
    }

    /// Reads the count of an array that may be null and whose elements take `element_min` bytes or more.
    ///
    /// # Errors
    /// [`DecodeError::BadLength`] if the bytes left cannot hold as many; [`DecodeError::TooManyElements`].
    pub fn nullable_count(&mut self, flexible: bool, element_min: usize) -> Result<Option<usize>> {
        let count = match flexible {
            true => self.compact_len()?,
            false => Self::fixed_len(i64::from(self.i32()?))?,
        };
        let Some(count) = count else { return Ok(None) };
        if count
            .checked_mul(element_min.max(1))
            .is_none_or(|least| least > self.remaining())
        {
            return Err(DecodeError::BadLength(
                i64::try_from(count).unwrap_or(i64::MAX),
            ));
        }
        self.elements_left = self
            .elements_left
            .checked_sub(count)
            .ok_or(DecodeError::TooManyElements)?;
        Ok(Some(count))
    }

    /// Reads the count of an array.
    ///
    /// # Errors
    /// As [`Self::nullable_count`], and [`DecodeError::UnexpectedNull`].
    pub fn count(&mut self, flexible: bool, element_min: usize) -> Result<usize> {
        self.nullable_count(flexible, element_min)?
            .ok_or(DecodeError::UnexpectedNull)
    }

    /// Reads an array that may be null, each element by `read`.
    ///
    /// # Errors
    /// As [`Self::nullable_count`], and those of `read`.
    pub fn nullable_array<T>(
        &mut self,
        flexible: bool,
        element_min: usize,
        read: fn(&mut Self) -> Result<T>,
    ) -> Result<Option<Vec<T>>> {
        let Some(count) = self.nullable_count(flexible, element_min)? else {
            return Ok(None);
        };
        let mut elements = Vec::with_capacity(count);
        for _ in 0..count {
            elements.push(read(self)?);
        }
        Ok(Some(elements))
    }

    /// Reads an array, each element by `read`.
    ///
    /// # Errors
    /// As [`Self::nullable_array`], and [`DecodeError::UnexpectedNull`].
    pub fn array<T>(
        &mut self,
        flexible: bool,
        element_min: usize,
        read: fn(&mut Self) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.nullable_array(flexible, element_min, read)?
            .ok_or(DecodeError::UnexpectedNull)
    }

    /// Reads an array of strings that may be null.
    ///
    /// # Errors
    /// As [`Self::nullable_count`] and [`Self::string`].
    pub fn nullable_strings(&mut self, flexible: bool) -> Result<Option<Vec<String>>> {
        let Some(count) = self.nullable_count(flexible, 1)? else {
            return Ok(None);
        };
        let mut strings = Vec::with_capacity(count.min(64));
        for _ in 0..count {
            strings.push(self.string(flexible)?);
        }
        Ok(Some(strings))
    }

    /// Reads an array of strings.
    ///
    /// # Errors
    /// As [`Self::nullable_strings`], and [`DecodeError::UnexpectedNull`].
    pub fn strings(&mut self, flexible: bool) -> Result<Vec<String>> {
        self.nullable_strings(flexible)?
            .ok_or(DecodeError::UnexpectedNull)
    }

    /// Reads an array into an arena, each element by `read`.
    ///
    /// # Errors
    /// As [`Self::nullable_count`], and those of `read`.
    pub fn nullable_in<T: Copy>(
        &mut self,
        arena: &'a Bump,
        flexible: bool,
        element_min: usize,
        version: i16,
        read: fn(&mut Self, &'a Bump, i16) -> Result<T>,
    ) -> Result<Option<&'a [T]>> {
        let Some(count) = self.nullable_count(flexible, element_min)? else {
            return Ok(None);
        };
        let mut elements = bumpalo::collections::Vec::with_capacity_in(count, arena);
        for _ in 0..count {
            elements.push(read(self, arena, version)?);
        }
        Ok(Some(elements.into_bump_slice()))
    }

    /// Reads an array into an arena.
    ///
    /// # Errors
    /// As [`Self::nullable_in`], and [`DecodeError::UnexpectedNull`].
    pub fn array_in<T: Copy>(
        &mut self,
        arena: &'a Bump,
        flexible: bool,
        element_min: usize,
        version: i16,
        read: fn(&mut Self, &'a Bump, i16) -> Result<T>,
    ) -> Result<&'a [T]> {
        self.nullable_in(arena, flexible, element_min, version, read)?
            .ok_or(DecodeError::UnexpectedNull)
    }

    /// Reads an array of structs that may be null.
    ///
    /// # Errors
    /// As [`Self::nullable_count`], and those of `read`.
    pub fn nullable_structs<T>(
        &mut self,
        flexible: bool,
        element_min: usize,
        version: i16,
        read: fn(&mut Self, i16) -> Result<T>,
    ) -> Result<Option<Vec<T>>> {
        let Some(count) = self.nullable_count(flexible, element_min)? else {
            return Ok(None);
        };
        // Structs are larger than their bytes, so room is made as they arrive.
        let mut elements = Vec::with_capacity(count.min(64));
        for _ in 0..count {
            elements.push(read(self, version)?);
        }
        Ok(Some(elements))
    }

    /// Reads an array of structs.
    ///
    /// # Errors
    /// As [`Self::nullable_structs`], and [`DecodeError::UnexpectedNull`].
    pub fn structs<T>(
        &mut self,
        flexible: bool,
        element_min: usize,
        version: i16,
        read: fn(&mut Self, i16) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.nullable_structs(flexible, element_min, version, read)?
            .ok_or(DecodeError::UnexpectedNull)
    }

    /// Reads the byte in front of a struct that may be null; says whether the struct follows.
    ///
    /// # Errors
    /// [`DecodeError::Truncated`].
    pub fn is_present(&mut self) -> Result<bool> {
        Ok(self.i8()? >= 0)
    }

    /// Reads how many tagged fields follow; none in a version that is not flexible.
    ///
    /// # Errors
    /// As [`Self::uvarint`].
    pub fn tag_count(&mut self, flexible: bool) -> Result<u32> {
        if flexible { self.uvarint() } else { Ok(0) }
    }

    /// Opens the next tagged field: its number and a reader of its bytes, to be given to
    /// [`Self::close_tag`]. Repeated and falling numbers are accepted, as in Kafka.
    ///
    /// # Errors
    /// As [`Self::uvarint`] and [`Self::take`].
    pub fn next_tag(&mut self, left: &mut u32) -> Result<Option<(u32, Self)>> {
        let Some(less) = left.checked_sub(1) else {
            return Ok(None);
        };
        *left = less;
        let tag = self.uvarint()?;
        let len = self.uvarint()?;
        let len = usize::try_from(len).map_err(|_| DecodeError::BadLength(i64::from(len)))?;
        let bytes = self.take(len)?;
        Ok(Some((
            tag,
            Self {
                bytes,
                elements_left: self.elements_left,
            },
        )))
    }

    /// Charges the elements of a tagged field to the message.
    pub fn close_tag(&mut self, field: &Self) {
        self.elements_left = field.elements_left;
    }

    /// Keeps a tagged field that is not known.
    #[must_use]
    pub fn raw_tag(&self, tag: u32) -> RawTaggedField {
        RawTaggedField {
            tag,
            data: self.bytes.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_read_as_in_kafka() {
        let check = |bytes: &[u8], expected: Result<u32>| {
            assert_eq!(Reader::new(bytes).uvarint(), expected, "{bytes:x?}");
        };
        check(&[0], Ok(0));
        check(&[0xac, 0x02], Ok(300));
        check(&[0xff, 0xff, 0xff, 0xff, 0x0f], Ok(u32::MAX));
        check(&[0x80, 0x80, 0x80, 0x80, 0x00], Ok(0));
        check(&[0xff, 0xff, 0xff, 0xff, 0xff], Err(DecodeError::BadVarint));
        check(
            &[0x80],
            Err(DecodeError::Truncated {
                needed: 1,
                remaining: 0,
            }),
        );
        assert_eq!(Reader::new(&[0x01]).varint(), Ok(-1));
        assert_eq!(Reader::new(&[0x02]).varint(), Ok(1));
        let lowest = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
        assert_eq!(Reader::new(&lowest).varlong(), Ok(i64::MIN));
    }

    #[test]
    fn claimed_counts_are_not_believed() {
        let mut reader = Reader::new(&[0x7f, 0xff, 0xff, 0xff, 0, 0]);
        assert_eq!(
            reader.array(false, 1, Reader::i8),
            Err(DecodeError::BadLength(0x7fff_ffff))
        );
        let mut reader = Reader::new(&[0xff, 0xff, 0xff, 0xfe]);
        assert_eq!(
            reader.array(false, 1, Reader::i8),
            Err(DecodeError::BadLength(-2))
        );
        let mut reader = Reader::new(&[0, 0, 0, 3, 0, 0, 0, 0, 0]);
        assert_eq!(
            reader.array(false, 2, Reader::i16),
            Err(DecodeError::BadLength(3))
        );
    }

    #[test]
    fn elements_of_all_arrays_are_counted_together() {
        let mut reader = Reader::new(&[2, 0, 2, 0]);
        reader.elements_left = 1;
        assert_eq!(reader.array(true, 1, Reader::i8), Ok(vec![0]));
        assert_eq!(
            reader.array(true, 1, Reader::i8),
            Err(DecodeError::TooManyElements)
        );
    }

    #[test]
    fn null_stands_only_where_it_may() {
        assert_eq!(Reader::new(&[0xff, 0xff]).nullable_str(false), Ok(None));
        assert_eq!(
            Reader::new(&[0xff, 0xff]).str(false),
            Err(DecodeError::UnexpectedNull)
        );
        assert_eq!(
            Reader::new(&[0]).str(true),
            Err(DecodeError::UnexpectedNull)
        );
        assert_eq!(
            Reader::new(&[0]).bytes(true),
            Err(DecodeError::UnexpectedNull)
        );
        assert_eq!(
            Reader::new(&[0xff, 0xfe]).str(false),
            Err(DecodeError::BadLength(-2))
        );
        assert_eq!(Reader::new(&[2, 0xff]).str(true), Err(DecodeError::BadUtf8));
    }
}
