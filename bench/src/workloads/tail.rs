//! A consumer at the end of a growing log: from the moment a record was due to be produced to its arrival.

use anyhow::{Result, bail};
use hdrhistogram::Histogram;
use ottla_protocol::ApiKey;
use ottla_records::codec::Compression;

use super::fetch::Reading;
use super::produce::ProduceTraffic;
use super::{Metrics, Target};
use crate::host::Snapshot;
use crate::load::{Engine, Outgoing, Pace, Tally, Traffic, Until, latency_histogram};
use crate::wire::{Payload, Records, Shape, create_topic, delete_topic};

/// Connection that produces; the other one consumes.
const PRODUCER: usize = 0;
/// Bytes wanted in a Fetch.
const FETCH_BYTES: i32 = 1 << 20;

struct Tail {
    producing: ProduceTraffic,
    reading: Reading,
    /// When the record at each offset was due; offsets are given out in the order of sending. Records of an earlier
    /// run have none.
    due: Vec<Option<u64>>,
    /// Next offset to consume.
    next: usize,
    latency: Histogram<u64>,
}

impl Traffic for Tail {
    fn api(&self, connection: usize) -> (ApiKey, i16) {
        if connection == PRODUCER {
            self.producing.api(0)
        } else {
            self.reading.api()
        }
    }

    fn send(
        &mut self,
        connection: usize,
        correlation_id: i32,
        due: u64,
        out: &mut Outgoing,
    ) -> Result<()> {
        if connection == PRODUCER {
            self.due.push(Some(due));
            return self.producing.send(0, correlation_id, due, out);
        }
        out.push_bytes(
            &self
                .reading
                .request(i64::try_from(self.next)?, correlation_id)?,
        );
        Ok(())
    }

    fn receive(&mut self, connection: usize, body: &[u8], now: u64) -> Result<Tally> {
        if connection == PRODUCER {
            return self.producing.receive(0, body, now);
        }
        let fetched = self.reading.answer(body)?;
        let Some(next) = fetched.next else {
            return Ok(Tally::default());
        };
        let next = usize::try_from(next)?;
        let Some(arrived) = self.due.get(self.next..next) else {
            bail!("consumed what was never produced: offset={next}");
        };
        for due in arrived.iter().flatten() {
            self.latency
                .saturating_record(now.saturating_sub(*due).max(1));
        }
        self.next = next;
        Ok(Tally::default())
    }

    fn is_owed(&self, connection: usize) -> bool {
        connection != PRODUCER && self.next < self.due.len()
    }
}

/// Runs the workload.
///
/// # Errors
/// If a request is refused.
pub(super) fn run(target: &Target<'_>, per_second: f64) -> Result<Metrics> {
    let topic = create_topic(target.address, "tail", 1, target.durability.topic_configs())?;
    let shape = Shape {
        value_bytes: 100,
        records: Records::Count(1),
        codec: Compression::None,
        payload: Payload::Noise,
    };
    let mut tail = Tail {
        producing: ProduceTraffic::new(target, &topic, &shape, 1)?,
        reading: Reading::new(target, &topic, FETCH_BYTES)?,
        due: Vec::new(),
        next: 0,
        latency: latency_histogram(),
    };
    let mut engine = Engine::connect(target.address, 2)?;
    engine.run(
        &mut tail,
        &[Pace::Closed(5), Pace::Closed(1)],
        target.warm_up(),
    )?;
    tail.due.fill(None);
    tail.latency = latency_histogram();
    let mut paces = Pace::spread(1, per_second);
    paces.push(Pace::Closed(1));
    let before = Snapshot::take(target.pid)?;
    let until = Until {
        elapsed: target.effort.window * 2,
        ..target.window()
    };
    let outcome = engine.run(&mut tail, &paces, until)?;
    let spent = before.spent()?;
    let mut metrics = Metrics::default();
    metrics.add_outcome(&outcome, &spent);
    metrics.add_latency(&tail.latency);
    metrics.add_process(target.pid)?;
    delete_topic(target.address, &topic)?;
    Ok(metrics)
}
