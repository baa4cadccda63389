//! Text to [`Message`]s.
//!
//! Reads the project's own files at development time, so it is strict: whatever it does not know is an
//! error with a line number.

use thiserror::Error;

use crate::model::{Field, Kind, Listener, Message, Struct, Type, Versions};

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("line {line}: {what}")]
pub struct ParseError {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub what: String,
}

/// Levels that fields may be nested.
const DEPTH_MAX: usize = 16;

/// Reads every message of a file.
///
/// # Errors
/// The first line that cannot be read, or a type that is not defined.
pub fn parse(text: &str) -> Result<Vec<Message>, ParseError> {
    let lines: Vec<Line<'_>> = text.lines().enumerate().filter_map(Line::new).collect();
    let mut parser = Parser {
        lines: &lines,
        at: 0,
        structs: Vec::new(),
    };
    let mut messages = Vec::new();
    while parser.peek().is_some() {
        messages.push(parser.message()?);
    }
    Ok(messages)
}

#[derive(Debug)]
struct Line<'a> {
    number: usize,
    depth: usize,
    text: &'a str,
}

impl<'a> Line<'a> {
    fn new((index, text): (usize, &'a str)) -> Option<Self> {
        let trimmed = text.trim();
        if trimmed.is_empty() || trimmed.starts_with('#') {
            return None;
        }
        let indent = text.len() - text.trim_start().len();
        Some(Self {
            number: index + 1,
            depth: indent / 2,
            text: trimmed,
        })
    }

    fn error(&self, what: impl Into<String>) -> ParseError {
        ParseError {
            line: self.number,
            what: what.into(),
        }
    }
}

struct Parser<'a> {
    lines: &'a [Line<'a>],
    at: usize,
    structs: Vec<Struct>,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Option<&'a Line<'a>> {
        self.lines.get(self.at)
    }

    fn message(&mut self) -> Result<Message, ParseError> {
        let line = self.peek().expect("the caller saw a line");
        self.at += 1;
        if line.depth != 0 {
            return Err(line.error("a message starts at the margin"));
        }
        let mut message = head(line)?;
        self.structs = Vec::new();
        message.fields = self.fields(1)?;
        message.structs = std::mem::take(&mut self.structs);
        check_types(line, &message)?;
        Ok(message)
    }

    /// Reads the fields of one level; structs found below go to `self.structs`.
    fn fields(&mut self, depth: usize) -> Result<Vec<Field>, ParseError> {
        let mut fields = Vec::new();
        while let Some(line) = self.peek().filter(|line| line.depth >= depth) {
            if line.depth > depth || depth > DEPTH_MAX {
                return Err(line.error("indented too far"));
            }
            self.at += 1;
            if let Some(rest) = line.text.strip_prefix("struct ") {
                let name = rest.split(' ').next().unwrap_or_default();
                self.define(line, name, depth + 1)?;
                continue;
            }
            let field = field(line)?;
            if self.peek().is_some_and(|next| next.depth > depth) {
                let name = struct_name(&field.ty)
                    .ok_or_else(|| line.error("fields below a field that is no struct"))?
                    .to_owned();
                self.define(line, &name, depth + 1)?;
            }
            fields.push(field);
        }
        Ok(fields)
    }

    fn define(&mut self, line: &Line<'_>, name: &str, depth: usize) -> Result<(), ParseError> {
        if self.structs.iter().any(|known| known.name == name) {
            return Err(line.error(format!("struct `{name}` is defined twice")));
        }
        let place = self.structs.len();
        self.structs.push(Struct {
            name: name.to_owned(),
            fields: Vec::new(),
        });
        let fields = self.fields(depth)?;
        if fields.is_empty() {
            return Err(line.error(format!("struct `{name}` has no fields")));
        }
        if let Some(one) = self.structs.get_mut(place) {
            one.fields = fields;
        }
        Ok(())
    }
}

/// The struct that a type is made of, if any.
fn struct_name(ty: &Type) -> Option<&str> {
    match ty {
        Type::Struct(name) => Some(name),
        Type::Array(element) => struct_name(element),
        _ => None,
    }
}

fn check_types(line: &Line<'_>, message: &Message) -> Result<(), ParseError> {
    let all = message
        .fields
        .iter()
        .chain(message.structs.iter().flat_map(|one| &one.fields));
    for name in all.filter_map(|field| struct_name(&field.ty)) {
        if message.find_struct(name).is_none() {
            return Err(line.error(format!("{}: no struct `{name}`", message.name)));
        }
    }
    Ok(())
}

fn head(line: &Line<'_>) -> Result<Message, ParseError> {
    let mut words = line.text.split(' ');
    let kind = match words.next().unwrap_or_default() {
        "request" => Kind::Request,
        "response" => Kind::Response,
        "header" => Kind::Header,
        "data" => Kind::Data,
        "metadata" => Kind::Metadata,
        "coordinator-key" => Kind::CoordinatorKey,
        "coordinator-value" => Kind::CoordinatorValue,
        other => return Err(line.error(format!("no kind of message: `{other}`"))),
    };
    let name = words
        .next()
        .ok_or_else(|| line.error("a message needs a name"))?;
    let mut message = Message {
        kind,
        name: name.to_owned(),
        key: None,
        versions: Versions::NONE,
        flexible: Versions::NONE,
        latest_unstable: false,
        listeners: Vec::new(),
        fields: Vec::new(),
        structs: Vec::new(),
    };
    for word in words {
        match word.split_once('=') {
            None if word == "latest-unstable" => message.latest_unstable = true,
            Some(("key", key)) => {
                message.key = Some(key.parse().map_err(|_| line.error("a key is a number"))?);
            }
            Some(("versions", range)) => message.versions = versions(line, range)?,
            Some(("flexible", range)) => message.flexible = versions(line, range)?,
            Some(("listeners", names)) => {
                message.listeners = names
                    .split(',')
                    .map(|name| listener(line, name))
                    .collect::<Result<_, _>>()?;
            }
            _ => return Err(line.error(format!("unknown word `{word}`"))),
        }
    }
    Ok(message)
}

fn listener(line: &Line<'_>, name: &str) -> Result<Listener, ParseError> {
    match name {
        "broker" => Ok(Listener::Broker),
        "controller" => Ok(Listener::Controller),
        other => Err(line.error(format!("no kind of listener: `{other}`"))),
    }
}

fn versions(line: &Line<'_>, text: &str) -> Result<Versions, ParseError> {
    let number = |text: &str| {
        text.parse::<i16>()
            .map_err(|_| line.error(format!("no range of versions: `{text}`")))
    };
    if text == "none" {
        return Ok(Versions::NONE);
    }
    if let Some(low) = text.strip_suffix('+') {
        return Ok(Versions {
            low: number(low)?,
            high: i16::MAX,
        });
    }
    match text.split_once('-') {
        Some((low, high)) => Ok(Versions {
            low: number(low)?,
            high: number(high)?,
        }),
        None => number(text).map(|one| Versions {
            low: one,
            high: one,
        }),
    }
}

fn ty(text: &str) -> Type {
    if let Some(element) = text.strip_prefix("[]") {
        return Type::Array(Box::new(ty(element)));
    }
    match text {
        "bool" => Type::Bool,
        "i8" => Type::I8,
        "i16" => Type::I16,
        "u16" => Type::U16,
        "i32" => Type::I32,
        "u32" => Type::U32,
        "i64" => Type::I64,
        "f64" => Type::F64,
        "uuid" => Type::Uuid,
        "string" => Type::String,
        "bytes" => Type::Bytes,
        "records" => Type::Records,
        name => Type::Struct(name.to_owned()),
    }
}

fn field(line: &Line<'_>) -> Result<Field, ParseError> {
    let (name, rest) = line
        .text
        .split_once(": ")
        .ok_or_else(|| line.error("NAME: TYPE ..."))?;
    let mut words = rest.split(' ');
    let type_name = words.next().unwrap_or_default();
    let range = words
        .next()
        .ok_or_else(|| line.error("a field needs versions"))?;
    let mut field = Field {
        name: name.to_owned(),
        ty: ty(type_name),
        versions: versions(line, range)?,
        nullable: Versions::NONE,
        tag: None,
        default: None,
        map_key: false,
        ignorable: false,
        entity: None,
        never_flexible: false,
        zero_copy: false,
    };
    for word in words {
        match word.split_once('=') {
            None if word == "key" => field.map_key = true,
            None if word == "ignorable" => field.ignorable = true,
            None if word == "zerocopy" => field.zero_copy = true,
            Some(("null", range)) => field.nullable = versions(line, range)?,
            Some(("default", value)) => field.default = Some(value.trim_matches('"').to_owned()),
            Some(("entity", entity)) => field.entity = Some(entity.to_owned()),
            Some(("flexible", "none")) => field.never_flexible = true,
            Some(("tag", tag)) => {
                let (number, range) = tag
                    .split_once('@')
                    .ok_or_else(|| line.error("tag=NUMBER@VERSIONS"))?;
                let number = number
                    .parse()
                    .map_err(|_| line.error("a tag is a number"))?;
                field.tag = Some((number, versions(line, range)?));
            }
            _ => return Err(line.error(format!("unknown word `{word}`"))),
        }
    }
    Ok(field)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAMPLE: &str = "\
# A comment.
request SampleRequest key=7 versions=1-3 flexible=2+ latest-unstable listeners=broker,controller
  Name: string 0+ null=2+ default=null ignorable entity=topicName
  Topics: []Topic 0+
    Topic: string 0-2 key
    Part: Part 3+ tag=4@3+
  struct Part 0+
    Index: i32 0+ default=-1

response SampleResponse key=7 versions=none flexible=none
";

    #[test]
    fn every_word_of_the_notation_is_kept() {
        let messages = parse(SAMPLE).expect("parses");
        let [request, response] = messages.as_slice() else {
            panic!("{messages:?}")
        };
        assert_eq!(request.key, Some(7));
        assert_eq!(request.versions.to_string(), "1-3");
        assert_eq!(request.flexible.to_string(), "2+");
        assert!(request.latest_unstable);
        assert_eq!(request.listeners, [Listener::Broker, Listener::Controller]);
        let name = &request.fields[0];
        assert_eq!(
            (name.nullable.to_string(), name.ignorable),
            ("2+".to_owned(), true)
        );
        assert_eq!(name.default.as_deref(), Some("null"));
        assert_eq!(name.entity.as_deref(), Some("topicName"));
        let topic = request.find_struct("Topic").expect("defined in place");
        assert!(topic.fields[0].map_key);
        assert_eq!(
            topic.fields[1].tag,
            Some((
                4,
                Versions {
                    low: 3,
                    high: i16::MAX
                }
            ))
        );
        assert_eq!(request.find_struct("Part").expect("shared").fields.len(), 1);
        assert!(response.versions.is_empty());
    }

    #[test]
    fn what_is_not_known_is_an_error_with_its_line() {
        let check = |text: &str, line: usize, what: &str| {
            let error = parse(text).expect_err(text);
            assert_eq!(error.line, line, "{error}");
            assert!(error.what.contains(what), "{error}");
        };
        check("question X versions=0", 1, "kind");
        check("data X versions=0 colour=red", 1, "unknown word");
        check("data X versions=0\n  A: i32", 2, "needs versions");
        check("data X versions=0\n  A: i32 0+ null=x", 2, "range");
        check("data X versions=0\n  A: Missing 0+", 1, "no struct");
        check(
            "data X versions=0\n  A: i32 0+\n    B: i32 0+",
            2,
            "no struct",
        );
        check("data X versions=0\n      B: i32 0+", 2, "indented");
        check(
            "data X versions=0\n  A: T 0+\n    B: i32 0+\n  C: T 0+\n    B: i32 0+",
            4,
            "twice",
        );
    }
}
