//! Apache Kafka's own perf tools: the producer's, the consumer's, and the one for end-to-end latency.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::{Job, Said, Task};

/// What Kafka's own scripts give to the virtual machine of these tools, and as many cores as the broker's believes to have.
const JVM_FLAGS: &[&str] = &[
    "-Xmx512M",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:ActiveProcessorCount=2",
    "-Djava.awt.headless=true",
];

/// Bytes of a mebibyte, as the consumer's tool counts.
const MEBIBYTE: f64 = 1_048_576.0;

/// The share of the records that the producer's tool does not count for its figures: one in so many.
const NOT_COUNTED: u64 = 4;

/// The command for a job.
pub(super) fn command(tools: &Path, job: &Job<'_>) -> Command {
    let address = job.address.to_string();
    let records = job.records.to_string();
    let (class, options) = match job.task {
        Task::Produce { value_bytes } => (
            "org.apache.kafka.tools.ProducerPerformance",
            vec![
                "--record-size".to_owned(),
                value_bytes.to_string(),
                "--throughput=-1".to_owned(),
                "--warmup-records".to_owned(),
                (job.records / NOT_COUNTED).to_string(),
            ],
        ),
        Task::Pace { value_bytes, .. } => (
            "org.apache.kafka.tools.EndToEndLatency",
            vec![
                "--record-size".to_owned(),
                value_bytes.to_string(),
                "--producer-acks".to_owned(),
                "all".to_owned(),
            ],
        ),
        Task::Consume { .. } => (
            "org.apache.kafka.tools.ConsumerPerformance",
            vec!["--hide-header".to_owned()],
        ),
    };
    let mut command = Command::new("java");
    command
        .args(JVM_FLAGS)
        .arg("-cp")
        .arg(format!("{}/*", tools.display()))
        .arg(class)
        .args(["--bootstrap-server", &address, "--topic", job.topic])
        .args(["--num-records", &records])
        .args(options);
    command
}

/// Reads what the tool of a job prints.
pub(super) fn parse(job: &Job<'_>, text: &str) -> Result<Said> {
    match job.task {
        Task::Produce { value_bytes } => produced(job.records, value_bytes, text),
        Task::Pace { value_bytes, .. } => paced(job.records, value_bytes, text),
        Task::Consume { .. } => consumed(text),
    }
}

/// The number in front of a unit: `12 ms 99th` has 12 in front of ` ms 99th`.
fn before(line: &str, unit: &str) -> Option<f64> {
    let (front, _) = line.split_once(unit)?;
    let start = front
        .rfind(|c: char| !c.is_ascii_digit() && c != '.')
        .map_or(0, |at| at + 1);
    front.get(start..)?.parse().ok()
}

/// The last line that counts records: the steady state, if it was told apart.
fn produced(records: u64, value_bytes: usize, text: &str) -> Result<Said> {
    let line = text
        .lines()
        .rev()
        .find(|line| line.contains("99.9th"))
        .context("no summary")?;
    let per_second = before(line, " records/sec").context("no rate")?;
    let named = [
        ("avg_us", " ms avg latency"),
        ("p50_us", " ms 50th"),
        ("p99_us", " ms 99th"),
        ("p999_us", " ms 99.9th"),
        ("max_us", " ms max latency"),
    ];
    Ok(Said {
        records,
        bytes: records * u64::try_from(value_bytes)?,
        // Of all records at the rate of those that count.
        seconds: records as f64 / per_second,
        latencies: named
            .into_iter()
            .filter_map(|(name, unit)| Some((name, before(line, unit)? * 1e3)))
            .collect(),
    })
}

fn paced(records: u64, value_bytes: usize, text: &str) -> Result<Said> {
    let average = text
        .lines()
        .find_map(|line| line.strip_prefix("Avg latency: "))
        .and_then(|rest| before(rest, " ms"))
        .context("no average")?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Percentiles: "))
        .context("no percentiles")?;
    let named = [
        ("p50_us", "50th"),
        ("p99_us", "99th"),
        ("p999_us", "99.9th"),
    ];
    let mut latencies = vec![("avg_us", average * 1e3)];
    for part in line.split(", ") {
        let Some((name, value)) = part.split_once(" = ") else {
            continue;
        };
        if let Some((metric, _)) = named.iter().find(|(_, label)| *label == name) {
            latencies.push((*metric, value.trim().parse::<f64>()? * 1e3));
        }
    }
    Ok(Said {
        records,
        bytes: records * u64::try_from(value_bytes)?,
        // One record after the other.
        seconds: records as f64 * average / 1e3,
        latencies,
    })
}

/// `start.time, end.time, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms,
/// fetch.time.ms, fetch.MB.sec, fetch.nMsg.sec`.
fn consumed(text: &str) -> Result<Said> {
    let fields: Vec<&str> = text
        .lines()
        .map(|line| line.split(", ").collect::<Vec<&str>>())
        .find(|fields| fields.len() == 10)
        .context("no line of ten figures")?;
    let number = |at: usize| -> Result<f64> {
        let field = fields.get(at).context("ten fields")?;
        Ok(field.trim().parse::<f64>()?)
    };
    Ok(Said {
        records: fields.get(4).context("ten fields")?.trim().parse()?,
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "megabytes that were counted"
        )]
        bytes: (number(2)? * MEBIBYTE) as u64,
        seconds: number(7)? / 1e3,
        latencies: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_the_producers_tool_are_read() {
        let text = "250000 warmup records sent, 90000.0 records/sec (87.89 MB/sec), 20.0 ms avg latency, 300.0 ms max \
                    latency.\n750000 steady state records sent, 150000.5 records/sec (146.48 MB/sec), 4.25 ms avg \
                    latency, 61.00 ms max latency, 3 ms 50th, 9 ms 95th, 22 ms 99th, 41 ms 99.9th.\n";
        let said = produced(1_000_000, 1_024, text).expect("two lines");
        assert_eq!(said.bytes, 1_024_000_000);
        assert!((said.seconds - 6.666_64).abs() < 1e-3, "{}", said.seconds);
        let expected = [
            ("avg_us", 4_250.0),
            ("p50_us", 3_000.0),
            ("p99_us", 22_000.0),
            ("p999_us", 41_000.0),
            ("max_us", 61_000.0),
        ];
        assert_eq!(said.latencies, expected);
    }

    #[test]
    fn lines_of_the_other_tools_are_read() {
        let text = "0\t0.9\nAvg latency: 0.5000 ms\nPercentiles: 50th = 0, 99th = 1, 99.9th = 4\n";
        let said = paced(1_000, 100, text).expect("an average");
        assert_eq!((said.records, said.seconds), (1_000, 0.5));
        let expected = [
            ("avg_us", 500.0),
            ("p50_us", 0.0),
            ("p99_us", 1_000.0),
            ("p999_us", 4_000.0),
        ];
        assert_eq!(said.latencies, expected);
        let text = "2026-01-01 00:00:00:000, 2026-01-01 00:00:01:500, 100.0000, 66.6, 1048576, 699050.6, 500, 1000, \
                    100.0, 1048576.0\n";
        let said = consumed(text).expect("ten figures");
        assert_eq!(
            (said.records, said.bytes, said.seconds),
            (1_048_576, 104_857_600, 1.0)
        );
    }
}
