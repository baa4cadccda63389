//! SaslHandshake (key 17, versions 0-1, broker and controller listeners, no ACL; KIP-43).
//!
//! On a listener without SASL, the only kind served yet, there is nothing to agree upon.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{SaslHandshakeRequest, SaslHandshakeResponse};

use crate::api_table::RequestContext;

pub(crate) async fn handle(_: &RequestContext, _: SaslHandshakeRequest) -> SaslHandshakeResponse {
    SaslHandshakeResponse {
        error_code: ErrorCode::IllegalSaslState.code(),
        ..SaslHandshakeResponse::default()
    }
}
