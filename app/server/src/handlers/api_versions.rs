//! ApiVersions (key 18, versions 0-5, broker and controller listeners, no ACL; KIP-35, 511, 584, 1242).
//!
//! Tells what the API table has a row for, and the features of the cluster.

use ottla_metadata::features;
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::ApiVersionsRequest;
use ottla_protocol::messages::api_versions_response::{
    ApiVersion, ApiVersionsResponse, FinalizedFeatureKey, SupportedFeatureKey,
};

use crate::api_table::{API_TABLE, ApiRow, RequestContext};

/// The feature whose level the quorum keeps.
const KRAFT_VERSION: &str = "kraft.version";

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: ApiVersionsRequest,
) -> ApiVersionsResponse {
    if let Some(error) = refusal(ctx, &request) {
        return ApiVersionsResponse {
            error_code: error.code(),
            ..Default::default()
        };
    }
    let image = ctx.node.image();
    let role = ctx.session.listener.role;
    let supported = features::supported()
        // Clients of version 3 do not expect a minimum of 0 (KAFKA-17011).
        .filter(|(_, min, _)| ctx.version >= 4 || *min > 0)
        .map(|(name, min_version, max_version)| SupportedFeatureKey {
            name: name.to_owned(),
            min_version,
            max_version,
        });
    let kraft_version = ctx.node.quorum.status().kraft_version();
    let kraft_version = (kraft_version > 0).then_some((KRAFT_VERSION, kraft_version));
    let finalized = image
        .features
        .finalized()
        .chain(kraft_version)
        .map(|(name, level)| FinalizedFeatureKey {
            name: name.to_owned(),
            max_version_level: level,
            min_version_level: level,
        });
    let has_features = ctx.version >= 3;
    ApiVersionsResponse {
        api_keys: API_TABLE
            .iter()
            .filter(|row| row.is_on(role))
            .map(announce)
            .collect(),
        supported_features: if has_features {
            supported.collect()
        } else {
            Vec::new()
        },
        finalized_features_epoch: if has_features { image.offset.0 } else { -1 },
        finalized_features: if has_features {
            finalized.collect()
        } else {
            Vec::new()
        },
        ..Default::default()
    }
}

/// The answer to a version that is not served, in the form of version 0: it names no API but this.
pub(crate) fn unsupported_version() -> ApiVersionsResponse {
    let own = API_TABLE
        .iter()
        .filter(|row| row.key == ottla_protocol::ApiKey::ApiVersions);
    ApiVersionsResponse {
        error_code: ErrorCode::UnsupportedVersion.code(),
        api_keys: own.map(announce).collect(),
        ..Default::default()
    }
}

fn announce(row: &ApiRow) -> ApiVersion {
    ApiVersion {
        api_key: row.key.code(),
        min_version: row.announced_from,
        max_version: row.versions.max,
    }
}

fn refusal(ctx: &RequestContext, request: &ApiVersionsRequest) -> Option<ErrorCode> {
    let names = [
        &request.client_software_name,
        &request.client_software_version,
    ];
    if ctx.version >= 3 && !names.into_iter().all(|name| is_software_name(name)) {
        return Some(ErrorCode::InvalidRequest);
    }
    match (&request.cluster_id, request.node_id) {
        (None, -1) => None,
        (Some(cluster), id) if id >= 0 => {
            let here = *cluster == ctx.node.cluster_id && id == ctx.node.id.0;
            (!here).then_some(ErrorCode::RebootstrapRequired)
        }
        _ => Some(ErrorCode::InvalidRequest),
    }
}

/// `[a-zA-Z0-9](?:[a-zA-Z0-9\-.]*[a-zA-Z0-9])?` of KIP-511.
fn is_software_name(name: &str) -> bool {
    let end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let inside = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
    let bytes = name.as_bytes();
    end(bytes.first()) && end(bytes.last()) && bytes.iter().all(inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn software_names_are_those_of_kip_511() {
        for (name, valid) in [
            ("librdkafka", true),
            ("v2.0.2-RC1", true),
            ("a", true),
            ("", false),
            ("-a", false),
            ("a.", false),
            ("a b", false),
            ("é", false),
        ] {
            assert_eq!(is_software_name(name), valid, "{name:?}");
        }
    }
}
