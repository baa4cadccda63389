//! The loop: sends what is due, takes what has come, times it.
//!
//! Closed pace: each connection keeps a number of requests under way. Open pace: requests are due at fixed moments
//! whether or not earlier ones were answered, and a late one is timed from when it was due, so a server that stalls
//! cannot hide it (no coordinated omission). With an open pace the loop spins: it measures the server, not how long
//! this process takes to wake up.

use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use hdrhistogram::Histogram;
use ottla_protocol::header::decode_response_header;
use ottla_protocol::{ApiKey, Reader};
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};

use super::connection::{Connection, Pending};
use super::outgoing::Outgoing;

/// Requests of an open pace that a connection holds without an answer; further ones stay due and are timed from then.
const OPEN_IN_FLIGHT_MAX: usize = 4096;
/// Longest time without any answer while one is owed.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Longest sleep of a closed loop.
const WAIT: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};
/// Sockets that are served per look.
const EVENTS_MAX: usize = 256;
/// Latencies above this are counted as this, in ns.
const LATENCY_MAX_NS: u64 = 120_000_000_000;

/// When a connection sends.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Pace {
    /// So many requests under way at any time.
    Closed(usize),
    /// One request every so many ns, the first after `phase_ns`.
    Open {
        /// Time between two requests.
        interval_ns: u64,
        /// Time before the first one.
        phase_ns: u64,
    },
}

impl Pace {
    /// The paces of `connections` connections that together send `per_second` requests at even distances.
    pub(crate) fn spread(connections: usize, per_second: f64) -> Vec<Self> {
        let step = 1e9 / per_second;
        let ns = |x: f64| Duration::from_secs_f64(x / 1e9).as_nanos();
        let ns = |x: f64| u64::try_from(ns(x)).unwrap_or(u64::MAX);
        (0..connections)
            .map(|i| Self::Open {
                interval_ns: ns(step * connections as f64),
                phase_ns: ns(step * i as f64),
            })
            .collect()
    }
}

/// When a run ends: at whichever comes first.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Until {
    /// Time since its begin.
    pub(crate) elapsed: Duration,
    /// Requests answered.
    pub(crate) requests: u64,
    /// Bytes of records moved.
    pub(crate) bytes: u64,
}

/// What an answer moved.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    /// Records.
    pub(crate) records: u64,
    /// Bytes of record batches.
    pub(crate) bytes: u64,
}

/// What is sent, and how an answer is judged.
pub(crate) trait Traffic {
    /// API and version that a connection speaks.
    fn api(&self, connection: usize) -> (ApiKey, i16);

    /// Queues the next request of a connection. `due` is in ns of the engine's clock.
    ///
    /// # Errors
    /// If it cannot be built.
    fn send(
        &mut self,
        connection: usize,
        correlation_id: i32,
        due: u64,
        out: &mut Outgoing,
    ) -> Result<()>;

    /// Judges the body of an answer that came at `now`, in ns of the engine's clock.
    ///
    /// # Errors
    /// If it is not the answer that the measurement needs.
    fn receive(&mut self, connection: usize, body: &[u8], now: u64) -> Result<Tally>;

    /// The measured window begins. `work` is a directory on the server's disk.
    ///
    /// # Errors
    /// If it cannot be prepared.
    fn begin_window(&mut self, _work: &Path) -> Result<()> {
        Ok(())
    }

    /// Whether a closed connection has to go on although the run is over.
    fn is_owed(&self, _connection: usize) -> bool {
        false
    }
}

/// What a run gave.
#[derive(Debug)]
pub(crate) struct Outcome {
    /// Requests answered.
    pub(crate) requests: u64,
    /// Records moved.
    pub(crate) records: u64,
    /// Bytes of record batches moved.
    pub(crate) bytes: u64,
    /// Time from the first request to the last answer.
    pub(crate) seconds: f64,
    /// Time from due to answered, in ns.
    pub(crate) latency: Histogram<u64>,
}

/// A histogram for latencies in ns, exact to three digits.
pub(crate) fn latency_histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_MAX_NS, 3).expect("bounds and digits are in range")
}

/// Connections to one server.
#[derive(Debug)]
pub(crate) struct Engine {
    connections: Vec<Connection>,
    epoll: OwnedFd,
}

struct Run<'a> {
    paces: &'a [Pace],
    until: Until,
    begun: Instant,
    outcome: Outcome,
    last_answer: u64,
}

impl Run<'_> {
    fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    fn is_over(&self, now: u64) -> bool {
        u128::from(now) >= self.until.elapsed.as_nanos()
            || self.outcome.requests >= self.until.requests
            || self.outcome.bytes >= self.until.bytes
    }
}

impl Engine {
    /// Opens `count` connections.
    ///
    /// # Errors
    /// If the server refuses one.
    pub(crate) fn connect(address: SocketAddr, count: usize) -> Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let mut connections = Vec::with_capacity(count);
        for index in 0..count {
            let connection = Connection::open(address)?;
            let data = epoll::EventData::new_u64(u64::try_from(index)?);
            epoll::add(&epoll, &connection.stream, data, epoll::EventFlags::IN)?;
            connections.push(connection);
        }
        Ok(Self { connections, epoll })
    }

    /// Sends `traffic`, connection i at `paces[i]`, until the end and takes every answer that is owed then.
    ///
    /// # Errors
    /// If a connection breaks, an answer is refused by `traffic`, or none comes for a minute.
    pub(crate) fn run(
        &mut self,
        traffic: &mut dyn Traffic,
        paces: &[Pace],
        until: Until,
    ) -> Result<Outcome> {
        let spins = paces.iter().any(|pace| matches!(pace, Pace::Open { .. }));
        let mut run = Run {
            paces,
            until,
            begun: Instant::now(),
            outcome: Outcome {
                requests: 0,
                records: 0,
                bytes: 0,
                seconds: 0.0,
                latency: latency_histogram(),
            },
            last_answer: 0,
        };
        for (connection, pace) in self.connections.iter_mut().zip(paces) {
            if let Pace::Open { phase_ns, .. } = pace {
                connection.next_due = *phase_ns;
            }
        }
        let mut events = Vec::with_capacity(EVENTS_MAX);
        loop {
            let now = run.now();
            let over = run.is_over(now);
            let mut idle = true;
            for index in 0..self.connections.len() {
                self.send_due(index, traffic, &run, now, over)?;
                idle &= self.connections[index].pending.is_empty();
            }
            if over && idle {
                break;
            }
            if now.saturating_sub(run.last_answer) > u64::try_from(SILENCE_MAX.as_nanos())? && !idle
            {
                bail!("no answer for {} s", SILENCE_MAX.as_secs());
            }
            let wait = if spins { Timespec::default() } else { WAIT };
            events.clear();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&wait)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error).context("epoll_wait"),
            }
            for event in &events {
                let data = event.data;
                let index = usize::try_from(data.u64())?;
                let flags = event.flags;
                if flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::HUP) {
                    self.receive(index, traffic, &mut run)?;
                }
            }
        }
        run.outcome.seconds = run.last_answer as f64 / 1e9;
        Ok(run.outcome)
    }

    /// Queues what is due on one connection and sends what the socket takes.
    fn send_due(
        &mut self,
        index: usize,
        traffic: &mut dyn Traffic,
        run: &Run<'_>,
        now: u64,
        over: bool,
    ) -> Result<()> {
        let connection = &mut self.connections[index];
        loop {
            let due = match run.paces.get(index) {
                Some(Pace::Closed(in_flight)) => {
                    let goes_on = !over || traffic.is_owed(index);
                    if !goes_on || connection.pending.len() >= *in_flight {
                        break;
                    }
                    now
                }
                Some(Pace::Open { interval_ns, .. }) => {
                    let full = connection.pending.len() >= OPEN_IN_FLIGHT_MAX;
                    if over || full || connection.next_due > now {
                        break;
                    }
                    let due = connection.next_due;
                    connection.next_due += interval_ns;
                    due
                }
                None => break,
            };
            connection.correlation_id = connection.correlation_id.wrapping_add(1);
            let correlation_id = connection.correlation_id;
            traffic.send(index, correlation_id, due, &mut connection.out)?;
            connection.pending.push_back(Pending {
                correlation_id,
                due,
            });
        }
        if !connection.out.is_empty() {
            connection.out.flush(&connection.stream).context("write")?;
        }
        let watch = !connection.out.is_empty();
        if watch != connection.watched_for_write {
            connection.watched_for_write = watch;
            let write = if watch {
                epoll::EventFlags::OUT
            } else {
                epoll::EventFlags::empty()
            };
            let data = epoll::EventData::new_u64(u64::try_from(index)?);
            epoll::modify(
                &self.epoll,
                &connection.stream,
                data,
                epoll::EventFlags::IN | write,
            )?;
        }
        Ok(())
    }

    /// Takes the answers that have come on one connection.
    fn receive(
        &mut self,
        index: usize,
        traffic: &mut dyn Traffic,
        run: &mut Run<'_>,
    ) -> Result<()> {
        let connection = &mut self.connections[index];
        let (api, version) = traffic.api(index);
        connection.fill()?;
        let now = run.now();
        while let Some(range) = connection.next_response()? {
            let pending = connection
                .pending
                .pop_front()
                .context("an answer to no question")?;
            let mut r = Reader::new(connection.bytes(range));
            let correlation_id = decode_response_header(&mut r, api, version)?;
            if correlation_id != pending.correlation_id {
                bail!("answers out of order: correlation_id={correlation_id}");
            }
            let tally = traffic.receive(index, r.rest(), now)?;
            run.outcome.requests += 1;
            run.outcome.records += tally.records;
            run.outcome.bytes += tally.bytes;
            run.last_answer = now;
            run.outcome
                .latency
                .saturating_record(now.saturating_sub(pending.due).max(1));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_open_pace_is_spread_evenly_over_the_connections() {
        let paces = Pace::spread(4, 1_000.0);
        let phases: Vec<u64> = paces
            .iter()
            .map(|pace| match pace {
                Pace::Open {
                    interval_ns,
                    phase_ns,
                } => {
                    assert_eq!(*interval_ns, 4_000_000);
                    *phase_ns
                }
                Pace::Closed(_) => panic!("closed"),
            })
            .collect();
        assert_eq!(phases, [0, 1_000_000, 2_000_000, 3_000_000]);
    }
}
