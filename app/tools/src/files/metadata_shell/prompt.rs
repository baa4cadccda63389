//! The conversation: a prompt with line editing on a terminal, plain lines otherwise.

use std::io::{BufRead as _, IsTerminal as _, stdin, stdout};

use rustyline::completion::Completer;
use rustyline::error::ReadlineError;
use rustyline::highlight::Highlighter;
use rustyline::hint::Hinter;
use rustyline::history::MemHistory;
use rustyline::validate::Validator;
use rustyline::{Context, Editor, Helper};

use super::commands::{After, State};
use super::tree::Node;
use crate::common::output;

const PROMPT: &str = ">> ";

/// Talks until the user has enough.
pub(super) fn converse(root: Node) {
    let is_terminal = stdin().is_terminal() && stdout().is_terminal();
    if is_terminal && edited(root.clone()).is_ok() {
        return;
    }
    let mut state = State::new(root, true, None);
    let mut lines = stdin().lock().lines();
    loop {
        output::text(PROMPT);
        output::flush();
        match lines.next() {
            Some(Ok(line)) if state.line(&line, &mut output::line) == After::Continue => {}
            _ => break,
        }
    }
}

/// With line editing.
///
/// # Errors
/// If the terminal cannot be set up.
fn edited(root: Node) -> rustyline::Result<()> {
    let mut editor: Editor<Tab, MemHistory> =
        Editor::with_history(rustyline::Config::default(), MemHistory::new())?;
    let width = terminal_width();
    editor.set_helper(Some(Tab(State::new(root, true, width))));
    output::flush();
    loop {
        match editor.readline(PROMPT) {
            Ok(line) => {
                editor.add_history_entry(line.as_str())?;
                let Some(Tab(state)) = editor.helper_mut() else {
                    return Ok(());
                };
                let after = state.line(&line, &mut output::line);
                output::flush();
                if after == After::Exit {
                    return Ok(());
                }
            }
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// Columns of the terminal.
fn terminal_width() -> Option<usize> {
    let (width, _) = ratatui::crossterm::terminal::size().ok()?;
    Some(usize::from(width)).filter(|width| *width > 0)
}

/// Completes commands and paths.
struct Tab(State);

impl Helper for Tab {}
impl Hinter for Tab {
    type Hint = String;
}
impl Highlighter for Tab {}
impl Validator for Tab {}
impl Completer for Tab {
    type Candidate = String;

    fn complete(
        &self,
        line: &str,
        at: usize,
        _: &Context<'_>,
    ) -> rustyline::Result<(usize, Vec<String>)> {
        let line = line.get(..at).unwrap_or(line);
        let start = line.rfind(' ').map_or(0, |at| at + 1);
        Ok((start, self.0.completions(line)))
    }
}
