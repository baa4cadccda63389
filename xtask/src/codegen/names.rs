//! Kafka's names to Rust's.

/// `KRaftVersion` to `KraftVersion`, so that it reads as one word in snake case.
pub(super) fn type_name(name: &str) -> String {
    name.replace("KRaft", "Kraft")
}

/// `ThrottleTimeMs` to `throttle_time_ms`.
pub(super) fn snake(name: &str) -> String {
    let chars: Vec<char> = type_name(name).chars().collect();
    let mut out = String::new();
    for (index, one) in chars.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|index| chars.get(index));
        let after = chars.get(index + 1);
        let new_word = one.is_ascii_uppercase()
            && before.is_some_and(|before| {
                !before.is_ascii_uppercase() || after.is_some_and(char::is_ascii_lowercase)
            });
        if new_word {
            out.push('_');
        }
        out.push(one.to_ascii_lowercase());
    }
    out
}

/// The name of a struct's field; Rust's own words are escaped.
pub(super) fn field(name: &str) -> String {
    let name = snake(name);
    match name.as_str() {
        "type" | "match" | "ref" | "move" | "use" => format!("r#{name}"),
        _ => name,
    }
}

/// Whether `word` stands in `text` as a variable of its own, not as a field or a part of a longer name.
pub(super) fn has_word(text: &str, word: &str) -> bool {
    let part = |one: char| one.is_ascii_alphanumeric() || one == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(|one| part(one) || one == '.') && !after.is_some_and(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found() {
        let check = |name: &str, expected: &str| assert_eq!(snake(name), expected);
        check("ThrottleTimeMs", "throttle_time_ms");
        check("timeoutMs", "timeout_ms");
        check("KRaftVersionRecord", "kraft_version_record");
        check("BrokerIDs", "broker_i_ds");
        check("ISRChange", "isr_change");
        assert_eq!(field("Type"), "r#type");
        assert!(has_word("if version >= 3", "version"));
        assert!(!has_word("self.version, min_version, versions", "version"));
    }
}
