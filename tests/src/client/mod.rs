//! A client of our own for tests: blocking, one connection, no retries, nothing hidden.
//!
//! It speaks to whatever serves the protocol, Apache Kafka included. Each API is asked in one fixed version that names
//! topics, so that a test does not depend on what the other side announces.

mod admin;
mod calls;
mod data;
mod groups;

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use ottla_protocol::frame;
use ottla_protocol::header::{self, RequestHeader};
use ottla_protocol::{Reader, Writer};

pub use admin::Committed;
pub use calls::Call;
pub use data::{Fetched, Header, Isolation, KeyValue, Produced, Record, batch, records_of};

/// Longest wait for an answer.
const ANSWER_MAX: Duration = Duration::from_secs(30);

/// Largest answer that is read.
const FRAME_MAX: usize = 64 * 1024 * 1024;

/// What a request's deadline at the server is.
const TIMEOUT_MS: i32 = 20_000;

/// One connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    /// Correlation id of the last request.
    sent: i32,
    /// Correlation id of the last answer; answers come in the order of the requests.
    received: i32,
}

/// An error code in an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Refused(pub i16);

impl Refused {
    /// Whether a client asks again.
    #[must_use]
    pub fn is_retriable(self) -> bool {
        ottla_protocol::ErrorCode::from_code(self.0).is_some_and(|code| code.is_retriable())
    }
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match ottla_protocol::ErrorCode::from_code(self.0) {
            Some(code) => write!(f, "{code:?} ({})", self.0),
            None => write!(f, "error {}", self.0),
        }
    }
}

impl std::error::Error for Refused {}

impl Client {
    /// Connects to `host:port`.
    ///
    /// # Errors
    /// If nobody listens there.
    pub fn connect(bootstrap: &str) -> Result<Self> {
        let address = bootstrap.parse().context("an address and port")?;
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(5))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        Ok(Self {
            stream,
            sent: 0,
            received: 0,
        })
    }

    /// Sends a request and reads its answer.
    ///
    /// # Errors
    /// If the connection ends, nothing comes in time, or the answer is not one.
    pub fn call<C: Call>(&mut self, request: &C) -> Result<C::Response> {
        self.send(request)?;
        self.receive::<C>()
    }

    /// Sends a request only.
    ///
    /// # Errors
    /// If the connection has ended.
    pub fn send<C: Call>(&mut self, request: &C) -> Result<()> {
        self.sent += 1;
        let header = RequestHeader {
            api: C::API,
            version: C::VERSION,
            correlation_id: self.sent,
            client_id: Some("ottla-tests"),
        };
        let mut w = Writer::new();
        let open = frame::begin(&mut w);
        header.encode(&mut w)?;
        request.encode(&mut w)?;
        frame::end(&mut w, &open)?;
        self.stream.write_all(&w.buf)?;
        Ok(())
    }

    /// Reads the answer to the oldest request that is outstanding.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub fn receive<C: Call>(&mut self) -> Result<C::Response> {
        let mut length = [0; frame::LENGTH_BYTES];
        self.stream.read_exact(&mut length)?;
        let mut body = vec![0; frame::check_length(length, FRAME_MAX)?];
        self.stream.read_exact(&mut body)?;
        let mut r = Reader::new(&body);
        let correlation_id = header::decode_response_header(&mut r, C::API, C::VERSION)?;
        self.received += 1;
        if correlation_id != self.received {
            bail!(
                "answer to request {correlation_id} instead of {}",
                self.received
            );
        }
        let response = C::decode(&mut r)?;
        if r.remaining() > 0 {
            bail!("{} bytes behind the answer of {:?}", r.remaining(), C::API);
        }
        Ok(response)
    }
}

/// `Ok` for code 0.
fn refused(code: i16) -> Result<()> {
    if code == 0 {
        Ok(())
    } else {
        Err(Refused(code).into())
    }
}
