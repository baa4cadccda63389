//! New connections: connect, one question, hang up.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use ottla_protocol::ApiKey;
use ottla_protocol::frame::{LENGTH_BYTES, check_length};
use ottla_protocol::messages::ApiVersionsRequest;

use super::{Metrics, Target};
use crate::host::Snapshot;
use crate::load::latency_histogram;
use crate::wire::request_frame;

/// Connections open at a time.
const BATCH: usize = 16;
/// Largest answer taken.
const RESPONSE_BYTES_MAX: usize = 1 << 20;

/// Opens a batch of connections, asks on each, reads each answer and resets them, so that no port is left waiting.
fn round(target: &Target<'_>, frame: &[u8], mut answered: impl FnMut(Duration)) -> Result<()> {
    let begun = Instant::now();
    let mut streams = Vec::with_capacity(BATCH);
    for _ in 0..BATCH {
        let mut stream = TcpStream::connect(target.address).context("connect")?;
        rustix::net::sockopt::set_socket_linger(&stream, Some(Duration::ZERO))?;
        stream.write_all(frame)?;
        streams.push(stream);
    }
    for stream in &mut streams {
        let mut length = [0; LENGTH_BYTES];
        stream.read_exact(&mut length)?;
        let mut body = vec![0; check_length(length, RESPONSE_BYTES_MAX)?];
        stream.read_exact(&mut body)?;
        answered(begun.elapsed());
    }
    Ok(())
}

/// Runs the workload. A request is one connection.
///
/// # Errors
/// If the server refuses one.
pub(super) fn run(target: &Target<'_>) -> Result<Metrics> {
    let version = 3;
    let request = ApiVersionsRequest {
        client_software_name: "ottla-bench".to_owned(),
        client_software_version: env!("CARGO_PKG_VERSION").to_owned(),
        ..ApiVersionsRequest::default()
    };
    let frame = request_frame(ApiKey::ApiVersions, version, 1, |w| {
        request.encode(w, version)
    })?;
    let begun = Instant::now();
    while begun.elapsed() < target.warm_up_time() {
        round(target, &frame, |_| {})?;
    }
    let mut latency = latency_histogram();
    let before = Snapshot::take(target.pid)?;
    let begun = Instant::now();
    while begun.elapsed() < target.effort.window {
        round(target, &frame, |took| {
            latency.saturating_record(u64::try_from(took.as_nanos()).unwrap_or(u64::MAX));
        })?;
    }
    let seconds = begun.elapsed().as_secs_f64();
    let spent = before.spent()?;
    let count = latency.len() as f64;
    let mut metrics = Metrics::default();
    metrics.set("requests", count);
    metrics.set("requests_per_s", count / seconds);
    metrics.set("cpu_us_per_request", spent.server_s * 1e6 / count);
    metrics.add_latency(&latency);
    metrics.add_spent(&spent);
    metrics.add_process(target.pid)?;
    Ok(metrics)
}
