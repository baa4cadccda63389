//! kill -9 at any moment, many times, and now and then SIGTERM, seen from outside: what was acknowledged is there.
//!
//! Writers produce at acks=all, idempotent and not, with several batches in flight; an administrator creates topics,
//! alters, commits and deletes records. The node is killed at a random moment, sometimes again while it starts. Then
//! everything that was acknowledged has to be as it was acknowledged. What was sent and not answered may be there or not.
//!
//! `OTTLA_SEED=N` chooses the moments of an earlier run.

mod admin;
mod writer;

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use ottla_tests::client::Client;
use ottla_tests::{Ottla, say};

use admin::Admin;
use writer::Writer;

/// Kills in one run.
const ROUNDS: u32 = 10;

/// Writers of each kind.
const WRITERS: i32 = 3;

/// Random numbers of a seed: xorshift64*.
struct Random(u64);

impl Random {
    fn of_seed() -> Result<Self> {
        let seed: u64 = match std::env::var("OTTLA_SEED") {
            Ok(seed) => seed.parse().context("OTTLA_SEED")?,
            Err(_) => SystemTime::now()
                .duration_since(UNIX_EPOCH)?
                .subsec_nanos()
                .into(),
        };
        say(&format!("kill -9: OTTLA_SEED={seed}"));
        Ok(Self(seed | 1 << 40))
    }

    /// A number below `end`.
    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % end
    }
}

#[test]
fn what_was_acknowledged_survives_kill_9() -> Result<()> {
    let mut dir = tempfile::tempdir()?;
    // To look at what a failure left.
    dir.disable_cleanup(std::env::var_os("OTTLA_KEEP").is_some());
    kill_and_check(dir.path()).with_context(|| dir.path().display().to_string())
}

fn kill_and_check(dir: &Path) -> Result<()> {
    let mut random = Random::of_seed()?;
    // Segments roll during the run, so that kills meet every kind of file.
    let mut node = Ottla::new(dir).with("log.roll.ms", "300");
    node.start()?;
    let mut client = Client::connect(&node.bootstrap())?;
    for topic in [writer::PLAIN, writer::IDEMPOTENT] {
        client.create_topic(topic, WRITERS, &[])?;
    }
    let mut admin = Admin::begin(&mut client)?;
    let mut writers = Vec::new();
    for partition in 0..WRITERS {
        writers.push(Writer::plain(partition));
        let producer = client.patiently(Client::init_producer_id)?;
        writers.push(Writer::idempotent(partition, producer));
    }
    let mut starts = Vec::new();
    for round in 0..ROUNDS {
        let alive = Duration::from_millis(30 + random.below(700));
        // Now and then as a service manager does it: what is acknowledged while a node stops counts as well.
        let gently = round % 4 == 3;
        let bootstrap = node.bootstrap();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| -> Result<()> {
            for writer in &mut writers {
                scope.spawn(|| writer.run(&bootstrap, &stop));
            }
            scope.spawn(|| admin.run(&bootstrap, &stop));
            // The moment of the kill is what this test is about.
            std::thread::sleep(alive);
            if gently {
                node.stop()?;
            } else {
                node.kill()?;
            }
            stop.store(true, Ordering::Relaxed);
            Ok(())
        })?;
        if random.below(3) == 0 {
            node.start_and_kill_after(Duration::from_millis(random.below(60)))
                .context("killed while it started")?;
        }
        starts.push(
            node.start()
                .with_context(|| format!("start after kill {round}"))?,
        );
        let mut client = Client::connect(&node.bootstrap())?;
        for writer in &mut writers {
            writer
                .check(&mut client)
                .with_context(|| format!("after kill {round}"))?;
        }
        admin
            .check(&mut client)
            .with_context(|| format!("after kill {round}"))?;
    }
    let acknowledged: usize = writers.iter().map(Writer::acknowledged).sum();
    assert!(
        acknowledged > 100,
        "only {acknowledged} records were acknowledged: nothing was tested"
    );
    node.stop()?;
    starts.sort();
    say(&format!(
        "kill -9: {ROUNDS} kills, {acknowledged} records and {} decisions acknowledged, none lost; first answer after {:.0?} \
         (median), {:.0?} (longest)",
        admin.decisions(),
        starts[starts.len() / 2],
        starts[starts.len() - 1],
    ));
    Ok(())
}

/// Stops in one run.
const STOPS: u32 = 4;

/// What was taken before a stop is answered before it: a producer that has to send several batches again to the next
/// start meets a broker that knows but the last of them.
#[test]
fn stop_in_good_order_answers_what_was_taken() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let mut node = Ottla::new(dir.path());
    node.start()?;
    let mut client = Client::connect(&node.bootstrap())?;
    client.create_topic(writer::IDEMPOTENT, WRITERS, &[])?;
    let mut writers = Vec::new();
    for partition in 0..WRITERS {
        let producer = client.patiently(Client::init_producer_id)?;
        writers.push(Writer::idempotent(partition, producer));
    }
    for round in 0..STOPS {
        let bootstrap = node.bootstrap();
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| -> Result<()> {
            for writer in &mut writers {
                scope.spawn(|| writer.run(&bootstrap, &stop));
            }
            // Under load is the point.
            std::thread::sleep(Duration::from_millis(300));
            node.stop()?;
            stop.store(true, Ordering::Relaxed);
            Ok(())
        })?;
        node.start()?;
        let mut client = Client::connect(&node.bootstrap())?;
        for writer in &mut writers {
            writer
                .check(&mut client)
                .with_context(|| format!("after stop {round}"))?;
        }
    }
    let repeated: usize = writers.iter().map(Writer::repeated).sum();
    assert_eq!(repeated, 0, "batches whose answer was lost");
    Ok(())
}
