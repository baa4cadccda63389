//! One connection of the load generator: what is under way, and the bytes that came back.

use std::collections::VecDeque;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result, bail};
use ottla_protocol::frame::{LENGTH_BYTES, check_length};

use super::outgoing::Outgoing;

/// Bytes taken from the socket at a time, at first.
const READ_BYTES: usize = 64 << 10;
/// Largest response taken.
const RESPONSE_BYTES_MAX: usize = 100 << 20;

/// A request that was sent, or would have been if the connection had taken it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pending {
    pub(super) correlation_id: i32,
    /// When it was due, in ns of the engine's clock.
    pub(super) due: u64,
}

/// A socket with its queues.
#[derive(Debug)]
pub(super) struct Connection {
    pub(super) stream: TcpStream,
    pub(super) out: Outgoing,
    /// Requests without an answer, oldest first: answers come in this order.
    pub(super) pending: VecDeque<Pending>,
    pub(super) correlation_id: i32,
    /// Open pace: when the next request is due.
    pub(super) next_due: u64,
    /// Whether the socket is watched for room to write.
    pub(super) watched_for_write: bool,
    buffer: Vec<u8>,
    begin: usize,
    end: usize,
}

impl Connection {
    pub(super) fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).context("connect")?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self {
            stream,
            out: Outgoing::default(),
            pending: VecDeque::new(),
            correlation_id: 0,
            next_due: 0,
            watched_for_write: false,
            buffer: vec![0; READ_BYTES],
            begin: 0,
            end: 0,
        })
    }

    /// Takes what has arrived.
    pub(super) fn fill(&mut self) -> Result<()> {
        match (&self.stream).read(&mut self.buffer[self.end..]) {
            Ok(0) => bail!("the server closed the connection"),
            Ok(n) => self.end += n,
            Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e).context("read"),
        }
        Ok(())
    }

    /// The next whole response behind its length, as a range of the buffer; makes room for it if it is not there yet.
    pub(super) fn next_response(&mut self) -> Result<Option<std::ops::Range<usize>>> {
        let held = &self.buffer[self.begin..self.end];
        if let Some(length) = held.first_chunk::<LENGTH_BYTES>() {
            let length = check_length(*length, RESPONSE_BYTES_MAX)?;
            if held.len() - LENGTH_BYTES >= length {
                let start = self.begin + LENGTH_BYTES;
                self.begin = start + length;
                return Ok(Some(start..self.begin));
            }
            let whole = length + LENGTH_BYTES;
            if self.begin > 0 {
                self.buffer.copy_within(self.begin..self.end, 0);
            }
            if self.buffer.len() < whole {
                self.buffer.resize(whole.next_power_of_two(), 0);
            }
        } else if self.begin > 0 {
            self.buffer.copy_within(self.begin..self.end, 0);
        }
        self.end -= self.begin;
        self.begin = 0;
        Ok(None)
    }

    /// The bytes of a range that [`Self::next_response`] gave.
    pub(super) fn bytes(&self, range: std::ops::Range<usize>) -> &[u8] {
        &self.buffer[range]
    }
}
