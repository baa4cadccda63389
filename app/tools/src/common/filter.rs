//! Topics chosen by a regular expression, as `--topic` of several tools takes one.

use fancy_regex::Regex;

/// Topics whose whole name an expression matches.
#[derive(Debug)]
pub(crate) struct TopicFilter {
    regex: Regex,
}

impl TopicFilter {
    /// Reads an expression. As in Kafka's tools a comma stands for `|`, blanks are dropped, and quotes
    /// around it too.
    ///
    /// # Errors
    /// What Kafka's tools say of an expression that is none.
    pub(crate) fn new(text: &str) -> Result<Self, String> {
        let text: String = text
            .trim()
            .chars()
            .filter(|c| *c != ' ')
            .map(|c| if c == ',' { '|' } else { c })
            .collect();
        let text = text.trim_matches(['"', '\'']);
        // Alone first: within the group below, `a)(b` would be one.
        let regex = Regex::new(text)
            .and_then(|_| Regex::new(&format!(r"\A(?:{text})\z")))
            .ok()
            .filter(|_| braces_repeat(text))
            .ok_or_else(|| format!("{text} is an invalid regex."))?;
        Ok(Self { regex })
    }

    /// Whether a topic is chosen.
    pub(crate) fn matches(&self, topic: &str) -> bool {
        // An expression that backtracks without end matches nothing.
        self.regex.is_match(topic).unwrap_or(false)
    }
}

/// Whether every brace that stands for itself to this library is one to Java as well: there it always
/// repeats or names something.
fn braces_repeat(text: &str) -> bool {
    let mut in_class = false;
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match c {
            '\\' => {
                let named = matches!(chars.next(), Some('p' | 'P' | 'x' | 'N' | 'k'));
                if named && chars.as_str().starts_with('{') {
                    let _ = chars.by_ref().find(|c| *c == '}');
                }
            }
            '[' => in_class = true,
            ']' => in_class = false,
            '{' if !in_class => {
                let count = chars.as_str().split('}').next().unwrap_or_default();
                if count.is_empty() || !count.chars().all(|c| c.is_ascii_digit()) {
                    return false;
                }
            }
            _ => {}
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expressions_choose_whole_names() {
        let check = |text: &str, topic: &str, expected: bool| {
            let filter = TopicFilter::new(text).expect("right");
            assert_eq!(filter.matches(topic), expected, "{text} {topic}");
        };
        check("a", "a", true);
        check("a", "ab", false);
        check("a.*", "a.b", true);
        check("a,b", "b", true);
        check("a|b", "ab", false);
        check(" a ", "a", true);
        check("\"a\"", "a", true);
        check("(?!__).*", "__consumer_offsets", false);
        check("(?!__).*", "other", true);
        check("", "a", false);
        check("a{2}", "aa", true);
        check(r"\p{Lower}", "a", true);
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        let check = |text: &str, expected: &str| {
            let error = TopicFilter::new(text).expect_err("wrong");
            assert_eq!(error, expected, "{text}");
        };
        check("[", "[ is an invalid regex.");
        check("(", "( is an invalid regex.");
        check("*", "* is an invalid regex.");
        check("a)(b", "a)(b is an invalid regex.");
        check("a{1,2}", "a{1|2} is an invalid regex.");
        check("a{x", "a{x is an invalid regex.");
    }
}
