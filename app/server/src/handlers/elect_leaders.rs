//! ElectLeaders (key 43, versions 0-2, broker and controller listeners, ALTER Cluster; KIP-183, 460).
//!
//! Decided by `Controller::elect_leaders`.

use ottla_protocol::messages::elect_leaders_response::{PartitionResult, ReplicaElectionResult};
use ottla_protocol::messages::{ElectLeadersRequest, ElectLeadersResponse};

use crate::api_table::RequestContext;
use crate::deadline::decide_in_time;
use crate::error_map::WireError;

/// From this version on the answer has an error of its own.
const OWN_ERROR_FROM: i16 = 1;

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: ElectLeadersRequest,
) -> ElectLeadersResponse {
    let named = request.topic_partitions.iter().flatten();
    let named: Vec<(String, Vec<i32>)> = named
        .map(|topic| (topic.topic.clone(), topic.partitions.clone()))
        .collect();
    let timeout_ms = request.timeout_ms;
    let decided = decide_in_time(ctx, timeout_ms, move |controller, _| {
        controller.elect_leaders(&request)
    });
    let error = match decided.await {
        Ok(response) => return response,
        Err(error) => error,
    };
    let error_code = error.error_code().code();
    let refused = |partition_id| PartitionResult {
        partition_id,
        error_code,
        error_message: error.error_message(),
    };
    let results = named.into_iter().map(|(topic, ids)| ReplicaElectionResult {
        topic,
        partition_result: ids.into_iter().map(refused).collect(),
    });
    ElectLeadersResponse {
        error_code: if ctx.version >= OWN_ERROR_FROM {
            error_code
        } else {
            0
        },
        replica_election_results: results.collect(),
        ..ElectLeadersResponse::default()
    }
}
