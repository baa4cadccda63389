//! Real clients instead of our own requests: what they reach, and what it costs the broker.

use std::fs;

use anyhow::{Result, bail};
use ottla_records::codec::Compression;

use super::produce::{ProduceTraffic, fill};
use super::{Metrics, Target};
use crate::generators::{Job, Maker, Said, Task};
use crate::host::{Snapshot, Spent, WarmPages};
use crate::load::{Engine, Pace};
use crate::wire::{Payload, Records, Shape, Topic, create_topic, delete_topic, end_offset};

/// Bytes in the log that consumers read.
const STORED_BYTES: u64 = 800 << 20;
/// Bytes of memory that are given back ahead of what is written.
const PAGES_AHEAD: u64 = 128 << 20;
/// What a record takes in the log beside its value, at most.
const RECORD_OVERHEAD: u64 = 16;
/// The first, uncounted run does one part in so many.
const REHEARSAL: u32 = 5;
/// Records a second that no client passes: a bound for the first run, before it is known what a client makes.
const RECORDS_PER_SECOND_MAX: u64 = 300_000;
/// Records a second of the tool that waits for each: it stops by their number, not by time.
const PACED_JAVA: u64 = 1_000;

/// Which client does what.
#[derive(Debug)]
pub(crate) struct ForeignLoad {
    /// Whose client.
    pub(crate) maker: Maker,
    /// What it does.
    pub(crate) task: Task,
}

/// Batches of a size that these clients make too.
fn shape(value_bytes: usize) -> Shape {
    Shape {
        value_bytes,
        records: Records::Fill((16 << 10).max(2 * value_bytes)),
        codec: Compression::None,
        payload: Payload::Noise,
    }
}

/// A run in words.
struct Run<'a> {
    target: &'a Target<'a>,
    load: &'a ForeignLoad,
    topic: &'a Topic,
}

impl Run<'_> {
    /// A job for `1 / part` of a window. `known` is what the client made of the part before.
    fn job(&self, part: u32, stored: u64, known: Option<&Said>) -> Job<'_> {
        let time = self.target.effort.window / part;
        let seconds = time.as_secs_f64();
        let records = match self.load.task {
            Task::Produce { value_bytes } => {
                let size = u64::try_from(value_bytes).unwrap_or(0) + RECORD_OVERHEAD;
                let room = self.target.effort.bytes_max / u64::from(part) / size;
                let rate = known.map_or(RECORDS_PER_SECOND_MAX as f64, |said| {
                    said.records as f64 / said.seconds
                });
                if self.load.maker == Maker::Java {
                    room.min(times(rate, seconds))
                } else {
                    room
                }
            }
            Task::Pace { .. } => times(PACED_JAVA as f64, seconds),
            Task::Consume { .. } if self.load.maker == Maker::Java => stored / u64::from(part),
            Task::Consume { .. } => stored,
        };
        Job {
            task: self.load.task,
            address: self.target.address,
            topic: &self.topic.name,
            time,
            records: records.max(1),
            work: self.target.work,
        }
    }

    /// Runs the client while the server is watched.
    fn measured(&self, job: &Job<'_>) -> Result<(Said, Spent)> {
        let target = self.target;
        let mut pages = match job.task {
            Task::Consume { .. } => None,
            _ => Some(WarmPages::touch(
                target.work,
                target.effort.bytes_max + PAGES_AHEAD,
            )?),
        };
        if let Some(pages) = &mut pages {
            pages.give(PAGES_AHEAD)?;
        }
        let mut seen = written(target.pid)?;
        let mut meanwhile = || {
            let Some(pages) = &mut pages else {
                return Ok(());
            };
            let now = written(target.pid)?;
            if now > seen {
                pages.give(now - seen)?;
                seen = now;
            }
            Ok(())
        };
        let before = Snapshot::take(target.pid)?;
        let said = target
            .generators
            .run(self.load.maker, job, &mut meanwhile)?;
        Ok((said, before.spent()?))
    }
}

/// What a rate makes in a time, as a whole number.
fn times(per_second: f64, seconds: f64) -> u64 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a float becomes the nearest number there is"
    )]
    let count = (per_second * seconds) as u64;
    count
}

/// Bytes that a process has written to files so far.
fn written(pid: u32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/io"))?;
    let line = text.lines().find_map(|l| l.strip_prefix("write_bytes: "));
    Ok(line.and_then(|n| n.parse().ok()).unwrap_or(0))
}

/// Code that is compiled while it runs gets as warm as for the workloads of our own.
fn heat(target: &Target<'_>, topic: &Topic, value_bytes: usize) -> Result<()> {
    if target.is_native {
        return Ok(());
    }
    let mut traffic = ProduceTraffic::new(target, topic, &shape(value_bytes), 1)?;
    let mut engine = Engine::connect(target.address, 1)?;
    engine.run(&mut traffic, &[Pace::Closed(5)], target.warm_up())?;
    Ok(())
}

/// Runs a client on a topic of its own.
///
/// # Errors
/// If it cannot be run, or the log does not have what it says it produced.
pub(super) fn run(target: &Target<'_>, id: &str, load: &ForeignLoad) -> Result<Metrics> {
    if let Some(why) = target.generators.missing(load.maker) {
        bail!("{why}");
    }
    let topic = create_topic(target.address, id, 1, &[])?;
    let stored = match load.task {
        Task::Consume { value_bytes } => {
            let bytes = STORED_BYTES.min(target.effort.bytes_max);
            fill(target, &topic, &shape(value_bytes), bytes)?
        }
        Task::Produce { value_bytes } | Task::Pace { value_bytes, .. } => {
            heat(target, &topic, value_bytes)?;
            0
        }
    };
    let run = Run {
        target,
        load,
        topic: &topic,
    };
    let rehearsal = run.job(REHEARSAL, stored, None);
    let known = target
        .generators
        .run(load.maker, &rehearsal, &mut || Ok(()))?;
    let begin = end_offset(target.address, &topic)?;
    let (said, spent) = run.measured(&run.job(1, stored, Some(&known)))?;
    let grown = end_offset(target.address, &topic)? - begin;
    let expected = match load.task {
        Task::Consume { .. } => 0,
        _ => i64::try_from(said.records)?,
    };
    if grown != expected {
        bail!("the client says {expected} records, the log has {grown} more");
    }
    let mut metrics = Metrics::default();
    metrics.add_said(&said, &spent);
    metrics.add_process(target.pid)?;
    delete_topic(target.address, &topic)?;
    Ok(metrics)
}
