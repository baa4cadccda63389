//! One request, sent again and again by each connection.

use std::rc::Rc;

use anyhow::Result;
use ottla_protocol::ApiKey;

use super::{Metrics, Target};
use crate::load::{Outgoing, Pace, Tally, Traffic};

/// Connections.
pub(super) const CONNECTIONS: usize = 16;
/// Requests under way per connection.
const IN_FLIGHT: usize = 5;

/// Judges the body of an answer.
type Check = Box<dyn Fn(&[u8]) -> Result<()>>;

/// The request of each connection.
pub(super) struct FixedTraffic {
    pub(super) api: ApiKey,
    pub(super) version: i16,
    pub(super) frames: Vec<Rc<[u8]>>,
    pub(super) check: Check,
}

impl Traffic for FixedTraffic {
    fn api(&self, _connection: usize) -> (ApiKey, i16) {
        (self.api, self.version)
    }

    fn send(
        &mut self,
        connection: usize,
        correlation_id: i32,
        _due: u64,
        out: &mut Outgoing,
    ) -> Result<()> {
        out.push_frame(&self.frames[connection], correlation_id);
        Ok(())
    }

    fn receive(&mut self, _connection: usize, body: &[u8], _now: u64) -> Result<Tally> {
        (self.check)(body)?;
        Ok(Tally::default())
    }
}

/// Measures it with five requests under way on each connection.
///
/// # Errors
/// If an answer is refused.
pub(super) fn run(target: &Target<'_>, traffic: &mut FixedTraffic) -> Result<Metrics> {
    let paces = vec![Pace::Closed(IN_FLIGHT); traffic.frames.len()];
    let (outcome, spent) = target.measure(traffic, &paces, &paces)?;
    let mut metrics = Metrics::default();
    metrics.add_outcome(&outcome, &spent);
    metrics.add_process(target.pid)?;
    Ok(metrics)
}
