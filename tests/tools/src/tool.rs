//! Whose tool answers a command line, and how it is run.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use ottla_oracle::Jars;
use ottla_tests::Ottla;
use rustix::process::{Pid, Signal, kill_process};

use crate::golden::Answer;
use crate::script::Line;

/// No command line may take longer.
const LINE_MAX: Duration = Duration::from_secs(90);

/// Pause between two looks at a process.
const POLL: Duration = Duration::from_millis(2);

/// Whose tools.
#[derive(Debug, Clone)]
pub enum Tools {
    /// Apache Kafka's, in Java.
    Kafka(Jars),
    /// Ottla's.
    Ottla,
}

impl Tools {
    /// Whether there is such a tool.
    ///
    /// # Errors
    /// If the program cannot be run.
    pub fn have(&self, tool: &str) -> Result<bool> {
        static KNOWN: Mutex<BTreeMap<String, bool>> = Mutex::new(BTreeMap::new());
        if matches!(self, Self::Kafka(_)) {
            return Ok(true);
        }
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(have) = known.get(tool) {
            return Ok(*have);
        }
        let output = Command::new(Ottla::binary()?)
            .args([tool, "--help"])
            .stdin(Stdio::null())
            .output()?;
        let says = String::from_utf8_lossy(&output.stderr);
        let have = !says.contains(&format!("there is no command '{tool}'"));
        known.insert(tool.to_owned(), have);
        Ok(have)
    }

    fn command(&self, tool: &str) -> Result<Command> {
        Ok(match self {
            Self::Kafka(jars) => jars.tool(tool),
            Self::Ottla => {
                let mut command = Command::new(Ottla::binary()?);
                command.arg(tool);
                command
            }
        })
    }

    /// Runs a command line in `work`. `fill` puts values in the place of placeholders.
    ///
    /// # Errors
    /// If it cannot be run, or does not end.
    pub fn run(&self, line: &Line, work: &Path, fill: &dyn Fn(&str) -> String) -> Result<Answer> {
        let (tool, arguments) = line.words.split_first().context("a tool's name")?;
        // Beside the directory that the tool sees.
        let place = |name: &str| work.with_extension(name);
        let (input, out, err) = (place("in"), place("out"), place("err"));
        fs::write(&input, &line.input)?;
        let mut command = self.command(tool)?;
        if line.interrupt.is_some() {
            // Who was started in the background ignores Ctrl-C, and so would the tool.
            let mut env = Command::new("env");
            env.arg("--default-signal=INT").arg(command.get_program());
            env.args(command.get_args());
            command = env;
        }
        command
            .args(arguments.iter().map(|word| fill(word)))
            .current_dir(work)
            .env("TZ", "UTC")
            .env("LC_ALL", "C.UTF-8")
            .stdin(File::open(&input)?)
            .stdout(File::create(&out)?)
            .stderr(File::create(&err)?);
        let mut child = command.spawn().with_context(|| line.text.clone())?;
        let ended = wait(&mut child, line.interrupt, &out);
        let text = |path: &Path| -> Result<String> {
            Ok(String::from_utf8_lossy(&fs::read(path)?).into_owned())
        };
        let answer = Answer {
            stdout: text(&out)?,
            stderr: text(&err)?,
            code: match ended {
                Ok(code) => code,
                Err(error) => {
                    let _ = child.kill();
                    let _ = child.wait();
                    let (out, err) = (text(&out)?, text(&err)?);
                    bail!("{}: {error:#}\n{out}\n{err}", line.text);
                }
            },
        };
        Ok(answer)
    }
}

/// Waits for the end, and sends Ctrl-C when there is enough output.
fn wait(child: &mut Child, interrupt: Option<usize>, out: &Path) -> Result<Option<i32>> {
    let begun = Instant::now();
    let mut interrupt = interrupt;
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(status.code());
        }
        if begun.elapsed() > LINE_MAX {
            bail!("does not end");
        }
        if let Some(lines) = interrupt {
            let seen = fs::read(out)?.iter().filter(|byte| **byte == b'\n').count();
            if seen >= lines {
                let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
                kill_process(pid.context("a pid")?, Signal::INT)?;
                interrupt = None;
            }
        }
        std::thread::sleep(POLL);
    }
}
