//! Plays files of command lines against a server.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context as _, Result};

use crate::golden::Answer;
use crate::mask::mask;
use crate::script::{Line, Script, Step};
use crate::server::{Kind, Server};
use crate::setup;
use crate::tool::Tools;

/// Whose tools answer the lines of a file.
#[derive(Debug, Clone)]
pub struct Players {
    /// These answer.
    pub main: Tools,
    /// If there are others, `main` answers only every so many lines, and these do the rest.
    pub rest: Option<(usize, Tools)>,
}

/// A line that was played.
#[derive(Debug)]
pub struct Played<'a> {
    /// The line.
    pub line: &'a Line,
    /// What was answered; none if the tool does not exist yet.
    pub answer: Option<Answer>,
    /// Whether the tools that this is about answered, not those that do the rest.
    pub counts: bool,
}

/// What became of one file.
#[derive(Debug)]
pub struct Result1<'a> {
    /// The file.
    pub script: &'a Script,
    /// Its lines, or what went wrong around them.
    pub lines: Result<Vec<Played<'a>>>,
}

/// Plays files in parallel. Those that are to be alone get a server each, the others share one.
///
/// # Errors
/// If a server does not start.
pub fn play_all<'a>(
    scripts: &'a [Script],
    kind: &Kind,
    players: &Players,
) -> Result<Vec<Result1<'a>>> {
    // Nodes of Ottla start in no time.
    let scripts: Vec<&Script> = scripts
        .iter()
        .filter(|script| matches!(kind, Kind::Kafka(_)) || script.only_kafka.is_empty())
        .collect();
    let shared = match kind {
        Kind::Kafka(_) if scripts.iter().any(|script| !script.alone) => {
            Some(Server::start(kind, &[])?)
        }
        _ => None,
    };
    let next = AtomicUsize::new(0);
    let done = Mutex::new(Vec::new());
    let workers = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(script) = scripts.get(next.fetch_add(1, Ordering::Relaxed)).copied()
                {
                    let lines = match &shared {
                        Some(server) if !script.alone => play(script, server, players),
                        _ => Server::start(kind, &script.settings)
                            .and_then(|server| play(script, &server, players)),
                    };
                    let lines = lines.with_context(|| script.name.clone());
                    done.lock()
                        .expect("no worker panics")
                        .push(Result1 { script, lines });
                }
            });
        }
    });
    let mut done = done.into_inner().expect("no worker panics");
    done.sort_by(|a, b| a.script.name.cmp(&b.script.name));
    Ok(done)
}

/// Plays one file.
///
/// # Errors
/// If a step of the set-up fails, or a tool does not end.
pub fn play<'a>(script: &'a Script, server: &Server, players: &Players) -> Result<Vec<Played<'a>>> {
    let work = server.work_dir(&script.name)?;
    let names = names(server, &work);
    let fill = |word: &str| {
        word.replace("{server}", &server.bootstrap())
            .replace("{controller}", &server.controller())
            .replace("{data}", &server.data_dir().display().to_string())
    };
    let mut played = Vec::new();
    for step in &script.steps {
        let Step::Line(line) = step else {
            setup::carry_out(step, server, &work).with_context(|| format!("{step:?}"))?;
            continue;
        };
        let (tools, counts) = players.of(played.len());
        let tool = line.words.first().context("a tool")?;
        let (tools, counts) = match &players.rest {
            // What the others cannot do, these do.
            Some(_) if !tools.have(tool)? => (&players.main, true),
            _ => (tools, counts),
        };
        let answer = if tools.have(tool)? {
            let answer = tools.run(line, &work, &fill)?;
            if server.is_kafka() {
                setup::settle(server, played.len())?;
            }
            Some(mask(line, &answer, &names))
        } else {
            None
        };
        played.push(Played {
            line,
            answer,
            counts,
        });
    }
    Ok(played)
}

impl Players {
    fn of(&self, number: usize) -> (&Tools, bool) {
        match &self.rest {
            Some((every, rest)) if !number.is_multiple_of(*every) => (rest, false),
            _ => (&self.main, true),
        }
    }
}

/// What is of this run, and what stands for it.
fn names(server: &Server, work: &Path) -> Vec<(String, String)> {
    let port = |address: String| address.rsplit(':').next().unwrap_or_default().to_owned();
    vec![
        (work.display().to_string(), "WORK".to_owned()),
        (server.data_dir().display().to_string(), "DATA".to_owned()),
        (port(server.bootstrap()), "PPPPP".to_owned()),
        (port(server.controller()), "CCCCC".to_owned()),
    ]
}
