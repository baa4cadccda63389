use std::path::Path;

use crate::{ottla, text};

fn run(args: &[&str]) -> (String, String, Option<i32>) {
    let output = ottla(Path::new("."), args);
    (
        text(&output.stdout),
        text(&output.stderr),
        output.status.code(),
    )
}

#[test]
fn help_is_an_answer_and_a_wrong_line_an_error() {
    for args in [
        &["--help"][..],
        &["help"],
        &["server", "start", "--help"],
        &["storage", "--help"],
        &["storage", "format", "--help"],
    ] {
        let (out, err, code) = run(args);
        assert_eq!((err.as_str(), code), ("", Some(0)), "{args:?}");
        assert!(out.contains("ottla"), "{args:?}: {out}");
    }
    for args in [
        &["nonsense"][..],
        &["storage", "format"],
        &["server", "start", "--nonsense"],
    ] {
        let (out, err, code) = run(args);
        assert_eq!((out.as_str(), code), ("", Some(1)), "{args:?}");
        assert!(err.starts_with("error: "), "{args:?}: {err}");
        assert_eq!(err.lines().count(), 1, "{args:?}: {err}");
    }
}

#[test]
fn the_version_is_one_line() {
    let (out, _, code) = run(&["--version"]);
    assert_eq!(code, Some(0));
    assert!(
        out.starts_with("ottla 0.") && out.lines().count() == 1,
        "{out}"
    );
}
