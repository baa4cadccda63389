//! Configs of topics, brokers, groups and the like: what they are, changing them, which have any.

use ottla_client::{Admin, Attempt, Bootstrap, ClientError};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::describe_configs_request::DescribeConfigsResource;
use ottla_protocol::messages::describe_configs_response::DescribeConfigsResourceResult;
use ottla_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig,
};
use ottla_protocol::messages::{
    DescribeConfigsRequest, IncrementalAlterConfigsRequest, ListConfigResourcesRequest,
};

use super::controller;

/// What has configs; the numbers are those of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Topic,
    Broker,
    BrokerLogger,
    ClientMetrics,
    Group,
}

impl Kind {
    const fn code(self) -> i8 {
        match self {
            Self::Topic => 2,
            Self::Broker => 4,
            Self::BrokerLogger => 8,
            Self::ClientMetrics => 16,
            Self::Group => 32,
        }
    }
}

/// Where the value of a config comes from; the numbers are those of the protocol.
pub(crate) mod source {
    /// Set for the topic.
    pub(crate) const DYNAMIC_TOPIC: i8 = 1;
    /// Set for the broker while it runs.
    pub(crate) const DYNAMIC_BROKER: i8 = 2;
    /// Set for all brokers while they run.
    pub(crate) const DYNAMIC_DEFAULT_BROKER: i8 = 3;
    /// In the broker's file.
    pub(crate) const STATIC_BROKER: i8 = 4;
    /// Nobody has set it.
    pub(crate) const DEFAULT: i8 = 5;
    /// Level of a logger.
    pub(crate) const BROKER_LOGGER: i8 = 6;
    /// Set for the subscription of client metrics.
    pub(crate) const CLIENT_METRICS: i8 = 7;
    /// Set for the group.
    pub(crate) const GROUP: i8 = 8;

    /// Name of a source, as Kafka's tools print it.
    pub(crate) const fn name(source: i8) -> &'static str {
        match source {
            DYNAMIC_TOPIC => "DYNAMIC_TOPIC_CONFIG",
            DYNAMIC_BROKER => "DYNAMIC_BROKER_CONFIG",
            DYNAMIC_DEFAULT_BROKER => "DYNAMIC_DEFAULT_BROKER_CONFIG",
            STATIC_BROKER => "STATIC_BROKER_CONFIG",
            DEFAULT => "DEFAULT_CONFIG",
            BROKER_LOGGER => "DYNAMIC_BROKER_LOGGER_CONFIG",
            CLIENT_METRICS => "DYNAMIC_CLIENT_METRICS_CONFIG",
            GROUP => "DYNAMIC_GROUP_CONFIG",
            _ => "UNKNOWN",
        }
    }
}

/// A change of one config.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) name: String,
    /// `None` removes it.
    pub(crate) value: Option<String>,
}

/// The configs of one resource, in the order of the server's answer. `node` is the broker to ask; any if
/// none.
///
/// # Errors
/// [`ClientError`].
pub(crate) fn describe(
    admin: &mut Admin,
    node: Option<i32>,
    kind: Kind,
    name: &str,
    synonyms: bool,
) -> Result<Vec<DescribeConfigsResourceResult>, ClientError> {
    let mut resource = DescribeConfigsResource::default();
    resource.resource_type = kind.code();
    name.clone_into(&mut resource.resource_name);
    resource.configuration_keys = None;
    let mut request = DescribeConfigsRequest::default();
    request.resources.push(resource);
    request.include_synonyms = synonyms;
    let answer = match node {
        Some(node) => admin.ask_node("describeConfigs", node, &request)?,
        None => admin.ask("describeConfigs", &request)?,
    };
    let Some(result) = answer.results.into_iter().next() else {
        return Err(ClientError::refused(
            ErrorCode::UnknownServerError.code(),
            Some("Malformed broker response: missing config for the resource"),
        ));
    };
    ClientError::check(result.error_code, result.error_message.as_deref())?;
    Ok(result.configs)
}

/// Changes configs of one resource.
///
/// # Errors
/// [`ClientError`].
pub(crate) fn alter(
    admin: &mut Admin,
    node: Option<i32>,
    kind: Kind,
    name: &str,
    changes: &[Change],
) -> Result<(), ClientError> {
    let mut resource = AlterConfigsResource::default();
    resource.resource_type = kind.code();
    name.clone_into(&mut resource.resource_name);
    resource.configs = changes
        .iter()
        .map(|change| {
            let mut config = AlterableConfig::default();
            config.name.clone_from(&change.name);
            config.config_operation = i8::from(change.value.is_none());
            config.value.clone_from(&change.value);
            config
        })
        .collect();
    let mut request = IncrementalAlterConfigsRequest::default();
    request.resources.push(resource);
    // Controllers pass nothing on: all but levels of loggers goes to the one that is active.
    let active = admin.config().kind == Bootstrap::Controllers && kind != Kind::BrokerLogger;
    let node = node.filter(|_| !active);
    controller::change_at(admin, "incrementalAlterConfigs", node, &request, |answer| {
        let results = answer.responses.iter();
        results
            .map(|result| (result.error_code, result.error_message.clone()))
            .collect()
    })
}

/// Names of the resources of a kind that have configs. Older servers know only those of client metrics.
///
/// # Errors
/// [`ClientError`].
pub(crate) fn list(admin: &mut Admin, kind: Kind) -> Result<Vec<String>, ClientError> {
    let answer = admin.retry("listConfigResources", |admin| {
        let connection = admin.first()?;
        let version = connection.version::<ListConfigResourcesRequest>()?;
        let mut request = ListConfigResourcesRequest::default();
        if version > 0 {
            request.resource_types = vec![kind.code()];
        } else if kind != Kind::ClientMetrics {
            return Err(ClientError::UnsupportedVersion(
                "The v0 ListConfigResources only supports CLIENT_METRICS".to_owned(),
            ));
        }
        connection.exchange(&request, version).map(Attempt::Done)
    })?;
    ClientError::check(answer.error_code, None)?;
    Ok(answer
        .config_resources
        .into_iter()
        .map(|resource| resource.resource_name)
        .collect())
}
