//! The one place that prints.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command's answer goes here"
)]

use std::io::{IsTerminal as _, stdout};

use clap::builder::StyledStr;

/// Prints a line of a command's answer.
pub(crate) fn line(text: &str) {
    println!("{text}");
}

/// Prints a line about what went wrong.
pub(crate) fn error_line(text: &str) {
    eprintln!("{text}");
}

/// Prints help, with colours on a terminal.
pub(crate) fn styled(text: &StyledStr) {
    if stdout().is_terminal() {
        print!("{}", text.ansi());
    } else {
        print!("{text}");
    }
}

/// Prints text as it is. A reader that has gone ends it, as `head` does.
pub(crate) fn text(text: &str) {
    use std::io::Write as _;
    // Nothing can be said to nobody.
    let _ = stdout().lock().write_all(text.as_bytes());
}
