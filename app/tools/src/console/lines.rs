//! Lines of standard input, read on a thread of their own so that signals and answers are not kept
//! waiting by a terminal.

use std::io::{BufRead, BufReader, Read};

use tokio::sync::mpsc;

/// Bytes of lines that are handed over at once, about.
const CHUNK_BYTES: usize = 64 * 1024;
/// Chunks that wait for the producer, at most. At the limit the thread stops reading.
const CHUNKS_MAX: usize = 4;

/// A line without its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// What it says, up to the limit of the reader.
    pub(crate) bytes: Vec<u8>,
    /// How long it was. More than `bytes` has if it was over the limit.
    pub(crate) length: usize,
}

/// Lines as they arrive.
pub(crate) type Chunk = std::io::Result<Vec<Line>>;

/// Reads lines until the end of the input. Of a line longer than `max` bytes only its beginning is kept.
///
/// # Errors
/// If the host has no more threads.
pub(crate) fn read(
    input: impl Read + Send + 'static,
    max: usize,
) -> std::io::Result<mpsc::Receiver<Chunk>> {
    let (sender, receiver) = mpsc::channel(CHUNKS_MAX);
    ottla_env::spawn_thread("lines", move || {
        let mut input = Lines::new(BufReader::with_capacity(CHUNK_BYTES, input), max);
        loop {
            let chunk = input.chunk();
            let last = !matches!(&chunk, Ok(lines) if !lines.is_empty());
            if matches!(&chunk, Ok(lines) if lines.is_empty())
                || sender.blocking_send(chunk).is_err()
                || last
            {
                return;
            }
        }
    })?;
    Ok(receiver)
}

/// Cuts an input into lines: a line ends with `\n`, `\r` or `\r\n`, as Java's readers see it.
struct Lines<R> {
    input: R,
    max: usize,
    line: Line,
    /// Whether a line has begun.
    begun: bool,
    /// Whether the last line ended with `\r`, so that a `\n` that follows belongs to it.
    after_return: bool,
}

impl<R: BufRead> Lines<R> {
    fn new(input: R, max: usize) -> Self {
        Self {
            input,
            max,
            line: Line {
                bytes: Vec::new(),
                length: 0,
            },
            begun: false,
            after_return: false,
        }
    }

    /// The lines that are there; waits for at least one. None at the end of the input.
    fn chunk(&mut self) -> Chunk {
        let mut out = Vec::new();
        loop {
            let buffer = match self.input.fill_buf() {
                Ok(buffer) => buffer,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            if buffer.is_empty() {
                if self.begun {
                    self.begun = false;
                    out.push(take(&mut self.line));
                }
                return Ok(out);
            }
            let used = buffer.len();
            let mut rest = buffer;
            if std::mem::take(&mut self.after_return) {
                rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            }
            while !rest.is_empty() {
                let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
                let (part, after) = rest.split_at(end.unwrap_or(rest.len()));
                let room = self
                    .max
                    .saturating_sub(self.line.bytes.len())
                    .min(part.len());
                self.line
                    .bytes
                    .extend_from_slice(part.get(..room).unwrap_or(part));
                self.line.length = self.line.length.saturating_add(part.len());
                self.begun = true;
                rest = after;
                if end.is_some() {
                    self.begun = false;
                    out.push(take(&mut self.line));
                    rest = match rest {
                        [b'\r', b'\n', after @ ..] => after,
                        [b'\r'] => {
                            self.after_return = true;
                            &[]
                        }
                        [_, after @ ..] => after,
                        [] => &[],
                    };
                }
            }
            self.input.consume(used);
            if !out.is_empty() {
                return Ok(out);
            }
        }
    }
}

fn take(line: &mut Line) -> Line {
    std::mem::replace(
        line,
        Line {
            bytes: Vec::new(),
            length: 0,
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str, buffer: usize, max: usize) -> Vec<(String, usize)> {
        let mut input = Lines::new(BufReader::with_capacity(buffer, text.as_bytes()), max);
        let mut out = Vec::new();
        loop {
            let chunk = input.chunk().expect("no error");
            if chunk.is_empty() {
                return out;
            }
            out.extend(chunk.into_iter().map(|line| {
                (
                    String::from_utf8_lossy(&line.bytes).into_owned(),
                    line.length,
                )
            }));
        }
    }

    #[test]
    fn lines_end_as_in_java_however_they_arrive() {
        let check = |text: &str, expected: &[&str]| {
            for buffer in [1, 2, 3, 100] {
                let got: Vec<_> = lines(text, buffer, 100)
                    .into_iter()
                    .map(|(line, _)| line)
                    .collect();
                assert_eq!(got, expected, "{text:?} by {buffer}");
            }
        };
        check("", &[]);
        check("a", &["a"]);
        check("a\nb\n", &["a", "b"]);
        check("a\r\nb\rc\n\nd", &["a", "b", "c", "", "d"]);
        check("\n", &[""]);
        check("a\r", &["a"]);
        check("\r\r\n\n", &["", "", ""]);
    }

    #[test]
    fn a_line_without_end_is_counted_and_not_kept() {
        assert_eq!(
            lines("abcdef\ng\n", 2, 4),
            [("abcd".to_owned(), 6), ("g".to_owned(), 1)]
        );
    }
}
