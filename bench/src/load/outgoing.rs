//! Bytes on their way out of one connection.
//!
//! Small frames are copied together, so that one write carries what became due together; large ones are sent from the
//! one copy that all connections share, only the front with its correlation id is their own.

use std::collections::VecDeque;
use std::io::{self, IoSlice, Write};
use std::net::TcpStream;
use std::rc::Rc;

use crate::wire::{CORRELATION_AT, HEAD_BYTES};

/// Frames up to this are copied: a copy of that size costs less than one more slice in the kernel.
const COPY_MAX: usize = 32 << 10;
/// Bytes that are collected into one piece.
const PIECE_BYTES: usize = 256 << 10;
/// Pieces given to one write.
const SLICES_MAX: usize = 32;

#[derive(Debug)]
enum Piece {
    Own(Vec<u8>),
    /// All of a shared frame behind its head.
    Shared(Rc<[u8]>),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(frame) => frame.get(HEAD_BYTES..).unwrap_or_default(),
        }
    }
}

/// What is still to be sent.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    pieces: VecDeque<Piece>,
    /// Bytes of the first piece that are gone already.
    sent: usize,
    /// Last emptied piece, kept for its memory.
    spare: Vec<u8>,
}

impl Outgoing {
    /// Queues a frame under a correlation id of its own.
    pub(crate) fn push_frame(&mut self, frame: &Rc<[u8]>, correlation_id: i32) {
        let copied = if frame.len() <= COPY_MAX {
            frame.len()
        } else {
            HEAD_BYTES
        };
        let own = self.own();
        let start = own.len();
        own.extend_from_slice(frame.get(..copied).unwrap_or_default());
        let place = own.get_mut(start + CORRELATION_AT..start + HEAD_BYTES);
        place
            .expect("a frame is longer than its head")
            .copy_from_slice(&correlation_id.to_be_bytes());
        if copied < frame.len() {
            self.pieces.push_back(Piece::Shared(Rc::clone(frame)));
        }
    }

    /// Queues a frame that was built for this moment.
    pub(crate) fn push_bytes(&mut self, frame: &[u8]) {
        self.own().extend_from_slice(frame);
    }

    fn own(&mut self) -> &mut Vec<u8> {
        let fits =
            matches!(self.pieces.back(), Some(Piece::Own(bytes)) if bytes.len() < PIECE_BYTES);
        if !fits {
            let spare = std::mem::take(&mut self.spare);
            self.pieces.push_back(Piece::Own(spare));
        }
        match self.pieces.back_mut() {
            Some(Piece::Own(bytes)) => bytes,
            _ => unreachable!("an own piece is last"),
        }
    }

    /// Whether nothing is left.
    pub(crate) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    /// Sends what the socket takes.
    ///
    /// # Errors
    /// If the connection broke.
    pub(crate) fn flush(&mut self, mut stream: &TcpStream) -> io::Result<()> {
        while !self.pieces.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let mut skip = self.sent;
            let mut used = 0;
            for (slice, piece) in slices.iter_mut().zip(&self.pieces) {
                *slice = IoSlice::new(piece.bytes().get(skip..).unwrap_or_default());
                skip = 0;
                used += 1;
            }
            match stream.write_vectored(&slices[..used]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => self.consume(n),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        Ok(())
    }

    fn consume(&mut self, mut n: usize) {
        while let Some(piece) = self.pieces.front() {
            let left = piece.bytes().len() - self.sent;
            if n < left {
                self.sent += n;
                return;
            }
            n -= left;
            self.sent = 0;
            if let Some(Piece::Own(mut bytes)) = self.pieces.pop_front() {
                bytes.clear();
                self.spare = bytes;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn every_frame_arrives_whole_under_its_own_id() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let sender = TcpStream::connect(listener.local_addr().expect("bound")).expect("loopback");
        let (mut receiver, _) = listener.accept().expect("loopback");
        sender.set_nonblocking(true).expect("socket");
        let small: Rc<[u8]> = vec![1_u8; 100].into();
        let large: Rc<[u8]> = vec![2_u8; 300_000].into();
        let mut out = Outgoing::default();
        let mut expected = Vec::new();
        for (id, frame) in [&small, &large, &small, &small, &large]
            .into_iter()
            .enumerate()
        {
            let id = i32::try_from(id).expect("five");
            out.push_frame(frame, id);
            let mut copy = frame.to_vec();
            copy[CORRELATION_AT..HEAD_BYTES].copy_from_slice(&id.to_be_bytes());
            expected.extend(copy);
        }
        let mut got = Vec::new();
        let mut block = vec![0; 10_000];
        while got.len() < expected.len() {
            out.flush(&sender).expect("open");
            let n = receiver.read(&mut block).expect("open");
            got.extend_from_slice(&block[..n]);
        }
        assert!(out.is_empty());
        assert!(got == expected);
    }
}
