//! What a tool costs from its start to its end: Ottla's and Apache Kafka's in the same run, against the same node.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ottla_oracle::Jars;

use crate::script::{self, Line};
use crate::server::{Kind, Server};
use crate::tool::Tools;

/// What is timed.
const LINES: [&str; 3] = [
    "topics --bootstrap-server {server} --list",
    "topics --bootstrap-server {server} --describe",
    "consumer-groups --bootstrap-server {server} --list",
];

/// How often each of Ottla's tools runs.
const RUNS: usize = 50;

/// How often each of Apache Kafka's tools runs, of which each takes most of a second.
const RUNS_JAVA: usize = 7;

/// The times of one line.
#[derive(Debug, Clone)]
pub struct Times {
    /// The line.
    pub line: &'static str,
    /// Median, fastest and slowest run of Ottla's tool.
    pub ottla: [Duration; 3],
    /// The same of Apache Kafka's.
    pub kafka: [Duration; 3],
}

/// Times every line, on a node of Ottla with a hundred topics.
///
/// # Errors
/// If a tool fails.
pub fn measure(jars: &Jars) -> Result<Vec<Times>> {
    let server = Server::start(&Kind::Ottla, &[])?;
    let mut client = ottla_tests::client::Client::connect(&server.bootstrap())?;
    for number in 0..100 {
        client.create_topic(&format!("topic-{number}"), 1, &[])?;
    }
    LINES
        .iter()
        .map(|line| {
            Ok(Times {
                line,
                ottla: times(&server, &Tools::Ottla, line, RUNS)?,
                kafka: times(&server, &Tools::Kafka(jars.clone()), line, RUNS_JAVA)?,
            })
        })
        .collect()
}

fn times(server: &Server, tools: &Tools, text: &str, runs: usize) -> Result<[Duration; 3]> {
    let work = server.work_dir("speed")?;
    let line = Line {
        text: text.to_owned(),
        words: script::words(text)?,
        ..Line::default()
    };
    let fill = |word: &str| word.replace("{server}", &server.bootstrap());
    let mut times = Vec::new();
    for _ in 0..runs {
        let begun = Instant::now();
        let answer = tools.run(&line, &work, &fill)?;
        times.push(begun.elapsed());
        ensure!(answer.code == Some(0), "{text}: {answer:?}");
    }
    times.sort();
    let at = |index: usize| times.get(index).copied().context("a run");
    Ok([at(runs / 2)?, at(0)?, at(runs - 1)?])
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let ms = |time: Duration| time.as_secs_f64() * 1e3;
        let [ottla, fastest, slowest] = self.ottla.map(ms);
        let [kafka, kafka_fastest, kafka_slowest] = self.kafka.map(ms);
        write!(
            f,
            "| `{}` | {ottla:.1} ms ({fastest:.1} to {slowest:.1}) | {kafka:.0} ms ({kafka_fastest:.0} to \
             {kafka_slowest:.0}) | {:.0} |",
            self.line.replace(" --bootstrap-server {server}", ""),
            kafka / ottla
        )
    }
}
