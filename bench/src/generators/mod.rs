//! Load generators that are not our own: real clients, each a program that is run to its end and says what it did.
//!
//! They are the bottleneck long before a broker is, so their records a second say little of it; what the broker spends on
//! their requests, which nobody here has shaped, says the more. `load` drives a server to its limits instead.

mod java;
mod librdkafka;

use std::fs::File;
use std::io::Read as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Longest run of a generator.
const RUN_MAX: Duration = Duration::from_secs(180);
/// Pause between two looks at one that runs.
const POLL: Duration = Duration::from_millis(5);

/// Whose client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Maker {
    /// The C library, through confluent-kafka.
    Librdkafka,
    /// Apache Kafka's own perf tools.
    Java,
}

/// What is installed of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct Generators {
    /// A Python that has confluent-kafka.
    pub(crate) python: Option<PathBuf>,
    /// A directory with the jars of Apache Kafka's tools.
    pub(crate) tools: Option<PathBuf>,
}

/// What a client is to do with partition 0 of a topic.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Task {
    /// Produce as fast as it can.
    Produce {
        /// Bytes of a value.
        value_bytes: usize,
    },
    /// Produce one record at a time and note how long each takes.
    Pace {
        /// Bytes of a value.
        value_bytes: usize,
        /// Records a second, where the client lets that be chosen.
        per_second: u32,
    },
    /// Consume what is there.
    Consume {
        /// Bytes of a value.
        value_bytes: usize,
    },
}

/// One run of a client.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Job<'a> {
    /// What to do.
    pub(crate) task: Task,
    /// The server.
    pub(crate) address: SocketAddr,
    /// The topic.
    pub(crate) topic: &'a str,
    /// How long, where the client stops by time.
    pub(crate) time: Duration,
    /// Most records to produce, or records that are there.
    pub(crate) records: u64,
    /// A directory for what the client needs.
    pub(crate) work: &'a Path,
}

/// What a client said of its run.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Said {
    /// Records that it produced or consumed.
    pub(crate) records: u64,
    /// Bytes of their values.
    pub(crate) bytes: u64,
    /// Time that the client counts: without its start.
    pub(crate) seconds: f64,
    /// Latencies by name, in us.
    pub(crate) latencies: Vec<(&'static str, f64)>,
}

impl Generators {
    /// Why clients of `maker` cannot be run; `None` if they can.
    pub(crate) fn missing(&self, maker: Maker) -> Option<&'static str> {
        match maker {
            Maker::Librdkafka if self.python.is_none() => {
                Some("a Python with confluent-kafka is needed: --python FILE")
            }
            Maker::Java if self.tools.is_none() => {
                Some("the jars of Apache Kafka's tools are needed: --tools DIR")
            }
            _ => None,
        }
    }

    /// Runs a client to its end; `meanwhile` is called now and then.
    ///
    /// # Errors
    /// If it cannot be run, fails, or says nothing that can be read.
    pub(crate) fn run(
        &self,
        maker: Maker,
        job: &Job<'_>,
        meanwhile: &mut dyn FnMut() -> Result<()>,
    ) -> Result<Said> {
        if let Some(why) = self.missing(maker) {
            bail!("{why}");
        }
        let none = Path::new("");
        let mut command = match maker {
            Maker::Librdkafka => librdkafka::command(self.python.as_deref().unwrap_or(none), job)?,
            Maker::Java => java::command(self.tools.as_deref().unwrap_or(none), job),
        };
        let text = finish(&mut command, job.work, meanwhile)?;
        let said = match maker {
            Maker::Librdkafka => librdkafka::parse(&text),
            Maker::Java => java::parse(job, &text),
        };
        said.with_context(|| format!("the client said:\n{text}"))
    }
}

/// What a client prints on standard output until it ends, with success.
fn finish(
    command: &mut Command,
    work: &Path,
    meanwhile: &mut dyn FnMut() -> Result<()>,
) -> Result<String> {
    // Files hold what it prints, so that nobody has to empty pipes while it runs.
    let (out, complaints) = (work.join("client.out"), work.join("client.err"));
    let program = command.get_program().display().to_string();
    let mut child = command
        .stdin(Stdio::null())
        .stdout(File::create(&out)?)
        .stderr(File::create(&complaints)?)
        .spawn()
        .with_context(|| program.clone())?;
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if begun.elapsed() > RUN_MAX {
            child.kill()?;
            child.wait()?;
            bail!("{program} did not end within {RUN_MAX:?}");
        }
        meanwhile()?;
        std::thread::sleep(POLL);
    };
    let read = |path: &Path| -> Result<String> {
        let mut bytes = Vec::new();
        File::open(path)?.read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read(&out)?;
    if !status.success() {
        bail!("{program}: {status}\n{text}\n{}", read(&complaints)?);
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_that_fails_is_told_with_what_it_said() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut command = Command::new("sh");
        command.args(["-c", "echo to the one; echo to the other >&2; exit 3"]);
        let error = finish(&mut command, dir.path(), &mut || Ok(())).expect_err("it failed");
        let text = format!("{error:#}");
        assert!(
            text.contains("to the one") && text.contains("to the other"),
            "{text}"
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let generators = Generators {
            tools: Some(PathBuf::from("/jars")),
            ..Generators::default()
        };
        assert!(generators.missing(Maker::Librdkafka).is_some());
        assert_eq!(generators.missing(Maker::Java), None);
    }
}
