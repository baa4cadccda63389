use std::collections::BTreeMap;

use ottla_config::{parse_properties, write_properties};
use proptest::prelude::*;

const JAVA: &str = include_str!("../data/properties.tsv");

fn from_hex(text: &str) -> Vec<u8> {
    let digit = |i: usize| u8::from_str_radix(&text[i..i + 2], 16).expect("two digits");
    (0..text.len()).step_by(2).map(digit).collect()
}

fn to_hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}

#[test]
fn odd_files_are_read_as_java_reads_them() {
    for line in JAVA.lines() {
        let (file, java) = line.split_once('\t').unwrap();
        let bytes = from_hex(file);
        let ours = match parse_properties(&bytes) {
            Err(_) => "error".to_owned(),
            Ok(pairs) => pairs
                .iter()
                .map(|(key, value)| format!("{}={}", to_hex(key), to_hex(value)))
                .collect::<Vec<_>>()
                .join(","),
        };
        assert_eq!(ours, java, "{:?}", String::from_utf8_lossy(&bytes));
    }
}

#[test]
fn names_in_utf8_mean_what_they_show() {
    let pairs = parse_properties("broker.rack=Zürich".as_bytes()).unwrap();
    assert_eq!(pairs["broker.rack"], "Zürich");
}

#[test]
fn an_error_names_its_line() {
    let error = parse_properties(b"a=1\n\n b=2\\\n 3\nc=\\u12").unwrap_err();
    assert_eq!(error.line, 5);
}

#[test]
fn a_written_file_has_javas_escapes() {
    let pairs = BTreeMap::from([("a b".to_owned(), " c=d é😀\n".to_owned())]);
    assert_eq!(
        write_properties(Some("note"), "date", &pairs),
        "#note\n#date\na\\ b=\\ c\\=d \\u00E9\\uD83D\\uDE00\\n\n"
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn what_was_written_is_read_back(
        pairs in prop::collection::btree_map("\\PC{0,12}|[ \t\n\r\\\\=:#!é😀a]{0,8}", "\\PC{0,20}|[ \t\n\r\x0c\\\\=:#!u0]{0,9}", 0..6)
    ) {
        let text = write_properties(None, "date", &pairs);
        prop_assert_eq!(parse_properties(text.as_bytes()).unwrap(), pairs);
    }

    #[test]
    fn no_bytes_are_too_odd(bytes in prop::collection::vec(prop::sample::select(b"ab=: \\\n\r\t#!u00e9\xe9\xc3".to_vec()), 0..40)) {
        let _ = parse_properties(&bytes);
    }
}
