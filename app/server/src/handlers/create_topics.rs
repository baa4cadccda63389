//! CreateTopics (key 19, versions 2-7, broker and controller listeners, CREATE Cluster or Topic; KIP-4,
//! 464, 525, 599, 516).
//!
//! Decided by `Controller::create_topics`; the configs in force are added here.

use std::collections::BTreeMap;

use ottla_config::{BrokerConfig, RawConfigs, describe_topic};
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::create_topics_response::{
    CreatableTopicConfigs, CreatableTopicResult,
};
use ottla_protocol::messages::{CreateTopicsRequest, CreateTopicsResponse};

use crate::api_table::RequestContext;
use crate::deadline::decide_in_time;
use crate::error_map::WireError;

/// From this version on the answer tells the configs of a new topic (KIP-525).
const TELLS_CONFIGS_FROM: i16 = 5;

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: CreateTopicsRequest,
) -> CreateTopicsResponse {
    let wanted: Vec<(String, RawConfigs)> = request.topics.iter().map(overrides).collect();
    let timeout_ms = request.timeout_ms;
    let decided = decide_in_time(ctx, timeout_ms, move |controller, context| {
        controller.create_topics(context, &request)
    });
    match decided.await {
        Ok(mut response) => {
            if ctx.version >= TELLS_CONFIGS_FROM {
                let wanted: BTreeMap<String, RawConfigs> = wanted.into_iter().collect();
                add_configs(&ctx.node.config(), &wanted, &mut response);
            }
            response
        }
        Err(error) => {
            let topics = wanted.into_iter().map(|(name, _)| CreatableTopicResult {
                name,
                error_code: error.error_code().code(),
                error_message: error.error_message(),
                configs: Some(Vec::new()),
                ..CreatableTopicResult::default()
            });
            CreateTopicsResponse {
                topics: topics.collect(),
                ..CreateTopicsResponse::default()
            }
        }
    }
}

fn overrides(topic: &CreatableTopic) -> (String, RawConfigs) {
    let configs = topic.configs.iter();
    let configs = configs.filter_map(|config| Some((config.name.clone(), config.value.clone()?)));
    (topic.name.clone(), configs.collect())
}

fn add_configs(
    config: &BrokerConfig,
    wanted: &BTreeMap<String, RawConfigs>,
    response: &mut CreateTopicsResponse,
) {
    let none = RawConfigs::new();
    let made = response.topics.iter_mut().filter(|t| t.error_code == 0);
    for topic in made {
        let overrides = wanted.get(&topic.name).unwrap_or(&none);
        let configs = describe_topic(config, overrides).into_iter();
        let shown = configs.map(|config| CreatableTopicConfigs {
            config_source: config.source.wire_id(),
            name: config.name,
            value: config.value,
            read_only: config.read_only,
            is_sensitive: config.sensitive,
        });
        topic.configs = Some(shown.collect());
    }
}
