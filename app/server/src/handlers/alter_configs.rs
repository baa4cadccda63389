//! AlterConfigs (key 33, versions 0-2, broker and controller listeners, ALTER_CONFIGS Cluster or Topic;
//! KIP-133). Replaces all that a resource has; deprecated in favour of IncrementalAlterConfigs.
//!
//! Decided by `Controller::alter_configs`. On a broker listener this node first refuses what it can
//! refuse itself.
//!
//! Kafka differs: it never answers a request that names a resource twice.

use std::collections::BTreeSet;

use ottla_metadata::{ConfigResource, ResourceType};
use ottla_protocol::messages::alter_configs_request::AlterConfigsResource;
use ottla_protocol::messages::alter_configs_response::AlterConfigsResourceResponse;
use ottla_protocol::messages::{AlterConfigsRequest, AlterConfigsResponse};

use crate::api_table::RequestContext;
use crate::config_changes::{
    Answers, Change, Checked, Refused, ResourceKey, check_broker, check_changes, unknown_kind,
};
use crate::session::ListenerRole;

const SET: i8 = 0;
const DELETE: i8 = 1;

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: AlterConfigsRequest,
) -> AlterConfigsResponse {
    let validate_only = request.validate_only;
    let (mut answers, forwarded) =
        Answers::check(ctx, request.resources, key, |resource| check(ctx, resource));
    if !forwarded.is_empty() {
        let request = AlterConfigsRequest {
            resources: forwarded,
            validate_only,
        };
        let quorum = &ctx.node.quorum;
        let decided = quorum.decide(ctx.version, move |controller, _| {
            controller.alter_configs(&request)
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
    AlterConfigsResponse {
        responses,
        ..AlterConfigsResponse::default()
    }
}

fn key(resource: &AlterConfigsResource) -> ResourceKey {
    (resource.resource_type, resource.resource_name.clone())
}

fn check(ctx: &RequestContext, resource: &AlterConfigsResource) -> Result<Checked, Refused> {
    if ctx.session.listener.role == ListenerRole::Controller {
        return Ok(Checked::Forward);
    }
    let sets = resource.configs.iter().map(|config| Change {
        key: &config.name,
        operation: SET,
        value: config.value.as_deref(),
    });
    let mut changes: Vec<Change<'_>> = sets.collect();
    check_changes(&changes)?;
    let name = &resource.resource_name;
    match ResourceType(resource.resource_type) {
        ResourceType::BROKER => {
            let image = ctx.node.image();
            let present = image.configs.of(&ConfigResource {
                kind: ResourceType::BROKER,
                name: name.clone(),
            });
            let named: BTreeSet<&str> = changes.iter().map(|change| change.key).collect();
            let left_out = present.keys().filter(|key| !named.contains(key.as_str()));
            changes.extend(left_out.map(|key| Change {
                key,
                operation: DELETE,
                value: None,
            }));
            check_broker(ctx, name, &changes)?;
        }
        ResourceType::TOPIC | ResourceType::CLIENT_METRICS | ResourceType::GROUP => {}
        kind => return Err(unknown_kind(kind)),
    }
    Ok(Checked::Forward)
}
