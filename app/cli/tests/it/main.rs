//! The `ottla` program as a user runs it.

mod help;
mod scripts;
mod storage;

use std::path::Path;
use std::process::{Command, Output};

/// Runs the program in `dir`.
fn ottla(dir: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ottla"))
        .args(args)
        .current_dir(dir)
        .output()
        .expect("the program is built with the test")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("the program prints UTF-8")
}
