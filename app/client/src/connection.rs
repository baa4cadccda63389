//! One connection to one node, and the versions that both sides speak.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use ottla_protocol::api::Versions;
use ottla_protocol::header::{self, RequestHeader};
use ottla_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use ottla_protocol::{ApiKey, ErrorCode, Reader, Writer, frame};

use crate::api::Call;
use crate::error::{ClientError, Result};

/// Largest answer that is read.
const FRAME_MAX: usize = 256 * 1024 * 1024;

/// Memory that is taken for an answer before its bytes come.
const CHUNK_BYTES: u64 = 64 * 1024;

/// A connection whose versions are known.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    client_id: String,
    timeout: Duration,
    correlation_id: i32,
    versions: ApiVersionsResponse,
    ranges: BTreeMap<i16, Versions>,
}

impl Connection {
    /// Connects, and asks what the node speaks (KIP-511).
    ///
    /// # Errors
    /// [`ClientError::Disconnected`] or [`ClientError::Timeout`] if nobody is there.
    pub fn open(address: SocketAddr, client_id: &str, timeout: Duration) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, timeout.max(Duration::from_millis(1)))
            .and_then(|stream| {
                stream.set_nodelay(true)?;
                Ok(stream)
            })
            .map_err(|error| ClientError::Disconnected(error.to_string()))?;
        let mut connection = Self {
            stream,
            client_id: client_id.to_owned(),
            timeout,
            correlation_id: 0,
            versions: ApiVersionsResponse::default(),
            ranges: BTreeMap::new(),
        };
        let request = ApiVersionsRequest {
            client_software_name: "ottla".to_owned(),
            client_software_version: env!("CARGO_PKG_VERSION").to_owned(),
            ..ApiVersionsRequest::default()
        };
        let newest = *ApiVersionsRequest::VERSIONS.end();
        let mut versions = connection.exchange(&request, newest)?;
        if versions.error_code == ErrorCode::UnsupportedVersion.code() {
            // An old server answers in version 0, and says which versions it has.
            let known = versions
                .api_keys
                .iter()
                .find(|api| api.api_key == ApiKey::ApiVersions.code())
                .map_or(0, |api| api.max_version);
            versions = connection.exchange(&request, known.clamp(0, newest))?;
        }
        ClientError::check(versions.error_code, None)?;
        connection.ranges = versions
            .api_keys
            .iter()
            .map(|api| {
                let range = Versions {
                    min: api.min_version,
                    max: api.max_version,
                };
                (api.api_key, range)
            })
            .collect();
        connection.versions = versions;
        Ok(connection)
    }

    /// What the node said that it speaks, features included.
    #[must_use]
    pub const fn versions(&self) -> &ApiVersionsResponse {
        &self.versions
    }

    /// The newest version of an API that both sides speak.
    ///
    /// # Errors
    /// [`ClientError::UnsupportedApi`] if there is none.
    pub fn version<C: Call>(&self) -> Result<i16> {
        let ours = C::API.row().versions;
        let theirs = self.ranges.get(&C::API.code());
        ours.zip(theirs)
            .map(|(ours, theirs)| (ours.min.max(theirs.min), ours.max.min(theirs.max)))
            .filter(|(min, max)| min <= max)
            .map(|(_, max)| max)
            .ok_or(ClientError::UnsupportedApi { api: C::API })
    }

    /// Sends a request in the newest common version, and reads its answer.
    ///
    /// # Errors
    /// [`ClientError`]. After [`ClientError::Timeout`], [`ClientError::Disconnected`] and
    /// [`ClientError::Malformed`] the connection is of no more use.
    pub fn ask<C: Call>(&mut self, request: &C) -> Result<C::Response> {
        let version = self.version::<C>()?;
        self.exchange(request, version)
    }

    /// The same in a version that the caller chose.
    ///
    /// # Errors
    /// As [`Connection::ask`].
    pub fn exchange<C: Call>(&mut self, request: &C, version: i16) -> Result<C::Response> {
        self.correlation_id = self.correlation_id.wrapping_add(1);
        let header = RequestHeader {
            api: C::API,
            version,
            correlation_id: self.correlation_id,
            client_id: Some(&self.client_id),
        };
        let mut w = Writer::new();
        let open = frame::begin(&mut w);
        header
            .encode(&mut w)
            .and_then(|()| request.encode(&mut w, version))
            .and_then(|()| frame::end(&mut w, &open))
            .map_err(|error| ClientError::UnsupportedVersion(error.to_string()))?;
        let deadline = Instant::now() + self.timeout;
        self.stream
            .set_write_timeout(Some(self.timeout.max(Duration::from_millis(1))))
            .and_then(|()| self.stream.write_all(&w.buf))
            .map_err(|error| broken::<C>(&error))?;
        let body = self
            .read_frame(deadline)
            .map_err(|error| broken::<C>(&error))?;
        let mut r = Reader::new(&body);
        let malformed = |reason: String| ClientError::Malformed {
            api: C::API,
            reason,
        };
        // A server that does not know the version of ApiVersions answers in version 0.
        let refused = C::API == ApiKey::ApiVersions
            && body.get(4..6) == Some(&ErrorCode::UnsupportedVersion.code().to_be_bytes()[..]);
        let version = if refused { 0 } else { version };
        let correlation_id = header::decode_response_header(&mut r, C::API, version)
            .map_err(|error| malformed(error.to_string()))?;
        if correlation_id != self.correlation_id {
            return Err(malformed(format!("it belongs to request {correlation_id}")));
        }
        C::decode(&mut r, version).map_err(|error| malformed(error.to_string()))
    }

    /// Reads one frame; memory grows with the bytes that come, whatever length is claimed.
    fn read_frame(&mut self, deadline: Instant) -> std::io::Result<Vec<u8>> {
        let mut length = [0; frame::LENGTH_BYTES];
        self.wait_until(deadline)?;
        self.stream.read_exact(&mut length)?;
        let length = frame::check_length(length, FRAME_MAX)
            .map_err(|error| std::io::Error::new(ErrorKind::InvalidData, error.to_string()))?;
        let mut body = Vec::new();
        while body.len() < length {
            self.wait_until(deadline)?;
            let left = u64::try_from(length - body.len()).unwrap_or(CHUNK_BYTES);
            let read = std::io::Read::by_ref(&mut self.stream)
                .take(left.min(CHUNK_BYTES))
                .read_to_end(&mut body)?;
            if read == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(body)
    }

    fn wait_until(&self, deadline: Instant) -> std::io::Result<()> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))
    }
}

/// A connection that ended while a request was on it.
fn broken<C: Call>(error: &std::io::Error) -> ClientError {
    match error.kind() {
        ErrorKind::TimedOut | ErrorKind::WouldBlock => ClientError::Timeout(format!(
            "The node did not answer {} in time.",
            C::API.row().name
        )),
        ErrorKind::InvalidData => ClientError::Malformed {
            api: C::API,
            reason: error.to_string(),
        },
        _ => ClientError::Disconnected(format!(
            "Cancelled {} request due to node being disconnected",
            C::API.row().name
        )),
    }
}
