//! Ottla as its clients see it.
#![expect(
    clippy::print_stdout,
    reason = "the table of results is what a reader wants"
)]

mod differential;
mod node;
mod waiting;
