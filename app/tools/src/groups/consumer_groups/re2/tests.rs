//! Expressions that RE2 takes, and those that it refuses.

use super::*;

#[test]
fn expressions_of_re2_are_taken() {
    for regex in [
        "",
        "a.*b",
        "(?<n>x)",
        "(?P<n>a)",
        "(?i-s:a)",
        "(?)",
        "(?is)",
        "(?i-s)",
        "[a-]",
        "[]a]",
        "[^]a]",
        "[\\d-a]",
        "[a-b-c]",
        "[--a]",
        "[[:^alpha:]]",
        "[[:alpha]",
        "[\\pL]",
        "[\\x{41}]",
        "[\\é]",
        "a*?",
        "a{1}?",
        "a{1,}",
        "a{,2}",
        "a{01}",
        "a{",
        "a{1,2",
        "a|",
        "(|a)",
        "^*",
        "()*",
        "\\0",
        "\\08",
        "\\12",
        "\\777",
        "\\x{10FFFF}",
        "\\P{^Lu}",
        "\\p{Han}",
        "\\Q",
        "\\Q*\\E*",
        "\\Qab",
        "\\z",
        "\\é",
        "\\<",
        "(a*)*",
        "[^^]",
        "(a{1000}){1000}",
        "a(?i)*",
    ] {
        assert_eq!(check(regex), Ok(()), "{regex}");
    }
}

#[test]
fn what_re2_refuses_gets_its_words() {
    let check = |expected: &str, regexes: &[&str]| {
        for regex in regexes {
            let error = check(regex).expect_err("RE2 refuses it");
            assert_eq!(error.to_string(), expected, "{regex}");
        }
    };
    check("missing closing )", &["a(b", "(?:", "((a)", "(?P<n>a"]);
    check(
        "missing closing ]",
        &["[a", "[a-", "[]", "[a-z", "[[:alpha:", "[\\]"],
    );
    check("regexp/syntax: internal error", &[")", "(a))"]);
    check(
        "invalid or unsupported Perl syntax",
        &[
            "(?=x)",
            "(?P=n)",
            "(?P",
            "(?",
            "(?i",
            "(?i--s:a)",
            "(?-)",
            "(?i-)",
            "(?x)a",
        ],
    );
    check(
        "invalid named capture",
        &["(?<=x)", "(?P<>a)", "(?P<n n>a)", "(?P<n"],
    );
    check("duplicate capture group name", &["(?<n>x)(?<n>y)"]);
    check(
        "invalid character class range",
        &[
            "[z-a]",
            "[[:foo:]]",
            "\\p",
            "\\pX",
            "\\p{",
            "\\p{Foo}",
            "[\\p{Foo}]",
        ],
    );
    check(
        "invalid escape sequence",
        &[
            "[a-\\d]",
            "[\\b]",
            "\\8",
            "\\1",
            "\\x",
            "\\x4",
            "\\x{}",
            "\\x{110000}",
            "\\C",
            "\\Z",
        ],
    );
    check("trailing backslash at end of expression", &["\\", "[\\"]);
    check(
        "invalid nested repetition operator",
        &["a**", "a*??", "a*+", "a{1}*", "a{1}{2}", "^**"],
    );
    check(
        "invalid repeat count",
        &["a{2,1}", "a{1001}", "a{99999999999}"],
    );
    check(
        "missing argument to repetition operator",
        &["*a", "{1}a", "a|*", "(*)", "(?i)*"],
    );
}
