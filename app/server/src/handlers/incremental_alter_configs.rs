//! IncrementalAlterConfigs (key 44, versions 0-1, broker and controller listeners, ALTER_CONFIGS Cluster
//! or Topic; KIP-339, 412).
//!
//! Decided by `Controller::incremental_alter_configs`. On a broker listener this node first refuses what
//! it can refuse itself. Log levels never reach the controller.

use ottla_config::AlterOp;
use ottla_metadata::ResourceType;
use ottla_protocol::messages::incremental_alter_configs_request::AlterConfigsResource;
use ottla_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use ottla_protocol::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use crate::api_table::RequestContext;
use crate::broker_loggers;
use crate::config_changes::{
    Answers, Change, Checked, Refused, ResourceKey, check_broker, check_changes, check_logger_name,
    unknown_kind,
};
use crate::session::ListenerRole;

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let validate_only = request.validate_only;
    let (mut answers, forwarded) =
        Answers::check(ctx, request.resources, key, |resource| check(ctx, resource));
    if !forwarded.is_empty() && forwarded.iter().all(has_known_operations) {
        let request = IncrementalAlterConfigsRequest {
            resources: forwarded,
            validate_only,
        };
        let quorum = &ctx.node.quorum;
        let decided = quorum.decide(ctx.version, move |controller, _| {
            controller.incremental_alter_configs(&request)
        });
        let decided = decided.await.map(|response| response.responses);
        answers.settle(decided, |one| {
            let key = (one.resource_type, one.resource_name);
            (key, one.error_code, one.error_message)
        });
    }
    let responses = answers.into_answers(
        |(resource_type, resource_name), error_code, error_message| AlterConfigsResourceResponse {
            error_code,
            error_message,
            resource_type,
            resource_name,
        },
    );
    IncrementalAlterConfigsResponse {
        responses,
        ..IncrementalAlterConfigsResponse::default()
    }
}

fn key(resource: &AlterConfigsResource) -> ResourceKey {
    (resource.resource_type, resource.resource_name.clone())
}

/// One operation that is not known ends the request for all that the controller would decide.
fn has_known_operations(resource: &AlterConfigsResource) -> bool {
    let mut configs = resource.configs.iter();
    configs.all(|config| AlterOp::from_wire(config.config_operation).is_some())
}

fn check(ctx: &RequestContext, resource: &AlterConfigsResource) -> Result<Checked, Refused> {
    let kind = ResourceType(resource.resource_type);
    if ctx.session.listener.role == ListenerRole::Controller {
        return match kind {
            ResourceType::BROKER_LOGGER => check_loggers(ctx, resource),
            _ => Ok(Checked::Forward),
        };
    }
    let changes: Vec<Change<'_>> = resource
        .configs
        .iter()
        .map(|config| Change {
            key: &config.name,
            operation: config.config_operation,
            value: config.value.as_deref(),
        })
        .collect();
    check_changes(&changes)?;
    match kind {
        ResourceType::BROKER => check_broker(ctx, &resource.resource_name, &changes)?,
        ResourceType::BROKER_LOGGER => return check_loggers(ctx, resource),
        kind if kind.is_known() => {}
        kind => return Err(unknown_kind(kind)),
    }
    Ok(Checked::Forward)
}

fn check_loggers(
    ctx: &RequestContext,
    resource: &AlterConfigsResource,
) -> Result<Checked, Refused> {
    check_logger_name(ctx, &resource.resource_name)?;
    match broker_loggers::refusal(&resource.configs) {
        Some((error, text)) => Err((error, Some(text))),
        None => Ok(Checked::Done),
    }
}
