//! `ottla storage random-uuid`.

use ottla_env::{OsRng, Rng as _};

use crate::output;

/// Prints a random id.
pub(crate) fn run() {
    output::line(&OsRng.uuid().to_string());
}
