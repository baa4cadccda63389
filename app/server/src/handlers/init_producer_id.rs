//! InitProducerId (key 22, versions 0-5, broker listener, IDEMPOTENT_WRITE Cluster or WRITE
//! TransactionalId; KIP-98, 360, 588, 890).
//!
//! Gives producers that are only idempotent an id of their own.

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::{InitProducerIdRequest, InitProducerIdResponse};

use crate::api_table::RequestContext;

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: InitProducerIdRequest,
) -> InitProducerIdResponse {
    if let Err(error) = check(ctx, &request) {
        return refused(error);
    }
    match ctx.node.producer_ids.next(&ctx.node).await {
        Ok(id) => InitProducerIdResponse {
            producer_id: id.0,
            producer_epoch: 0,
            ..InitProducerIdResponse::default()
        },
        Err(error) => {
            tracing::debug!(%error, "no producer id to give out");
            refused(ErrorCode::CoordinatorLoadInProgress)
        }
    }
}

fn check(ctx: &RequestContext, request: &InitProducerIdRequest) -> Result<(), ErrorCode> {
    // A producer that goes on with an id names its epoch too.
    if (request.producer_id == -1) != (request.producer_epoch == -1) {
        return Err(ErrorCode::InvalidRequest);
    }
    let Some(transactional_id) = &request.transactional_id else {
        return Ok(());
    };
    if transactional_id.is_empty() {
        return Err(ErrorCode::InvalidRequest);
    }
    let longest = ctx.node.config().transaction.max_timeout_ms;
    if !(1..=longest).contains(&request.transaction_timeout_ms) {
        return Err(ErrorCode::InvalidTransactionTimeout);
    }
    // Kafka differs: it may coordinate the transactional id. Transactions are not served here yet, so
    // this node is the coordinator of none.
    Err(ErrorCode::NotCoordinator)
}

fn refused(error: ErrorCode) -> InitProducerIdResponse {
    InitProducerIdResponse {
        error_code: error.code(),
        producer_id: -1,
        producer_epoch: -1,
        ..InitProducerIdResponse::default()
    }
}
