//! Failures that end Kafka's tool with an exception, in the words of Java.

use std::fmt;
use std::io;
use std::path::Path;

/// An exception that nobody catches. Kafka differs: it prints where in its code that happened behind the
/// sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Exception {
    class: &'static str,
    message: String,
}

impl Exception {
    /// An exception of a class, with its package.
    pub(crate) fn new(class: &'static str, message: impl Into<String>) -> Self {
        Self {
            class,
            message: message.into(),
        }
    }

    /// What reading a file failed with.
    pub(crate) fn of_io(path: &Path, error: &io::Error) -> Self {
        let path = path.display();
        match error.kind() {
            io::ErrorKind::NotFound => {
                Self::new("java.nio.file.NoSuchFileException", path.to_string())
            }
            io::ErrorKind::PermissionDenied => {
                Self::new("java.nio.file.AccessDeniedException", path.to_string())
            }
            _ => Self::new("java.io.IOException", format!("{path}: {error}")),
        }
    }
}

impl fmt::Display for Exception {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Exception in thread \"main\" {}", self.class)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        Ok(())
    }
}
