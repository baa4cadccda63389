//! What stands in front of the body of a request and of a response.

use thiserror::Error;

use crate::api::ApiKey;
use crate::reader::{DecodeError, Reader};
use crate::writer::{EncodeError, Writer};

/// The header of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestHeader<'a> {
    /// API asked for.
    pub api: ApiKey,
    /// Version of request and response; not checked here, because ApiVersions answers an unknown one.
    pub version: i16,
    /// Comes back in the response.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: Option<&'a str>,
}

/// A header that closes the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum HeaderError {
    /// A key that Kafka does not have.
    #[error("api key is not known: key={0}")]
    UnknownApi(i16),
    /// Bytes that are no header.
    #[error(transparent)]
    Malformed(#[from] DecodeError),
}

impl<'a> RequestHeader<'a> {
    /// Reads the header and leaves `r` at the body.
    ///
    /// The client id has a length of two bytes even in flexible versions, so that a server can read
    /// the header of an ApiVersions request of any version. What follows it in a version that is not
    /// known cannot be told, so the tagged fields are then left unread.
    ///
    /// # Errors
    /// [`HeaderError`].
    pub fn decode(r: &mut Reader<'a>) -> Result<Self, HeaderError> {
        let key = r.i16()?;
        let version = r.i16()?;
        let api = ApiKey::from_code(key).ok_or(HeaderError::UnknownApi(key))?;
        let correlation_id = r.i32()?;
        let client_id = r.nullable_str(false)?;
        let known = api
            .row()
            .versions
            .is_some_and(|versions| versions.contains(version));
        if known && api.is_flexible(version) {
            let mut tags = r.tag_count(true)?;
            while r.next_tag(&mut tags)?.is_some() {}
        }
        Ok(Self {
            api,
            version,
            correlation_id,
            client_id,
        })
    }

    /// Writes the header.
    ///
    /// # Errors
    /// [`EncodeError::TooLong`] if the client id is longer than 32767 bytes.
    pub fn encode(&self, w: &mut Writer) -> Result<(), EncodeError> {
        w.i16(self.api.code());
        w.i16(self.version);
        w.i32(self.correlation_id);
        w.nullable_str(self.client_id, false)?;
        if self.api.is_flexible(self.version) {
            w.uvarint(0);
        }
        Ok(())
    }
}

/// Whether a response has tagged fields in its header: those of flexible versions have, except that of
/// ApiVersions, which a client reads before it knows what the server speaks (KIP-511).
#[must_use]
pub fn response_header_is_flexible(api: ApiKey, version: i16) -> bool {
    api != ApiKey::ApiVersions && api.is_flexible(version)
}

/// Writes the header of a response.
pub fn encode_response_header(w: &mut Writer, api: ApiKey, version: i16, correlation_id: i32) {
    w.i32(correlation_id);
    if response_header_is_flexible(api, version) {
        w.uvarint(0);
    }
}

/// Reads the header of a response; returns the correlation id and leaves `r` at the body.
///
/// # Errors
/// [`DecodeError`].
pub fn decode_response_header(
    r: &mut Reader<'_>,
    api: ApiKey,
    version: i16,
) -> Result<i32, DecodeError> {
    let correlation_id = r.i32()?;
    let mut tags = r.tag_count(response_header_is_flexible(api, version))?;
    while r.next_tag(&mut tags)?.is_some() {}
    Ok(correlation_id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(api: ApiKey, version: i16) -> RequestHeader<'static> {
        RequestHeader {
            api,
            version,
            correlation_id: 77,
            client_id: Some("me"),
        }
    }

    #[test]
    fn headers_come_back() {
        for (api, version) in [
            (ApiKey::Metadata, 1),
            (ApiKey::Metadata, 12),
            (ApiKey::SaslHandshake, 1),
        ] {
            let mut w = Writer::new();
            header(api, version).encode(&mut w).expect("short");
            let mut r = Reader::new(&w.buf);
            assert_eq!(RequestHeader::decode(&mut r), Ok(header(api, version)));
            assert_eq!(r.remaining(), 0);
        }
    }

    #[test]
    fn client_id_has_its_old_length_in_flexible_versions() {
        let mut w = Writer::new();
        header(ApiKey::ApiVersions, 3)
            .encode(&mut w)
            .expect("short");
        assert_eq!(w.buf, [0, 18, 0, 3, 0, 0, 0, 77, 0, 2, b'm', b'e', 0]);
    }

    #[test]
    fn api_versions_of_the_future_still_has_a_header() {
        let bytes = [0, 18, 0x7f, 0xff, 0, 0, 0, 5, 0xff, 0xff, 1, 2, 3];
        let header = RequestHeader::decode(&mut Reader::new(&bytes)).expect("readable");
        assert_eq!(
            (header.version, header.correlation_id, header.client_id),
            (i16::MAX, 5, None)
        );
    }

    #[test]
    fn unknown_keys_are_refused() {
        let bytes = [0x03, 0xe7, 0, 0, 0, 0, 0, 5, 0xff, 0xff];
        let error = RequestHeader::decode(&mut Reader::new(&bytes));
        assert_eq!(error, Err(HeaderError::UnknownApi(999)));
    }

    #[test]
    fn api_versions_is_answered_with_a_plain_header() {
        assert!(!response_header_is_flexible(ApiKey::ApiVersions, 3));
        assert!(response_header_is_flexible(ApiKey::Metadata, 9));
        assert!(!response_header_is_flexible(ApiKey::Metadata, 8));
    }
}
