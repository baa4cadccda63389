//! The tree that the shell walks: directories with names in order, and leaves with a text.

use std::collections::BTreeMap;

/// One node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Node {
    /// Has other nodes.
    Directory(BTreeMap<String, Node>),
    /// Has a text.
    Leaf(String),
}

impl Node {
    /// A directory of these nodes.
    pub(super) fn directory<N: Into<String>>(nodes: impl IntoIterator<Item = (N, Node)>) -> Self {
        Self::Directory(
            nodes
                .into_iter()
                .map(|(name, node)| (name.into(), node))
                .collect(),
        )
    }

    /// A leaf with a text.
    pub(super) fn leaf(text: &(impl ToString + ?Sized)) -> Self {
        Self::Leaf(text.to_string())
    }

    /// The nodes in a directory; none in a leaf.
    pub(super) fn children(&self) -> impl Iterator<Item = (&str, &Node)> {
        let children = match self {
            Self::Directory(children) => Some(children),
            Self::Leaf(_) => None,
        };
        children
            .into_iter()
            .flatten()
            .map(|(name, node)| (name.as_str(), node))
    }
}

/// A node that a path found.
#[derive(Debug, Clone)]
pub(super) struct Found<'a> {
    /// Where it is, from the root.
    pub(super) path: Vec<String>,
    /// The node.
    pub(super) node: &'a Node,
}

impl Found<'_> {
    /// Its name; that of the root is a slash.
    pub(super) fn name(&self) -> &str {
        self.path.last().map_or("/", String::as_str)
    }
}

/// A path from the root as text.
pub(super) fn path_text(path: &[String]) -> String {
    format!("/{}", path.join("/"))
}

/// Every node that a path names, seen from `from`; its parts may be patterns.
pub(super) fn find<'a>(root: &'a Node, from: &[String], path: &str) -> Vec<Found<'a>> {
    let mut parts: Vec<String> = if path.starts_with('/') {
        Vec::new()
    } else {
        from.to_vec()
    };
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            name => parts.push(name.to_owned()),
        }
    }
    let mut found = vec![Found {
        path: Vec::new(),
        node: root,
    }];
    for part in &parts {
        let patterns = alternatives(part);
        let step = |at: &Found<'a>| -> Vec<Found<'a>> {
            // A name is taken as it is before it is taken for a pattern.
            let Node::Directory(children) = at.node else {
                return Vec::new();
            };
            children
                .iter()
                .filter(|(name, _)| *name == part || patterns.iter().any(|p| matches(p, name)))
                .map(|(name, node)| {
                    let mut path = at.path.clone();
                    path.push(name.clone());
                    Found { path, node }
                })
                .collect()
        };
        found = found.iter().flat_map(step).collect();
    }
    found
}

/// Patterns that one with braces stands for; at most this many.
const ALTERNATIVES_MAX: usize = 1_000;

/// `a{b,c}` stands for `ab` and `ac`.
fn alternatives(pattern: &str) -> Vec<String> {
    let mut all = vec![pattern.to_owned()];
    while let Some(at) = all.iter().position(|text| group(text).is_some()) {
        let text = all.remove(at);
        if let Some((head, choices, tail)) = group(&text) {
            let choices = choices
                .split(',')
                .map(|choice| format!("{head}{choice}{tail}"));
            all.extend(choices);
        }
        all.truncate(ALTERNATIVES_MAX);
    }
    all
}

/// The first group in braces that has no other inside, with what stands before and behind it.
fn group(text: &str) -> Option<(&str, &str, &str)> {
    let close = text.find('}')?;
    let open = text.get(..close)?.rfind('{')?;
    Some((
        text.get(..open)?,
        text.get(open + 1..close)?,
        text.get(close + 1..)?,
    ))
}

/// Whether a name fits a pattern of `*` and `?`. The work grows with the product of the lengths.
fn matches(pattern: &str, name: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    // Which beginnings of the pattern fit what was read of the name.
    let mut fits = vec![false; pattern.len() + 1];
    let through_stars = |fits: &mut Vec<bool>| {
        for (at, char) in pattern.iter().enumerate() {
            if *char == '*'
                && fits.get(at) == Some(&true)
                && let Some(next) = fits.get_mut(at + 1)
            {
                *next = true;
            }
        }
    };
    if let Some(first) = fits.first_mut() {
        *first = true;
    }
    through_stars(&mut fits);
    for char in name.chars() {
        let mut next = vec![false; pattern.len() + 1];
        for (at, wanted) in pattern.iter().enumerate() {
            if fits.get(at) != Some(&true) {
                continue;
            }
            let place = if *wanted == '*' { at } else { at + 1 };
            let is_right = *wanted == '*' || *wanted == '?' || *wanted == char;
            if let (true, Some(place)) = (is_right, next.get_mut(place)) {
                *place = true;
            }
        }
        through_stars(&mut next);
        fits = next;
    }
    fits.last() == Some(&true)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Node {
        let topics = ["bar.baz", "foo", "fou"].map(|name| (name, Node::leaf(name)));
        Node::directory([
            (
                "image",
                Node::directory([("topics", Node::directory(topics))]),
            ),
            ("local", Node::directory([("version", Node::leaf("1"))])),
        ])
    }

    #[test]
    fn paths_are_walked_with_patterns() {
        let root = sample();
        let from = ["image".to_owned()];
        for (path, expected) in [
            ("/", vec!["/"]),
            ("", vec!["/image"]),
            (".", vec!["/image"]),
            ("..", vec!["/"]),
            ("../../..", vec!["/"]),
            ("topics/f*", vec!["/image/topics/foo", "/image/topics/fou"]),
            ("topics/f?o", vec!["/image/topics/foo"]),
            ("/*/*/fo[ou]", vec![]),
            (
                "/image//topics/./{foo,bar*}",
                vec!["/image/topics/bar.baz", "/image/topics/foo"],
            ),
            ("topics/foo/x", vec![]),
            ("nope", vec![]),
            ("../l*l/*", vec!["/local/version"]),
        ] {
            let found = find(&root, &from, path);
            let paths: Vec<_> = found.iter().map(|found| path_text(&found.path)).collect();
            assert_eq!(paths, expected, "{path}");
        }
    }

    #[test]
    fn patterns_take_time_in_proportion() {
        assert!(matches("a*b?c", "axxbyc"));
        assert!(matches("*", ""));
        assert!(!matches("a*b", "ac"));
        let pattern = "*a".repeat(200);
        assert!(!matches(&pattern, &"a".repeat(150)));
        assert!(alternatives(&"{a,b}".repeat(20)).len() <= ALTERNATIVES_MAX);
        let mut found = alternatives("x{a,b{c,d}}");
        found.sort_unstable();
        found.dedup();
        assert_eq!(found, ["xa", "xbc", "xbd"]);
    }
}
