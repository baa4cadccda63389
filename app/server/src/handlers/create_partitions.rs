//! CreatePartitions (key 37, versions 0-3, broker and controller listeners, ALTER Topic; KIP-195, 599).
//!
//! Decided by `Controller::create_partitions`.

use ottla_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use ottla_protocol::messages::{CreatePartitionsRequest, CreatePartitionsResponse};

use crate::api_table::RequestContext;
use crate::deadline::decide_in_time;
use crate::error_map::WireError;

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: CreatePartitionsRequest,
) -> CreatePartitionsResponse {
    let names: Vec<String> = request.topics.iter().map(|t| t.name.clone()).collect();
    let timeout_ms = request.timeout_ms;
    let decided = decide_in_time(ctx, timeout_ms, move |controller, context| {
        controller.create_partitions(context, &request)
    });
    let error = match decided.await {
        Ok(response) => return response,
        Err(error) => error,
    };
    let results = names.into_iter().map(|name| CreatePartitionsTopicResult {
        name,
        error_code: error.error_code().code(),
        error_message: error.error_message(),
    });
    CreatePartitionsResponse {
        results: results.collect(),
        ..CreatePartitionsResponse::default()
    }
}
