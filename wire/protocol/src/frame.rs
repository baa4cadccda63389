//! The length in front of every request and response.

use thiserror::Error;

use crate::writer::{EncodeError, Writer};

/// Bytes of the length field.
pub const LENGTH_BYTES: usize = 4;

/// A length that closes the connection, before anything is allocated for it. Text of another protocol
/// (HTTP, TLS) ends up here too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum FrameError {
    /// Negative or zero.
    #[error("frame length is not positive: length={0}")]
    NotPositive(i32),
    /// Above `socket.request.max.bytes`.
    #[error("frame is too large: length={length} max={max}")]
    TooLarge {
        /// Length claimed.
        length: i32,
        /// Largest length allowed.
        max: usize,
    },
}

/// Checks the length field of a frame against `max`.
///
/// # Errors
/// [`FrameError`].
pub fn check_length(raw: [u8; LENGTH_BYTES], max: usize) -> Result<usize, FrameError> {
    let length = i32::from_be_bytes(raw);
    let bytes = usize::try_from(length).map_err(|_| FrameError::NotPositive(length))?;
    if bytes == 0 {
        return Err(FrameError::NotPositive(length));
    }
    if bytes > max {
        return Err(FrameError::TooLarge { length, max });
    }
    Ok(bytes)
}

/// A frame whose length is not known yet.
#[derive(Debug)]
#[must_use = "a frame that is begun must be ended"]
pub struct OpenFrame {
    begun: usize,
    splices: usize,
}

/// Begins a frame: leaves room for its length.
pub fn begin(w: &mut Writer) -> OpenFrame {
    let frame = OpenFrame {
        begun: w.buf.len(),
        splices: w.splices.len(),
    };
    w.i32(0);
    frame
}

/// Ends a frame: writes its length, the bytes that are sent from elsewhere included.
///
/// # Errors
/// [`EncodeError::TooLong`] above 2 GiB.
pub fn end(w: &mut Writer, frame: &OpenFrame) -> Result<(), EncodeError> {
    let inline = w.buf.len() - frame.begun - LENGTH_BYTES;
    let external = w
        .splices
        .iter()
        .skip(frame.splices)
        .map(|splice| u64::from(splice.len));
    let total = external.sum::<u64>() + u64::try_from(inline).unwrap_or(u64::MAX);
    let length = i32::try_from(total).map_err(|_| EncodeError::TooLong(inline))?;
    if let Some(place) = w.buf.get_mut(frame.begun..frame.begun + LENGTH_BYTES) {
        place.copy_from_slice(&length.to_be_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_refused_before_anything_is_allocated() {
        let check = |raw: [u8; 4]| check_length(raw, 100);
        assert_eq!(check([0, 0, 0, 100]), Ok(100));
        assert_eq!(check([0, 0, 0, 0]), Err(FrameError::NotPositive(0)));
        assert_eq!(check([0xff; 4]), Err(FrameError::NotPositive(-1)));
        assert_eq!(
            check([0, 0, 0, 101]),
            Err(FrameError::TooLarge {
                length: 101,
                max: 100
            })
        );
        let http = i32::from_be_bytes(*b"GET ");
        assert_eq!(
            check(*b"GET "),
            Err(FrameError::TooLarge {
                length: http,
                max: 100
            })
        );
        let tls = i32::from_be_bytes([0x16, 3, 1, 2]);
        assert_eq!(
            check([0x16, 3, 1, 2]),
            Err(FrameError::TooLarge {
                length: tls,
                max: 100
            })
        );
    }

    #[test]
    fn length_counts_what_is_sent_from_elsewhere() {
        let mut w = Writer::new();
        w.external_bytes(1000, 0, false).expect("short");
        let frame = begin(&mut w);
        w.i32(7);
        w.external_bytes(300, 1, false).expect("short");
        end(&mut w, &frame).expect("short");
        assert_eq!(w.buf.get(4..8), Some(&308_i32.to_be_bytes()[..]));
    }
}
