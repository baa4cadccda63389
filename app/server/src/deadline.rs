//! Requests to the controller whose sender says how long it waits.

use std::time::Duration;

use ottla_controller::{Context, Controller, Outcome, Refusal};

use crate::api_table::RequestContext;
use crate::quorum::DecideError;

/// Has `decide` asked on the quorum thread; gives up after `timeout_ms`.
///
/// A request that may wait for nothing is refused without being asked.
///
/// # Errors
/// [`DecideError`]. After [`DecideError::TimedOut`] of a request that waited the change may yet take
/// place, as in Kafka.
pub(crate) async fn decide_in_time<R: Send + 'static>(
    ctx: &RequestContext,
    timeout_ms: i32,
    decide: impl FnOnce(&mut Controller, &mut Context<'_>) -> Result<Outcome<R>, Refusal>
    + Send
    + 'static,
) -> Result<R, DecideError> {
    let timeout = match u64::try_from(timeout_ms) {
        Err(_) | Ok(0) => return Err(DecideError::TimedOut),
        Ok(ms) => Duration::from_millis(ms),
    };
    let decided = ctx.node.quorum.decide(ctx.version, decide);
    let in_time = tokio::time::timeout(timeout, decided).await;
    in_time.unwrap_or(Err(DecideError::TimedOut))
}
