//! Whether RE2 accepts a regular expression, with RE2's words for what is wrong.
//!
//! Consumers subscribe by regular expressions of RE2, which the broker evaluates. The syntax is small, and
//! what people want to know is which sentence the broker would answer; so this checks the syntax
//! and compiles nothing. The source is RE2's own page of its syntax, and what Kafka's tool says of each.

mod names;

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::str::Chars;

use thiserror::Error;

use names::{CLASSES, POSIX};

/// What is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub(super) enum Re2Error {
    #[error("missing closing )")]
    MissingParenthesis,
    #[error("missing closing ]")]
    MissingBracket,
    #[error("regexp/syntax: internal error")]
    UnexpectedParenthesis,
    #[error("invalid or unsupported Perl syntax")]
    PerlSyntax,
    #[error("invalid named capture")]
    NamedCapture,
    #[error("duplicate capture group name")]
    DuplicateName,
    #[error("invalid character class range")]
    ClassRange,
    #[error("invalid escape sequence")]
    Escape,
    #[error("trailing backslash at end of expression")]
    TrailingBackslash,
    #[error("invalid nested repetition operator")]
    NestedRepetition,
    #[error("invalid repeat count")]
    RepeatCount,
    #[error("missing argument to repetition operator")]
    NothingToRepeat,
}

type Result<T> = std::result::Result<T, Re2Error>;

/// Most repetitions of a `{n,m}`.
const REPEAT_MAX: u32 = 1000;

/// Checks an expression.
///
/// # Errors
/// The first thing that is wrong, from the left.
pub(super) fn check(regex: &str) -> Result<()> {
    Parser {
        rest: regex.chars().peekable(),
        names: BTreeSet::new(),
    }
    .expression()
}

struct Parser<'a> {
    rest: Peekable<Chars<'a>>,
    names: BTreeSet<String>,
}

impl Parser<'_> {
    fn expression(&mut self) -> Result<()> {
        // For each open group, whether there is something that a repetition could repeat.
        let mut open = vec![false];
        let mut repeated = false;
        while let Some(c) = self.rest.next() {
            let repeats = match c {
                '*' | '+' | '?' => true,
                '{' => self.count()?,
                _ => false,
            };
            let last = open.last_mut().expect("the outermost is never closed");
            if repeats {
                self.rest.next_if_eq(&'?');
                if repeated {
                    return Err(Re2Error::NestedRepetition);
                }
                if !*last {
                    return Err(Re2Error::NothingToRepeat);
                }
                repeated = true;
                continue;
            }
            repeated = false;
            match c {
                '(' if self.looking_at("?") => {
                    if self.flags_or_name()? {
                        open.push(false);
                    }
                }
                '(' => open.push(false),
                ')' => {
                    if open.len() == 1 {
                        return Err(Re2Error::UnexpectedParenthesis);
                    }
                    open.pop();
                    *open.last_mut().expect("the outermost is left") = true;
                }
                '|' => *last = false,
                '[' => {
                    *last = true;
                    self.class()?;
                }
                '\\' => {
                    if self.outside_class()? {
                        *last = true;
                    }
                }
                _ => *last = true,
            }
        }
        if open.len() > 1 {
            return Err(Re2Error::MissingParenthesis);
        }
        Ok(())
    }

    fn looking_at(&self, text: &str) -> bool {
        let mut ahead = self.rest.clone();
        text.chars().all(|c| ahead.next() == Some(c))
    }

    fn skip(&mut self, count: usize) {
        for _ in 0..count {
            self.rest.next();
        }
    }

    /// What follows `{`: a count, or else the brace is an ordinary character.
    fn count(&mut self) -> Result<bool> {
        let mut ahead = self.rest.clone();
        let Some(min) = count_number(&mut ahead) else {
            return Ok(false);
        };
        let mut max = Some(min);
        if ahead.next_if_eq(&',').is_some() {
            max = None;
            if ahead.peek() != Some(&'}') {
                let Some(number) = count_number(&mut ahead) else {
                    return Ok(false);
                };
                max = Some(number);
            }
        }
        if ahead.next() != Some('}') {
            return Ok(false);
        }
        self.rest = ahead;
        if min > REPEAT_MAX || max.is_some_and(|max| max > REPEAT_MAX || max < min) {
            return Err(Re2Error::RepeatCount);
        }
        Ok(true)
    }

    /// What follows `(` if that is a `?`: whether it opens a group.
    fn flags_or_name(&mut self) -> Result<bool> {
        for begin in ["?P<", "?<"] {
            if self.looking_at(begin) {
                self.skip(begin.len());
                return self.name().map(|()| true);
            }
        }
        self.skip(1);
        let (mut negative, mut flags) = (false, false);
        loop {
            match self.rest.next() {
                Some('i' | 'm' | 's' | 'U') => flags = true,
                Some('-') if !negative => (negative, flags) = (true, false),
                Some(end @ (':' | ')')) if !negative || flags => return Ok(end == ':'),
                _ => return Err(Re2Error::PerlSyntax),
            }
        }
    }

    fn name(&mut self) -> Result<()> {
        let mut name = String::new();
        loop {
            match self.rest.next() {
                Some('>') if !name.is_empty() => break,
                Some(c) if c.is_ascii_alphanumeric() || c == '_' => name.push(c),
                _ => return Err(Re2Error::NamedCapture),
            }
        }
        if self.names.insert(name) {
            Ok(())
        } else {
            Err(Re2Error::DuplicateName)
        }
    }

    /// What follows a backslash outside of `[]`: whether it stands for something.
    fn outside_class(&mut self) -> Result<bool> {
        match self.rest.peek() {
            Some('A' | 'b' | 'B' | 'z' | 'd' | 'D' | 's' | 'S' | 'w' | 'W') => {
                self.rest.next();
            }
            Some('p' | 'P') => self.unicode_class()?,
            Some('Q') => {
                self.rest.next();
                let mut some = false;
                while self.rest.peek().is_some() {
                    if self.looking_at("\\E") {
                        self.skip(2);
                        break;
                    }
                    self.rest.next();
                    some = true;
                }
                return Ok(some);
            }
            _ => {
                self.escape()?;
            }
        }
        Ok(true)
    }

    /// What follows a backslash, where it is one character.
    fn escape(&mut self) -> Result<char> {
        let c = self.rest.next().ok_or(Re2Error::TrailingBackslash)?;
        match c {
            '0'..='7' => {
                let mut code = c.to_digit(8).ok_or(Re2Error::Escape)?;
                if c != '0' && !self.rest.peek().is_some_and(|c| c.is_digit(8)) {
                    return Err(Re2Error::Escape);
                }
                for _ in 0..2 {
                    if let Some(digit) = self.rest.next_if(|c| c.is_digit(8)) {
                        code = code * 8 + digit.to_digit(8).ok_or(Re2Error::Escape)?;
                    }
                }
                char::from_u32(code).ok_or(Re2Error::Escape)
            }
            'x' => self.hexadecimal(),
            'a' => Ok('\u{7}'),
            'f' => Ok('\u{c}'),
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            't' => Ok('\t'),
            'v' => Ok('\u{b}'),
            c if !c.is_ascii_alphanumeric() => Ok(c),
            _ => Err(Re2Error::Escape),
        }
    }

    fn hexadecimal(&mut self) -> Result<char> {
        let mut code: u32 = 0;
        let mut digits = 0;
        let long = self.rest.next_if_eq(&'{').is_some();
        loop {
            match self.rest.next() {
                Some('}') if long && digits > 0 => break,
                Some(c) => {
                    let digit = c.to_digit(16).ok_or(Re2Error::Escape)?;
                    code = code.saturating_mul(16).saturating_add(digit);
                    digits += 1;
                    if code > u32::from(char::MAX) {
                        return Err(Re2Error::Escape);
                    }
                }
                None => return Err(Re2Error::Escape),
            }
            if !long && digits == 2 {
                break;
            }
        }
        // RE2 takes surrogates, which Rust has no character for; only their order matters here.
        Ok(char::from_u32(code).unwrap_or('\u{d7ff}'))
    }

    /// `\pL`, `\p{Greek}`, `\P{^L}`; the backslash is behind us.
    fn unicode_class(&mut self) -> Result<()> {
        self.rest.next();
        let mut name = String::new();
        match self.rest.next() {
            Some('{') => loop {
                match self.rest.next() {
                    Some('}') => break,
                    Some(c) => name.push(c),
                    None => return Err(Re2Error::ClassRange),
                }
            },
            Some(c) => name.push(c),
            None => return Err(Re2Error::ClassRange),
        }
        let name = name.strip_prefix('^').unwrap_or(&name);
        if CLASSES.contains(&name) {
            Ok(())
        } else {
            Err(Re2Error::ClassRange)
        }
    }

    /// What follows `[`, to its `]`.
    fn class(&mut self) -> Result<()> {
        self.rest.next_if_eq(&'^');
        let mut first = true;
        loop {
            match self.rest.peek() {
                None => return Err(Re2Error::MissingBracket),
                Some(']') if !first => {
                    self.rest.next();
                    return Ok(());
                }
                Some(_) => {}
            }
            first = false;
            if self.looking_at("[:") && self.posix_class()? {
                continue;
            }
            if self.looking_at("\\p") || self.looking_at("\\P") {
                self.rest.next();
                self.unicode_class()?;
                continue;
            }
            if ["\\d", "\\D", "\\s", "\\S", "\\w", "\\W"]
                .iter()
                .any(|class| self.looking_at(class))
            {
                self.skip(2);
                continue;
            }
            let low = self.class_char()?;
            if self.looking_at("-") && !self.looking_at("-]") {
                self.rest.next();
                if self.class_char()? < low {
                    return Err(Re2Error::ClassRange);
                }
            }
        }
    }

    fn class_char(&mut self) -> Result<char> {
        match self.rest.next() {
            None => Err(Re2Error::MissingBracket),
            Some('\\') => self.escape(),
            Some(c) => Ok(c),
        }
    }

    /// `[:alpha:]` or `[:^alpha:]`; false if it is not closed, and then it is ordinary characters.
    fn posix_class(&mut self) -> Result<bool> {
        let mut ahead = self.rest.clone();
        ahead.next();
        ahead.next();
        let mut name = String::new();
        loop {
            match ahead.next() {
                None => return Ok(false),
                Some(':') if ahead.peek() == Some(&']') => {
                    ahead.next();
                    break;
                }
                Some(c) => name.push(c),
            }
        }
        self.rest = ahead;
        if POSIX.contains(&name.strip_prefix('^').unwrap_or(&name)) {
            Ok(true)
        } else {
            Err(Re2Error::ClassRange)
        }
    }
}

/// A number in a `{n,m}`, as large as it may be; none if it is none, or has a leading zero.
fn count_number(rest: &mut Peekable<Chars<'_>>) -> Option<u32> {
    let mut text = String::new();
    while let Some(c) = rest.next_if(char::is_ascii_digit) {
        text.push(c);
    }
    if text.is_empty() || text.len() > 1 && text.starts_with('0') {
        return None;
    }
    Some(text.parse().unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests;
