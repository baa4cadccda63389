//! ListConfigResources (key 74, versions 0-1, broker listener, DESCRIBE_CONFIGS Cluster; KIP-714, 1142).
//!
//! Version 0 lists subscriptions to client metrics only.

use ottla_metadata::{MetadataImage, ResourceType};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::list_config_resources_response::ConfigResource;
use ottla_protocol::messages::{ListConfigResourcesRequest, ListConfigResourcesResponse};

use crate::api_table::RequestContext;

/// Every kind, in the order of the answer.
const KINDS: [ResourceType; 5] = [
    ResourceType::GROUP,
    ResourceType::CLIENT_METRICS,
    ResourceType::BROKER_LOGGER,
    ResourceType::BROKER,
    ResourceType::TOPIC,
];

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: ListConfigResourcesRequest,
) -> ListConfigResourcesResponse {
    let kinds = match (ctx.version, request.resource_types.as_slice()) {
        (0, _) => vec![ResourceType::CLIENT_METRICS],
        (_, []) => KINDS.to_vec(),
        (_, asked) => asked.iter().map(|&kind| ResourceType(kind)).collect(),
    };
    if !kinds.iter().all(|kind| kind.is_known()) {
        return ListConfigResourcesResponse {
            error_code: ErrorCode::UnsupportedVersion.code(),
            ..ListConfigResourcesResponse::default()
        };
    }
    let image = ctx.node.image();
    let listed = KINDS.into_iter().filter(|kind| kinds.contains(kind));
    ListConfigResourcesResponse {
        config_resources: listed.flat_map(|kind| resources(&image, kind)).collect(),
        ..ListConfigResourcesResponse::default()
    }
}

/// Topics and brokers are there whether they have configs or not.
fn resources(image: &MetadataImage, kind: ResourceType) -> Vec<ConfigResource> {
    let resource = |resource_name| ConfigResource {
        resource_name,
        resource_type: kind.0,
    };
    match kind {
        ResourceType::TOPIC => {
            let names = image.topics.names();
            names.map(|(name, _)| resource(name.to_string())).collect()
        }
        ResourceType::BROKER | ResourceType::BROKER_LOGGER => {
            let brokers = image.cluster.brokers.keys();
            brokers.map(|id| resource(id.to_string())).collect()
        }
        _ => {
            let configured = image.configs.iter().filter(|(known, _)| known.kind == kind);
            configured
                .map(|(known, _)| resource(known.name.clone()))
                .collect()
        }
    }
}
