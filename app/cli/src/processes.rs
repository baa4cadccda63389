//! The processes of this machine, as far as this user may see them.

use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::path::PathBuf;
use std::process::Command;

/// One process.
#[derive(Debug, Clone)]
pub(crate) struct Process {
    /// Its number.
    pub(crate) id: i32,
    /// Its command line, with the program.
    pub(crate) args: Vec<OsString>,
    /// The directory it works in, if that can be known.
    pub(crate) directory: Option<PathBuf>,
}

/// All processes: from `/proc`, or from `ps` on a system that has none.
pub(crate) fn all() -> Vec<Process> {
    match fs::read_dir("/proc") {
        Ok(entries) if fs::exists("/proc/self/cmdline").unwrap_or(false) => entries
            .flatten()
            .filter_map(|entry| of_proc(entry.file_name().to_str()?.parse().ok()?))
            .collect(),
        _ => {
            let output = Command::new("ps").args(["-axo", "pid=,args="]).output();
            let text = output.map(|output| output.stdout).unwrap_or_default();
            of_ps(&String::from_utf8_lossy(&text))
        }
    }
}

/// A process of `/proc`; none if it has gone, or is a thread of the kernel.
fn of_proc(id: i32) -> Option<Process> {
    let line = fs::read(format!("/proc/{id}/cmdline")).ok()?;
    let line = line.strip_suffix(&[0])?;
    Some(Process {
        id,
        args: line
            .split(|byte| *byte == 0)
            .map(|arg| OsString::from_vec(arg.to_vec()))
            .collect(),
        directory: fs::read_link(format!("/proc/{id}/cwd")).ok(),
    })
}

fn of_ps(text: &str) -> Vec<Process> {
    let process = |line: &str| {
        let mut words = line.split_whitespace();
        Some(Process {
            id: words.next()?.parse().ok()?,
            args: words.map(OsString::from).collect(),
            directory: None,
        })
    };
    text.lines().filter_map(process).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_one_of_them() {
        let id = i32::try_from(std::process::id()).unwrap();
        let all = all();
        let own = all.iter().find(|process| process.id == id).unwrap();
        let args: Vec<OsString> = std::env::args_os().collect();
        assert_eq!(own.args, args);
    }

    #[test]
    fn lines_of_ps_are_read() {
        let found = of_ps("    1 /sbin/init\n  20 ottla server start a\nnonsense\n\n");
        let ids: Vec<_> = found.iter().map(|p| (p.id, p.args.len())).collect();
        assert_eq!(ids, [(1, 1), (20, 4)]);
    }
}
