//! What `cargo xtask tidy` looks for in a source file, line by line.

/// Longest source file outside `generated/`.
const LINES_MAX: usize = 800;

/// Starts of threads and tasks that have no policy for a panic.
const SPAWNS: &[&str] = &[
    "tokio::spawn(",
    "task::spawn(",
    "spawn_local(",
    "spawn_blocking(",
    "thread::spawn(",
    "thread::Builder",
];

/// Whether `name` is code of the program, and not of its tests and tools.
fn is_program(name: &str) -> bool {
    let tool = ["tests/", "bench/", "xtask/", "sim/"];
    !tool.iter().any(|folder| name.starts_with(folder)) && !name.contains("/tests/")
}

/// Adds a line to `findings` for each rule that the file breaks. `name` is relative to the root.
pub(crate) fn check(name: &str, text: &str, findings: &mut Vec<String>) {
    if name.contains("/generated/") || name == "xtask/src/source_rules.rs" {
        return;
    }
    let lines = text.lines().count();
    if lines > LINES_MAX {
        findings.push(format!("{name}: {lines} lines, more than {LINES_MAX}"));
    }
    let is_test = name.ends_with("/tests.rs");
    if name.contains("/src/") && !is_test && !text.starts_with("//!") {
        findings.push(format!("{name}: does not begin by saying what it is for"));
    }
    for (number, line) in text.lines().enumerate() {
        let code = line.trim_start();
        if code.starts_with("//") {
            continue;
        }
        let mut say = |what: &str| findings.push(format!("{name}:{}: {what}", number + 1));
        if code.contains("#[ignore") || code.contains("#[should_panic") {
            say("a test is run or deleted; a panic is not an interface");
        }
        if code.starts_with("#[allow") || code.starts_with("#![allow") {
            say("`#[expect(lint, reason = \"...\")]` instead of `allow`");
        }
        let spawns = SPAWNS.iter().any(|spawn| code.contains(spawn));
        if spawns && is_program(name) && !name.starts_with("io/env/") {
            say("threads and tasks start in io/env only, where a panic has a policy");
        }
        if code.contains("select! {") {
            let next = text.lines().nth(number + 1).unwrap_or_default();
            if !next.contains("biased;") {
                say("`select!` without `biased;` is random");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_find_what_they_are_for() {
        let finds = |name: &str, text: &str, finding: &str| {
            let mut findings = Vec::new();
            check(name, text, &mut findings);
            assert!(findings.iter().any(|f| f.contains(finding)), "{findings:?}");
        };
        finds("app/x.rs", &"\n".repeat(LINES_MAX + 1), "lines");
        finds("app/x/src/a.rs", "use std::fs;\n", "what it is for");
        finds("app/x.rs", "    #[ignore = \"slow\"]", "run or deleted");
        finds("app/x.rs", "#[allow(dead_code)]", "expect");
        finds("app/x.rs", "tokio::spawn(f());", "io/env");
        finds("app/x.rs", "std::thread::spawn(f);", "io/env");
        finds("app/x.rs", "tokio::select! {\n  a => {}", "biased");
    }

    #[test]
    fn what_is_in_order_is_left_alone() {
        let mut none = Vec::new();
        check("app/x.rs", "tokio::select! {\n  biased;\n", &mut none);
        check("io/env/x.rs", "tokio::spawn(f());", &mut none);
        check(
            "app/server/tests/it/x.rs",
            "std::thread::spawn(f);",
            &mut none,
        );
        check("app/x/src/a.rs", "//! A file.\n// #[ignore]\n", &mut none);
        check("wire/generated/a.rs", "#[allow(x)]", &mut none);
        assert!(none.is_empty(), "{none:?}");
    }
}
