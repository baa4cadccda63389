//! The command line.

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::generators::{Generators, Maker};
use crate::host::Placement;
use crate::servers::{Program, Side};
use crate::workloads::{Effort, WORKLOADS, Workload};

/// What the program can do.
pub(crate) const USAGE: &str = "\
usage: ottla-bench [WORKLOAD...] [OPTION...]     every workload if none is named; `librdkafka` and
                                                 `java-perf` are those of a client
       ottla-bench list                          the workloads
       ottla-bench smoke [OPTION...]             every kind of workload for a moment, Ottla alone
       ottla-bench report RUNS.jsonl...          table and page of runs made before

  --pairs N          runs of each side, in turn (7)
  --against WHAT     `kafka`, or another ottla binary (kafka)
  --only SIDE        `ottla` or `other`: no comparison
  --ottla FILE       the ottla binary (target/release/ottla)
  --jars DIR         the jars of Apache Kafka (or in OTTLA_BENCH_JARS)
  --python FILE      a Python that has confluent-kafka, for the workloads of librdkafka
  --tools DIR        the jars of Apache Kafka's tools, for the workloads of java-perf
  --tuned            Apache Kafka with fewer threads and a 2-GiB heap
  --free             do not pin server and load generator to a core each
  --seconds S        length of a measured window (5)
  --warm-up S        longest warm-up of a workload (20)
  --megabytes N      bytes that a measured window may write (1200)
  --attempts N       runs of a workload until no other process disturbs it (3)
  --work DIR         where servers keep their data (target/bench/work)
  --out DIR          where results go (target/bench)";

/// What to do.
#[derive(Debug)]
pub(crate) enum Command {
    /// Measure.
    Run(Box<Plan>),
    /// Print the workloads.
    List,
    /// Write table and page of runs made before.
    Report(Vec<PathBuf>, PathBuf),
    /// Print the usage.
    Help,
}

/// What to measure and how.
#[derive(Debug)]
pub(crate) struct Plan {
    /// Workloads in the order of the table.
    pub(crate) workloads: Vec<&'static Workload>,
    /// One or two sides, Ottla first.
    pub(crate) sides: Vec<Side>,
    /// Runs of each side.
    pub(crate) pairs: usize,
    /// Cores.
    pub(crate) placement: Placement,
    /// Clients that are not our own.
    pub(crate) generators: Generators,
    /// Workloads that were not asked for by name and cannot be run here, and why.
    pub(crate) left_out: Vec<(&'static str, &'static str)>,
    /// How long.
    pub(crate) effort: Effort,
    /// Runs of a workload until it is not disturbed.
    pub(crate) attempts: usize,
    /// Where servers keep their data.
    pub(crate) work: PathBuf,
    /// Where results go.
    pub(crate) out: PathBuf,
}

#[derive(Debug, Default)]
struct Raw {
    words: Vec<String>,
    pairs: Option<usize>,
    against: Option<String>,
    only: Option<String>,
    ottla: Option<PathBuf>,
    jars: Option<PathBuf>,
    python: Option<PathBuf>,
    tools: Option<PathBuf>,
    tuned: bool,
    free: bool,
    seconds: Option<f64>,
    warm_up: Option<f64>,
    attempts: Option<usize>,
    megabytes: Option<u64>,
    work: Option<PathBuf>,
    out: Option<PathBuf>,
}

fn read(arguments: impl Iterator<Item = String>) -> Result<Raw> {
    let mut raw = Raw::default();
    let mut arguments = arguments;
    while let Some(argument) = arguments.next() {
        let mut value = || {
            arguments
                .next()
                .with_context(|| format!("{argument} needs a value"))
        };
        match argument.as_str() {
            "--pairs" => raw.pairs = Some(value()?.parse().context("--pairs")?),
            "--against" => raw.against = Some(value()?),
            "--only" => raw.only = Some(value()?),
            "--ottla" => raw.ottla = Some(value()?.into()),
            "--jars" => raw.jars = Some(value()?.into()),
            "--python" => raw.python = Some(value()?.into()),
            "--tools" => raw.tools = Some(value()?.into()),
            "--tuned" => raw.tuned = true,
            "--free" => raw.free = true,
            "--seconds" => raw.seconds = Some(value()?.parse().context("--seconds")?),
            "--warm-up" => raw.warm_up = Some(value()?.parse().context("--warm-up")?),
            "--attempts" => raw.attempts = Some(value()?.parse().context("--attempts")?),
            "--megabytes" => raw.megabytes = Some(value()?.parse().context("--megabytes")?),
            "--work" => raw.work = Some(value()?.into()),
            "--out" => raw.out = Some(value()?.into()),
            "-h" | "--help" => raw.words.push("help".to_owned()),
            option if option.starts_with('-') => bail!("no such option: {option}\n{USAGE}"),
            _ => raw.words.push(argument),
        }
    }
    Ok(raw)
}

/// Reads the command line.
///
/// # Errors
/// With the sentence for the user.
pub(crate) fn parse(arguments: impl Iterator<Item = String>) -> Result<Command> {
    let raw = read(arguments)?;
    let out = raw
        .out
        .clone()
        .unwrap_or_else(|| PathBuf::from("target/bench"));
    match raw.words.first().map(String::as_str) {
        Some("help") => return Ok(Command::Help),
        Some("list") => return Ok(Command::List),
        Some("report") => {
            return Ok(Command::Report(
                raw.words.iter().skip(1).map(PathBuf::from).collect(),
                out,
            ));
        }
        _ => {}
    }
    let smoke = raw.words.first().is_some_and(|word| word == "smoke");
    let names = raw.words.iter().skip(usize::from(smoke));
    let generators = Generators {
        python: raw.python.clone(),
        tools: raw.tools.clone(),
    };
    let (workloads, left_out) = choose(names, smoke, &generators)?;
    let mut effort = if smoke { Effort::SMOKE } else { Effort::FULL };
    if let Some(seconds) = raw.seconds {
        effort.window = Duration::try_from_secs_f64(seconds).context("--seconds")?;
    }
    if let Some(seconds) = raw.warm_up {
        effort.warm_up = Duration::try_from_secs_f64(seconds).context("--warm-up")?;
    }
    if let Some(megabytes) = raw.megabytes {
        effort.bytes_max = megabytes << 20;
    }
    Ok(Command::Run(Box::new(Plan {
        workloads,
        sides: sides(&raw, smoke)?,
        pairs: raw.pairs.unwrap_or(if smoke { 1 } else { 7 }),
        placement: if raw.free {
            Placement::Free
        } else {
            Placement::Pinned
        },
        generators,
        left_out,
        effort,
        attempts: raw.attempts.unwrap_or(if smoke { 1 } else { 3 }).max(1),
        work: raw.work.unwrap_or_else(|| out.join("work")),
        out,
    })))
}

/// Why a workload is left out, beside it.
type LeftOut = Vec<(&'static str, &'static str)>;

/// The workloads of these names, or all that can be run here.
fn choose<'a>(
    names: impl Iterator<Item = &'a String>,
    smoke: bool,
    generators: &Generators,
) -> Result<(Vec<&'static Workload>, LeftOut)> {
    let mut workloads: Vec<&'static Workload> = Vec::new();
    for name in names {
        let maker = match name.as_str() {
            "librdkafka" => Some(Maker::Librdkafka),
            "java-perf" => Some(Maker::Java),
            _ => None,
        };
        if maker.is_some() {
            workloads.extend(WORKLOADS.iter().filter(|w| w.maker() == maker));
            continue;
        }
        let found = Workload::by_id(name);
        workloads.push(found.with_context(|| format!("no such workload: {name}"))?);
    }
    if !workloads.is_empty() {
        return Ok((workloads, Vec::new()));
    }
    let mut left_out = Vec::new();
    for workload in &WORKLOADS {
        let why = match workload.maker() {
            // It shows that our own tool works; clients of others take seconds to start.
            Some(_) if smoke => Some("not part of a smoke run"),
            Some(maker) => generators.missing(maker),
            None => None,
        };
        match why {
            Some(why) => left_out.push((workload.id, why)),
            None => workloads.push(workload),
        }
    }
    Ok((workloads, left_out))
}

fn sides(raw: &Raw, smoke: bool) -> Result<Vec<Side>> {
    let ottla = Side {
        label: "ottla".to_owned(),
        program: Program::Ottla(
            raw.ottla
                .clone()
                .unwrap_or_else(|| PathBuf::from("target/release/ottla")),
        ),
    };
    let only = raw.only.as_deref().or_else(|| smoke.then_some("ottla"));
    if only == Some("ottla") {
        return Ok(vec![ottla]);
    }
    let other = match raw.against.as_deref().unwrap_or("kafka") {
        "kafka" => {
            let from_env = std::env::var_os("OTTLA_BENCH_JARS").map(PathBuf::from);
            let jars = raw.jars.clone().or(from_env);
            Side {
                label: if raw.tuned { "kafka-tuned" } else { "kafka" }.to_owned(),
                program: Program::Kafka {
                    jars: jars.context("where are Apache Kafka's jars? --jars DIR")?,
                    tuned: raw.tuned,
                },
            }
        }
        binary => Side {
            label: "other".to_owned(),
            program: Program::Ottla(binary.into()),
        },
    };
    match only {
        None => Ok(vec![ottla, other]),
        Some("other") => Ok(vec![other]),
        Some(side) => bail!("--only ottla or --only other, not {side}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(line: &str) -> Result<Command> {
        parse(line.split_ascii_whitespace().map(str::to_owned))
    }

    #[test]
    fn lines_mean_what_they_say() {
        let Ok(Command::Run(run)) = plan("p-tiny lat-1k --pairs 3 --jars /j --free") else {
            panic!("not a run");
        };
        assert_eq!((run.workloads.len(), run.sides.len(), run.pairs), (2, 2, 3));
        assert_eq!(run.placement, Placement::Free);
        let Ok(Command::Run(smoke)) = plan("smoke") else {
            panic!("not a run")
        };
        assert_eq!(
            smoke.workloads.len() + smoke.left_out.len(),
            WORKLOADS.len()
        );
        assert_eq!(smoke.sides.len(), 1);
        assert!(smoke.workloads.iter().all(|w| w.maker().is_none()));
        let Ok(Command::Run(clients)) = plan("java-perf librdkafka p-1k --tools /t --jars /j")
        else {
            panic!("not a run")
        };
        let of = |maker| {
            let all = clients.workloads.iter();
            all.filter(|w| w.maker() == Some(maker)).count()
        };
        assert!(of(Maker::Java) > 4 && of(Maker::Librdkafka) > 4);
        assert!(plan("p-huge").is_err());
        assert!(plan("--pairs").is_err());
        assert!(plan("--fast").is_err());
        assert!(matches!(plan("report a b"), Ok(Command::Report(files, _)) if files.len() == 2));
    }
}
