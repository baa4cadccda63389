//! DeleteTopics (key 20, versions 1-6, broker and controller listeners, DELETE Topic; KIP-4, 516, 599).
//!
//! Decided by `Controller::delete_topics`.

use ottla_base::Uuid;
use ottla_protocol::messages::delete_topics_response::DeletableTopicResult;
use ottla_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse};

use crate::api_table::RequestContext;
use crate::deadline::decide_in_time;
use crate::error_map::WireError;

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: DeleteTopicsRequest,
) -> DeleteTopicsResponse {
    let by_name = request.topic_names.iter().cloned();
    let named: Vec<(Option<String>, Uuid)> = by_name
        .map(|name| (Some(name), Uuid::ZERO))
        .chain(request.topics.iter().map(|t| (t.name.clone(), t.topic_id)))
        .collect();
    let timeout_ms = request.timeout_ms;
    let decided = decide_in_time(ctx, timeout_ms, move |controller, context| {
        controller.delete_topics(context, &request)
    });
    let error = match decided.await {
        Ok(response) => return response,
        Err(error) => error,
    };
    let responses = named
        .into_iter()
        .map(|(name, topic_id)| DeletableTopicResult {
            name,
            topic_id,
            error_code: error.error_code().code(),
            error_message: error.error_message(),
        });
    DeleteTopicsResponse {
        responses: responses.collect(),
        ..DeleteTopicsResponse::default()
    }
}
