//! The commands of the shell.

use super::tree::{Node, find, path_text};

/// A command with its own page.
struct Page {
    name: &'static str,
    /// What it does.
    help: &'static str,
    /// How it is called, behind its name.
    arguments: &'static str,
    /// Its arguments, one a line.
    positional: &'static str,
}

/// All commands in the order in which they are listed.
const PAGES: [Page; 10] = [
    Page {
        name: "cat",
        help: "Show the contents of metadata files.",
        arguments: "targets [targets ...]",
        positional: "  targets                The metadata files to display.",
    },
    Page {
        name: "cd",
        help: "Set the current working directory.",
        arguments: "[target]",
        positional: "  target                 The directory to change to.",
    },
    Page {
        name: "exit",
        help: "Exit the metadata shell.",
        arguments: "",
        positional: "",
    },
    Page {
        name: "find",
        help: "Search for nodes in the directory hierarchy.",
        arguments: "[paths [paths ...]]",
        positional: "  paths                  The paths to start at.",
    },
    Page {
        name: "help",
        help: "Display this help message.",
        arguments: "",
        positional: "",
    },
    Page {
        name: "history",
        help: "Print command history.",
        arguments: "[numEntriesToShow]",
        positional: "  numEntriesToShow       The number of entries to show.",
    },
    Page {
        name: "ls",
        help: "List metadata nodes.",
        arguments: "[targets [targets ...]]",
        positional: "  targets                The metadata node paths to list.",
    },
    Page {
        name: "man",
        help: "Show the help text for a specific command.",
        arguments: "cmd",
        positional: "  cmd                    The command to get help text for.",
    },
    Page {
        name: "pwd",
        help: "Print the current working directory.",
        arguments: "",
        positional: "",
    },
    Page {
        name: "tree",
        help: "Show the contents of metadata nodes in a tree structure.",
        arguments: "targets [targets ...]",
        positional: "  targets                The metadata nodes to display.",
    },
];

/// The commands that may follow the options of the program.
const ONE_SHOT: [&str; 4] = ["cat", "find", "ls", "tree"];

const HELP: &str = "\
Welcome to the Apache Kafka metadata shell.

usage:  {cat,cd,exit,find,help,history,ls,man,pwd,tree} ...

positional arguments:
  {cat,cd,exit,find,help,history,ls,man,pwd,tree}
    cat                  Show the contents of metadata files.
    cd                   Set the current working directory.
    exit                 Exit the metadata shell.
    find                 Search for nodes in the directory hierarchy.
    help                 Display this help message.
    history              Print command history.
    ls                   List metadata nodes.
    man                  Show the help text for a specific command.
    pwd                  Print the current working directory.
    tree                 Show the contents  of  metadata  nodes  in  a tree
                         structure.";

const OPTIONAL: &str =
    "optional arguments:\n  -h, --help             show this help message and exit";

/// Lines of history that are kept.
const HISTORY_MAX: usize = 10_000;

/// What the shell knows.
pub(super) struct State {
    root: Node,
    directory: Vec<String>,
    history: Vec<String>,
    /// Lines that are not kept any more.
    forgotten: usize,
    /// Whether this is a conversation, or one command.
    is_interactive: bool,
    /// Columns of the terminal; none if the output goes elsewhere.
    width: Option<usize>,
}

/// What is to be done after a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum After {
    /// The next one.
    Continue,
    /// The end.
    Exit,
}

impl State {
    /// At the root of a tree.
    pub(super) fn new(root: Node, is_interactive: bool, width: Option<usize>) -> Self {
        Self {
            root,
            directory: Vec::new(),
            history: Vec::new(),
            forgotten: 0,
            is_interactive,
            width,
        }
    }

    /// Takes a line of a conversation, and does it.
    pub(super) fn line(&mut self, line: &str, print: &mut dyn FnMut(&str)) -> After {
        let words = words(line);
        if words.is_empty() {
            return After::Continue;
        }
        self.history.push(line.trim().to_owned());
        if self.history.len() > HISTORY_MAX {
            self.history.remove(0);
            self.forgotten += 1;
        }
        self.run(&words, print)
    }

    /// Does a command.
    pub(super) fn run(&mut self, words: &[String], print: &mut dyn FnMut(&str)) -> After {
        let Some((name, args)) = words.split_first() else {
            return After::Continue;
        };
        let page = PAGES.iter().find(|page| page.name == name);
        let Some(page) = page.filter(|_| self.is_interactive || ONE_SHOT.contains(&&**name)) else {
            let choices: Vec<String> = PAGES
                .iter()
                .map(|page| page.name)
                .filter(|name| self.is_interactive || ONE_SHOT.contains(name))
                .map(|name| format!("'{name}'"))
                .collect();
            print(&format!(
                "invalid choice: '{name}' (choose from {})",
                choices.join(", ")
            ));
            return After::Continue;
        };
        match positional(page, args) {
            Ok(args) => self.command(page, &args, print),
            Err(text) => {
                print(&text);
                After::Continue
            }
        }
    }

    fn command(&mut self, page: &Page, args: &[String], print: &mut dyn FnMut(&str)) -> After {
        match page.name {
            "exit" => return After::Exit,
            "help" => print(HELP),
            "pwd" => print(&path_text(&self.directory)),
            "cat" => self.cat(args, print),
            "ls" => self.ls(args, print),
            "find" => self.find(args, print),
            "tree" => self.tree(args, print),
            "cd" => self.cd(args.first().map_or("/", String::as_str), print),
            "man" => print(&man(args.first().map_or("", String::as_str))),
            _ => self.show_history(args.first(), print),
        }
        After::Continue
    }

    fn cat(&self, targets: &[String], print: &mut dyn FnMut(&str)) {
        for target in targets {
            let found = find(&self.root, &self.directory, target);
            if found.is_empty() {
                print(&format!("cat: {target}: No such file or directory."));
            }
            for found in found {
                match found.node {
                    Node::Directory(_) => print(&format!("cat: {target}: Is a directory")),
                    Node::Leaf(text) => print(text),
                }
            }
        }
    }

    fn ls(&self, targets: &[String], print: &mut dyn FnMut(&str)) {
        let here = [".".to_owned()];
        let targets = if targets.is_empty() {
            &here[..]
        } else {
            targets
        };
        let mut files = Vec::new();
        let mut directories = Vec::new();
        for target in targets {
            let found = find(&self.root, &self.directory, target);
            if found.is_empty() {
                print(&format!("ls: {target}: no such file or directory."));
            }
            for found in found {
                let name = found.name().to_owned();
                match found.node {
                    Node::Leaf(_) => files.push(name),
                    Node::Directory(children) => {
                        directories.push((name, children.keys().cloned().collect::<Vec<_>>()));
                    }
                }
            }
        }
        columns(&files, self.width)
            .iter()
            .for_each(|line| print(line));
        let has_title = !files.is_empty() || directories.len() > 1;
        let mut is_first = files.is_empty();
        for (name, children) in directories {
            // As with Kafka, an empty directory leaves no trace.
            if children.is_empty() {
                continue;
            }
            if has_title {
                if !is_first {
                    print("");
                }
                print(&format!("{name}:"));
                is_first = false;
            }
            columns(&children, self.width)
                .iter()
                .for_each(|line| print(line));
        }
    }

    fn find(&self, paths: &[String], print: &mut dyn FnMut(&str)) {
        let here = [".".to_owned()];
        let paths = if paths.is_empty() { &here[..] } else { paths };
        for path in paths {
            let found = find(&self.root, &self.directory, path);
            if found.is_empty() {
                print(&format!("find: {path}: no such file or directory."));
            }
            for found in found {
                walk(path, found.node, print);
            }
        }
    }

    fn tree(&self, targets: &[String], print: &mut dyn FnMut(&str)) {
        for target in targets {
            let found = find(&self.root, &self.directory, target);
            if found.is_empty() {
                print(&format!("tree: {target}: No such file or directory."));
            }
            for found in found {
                show_tree(found.node, 0, print);
            }
        }
    }

    fn cd(&mut self, target: &str, print: &mut dyn FnMut(&str)) {
        let found = find(&self.root, &self.directory, target);
        match found.first().map(|found| (found.node, &found.path)) {
            None => print(&format!("cd: {target}: no such directory.")),
            Some((Node::Leaf(_), _)) => print(&format!("cd: {target}: not a directory.")),
            Some((Node::Directory(_), path)) => self.directory = path.clone(),
        }
    }

    fn show_history(&self, count: Option<&String>, print: &mut dyn FnMut(&str)) {
        let count = match count.map(|text| (text, text.parse::<i32>())) {
            None => usize::MAX,
            Some((_, Ok(count))) => usize::try_from(count).unwrap_or(0),
            Some((text, Err(_))) => {
                print(&format!(
                    "argument numEntriesToShow: could not convert '{text}' to Integer (For input \
                     string: \"{text}\")"
                ));
                return;
            }
        };
        let skipped = self.history.len().saturating_sub(count);
        for (number, line) in self.history.iter().enumerate().skip(skipped) {
            print(&format!("{:5}  {line}", number + self.forgotten));
        }
    }

    /// The names that a word, the last of a line, may go on with; each is the whole word.
    pub(super) fn completions(&self, line: &str) -> Vec<String> {
        let start = line.rfind(' ').map_or(0, |at| at + 1);
        let word = line.get(start..).unwrap_or_default();
        if line.get(..start).unwrap_or_default().trim().is_empty() {
            let names = PAGES.iter().map(|page| page.name.to_owned());
            return names.filter(|name| name.starts_with(word)).collect();
        }
        let (folder, begun) = match word.rfind('/') {
            Some(at) => word.split_at(at + 1),
            None => ("", word),
        };
        let found = find(&self.root, &self.directory, folder);
        let Some(found) = found.first() else {
            return Vec::new();
        };
        let mut names = Vec::new();
        for (name, node) in found.node.children() {
            if name.starts_with(begun) {
                let end = if matches!(node, Node::Directory(_)) {
                    "/"
                } else {
                    ""
                };
                names.push(format!("{folder}{name}{end}"));
            }
        }
        names
    }
}

/// The arguments of a command, or what is wrong with them.
fn positional(page: &Page, args: &[String]) -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    let mut is_over = false;
    for arg in args {
        match arg.as_str() {
            "--" if !is_over => is_over = true,
            "-h" | "--help" if !is_over => return Err(own_help(page)),
            option
                if !is_over
                    && option.len() > 1
                    && option.starts_with('-')
                    && option.parse::<f64>().is_err() =>
            {
                return Err(format!("unrecognized arguments: '{option}'"));
            }
            _ => found.push(arg.clone()),
        }
    }
    let (least, most) = match page.arguments {
        "" => (0, 0),
        text if text.starts_with("[target]") || text.starts_with("[num") => (0, 1),
        text if text.starts_with('[') => (0, usize::MAX),
        "cmd" => (1, 1),
        _ => (1, usize::MAX),
    };
    if found.len() < least {
        return Err("too few arguments".to_owned());
    }
    match found.get(most..).and_then(<[String]>::first) {
        Some(extra) => Err(format!("unrecognized arguments: '{extra}'")),
        None => Ok(found),
    }
}

fn own_help(page: &Page) -> String {
    let usage = format!("usage:  {} [-h] {}", page.name, page.arguments);
    let usage = usage.trim_end();
    if page.positional.is_empty() {
        format!("{usage}\n\n{OPTIONAL}")
    } else {
        format!(
            "{usage}\n\npositional arguments:\n{}\n\n{OPTIONAL}",
            page.positional
        )
    }
}

fn man(name: &str) -> String {
    let Some(page) = PAGES.iter().find(|page| page.name == name) else {
        return format!("man: unknown command {name}. Type help to get a list of commands.");
    };
    let usage = format!("{name}: {}\n\nusage: {name} {}", page.help, page.arguments);
    let usage = usage.trim_end();
    if page.positional.is_empty() {
        usage.to_owned()
    } else {
        format!("{usage}\n\npositional arguments:\n{}", page.positional)
    }
}

fn walk(path: &str, node: &Node, print: &mut dyn FnMut(&str)) {
    print(path);
    for (name, child) in node.children() {
        let slash = if path.ends_with('/') { "" } else { "/" };
        walk(&format!("{path}{slash}{name}"), child, print);
    }
}

fn show_tree(node: &Node, depth: usize, print: &mut dyn FnMut(&str)) {
    let indent = "  ".repeat(depth);
    if let Node::Leaf(text) = node {
        print(&format!("{indent}{text}"));
    }
    for (name, child) in node.children() {
        print(&format!("{indent}{name}:"));
        show_tree(child, depth + 1, print);
    }
}

/// Names side by side as far as the width allows, down the columns; one a line without a width.
fn columns(names: &[String], width: Option<usize>) -> Vec<String> {
    /// Blanks between two columns.
    const GAP: usize = 2;
    let Some(width) = width else {
        return names.to_vec();
    };
    let length = |name: &String| name.chars().count();
    for lines in 1..names.len() {
        let widths: Vec<usize> = names
            .chunks(lines)
            .map(|column| column.iter().map(length).max().unwrap_or(0))
            .collect();
        let total = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
        if total > width {
            continue;
        }
        let row = |line: usize| {
            let mut text = String::new();
            for (column, width) in names.chunks(lines).zip(&widths) {
                if let Some(name) = column.get(line) {
                    text.push_str(&format!("{name:width$}{}", " ".repeat(GAP)));
                }
            }
            text.trim_end().to_owned()
        };
        return (0..lines).map(row).collect();
    }
    names.to_vec()
}

/// The words of a line: separated by blanks, with quotes and backslashes as in a shell.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        match (char, quote) {
            ('\\', _) => word
                .get_or_insert_default()
                .extend(chars.next().or(Some('\\'))),
            (char, Some(open)) if char == open => quote = None,
            ('"' | '\'', None) => {
                quote = Some(char);
                word.get_or_insert_default();
            }
            (blank, None) if blank.is_whitespace() => words.extend(word.take()),
            (other, _) => word.get_or_insert_default().push(other),
        }
    }
    words.extend(word);
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(width: Option<usize>) -> State {
        let topic = || Node::directory([("0", Node::leaf("zero")), ("id", Node::leaf("x"))]);
        let root = Node::directory([
            (
                "image",
                Node::directory([
                    ("provenance", Node::leaf("offset 1")),
                    (
                        "topics",
                        Node::directory([("bar", topic()), ("foo", topic())]),
                    ),
                    ("void", Node::directory::<&str>([])),
                ]),
            ),
            ("local", Node::directory([("version", Node::leaf("4"))])),
        ]);
        State::new(root, true, width)
    }

    fn play(state: &mut State, line: &str) -> String {
        let mut out = String::new();
        let after = state.line(line, &mut |text| {
            out.push_str(text);
            out.push('\n');
        });
        assert_eq!(after == After::Exit, line == "exit", "{line}");
        out
    }

    #[test]
    fn a_conversation_goes_as_with_kafkas_shell() {
        let mut state = state(None);
        for (line, expected) in [
            ("", ""),
            ("pwd", "/\n"),
            ("ls", "image\nlocal\n"),
            (
                "ls image local",
                "image:\nprovenance\ntopics\nvoid\n\nlocal:\nversion\n",
            ),
            ("ls image/*", "provenance\n\ntopics:\nbar\nfoo\n"),
            ("ls nope", "ls: nope: no such file or directory.\n"),
            ("cat image", "cat: image: Is a directory\n"),
            (
                "cat image/provenance nope",
                "offset 1\ncat: nope: No such file or directory.\n",
            ),
            ("cat", "too few arguments\n"),
            ("cd nope", "cd: nope: no such directory.\n"),
            (
                "cd image/provenance",
                "cd: image/provenance: not a directory.\n",
            ),
            ("cd \"image/topics\"", ""),
            ("pwd", "/image/topics\n"),
            ("tree f*", "0:\n  zero\nid:\n  x\n"),
            ("find foo", "foo\nfoo/0\nfoo/id\n"),
            ("find ../../local", "../../local\n../../local/version\n"),
            ("tree nope", "tree: nope: No such file or directory.\n"),
            ("cd", ""),
            ("find /local", "/local\n/local/version\n"),
            (
                "nope",
                "invalid choice: 'nope' (choose from 'cat', 'cd', 'exit', 'find', 'help', 'history', 'ls', 'man', 'pwd', 'tree')\n",
            ),
            (
                "man nope",
                "man: unknown command nope. Type help to get a list of commands.\n",
            ),
            (
                "man pwd",
                "pwd: Print the current working directory.\n\nusage: pwd\n",
            ),
            (
                "man cd",
                "cd: Set the current working directory.\n\nusage: cd [target]\n\npositional arguments:\n  target                 The directory to change to.\n",
            ),
            ("pwd extra", "unrecognized arguments: 'extra'\n"),
            (
                "ls -h",
                "usage:  ls [-h] [targets [targets ...]]\n\npositional arguments:\n  targets                The metadata node paths to list.\n\noptional arguments:\n  -h, --help             show this help message and exit\n",
            ),
            ("history 2", "   23  ls -h\n   24  history 2\n"),
            (
                "history x",
                "argument numEntriesToShow: could not convert 'x' to Integer (For input string: \"x\")\n",
            ),
            ("exit", ""),
        ] {
            assert_eq!(play(&mut state, line), expected, "{line}");
        }
    }

    #[test]
    fn one_command_has_fewer_choices() {
        let mut state = State::new(Node::directory::<&str>([]), false, None);
        let mut out = String::new();
        state.run(&["pwd".to_owned()], &mut |text| out.push_str(text));
        assert_eq!(
            out,
            "invalid choice: 'pwd' (choose from 'cat', 'find', 'ls', 'tree')"
        );
    }

    #[test]
    fn names_stand_in_columns_on_a_terminal() {
        let names: Vec<String> = ["a", "bb", "ccc", "d", "e"].map(str::to_owned).to_vec();
        assert_eq!(columns(&names, Some(80)), ["a  bb  ccc  d  e"]);
        assert_eq!(columns(&names, Some(10)), ["a   ccc  e", "bb  d"]);
        assert_eq!(columns(&names, Some(1)), names);
        assert_eq!(columns(&names, None), names);
    }

    #[test]
    fn lines_are_split_as_in_a_shell() {
        for (line, expected) in [
            ("  ls  a ", vec!["ls", "a"]),
            ("ls 'a b' \"c\"d", vec!["ls", "a b", "cd"]),
            ("ls a\\ b", vec!["ls", "a b"]),
            ("\"open end", vec!["open end"]),
            ("''", vec![""]),
            ("   ", vec![]),
        ] {
            assert_eq!(words(line), expected, "{line}");
        }
    }

    #[test]
    fn a_word_is_completed_with_commands_and_paths() {
        let state = state(None);
        assert_eq!(state.completions("c"), ["cat", "cd"]);
        assert_eq!(state.completions("ls im"), ["image/"]);
        assert_eq!(state.completions("cat image/p"), ["image/provenance"]);
        assert_eq!(state.completions("ls nope/"), Vec::<String>::new());
    }
}
