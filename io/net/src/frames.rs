//! Bytes of a connection to whole frames.
//!
//! An idle connection holds no buffer. Bytes are read into a buffer of the thread and frames handed out
//! in place; only the beginning of a frame that is not whole yet moves to a buffer of the connection,
//! which grows with the bytes that arrive, never with the length that was claimed. All such buffers share a
//! [`FrameBudget`].

use std::cell::RefCell;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustix::net::RecvFlags;
use thiserror::Error;
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::budget::{FrameBudget, FrameShare};
use crate::pool;

/// Bytes of the length in front of a frame.
const LENGTH: usize = 4;
/// Bytes read at once into the buffer of the thread.
const READ_BYTES: usize = 256 * 1024;
/// Bytes read at once while there is no memory for partial frames: what of them is no whole frame is kept, on each
/// connection.
const READ_BYTES_EXHAUSTED: usize = 4 * 1024;
/// Room made for the next bytes of a partial frame, at least.
const GROW_MIN: usize = 64 * 1024;

thread_local! {
    /// Zeroed once; its pages are taken by the system as they are first written.
    static SHARED: RefCell<Box<[u8]>> = RefCell::new(vec![0; READ_BYTES].into_boxed_slice());
}

/// Why nothing more will be read.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The peer closed or reset the connection; whether inside a frame.
    #[error("peer closed the connection: inside_frame={0}")]
    Closed(bool),
    /// The frame's length is zero or negative.
    #[error("frame length is not positive: length={0}")]
    NotPositive(i32),
    /// The frame's length is above the limit.
    #[error("frame is too large: length={length} max={max}")]
    TooLarge {
        /// Length claimed.
        length: i32,
        /// Largest length allowed.
        max: usize,
    },
    /// The socket failed.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// What was done with a frame, and whether the next one may follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// It was handled; the next one may follow.
    Next,
    /// It was handled; the next one is to be kept for later.
    Last,
    /// It has to wait itself; it is handed out again by [`FrameReader::drain`].
    NotYet,
}

/// Handles one frame.
pub type OnFrame<'a> = dyn FnMut(&[u8]) -> Taken + 'a;

/// Cuts the bytes of one connection into frames.
#[derive(Debug)]
pub struct FrameReader {
    /// Bytes that arrived and were not handed out.
    held: Vec<u8>,
    share: FrameShare,
    max_frame: usize,
}

impl FrameReader {
    /// Frames of at most `max_frame` bytes, the length itself not counted; the memory is part of `budget`.
    #[must_use]
    pub fn new(max_frame: usize, budget: &Arc<FrameBudget>) -> Self {
        Self {
            held: Vec::new(),
            share: FrameShare::new(budget),
            max_frame,
        }
    }

    /// Whether nothing is read because there is no memory for it.
    #[must_use]
    pub fn is_waiting_for_memory(&self) -> bool {
        self.share.is_waiting()
    }

    /// Whether a frame has begun and is not whole.
    #[must_use]
    pub fn is_inside_frame(&self) -> bool {
        !self.held.is_empty()
    }

    /// Bytes of memory held for this connection.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.held.capacity()
    }

    /// Hands out frames that were kept when `on_frame` last said stop. Reads nothing.
    ///
    /// # Errors
    /// [`ReadError::NotPositive`] or [`ReadError::TooLarge`].
    pub fn drain(&mut self, on_frame: &mut OnFrame<'_>) -> Result<(), ReadError> {
        let (used, result) = cut(&self.held, self.max_frame, on_frame);
        self.held.drain(..used);
        if self.held.is_empty() {
            pool::give(std::mem::take(&mut self.held));
        }
        if used > 0 || missing(&self.held) == 0 {
            self.share.frame_done(self.held.capacity());
        }
        result
    }

    /// Reads once what the socket has, and hands out every whole frame.
    ///
    /// `Pending` once the socket is empty, or while there is no memory for more; the task is woken when there is.
    ///
    /// # Errors
    /// [`ReadError`]; nothing more is to be read then.
    pub fn poll_read(
        &mut self,
        cx: &mut Context<'_>,
        stream: &TcpStream,
        on_frame: &mut OnFrame<'_>,
    ) -> Poll<Result<(), ReadError>> {
        loop {
            if !self.held.is_empty() && !self.share.may_grow(cx.waker()) {
                return Poll::Pending;
            }
            ready!(stream.poll_read_ready(cx))?;
            let read = if self.held.is_empty() {
                self.read_shared(stream, on_frame)
            } else {
                self.read_held(stream, on_frame)
            };
            match read {
                Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(ReadError::Io(error)) if error.kind() == io::ErrorKind::ConnectionReset => {
                    return Poll::Ready(Err(ReadError::Closed(self.is_inside_frame())));
                }
                result => return Poll::Ready(result),
            }
        }
    }

    fn read_shared(
        &mut self,
        stream: &TcpStream,
        on_frame: &mut OnFrame<'_>,
    ) -> Result<(), ReadError> {
        let max = if self.share.budget().is_exhausted() {
            READ_BYTES_EXHAUSTED
        } else {
            READ_BYTES
        };
        SHARED.with_borrow_mut(|shared| {
            let shared = shared.get_mut(..max).unwrap_or_default();
            let read = read_some(stream, shared)?;
            if read == 0 {
                return Err(ReadError::Closed(false));
            }
            let bytes = shared.get(..read).unwrap_or_default();
            let (used, result) = cut(bytes, self.max_frame, on_frame);
            result?;
            let rest = bytes.get(used..).unwrap_or_default();
            if !rest.is_empty() {
                self.held = pool::take(rest.len());
                self.held.extend_from_slice(rest);
                self.share.set(self.held.capacity());
            }
            Ok(())
        })
    }

    fn read_held(
        &mut self,
        stream: &TcpStream,
        on_frame: &mut OnFrame<'_>,
    ) -> Result<(), ReadError> {
        // Doubling what has arrived keeps the copies few and the memory below twice the bytes.
        let missing = missing(&self.held);
        self.held
            .reserve(missing.clamp(1, self.held.len().max(GROW_MIN)));
        self.share.set(self.held.capacity());
        if stream.try_read_buf(&mut self.held)? == 0 {
            return Err(ReadError::Closed(true));
        }
        self.drain(on_frame)
    }
}

/// Reads what the socket has. A read that did not fill `buf` has emptied the socket, so the next look at
/// the socket is left to the moment when the system says that more came: that saves a call per request.
fn read_some(stream: &TcpStream, buf: &mut [u8]) -> io::Result<usize> {
    let mut read = 0;
    let result = stream.try_io(Interest::READABLE, || {
        let (taken, _) = rustix::net::recv(stream, &mut *buf, RecvFlags::DONTWAIT)?;
        read = taken;
        if (1..buf.len()).contains(&taken) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(())
    });
    match result {
        Err(_) if read > 0 => Ok(read),
        Err(error) => Err(error),
        Ok(()) => Ok(read),
    }
}

impl Drop for FrameReader {
    fn drop(&mut self) {
        pool::give(std::mem::take(&mut self.held));
    }
}

/// Bytes that the first frame of `held` lacks; 0 if it is whole.
fn missing(held: &[u8]) -> usize {
    let claimed = held.first_chunk().map_or(LENGTH, |raw| {
        usize::try_from(i32::from_be_bytes(*raw))
            .unwrap_or(0)
            .saturating_add(LENGTH)
    });
    claimed.saturating_sub(held.len())
}

/// Hands out the whole frames of `bytes`; returns how many bytes were used.
fn cut(bytes: &[u8], max: usize, on_frame: &mut OnFrame<'_>) -> (usize, Result<(), ReadError>) {
    let mut used = 0;
    while let Some((raw, rest)) = bytes
        .get(used..)
        .unwrap_or_default()
        .split_first_chunk::<LENGTH>()
    {
        let length = i32::from_be_bytes(*raw);
        let size = match usize::try_from(length) {
            Ok(size) if size > max => return (used, Err(ReadError::TooLarge { length, max })),
            Ok(size) if size > 0 => size,
            _ => return (used, Err(ReadError::NotPositive(length))),
        };
        let Some(frame) = rest.get(..size) else { break };
        let taken = on_frame(frame);
        if taken != Taken::NotYet {
            used += LENGTH + size;
        }
        if taken != Taken::Next {
            break;
        }
    }
    (used, Ok(()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(bytes: &[u8], max: usize) -> (usize, Vec<Vec<u8>>, bool) {
        let mut found = Vec::new();
        let (used, result) = cut(bytes, max, &mut |frame: &[u8]| {
            found.push(frame.to_vec());
            Taken::Next
        });
        (used, found, result.is_ok())
    }

    #[test]
    fn whole_frames_are_cut_and_the_rest_is_left() {
        let bytes = [0, 0, 0, 2, 1, 2, 0, 0, 0, 1, 3, 0, 0, 0, 4, 9];
        assert_eq!(frames(&bytes, 100), (11, vec![vec![1, 2], vec![3]], true));
        assert_eq!(frames(&[0, 0], 100), (0, vec![], true));
    }

    #[test]
    fn bad_length_is_seen_with_its_four_bytes() {
        for bytes in [*b"GET ", [0; 4], [0xff; 4], [0x16, 3, 1, 2]] {
            assert_eq!(frames(&bytes, 1000), (0, vec![], false), "{bytes:x?}");
        }
    }

    #[test]
    fn stop_keeps_the_frames_behind() {
        let bytes = [0, 0, 0, 1, 1, 0, 0, 0, 1, 2];
        for (taken, expected) in [(Taken::Last, 5), (Taken::NotYet, 0)] {
            let mut count = 0;
            let (used, _) = cut(&bytes, 10, &mut |_: &[u8]| {
                count += 1;
                taken
            });
            assert_eq!((used, count), (expected, 1));
        }
    }

    #[test]
    fn claimed_length_is_not_reserved() {
        let held = [0x05, 0, 0, 0, 1, 2, 3];
        assert!(missing(&held) > 80_000_000);
        let mut reader = FrameReader::new(100 << 20, &FrameBudget::new(usize::MAX));
        reader.held = held.to_vec();
        reader
            .held
            .reserve(missing(&held).min(reader.held.len().max(GROW_MIN)));
        assert!(
            reader.held_bytes() <= 2 * GROW_MIN,
            "{}",
            reader.held_bytes()
        );
    }
}
