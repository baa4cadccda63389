//! A peer that speaks by the byte.

use std::io;
use std::net::SocketAddr;

use ottla_protocol::messages::{ApiVersionsRequest, ApiVersionsResponse};
use ottla_protocol::{ApiKey, Reader, Writer, frame, header};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// One connection to the node.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
}

impl Peer {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("listens");
        Self { stream }
    }

    /// Sends bytes; the node may have closed the connection already.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// The next answer without its length; `None` once the connection is closed.
    pub(crate) async fn answer(&mut self) -> Option<Vec<u8>> {
        let len = self.stream.read_u32().await.ok()?;
        let mut bytes = vec![0; usize::try_from(len).expect("fits")];
        self.stream.read_exact(&mut bytes).await.ok()?;
        Some(bytes)
    }

    /// Sends a frame and gives its answer; `None` if the node closes the connection instead.
    pub(crate) async fn ask(&mut self, frame: &[u8]) -> Option<Vec<u8>> {
        self.send(frame).await.ok()?;
        self.answer().await
    }

    /// Waits for the close; whether it came without a word. A reset is a close too: the node left bytes
    /// unread.
    pub(crate) async fn is_closed(&mut self) -> bool {
        let mut rest = Vec::new();
        let read = self.stream.read_to_end(&mut rest).await;
        read.is_err() || rest.is_empty()
    }

    /// Asks for ApiVersions; whether an answer came.
    pub(crate) async fn is_served(&mut self) -> bool {
        self.ask(&api_versions(0, 77))
            .await
            .is_some_and(|bytes| bytes.starts_with(&[0, 0, 0, 77]))
    }
}

/// Whether a new connection is served.
pub(crate) async fn is_served(address: SocketAddr) -> bool {
    Peer::connect(address).await.is_served().await
}

/// A frame: length, header in the form that `version` of `api` has, body.
pub(crate) fn request(api: ApiKey, version: i16, id: i32, body: &[u8]) -> Vec<u8> {
    let mut w = Writer::new();
    let open = frame::begin(&mut w);
    let header = header::RequestHeader {
        api,
        version,
        correlation_id: id,
        client_id: Some("test"),
    };
    header.encode(&mut w).expect("short");
    w.buf.extend_from_slice(body);
    frame::end(&mut w, &open).expect("short");
    w.buf
}

/// A frame of bytes that need not mean anything.
pub(crate) fn raw(bytes: &[u8]) -> Vec<u8> {
    let len = u32::try_from(bytes.len()).expect("short");
    [&len.to_be_bytes()[..], bytes].concat()
}

/// An ApiVersions request; versions above those that exist have the body of the last.
pub(crate) fn api_versions_of(version: i16, id: i32, body: &ApiVersionsRequest) -> Vec<u8> {
    let mut w = Writer::new();
    body.encode(&mut w, version.min(5))
        .expect("a version that exists");
    request(ApiKey::ApiVersions, version, id, &w.buf)
}

/// An ApiVersions request of a client that says nothing about itself.
pub(crate) fn api_versions(version: i16, id: i32) -> Vec<u8> {
    api_versions_of(version, id, &ApiVersionsRequest::default())
}

/// An ApiVersions answer with its correlation id.
pub(crate) fn read_api_versions(bytes: &[u8], version: i16) -> (i32, ApiVersionsResponse) {
    let mut r = Reader::new(bytes);
    let id = header::decode_response_header(&mut r, ApiKey::ApiVersions, version);
    let body = ApiVersionsResponse::decode(&mut r, version).expect("valid");
    assert_eq!(r.remaining(), 0);
    (id.expect("a header"), body)
}
