//! librdkafka, driven by `clients/rdkafka.py`.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use serde_json::Value;

use super::{Job, Said, Task};

/// The program, which is written where it is run.
const PROGRAM: &str = include_str!("../../clients/rdkafka.py");

/// The command for a job.
pub(super) fn command(python: &Path, job: &Job<'_>) -> Result<Command> {
    let file = job.work.join("rdkafka.py");
    std::fs::write(&file, PROGRAM).with_context(|| file.display().to_string())?;
    let (name, numbers) = match job.task {
        Task::Produce { value_bytes } => (
            "produce",
            vec![
                value_bytes.to_string(),
                job.time.as_secs_f64().to_string(),
                job.records.to_string(),
            ],
        ),
        Task::Pace {
            value_bytes,
            per_second,
        } => (
            "pace",
            vec![
                value_bytes.to_string(),
                job.time.as_secs_f64().to_string(),
                per_second.to_string(),
            ],
        ),
        Task::Consume { .. } => (
            "consume",
            vec![job.time.as_secs_f64().to_string(), job.records.to_string()],
        ),
    };
    let mut command = Command::new(python);
    command
        .arg(file)
        .arg(name)
        .arg(job.address.to_string())
        .arg(job.topic)
        .args(numbers)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    Ok(command)
}

/// Reads the line that the program prints.
pub(super) fn parse(text: &str) -> Result<Said> {
    let value: Value = serde_json::from_str(text.trim())?;
    let figures = &value["figures"];
    let count = |name: &str| figures[name].as_u64().context("a figure is missing");
    let latencies = ["p50_us", "p99_us", "p999_us", "max_us"];
    Ok(Said {
        records: count("records")?,
        bytes: count("bytes")?,
        seconds: figures["seconds"].as_f64().context("no time")?,
        latencies: latencies
            .into_iter()
            .filter_map(|name| Some((name, figures[name].as_f64()?)))
            .collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_read() {
        let line = "{\"version\": \"librdkafka 2.16.1\", \"figures\": {\"records\": 10, \"bytes\": 1000, \
                    \"seconds\": 0.5, \"p50_us\": 12.5, \"p99_us\": 80}}\n";
        let said = parse(line).expect("a line");
        assert_eq!((said.records, said.bytes, said.seconds), (10, 1_000, 0.5));
        assert_eq!(said.latencies, [("p50_us", 12.5), ("p99_us", 80.0)]);
        assert!(parse("Traceback").is_err());
    }
}
