//! Questions that a tool asks before it does what cannot be taken back.

use std::io::{BufRead as _, Read as _, stdin};

use super::output;

/// Most bytes of an answer that are read.
const ANSWER_MAX: u64 = 1024;

/// Prints a question and reads the answer from standard input: whether it is `y`. No answer is a no.
pub(crate) fn yes(question: &str) -> bool {
    output::line(question);
    output::flush();
    let mut answer = Vec::new();
    let read = stdin()
        .lock()
        .take(ANSWER_MAX)
        .read_until(b'\n', &mut answer);
    read.is_ok() && is_yes(&answer)
}

fn is_yes(answer: &[u8]) -> bool {
    let line = answer.strip_suffix(b"\n").unwrap_or(answer);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    line.eq_ignore_ascii_case(b"y")
}

#[cfg(test)]
mod tests {
    #[test]
    fn only_y_is_a_yes() {
        let check = |answer: &[u8], expected| assert_eq!(super::is_yes(answer), expected);
        check(b"y\n", true);
        check(b"Y\r\n", true);
        check(b"y", true);
        check(b"", false);
        check(b"yes\n", false);
        check(b"n\n", false);
        check(b"\xff\n", false);
    }
}
