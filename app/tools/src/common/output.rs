//! The one place that prints.
//!
//! Output goes through a buffer, because a tool may print a million lines. A reader that goes away, as
//! `head` does, ends the program without a word.

use std::cell::RefCell;
use std::io::{BufWriter, ErrorKind, IsTerminal as _, Stdout, Write as _, stderr, stdout};

thread_local! {
    static OUT: RefCell<BufWriter<Stdout>> = RefCell::new(BufWriter::with_capacity(64 * 1024, stdout()));
}

/// Prints text to standard output, without an end of line.
pub(crate) fn text(text: &str) {
    bytes(text.as_bytes());
}

/// Prints a line to standard output.
pub(crate) fn line(line: &str) {
    text(line);
    text("\n");
}

/// Writes bytes to standard output as they are.
pub(crate) fn bytes(bytes: &[u8]) {
    OUT.with_borrow_mut(|out| check(out.write_all(bytes)));
}

/// Writes bytes to standard output and sends them on their way, for a tool that has something to tidy up
/// when nobody reads them any more.
///
/// # Errors
/// If they cannot be written.
pub(crate) fn try_bytes(bytes: &[u8]) -> std::io::Result<()> {
    OUT.with_borrow_mut(|out| {
        out.write_all(bytes)?;
        out.flush()
    })
}

/// Sends what was printed on its way. Needed before waiting for anything that may take long, and done by
/// everything here that ends a program or writes to standard error.
pub(crate) fn flush() {
    OUT.with_borrow_mut(|out| check(out.flush()));
}

/// Prints a line to standard error.
pub(crate) fn error_line(line: &str) {
    flush();
    // Where standard error is gone, there is nobody left to tell.
    let _ = writeln!(stderr(), "{line}");
}

/// Prints a warning as Kafka's tools log it.
pub(crate) fn warn(text: &str) {
    error_line(&format!("WARN {text}"));
}

/// Prints help, with colours on a terminal.
pub(crate) fn help(command: &mut clap::Command) {
    let page = command.render_help();
    if stdout().is_terminal() {
        text(&page.ansi().to_string());
    } else {
        text(&page.to_string());
    }
}

/// A reader that has gone ends the program; nothing else can be done about output that fails.
fn check(result: std::io::Result<()>) {
    if let Err(error) = result {
        if error.kind() == ErrorKind::BrokenPipe {
            std::process::exit(0);
        }
        let _ = writeln!(stderr(), "the output cannot be written: {error}");
        std::process::exit(1);
    }
}
