//! DescribeConfigs (key 32, versions 1-4, broker and controller listeners, DESCRIBE_CONFIGS Cluster or
//! Topic; KIP-133, 226, 569).
//!
//! The descriptions are made by `ottla_config` from the rows of the keys; here a resource is looked up,
//! and refused in Kafka's words.

use ottla_base::ConfigType;
use ottla_config::{
    DescribedConfig, describe_broker, describe_client_metrics, describe_cluster_default,
    describe_group, describe_topic,
};
use ottla_controller::check_topic_name;
use ottla_metadata::{ConfigResource, ResourceType};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::describe_configs_request::DescribeConfigsResource;
use ottla_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
use ottla_protocol::messages::{DescribeConfigsRequest, DescribeConfigsResponse};

use crate::api_table::RequestContext;
use crate::broker_loggers;

/// Kinds of resources that have configurations: topics, brokers, loggers, client metrics, groups.
const KINDS: [i8; 5] = [
    ResourceType::TOPIC.0,
    ResourceType::BROKER.0,
    ResourceType::BROKER_LOGGER.0,
    ResourceType::CLIENT_METRICS.0,
    ResourceType::GROUP.0,
];

/// Configurations that one request may have described. Resources above it are refused: a small request that
/// names one resource again and again would else fill the memory.
///
/// Kafka differs: it has no such limit.
const DESCRIBED_MAX: usize = 500_000;

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: DescribeConfigsRequest,
) -> DescribeConfigsResponse {
    let resources = request.resources.iter();
    // A resource of no kind fails the whole request, as in Kafka.
    let is_known = |resource: &DescribeConfigsResource| KINDS.contains(&resource.resource_type);
    let all_known = request.resources.iter().all(is_known);
    let mut described_count = 0;
    let results = resources.map(|resource| {
        let described = if described_count > DESCRIBED_MAX {
            let text = format!("More than {DESCRIBED_MAX} configurations are asked for at once.");
            Err(invalid(text))
        } else if all_known {
            describe(ctx, resource)
        } else {
            Err(invalid(ErrorCode::InvalidRequest.message().to_owned()))
        };
        let (error, message, configs) = match described {
            Ok(configs) => (ErrorCode::None, String::new(), configs),
            Err((error, message)) => (error, message, Vec::new()),
        };
        described_count += configs.len();
        let keys = resource.configuration_keys.as_deref().unwrap_or_default();
        let asked = |config: &DescribedConfig| keys.is_empty() || keys.contains(&config.name);
        let asked = configs.into_iter().filter(asked);
        DescribeConfigsResult {
            error_code: error.code(),
            error_message: Some(message),
            resource_type: resource.resource_type,
            resource_name: resource.resource_name.clone(),
            configs: asked.map(|config| entry(&request, config)).collect(),
        }
    });
    DescribeConfigsResponse {
        results: results.collect(),
        ..DescribeConfigsResponse::default()
    }
}

fn describe(
    ctx: &RequestContext,
    resource: &DescribeConfigsResource,
) -> Result<Vec<DescribedConfig>, (ErrorCode, String)> {
    let name = &resource.resource_name;
    let config = ctx.node.config();
    match ResourceType(resource.resource_type) {
        ResourceType::TOPIC => {
            check_topic_name(name).map_err(|invalid| {
                let text = format!("Topic name is invalid: {invalid}");
                (ErrorCode::InvalidTopicException, text)
            })?;
            let image = ctx.node.image();
            if image.topics.id(name).is_none() {
                return Err((ErrorCode::UnknownTopicOrPartition, String::new()));
            }
            let overrides = image.configs.of(&ConfigResource::topic(name));
            Ok(describe_topic(&config, overrides))
        }
        ResourceType::BROKER if name.is_empty() => Ok(describe_cluster_default(&config)),
        ResourceType::BROKER => {
            check_broker(ctx, name, " or empty string,")?;
            Ok(describe_broker(&config))
        }
        ResourceType::BROKER_LOGGER if name.is_empty() => {
            Err(invalid("Broker id must not be empty".to_owned()))
        }
        ResourceType::BROKER_LOGGER => {
            check_broker(ctx, name, "")?;
            Ok(broker_loggers::describe())
        }
        ResourceType::CLIENT_METRICS if name.is_empty() => Err(invalid(
            "Client metrics subscription name must not be empty".to_owned(),
        )),
        ResourceType::GROUP if name.is_empty() => {
            Err(invalid("Group name must not be empty".to_owned()))
        }
        kind @ (ResourceType::CLIENT_METRICS | ResourceType::GROUP) => {
            let image = ctx.node.image();
            let name = name.clone();
            let overrides = image.configs.of(&ConfigResource { kind, name });
            Ok(match kind {
                ResourceType::GROUP => describe_group(&config, overrides),
                _ => describe_client_metrics(&config, overrides),
            })
        }
        _ => Err(invalid(ErrorCode::InvalidRequest.message().to_owned())),
    }
}

fn invalid(text: String) -> (ErrorCode, String) {
    (ErrorCode::InvalidRequest, text)
}

/// Only the broker itself knows what is set in its file.
fn check_broker(ctx: &RequestContext, name: &str, or: &str) -> Result<(), (ErrorCode, String)> {
    match name.parse::<i32>() {
        Err(_) => Err(invalid(format!(
            "Broker id must be an integer, but it is: {name}"
        ))),
        Ok(id) if id == ctx.node.id.0 => Ok(()),
        Ok(id) => {
            let here = ctx.node.id;
            Err(invalid(format!(
                "Unexpected broker id, expected {here}{or} but received {id}"
            )))
        }
    }
}

fn entry(
    request: &DescribeConfigsRequest,
    config: DescribedConfig,
) -> DescribeConfigsResourceResult {
    let synonyms = if request.include_synonyms {
        config.synonyms
    } else {
        Vec::new()
    };
    DescribeConfigsResourceResult {
        name: config.name,
        value: config.value,
        read_only: config.read_only,
        config_source: config.source.wire_id(),
        is_sensitive: config.sensitive,
        synonyms: synonyms
            .into_iter()
            .map(|synonym| DescribeConfigsSynonym {
                name: synonym.name,
                value: synonym.value,
                source: synonym.source.wire_id(),
            })
            .collect(),
        config_type: config.kind.map_or(0, ConfigType::wire_id),
        // That of a logger is empty, and is told even when nobody asks.
        documentation: config
            .documentation
            .filter(|text| request.include_documentation || text.is_empty()),
    }
}
