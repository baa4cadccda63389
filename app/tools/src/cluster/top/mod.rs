//! `ottla top`: what a cluster does right now, on a terminal. Apache Kafka has no such tool.
//!
//! `sample` asks the cluster, `view` draws; this file knows the keyboard and the clock.

mod sample;
mod view;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Command;
use ottla_client::Admin;
use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use std::io::{IsTerminal as _, stdout};

use self::sample::Sample;
use self::view::View;
use crate::common::jopt::{Options, flag, value};
use crate::common::usage::{self, Failure};
use crate::common::{client, output};

/// Where a node listens that was started without a file.
const DEFAULT_SERVER: &str = "localhost:9092";

/// Pause between two samples, unless told.
const INTERVAL_MS: u64 = 2_000;

/// Width of the frame that `--once` prints.
const ONCE_WIDTH: u16 = 120;

/// The options.
pub(crate) fn command() -> Command {
    Command::new("top")
        .arg(value(
            "bootstrap-server",
            "host:port,...",
            "Nodes to begin with; localhost:9092 unless given.",
        ))
        .arg(value(
            "command-config",
            "file",
            "Properties file for the client.",
        ))
        .arg(value(
            "interval",
            "ms",
            "Pause between two samples; 2000 unless given.",
        ))
        .arg(flag("once", "Print one frame and end; so does a pipe."))
        .after_help(
            "Examples:\n  ottla top\n  ottla top --bootstrap-server kafka1:9092 --interval 500\n  \
             ottla top --once\n\nKeys: q ends, p pauses, arrows scroll.",
        )
}

/// Runs the tool. No arguments are needed, so an empty command line is no call for help.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let defaults = ["--interval".to_owned(), INTERVAL_MS.to_string()];
    let args = if args.is_empty() { &defaults } else { args };
    usage::run(
        command(),
        "Watch a cluster: throughput, lag, nodes, partitions that need attention.",
        args,
        top,
    )
}

fn top(options: &Options) -> Result<ExitCode, Failure> {
    let interval = options.number("interval")?.unwrap_or(INTERVAL_MS).max(100);
    let interval = Duration::from_millis(interval);
    let servers = options.value("bootstrap-server")?.unwrap_or(DEFAULT_SERVER);
    let mut admin = client::admin_with(options, servers)?;
    let first = sample::take(&mut admin)?;
    if options.has("once") || !stdout().is_terminal() {
        // Rates need two looks.
        std::thread::sleep(interval);
        let second = sample::take(&mut admin)?;
        let view = View::new(servers, Some(first), second);
        output::text(&view.plain(ONCE_WIDTH));
        return Ok(ExitCode::SUCCESS);
    }
    let mut terminal = ratatui::try_init().map_err(|error| error.to_string())?;
    let end = watch(&mut terminal, &mut admin, servers, first, interval);
    ratatui::restore();
    end?;
    Ok(ExitCode::SUCCESS)
}

/// Draws until the user has seen enough.
fn watch(
    terminal: &mut ratatui::DefaultTerminal,
    admin: &mut Admin,
    servers: &str,
    first: Sample,
    interval: Duration,
) -> Result<(), Failure> {
    let mut view = View::new(servers, None, first);
    let mut due = Instant::now() + interval;
    loop {
        terminal
            .draw(|frame| view.draw(frame))
            .map_err(|error| error.to_string())?;
        let wait = due.saturating_duration_since(Instant::now());
        if event::poll(wait).map_err(|error| error.to_string())? {
            let event = event::read().map_err(|error| error.to_string())?;
            if let Event::Key(key) = event
                && key.kind != KeyEventKind::Release
            {
                match key.code {
                    KeyCode::Char('q') | KeyCode::Esc => return Ok(()),
                    KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => {
                        return Ok(());
                    }
                    KeyCode::Char('p') => view.paused = !view.paused,
                    KeyCode::Down => view.scroll = view.scroll.saturating_add(1),
                    KeyCode::Up => view.scroll = view.scroll.saturating_sub(1),
                    _ => {}
                }
            }
            continue;
        }
        due = Instant::now() + interval;
        if !view.paused {
            match sample::take(admin) {
                Ok(sample) => view.next(sample),
                // The cluster may come back; what was seen last stays on the screen.
                Err(error) => view.trouble = Some(error.to_string()),
            }
        }
    }
}
