//! What a connection still has to send: bytes in memory and regions of files, in order.
//!
//! Plaintext goes from the page cache to the socket by `sendfile`, without passing through memory of
//! this process. Whoever fills the queue looks at [`OutQueue::queued_bytes`] and stops when it is too
//! much; that is the back-pressure towards a peer that does not read.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use ottla_env::DiskFile;
use rustix::net::SendFlags;
use tokio::io::Interest;
use tokio::net::TcpStream;

use crate::pool;

/// Bytes read at once from a file that has no descriptor.
const COPY_BYTES: usize = 64 * 1024;

/// A part of a file, to be sent as it is.
#[derive(Debug, Clone)]
pub struct FileRegion {
    /// The file; stays open until it is sent.
    pub file: Arc<dyn DiskFile>,
    /// Where it begins.
    pub position: u64,
    /// Number of bytes.
    pub len: u64,
}

#[derive(Debug)]
struct Placed {
    /// Offset in `bytes` before which the region is sent.
    at: usize,
    region: FileRegion,
}

/// The queue of one connection.
#[derive(Debug, Default)]
pub struct OutQueue {
    bytes: Vec<u8>,
    sent: usize,
    regions: VecDeque<Placed>,
    region_bytes: u64,
}

impl OutQueue {
    /// Appends bytes. Returns the buffer so that an encoder can write into it; it must only grow.
    pub fn bytes_mut(&mut self) -> &mut Vec<u8> {
        if self.bytes.capacity() == 0 {
            self.bytes = pool::take(0);
        }
        &mut self.bytes
    }

    /// Sends `region` at offset `at` of the buffer of [`Self::bytes_mut`]; offsets must not fall.
    pub fn place_region(&mut self, at: usize, region: FileRegion) {
        assert!(
            at >= self.sent && at <= self.bytes.len(),
            "a region lies between queued bytes"
        );
        assert!(
            self.regions.back().is_none_or(|last| last.at <= at),
            "regions come in order"
        );
        if region.len > 0 {
            self.region_bytes += region.len;
            self.regions.push_back(Placed { at, region });
        }
    }

    /// Number of bytes not yet sent.
    #[must_use]
    pub fn queued_bytes(&self) -> u64 {
        let inline = self.bytes.len() - self.sent;
        u64::try_from(inline)
            .unwrap_or(u64::MAX)
            .saturating_add(self.region_bytes)
    }

    /// Whether everything was sent.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sent == self.bytes.len() && self.regions.is_empty()
    }

    /// Sends as much as the socket takes; `Ready` once everything is sent.
    ///
    /// # Errors
    /// The socket's, or `UnexpectedEof` if a file is shorter than its region: what was announced can
    /// then not be sent any more, and the connection is to be closed.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>, stream: &TcpStream) -> Poll<io::Result<()>> {
        while !self.is_empty() {
            match self.send_some(stream) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    ready!(stream.poll_write_ready(cx))?;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        self.sent = 0;
        self.bytes.clear();
        pool::give(std::mem::take(&mut self.bytes));
        Poll::Ready(Ok(()))
    }

    /// One system call's worth.
    fn send_some(&mut self, stream: &TcpStream) -> io::Result<()> {
        let next = self.regions.front().map(|placed| placed.at);
        let end = next.unwrap_or(self.bytes.len());
        if self.sent < end {
            let bytes = self.bytes.get(self.sent..end).unwrap_or_default();
            // More follows at once, so that a header and its records leave in one packet.
            let more = if next.is_some() {
                SendFlags::MORE
            } else {
                SendFlags::empty()
            };
            let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT | more;
            self.sent += stream.try_io(Interest::WRITABLE, || {
                Ok(rustix::net::send(stream, bytes, flags)?)
            })?;
            return Ok(());
        }
        let Some(placed) = self.regions.front_mut() else {
            return Ok(());
        };
        let sent = send_region(stream, &placed.region)?;
        if sent == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let sent = u64::try_from(sent).expect("a length fits 64 bits");
        placed.region.position += sent;
        placed.region.len -= sent;
        self.region_bytes -= sent;
        if placed.region.len == 0 {
            self.regions.pop_front();
        }
        Ok(())
    }
}

fn send_region(stream: &TcpStream, region: &FileRegion) -> io::Result<usize> {
    let len = usize::try_from(region.len).unwrap_or(usize::MAX);
    #[cfg(target_os = "linux")]
    if let Some(fd) = region.file.as_fd() {
        let mut position = region.position;
        return stream.try_io(Interest::WRITABLE, || {
            // The system sends at most 2 GiB at once.
            let len = len.min(1 << 30);
            Ok(rustix::fs::sendfile(stream, fd, Some(&mut position), len)?)
        });
    }
    let mut copy = pool::take(0);
    copy.resize(len.min(COPY_BYTES), 0);
    let read = region.file.read_at(&mut copy, region.position)?;
    let sent = if read == 0 {
        Ok(0)
    } else {
        stream.try_write(copy.get(..read).unwrap_or_default())
    };
    pool::give(copy);
    sent
}

impl Drop for OutQueue {
    fn drop(&mut self) {
        pool::give(std::mem::take(&mut self.bytes));
    }
}
