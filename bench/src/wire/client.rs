//! A client that asks one thing at a time: for topics, coordinators and groups around a measurement.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use ottla_protocol::frame::{LENGTH_BYTES, check_length};
use ottla_protocol::header::decode_response_header;
use ottla_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use ottla_protocol::{ApiKey, EncodeError, Reader, Writer};

use super::frames::request_frame;

/// Largest response taken.
const RESPONSE_BYTES_MAX: usize = 100 << 20;
/// Longest wait for a response.
const TIMEOUT: Duration = Duration::from_secs(60);
/// Version of the first question, which every server since 2.4 answers.
const API_VERSIONS_VERSION: i16 = 3;

/// A connection whose server's versions are known.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    correlation_id: i32,
    versions: BTreeMap<i16, (i16, i16)>,
}

impl Client {
    /// Connects and asks for the versions.
    ///
    /// # Errors
    /// If nobody answers.
    pub(crate) fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        let mut client = Self {
            stream,
            correlation_id: 0,
            versions: BTreeMap::new(),
        };
        let request = ApiVersionsRequest {
            client_software_name: "ottla-bench".to_owned(),
            client_software_version: env!("CARGO_PKG_VERSION").to_owned(),
            ..ApiVersionsRequest::default()
        };
        let version = API_VERSIONS_VERSION;
        let body = client.exchange(ApiKey::ApiVersions, version, |w| request.encode(w, version))?;
        let response = ApiVersionsResponse::decode(&mut Reader::new(&body), version)?;
        if response.error_code != 0 {
            bail!("ApiVersions: error_code={}", response.error_code);
        }
        client.versions = response
            .api_keys
            .iter()
            .map(|row| (row.api_key, (row.min_version, row.max_version)))
            .collect();
        Ok(client)
    }

    /// The highest version that both sides know, as clients choose it.
    ///
    /// # Errors
    /// If there is none.
    pub(crate) fn version(&self, api: ApiKey) -> Result<i16> {
        let (min, max) = *self
            .versions
            .get(&api.code())
            .with_context(|| format!("{} is not served", api.row().name))?;
        let row = api.row();
        let ours = row.versions.context("api was removed")?;
        let version = ours.max.min(max);
        if version < min.max(ours.min) {
            bail!("{}: no common version", row.name);
        }
        Ok(version)
    }

    /// Sends a request and returns the body of its response.
    ///
    /// # Errors
    /// If the connection breaks or the answer is not to this question.
    pub(crate) fn exchange(
        &mut self,
        api: ApiKey,
        version: i16,
        body: impl FnOnce(&mut Writer) -> Result<(), EncodeError>,
    ) -> Result<Vec<u8>> {
        self.correlation_id += 1;
        let frame = request_frame(api, version, self.correlation_id, body)?;
        let name = api.row().name;
        self.stream.write_all(&frame).context(name)?;
        let mut length = [0; LENGTH_BYTES];
        self.stream.read_exact(&mut length).context(name)?;
        let mut response = vec![0; check_length(length, RESPONSE_BYTES_MAX)?];
        self.stream.read_exact(&mut response).context(name)?;
        let mut r = Reader::new(&response);
        let correlation_id = decode_response_header(&mut r, api, version)?;
        if correlation_id != self.correlation_id {
            bail!("{name}: answer to another question: correlation_id={correlation_id}");
        }
        let header = response.len() - r.remaining();
        response.drain(..header);
        Ok(response)
    }
}

/// Asks `$request` of API `$api` in the highest common version; gives the response.
macro_rules! call {
    ($client:expr, $api:ident, $request:expr, $response:ident) => {{
        let version = $client.version(ottla_protocol::ApiKey::$api)?;
        let request = $request;
        let body = $client.exchange(ottla_protocol::ApiKey::$api, version, |w| {
            request.encode(w, version)
        })?;
        ottla_protocol::messages::$response::decode(
            &mut ottla_protocol::Reader::new(&body),
            version,
        )?
    }};
}
pub(crate) use call;
