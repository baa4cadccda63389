//! A client that sends what it is told and reads what comes, by the schemas alone.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use ottla_schema::{Kind, Message, json};
use serde_json::Value;

/// Key of ApiVersions, whose answers are read before anything is known of the server.
const API_VERSIONS: i16 = 18;
/// Longest wait for an answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest answer that is read.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// The schemas of all APIs, by the API's name.
#[derive(Debug)]
pub struct Apis(BTreeMap<String, Api>);

/// One API.
#[derive(Debug)]
pub struct Api {
    /// What is sent.
    pub request: Message,
    /// What comes back.
    pub response: Message,
}

impl Apis {
    /// Reads the schemas of the protocol.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn load() -> Result<Self> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../wire/protocol/schemas/api");
        let mut messages = BTreeMap::new();
        for entry in std::fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let text = std::fs::read_to_string(entry?.path())?;
            for message in ottla_schema::parse(&text)? {
                messages.insert(message.name.clone(), message);
            }
        }
        let mut apis = BTreeMap::new();
        for (name, request) in &messages {
            let Some(name) = name.strip_suffix("Request") else {
                continue;
            };
            let response = messages.get(&format!("{name}Response"));
            if let Some(response) = response.filter(|_| request.kind == Kind::Request) {
                let api = Api {
                    request: request.clone(),
                    response: response.clone(),
                };
                apis.insert(name.to_owned(), api);
            }
        }
        Ok(Self(apis))
    }

    /// Every API with its name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Api)> {
        self.0.iter().map(|(name, api)| (name.as_str(), api))
    }

    /// The API of that name, such as `Fetch`.
    ///
    /// # Errors
    /// If there is none.
    pub fn get(&self, name: &str) -> Result<&Api> {
        self.0.get(name).with_context(|| format!("no API {name}"))
    }
}

/// How a server ended an exchange.
#[derive(Debug, Clone, PartialEq)]
pub enum Reply {
    /// With an answer.
    Answer(Value),
    /// With nothing, because none was due.
    None,
    /// By closing the connection.
    Closed,
}

/// One connection.
#[derive(Debug)]
pub struct Client {
    stream: TcpStream,
    correlation_id: i32,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// The system's.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect(address).with_context(|| address.to_string())?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            correlation_id: 0,
        })
    }

    /// Sends a request; `version` need not exist.
    ///
    /// # Errors
    /// If `body` does not fit the request, no answer comes in time, or the answer is not one.
    pub fn call(&mut self, api: &Api, version: i16, body: &Value, answered: bool) -> Result<Reply> {
        let request = &api.request;
        let key = request.key.context("a request has a key")?;
        self.correlation_id += 1;
        let mut frame = Vec::new();
        frame.extend(key.to_be_bytes());
        frame.extend(version.to_be_bytes());
        frame.extend(self.correlation_id.to_be_bytes());
        let client_id = b"conformance";
        frame.extend(u16::try_from(client_id.len())?.to_be_bytes());
        frame.extend(client_id);
        let flexible = request.flexible.contains(version);
        if flexible {
            frame.push(0);
        }
        let known = version.clamp(request.versions.low, request.versions.high);
        json::encode(request, known, body, &mut frame)?;
        let mut bytes = u32::try_from(frame.len())?.to_be_bytes().to_vec();
        bytes.extend(frame);
        if self.stream.write_all(&bytes).is_err() {
            return Ok(Reply::Closed);
        }
        if !answered {
            return Ok(Reply::None);
        }
        let id = self.correlation_id;
        let Some(answer) = self.read_frame()? else {
            return Ok(Reply::Closed);
        };
        // An unknown version of ApiVersions is answered in version 0.
        let version = if key == API_VERSIONS && version != known {
            0
        } else {
            version
        };
        decode(api, version, id, &answer).map(Reply::Answer)
    }

    /// Reads the answer to a request that was sent without waiting for it, the `id`-th of the connection.
    ///
    /// # Errors
    /// If none comes in time, or it is not one.
    pub fn receive(&mut self, api: &Api, version: i16, id: i32) -> Result<Value> {
        let answer = self.read_frame()?.context("the connection was closed")?;
        decode(api, version, id, &answer)
    }

    fn read_frame(&mut self) -> Result<Option<Vec<u8>>> {
        let mut length = [0; 4];
        if self.stream.read_exact(&mut length).is_err() {
            return Ok(None);
        }
        let length = usize::try_from(i32::from_be_bytes(length))?;
        ensure!(length <= ANSWER_BYTES_MAX, "an answer of {length} bytes");
        let mut frame = vec![0; length];
        self.stream.read_exact(&mut frame)?;
        Ok(Some(frame))
    }
}

/// Reads an answer and checks that it is to the request `id`.
fn decode(api: &Api, version: i16, id: i32, answer: &[u8]) -> Result<Value> {
    let (correlation_id, mut rest) = answer.split_first_chunk().context("a short answer")?;
    ensure!(
        i32::from_be_bytes(*correlation_id) == id,
        "an answer to another request"
    );
    let has_tags = api.request.key != Some(API_VERSIONS) && api.request.flexible.contains(version);
    if has_tags {
        let (tags, behind) = rest.split_first().context("a short answer")?;
        ensure!(*tags == 0, "tagged fields in a response header");
        rest = behind;
    }
    let (value, behind) = json::decode(&api.response, version, rest)?;
    ensure!(
        behind.is_empty(),
        "{} bytes behind the answer",
        behind.len()
    );
    Ok(value)
}
