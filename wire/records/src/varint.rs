//! Zigzag varints of records: at most 5 bytes for an i32, 10 for an i64, as Java reads them.

use crate::error::RecordError;

/// Reads from the front of a slice; every read checks its bounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cursor<'a>(pub(crate) &'a [u8]);

impl<'a> Cursor<'a> {
    #[inline]
    pub(crate) fn u8(&mut self) -> Result<u8, RecordError> {
        let (&byte, rest) = self.0.split_first().ok_or(RecordError::Length)?;
        self.0 = rest;
        Ok(byte)
    }

    #[inline]
    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], RecordError> {
        let (head, rest) = self.0.split_first_chunk::<N>().ok_or(RecordError::Length)?;
        self.0 = rest;
        Ok(*head)
    }

    #[inline]
    pub(crate) fn bytes(&mut self, len: usize) -> Result<&'a [u8], RecordError> {
        let (head, rest) = self.0.split_at_checked(len).ok_or(RecordError::Length)?;
        self.0 = rest;
        Ok(head)
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<i32, RecordError> {
        // One byte holds counts and most deltas, two bytes lengths up to 8191: nearly all there is.
        match self.0 {
            [byte, rest @ ..] if *byte < 0x80 => {
                self.0 = rest;
                Ok(unzigzag32(u32::from(*byte)))
            }
            [low, high, rest @ ..] if *high < 0x80 => {
                self.0 = rest;
                Ok(unzigzag32(u32::from(*low & 0x7f) | u32::from(*high) << 7))
            }
            _ => self.varint_slow(),
        }
    }

    #[cold]
    #[inline(never)]
    fn varint_slow(&mut self) -> Result<i32, RecordError> {
        let mut raw: u32 = 0;
        let mut left = self.0;
        for shift in [0, 7, 14, 21, 28] {
            let (&byte, rest) = left.split_first().ok_or(RecordError::Varint)?;
            left = rest;
            // Bits above the 32nd are dropped, as Java drops them.
            raw |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                self.0 = left;
                return Ok(unzigzag32(raw));
            }
        }
        Err(RecordError::Varint)
    }

    #[inline]
    pub(crate) fn varlong(&mut self) -> Result<i64, RecordError> {
        if let Some((&byte, rest)) = self.0.split_first()
            && byte < 0x80
        {
            self.0 = rest;
            return Ok(unzigzag64(u64::from(byte)));
        }
        self.varlong_slow()
    }

    fn varlong_slow(&mut self) -> Result<i64, RecordError> {
        let mut raw: u64 = 0;
        let mut left = self.0;
        for shift in [0, 7, 14, 21, 28, 35, 42, 49, 56, 63] {
            let (&byte, rest) = left.split_first().ok_or(RecordError::Varint)?;
            left = rest;
            raw |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                self.0 = left;
                return Ok(unzigzag64(raw));
            }
        }
        Err(RecordError::Varint)
    }

    /// A length-prefixed field; any negative length is null, as Java reads it.
    #[inline]
    pub(crate) fn nullable_bytes(&mut self) -> Result<Option<&'a [u8]>, RecordError> {
        match usize::try_from(self.varint()?) {
            Ok(len) => self.bytes(len).map(Some),
            Err(_) => Ok(None),
        }
    }
}

#[inline]
fn unzigzag32(raw: u32) -> i32 {
    (raw >> 1).cast_signed() ^ -(raw & 1).cast_signed()
}

#[inline]
fn unzigzag64(raw: u64) -> i64 {
    (raw >> 1).cast_signed() ^ -(raw & 1).cast_signed()
}

pub(crate) fn put_varint(out: &mut Vec<u8>, value: i32) {
    put_raw(out, u64::from((value << 1 ^ value >> 31).cast_unsigned()));
}

pub(crate) fn put_varlong(out: &mut Vec<u8>, value: i64) {
    put_raw(out, (value << 1 ^ value >> 63).cast_unsigned());
}

fn put_raw(out: &mut Vec<u8>, mut raw: u64) {
    loop {
        let low = u8::try_from(raw & 0x7f).expect("7 bits");
        raw >>= 7;
        if raw == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Bytes that [`put_varint`] writes for `value`.
pub(crate) fn varint_len(value: i32) -> usize {
    raw_len(u64::from((value << 1 ^ value >> 31).cast_unsigned()))
}

/// Bytes that [`put_varlong`] writes for `value`.
pub(crate) fn varlong_len(value: i64) -> usize {
    raw_len((value << 1 ^ value >> 63).cast_unsigned())
}

fn raw_len(raw: u64) -> usize {
    let bits = u64::BITS - raw.leading_zeros();
    usize::try_from(bits.div_ceil(7).max(1)).expect("at most 10")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]
        #[test]
        fn varints_round_trip(i in any::<i32>(), l in any::<i64>(), shift in 0u32..64) {
            let (i, l) = (i >> (shift % 32), l >> shift);
            let mut out = Vec::new();
            put_varint(&mut out, i);
            prop_assert_eq!(out.len(), varint_len(i));
            put_varlong(&mut out, l);
            prop_assert_eq!(out.len(), varint_len(i) + varlong_len(l));
            let mut cursor = Cursor(&out);
            prop_assert_eq!(cursor.varint(), Ok(i));
            prop_assert_eq!(cursor.varlong(), Ok(l));
            prop_assert!(cursor.0.is_empty());
            for cut in 0..varint_len(i) {
                prop_assert_eq!(Cursor(&out[..cut]).varint(), Err(RecordError::Varint));
            }
        }
    }

    #[test]
    fn overlong_varints_are_refused_only_past_the_types_width() {
        assert_eq!(
            Cursor(&[0x82, 0x80, 0x80, 0x80, 0x00]).varint(),
            Ok(1),
            "padded but within 5 bytes"
        );
        assert_eq!(
            Cursor(&[0x80, 0x80, 0x80, 0x80, 0x80, 0]).varint(),
            Err(RecordError::Varint)
        );
        assert_eq!(Cursor(&[0x80; 11]).varlong(), Err(RecordError::Varint));
        assert_eq!(
            Cursor(&[0xff, 0xff, 0xff, 0xff, 0x0f]).varint(),
            Ok(i32::MIN)
        );
    }
}
