//! Times by a pattern of Java's `SimpleDateFormat`, and local time.

use std::sync::OnceLock;

use time::{OffsetDateTime, UtcOffset};

/// The same time on the clocks of this place; UTC where the host does not say what they show.
pub(crate) fn to_local(at: OffsetDateTime) -> OffsetDateTime {
    static OFFSET: OnceLock<UtcOffset> = OnceLock::new();
    let offset = OFFSET.get_or_init(|| UtcOffset::current_local_offset().unwrap_or(UtcOffset::UTC));
    at.to_offset(*offset)
}

/// Local time from milliseconds since 1970; `None` for what is too far off.
pub(crate) fn local(ms: i64) -> Option<OffsetDateTime> {
    let nanos = i128::from(ms).checked_mul(1_000_000)?;
    let at = OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?;
    // Near the ends of what a date can be, an offset would lead beyond.
    ((2..9998).contains(&at.year())).then(|| to_local(at))
}

/// A pattern.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Part>);

#[derive(Debug, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(char, usize),
}

const DAYS: [&str; 7] = [
    "Monday",
    "Tuesday",
    "Wednesday",
    "Thursday",
    "Friday",
    "Saturday",
    "Sunday",
];
const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// Java's exception for a letter that stands for nothing, or a quote without end.
    pub(crate) fn new(pattern: &str) -> Result<Self, String> {
        let illegal = |what: &str| format!("java.lang.IllegalArgumentException: {what}");
        let mut parts = Vec::new();
        let mut chars = pattern.chars().peekable();
        while let Some(c) = chars.next() {
            if c == '\'' {
                if chars.next_if_eq(&'\'').is_some() {
                    parts.push(Part::Text("'".to_owned()));
                    continue;
                }
                let mut text = String::new();
                loop {
                    match chars.next() {
                        Some('\'') if chars.next_if_eq(&'\'').is_some() => text.push('\''),
                        Some('\'') => break,
                        Some(c) => text.push(c),
                        None => return Err(illegal("Unterminated quote")),
                    }
                }
                parts.push(Part::Text(text));
            } else if c.is_ascii_alphabetic() {
                if !"yYuMLdDEHhKkmsSazZX".contains(c) {
                    return Err(illegal(&format!("Illegal pattern character '{c}'")));
                }
                let mut count = 1;
                while chars.next_if_eq(&c).is_some() {
                    count += 1;
                }
                parts.push(Part::Field(c, count));
            } else {
                parts.push(Part::Text(c.to_string()));
            }
        }
        Ok(Self(parts))
    }

    /// A time in this form.
    pub(crate) fn show(&self, at: OffsetDateTime) -> String {
        self.0
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Field(letter, count) => field(*letter, *count, at),
            })
            .collect()
    }
}

fn field(letter: char, count: usize, at: OffsetDateTime) -> String {
    let number = |value: u32| format!("{value:0count$}");
    let name = |names: &[&str], at: usize| {
        let name = names.get(at).copied().unwrap_or_default();
        if count >= 4 {
            name
        } else {
            name.get(..3).unwrap_or(name)
        }
        .to_owned()
    };
    let hour = u32::from(at.hour());
    match letter {
        'y' if count == 2 => format!("{:02}", at.year().rem_euclid(100)),
        'y' | 'Y' => format!("{:0count$}", at.year()),
        'u' => number(u32::from(at.weekday().number_from_monday())),
        'M' | 'L' if count >= 3 => name(&MONTHS, usize::from(u8::from(at.month())) - 1),
        'M' | 'L' => number(u32::from(u8::from(at.month()))),
        'd' => number(u32::from(at.day())),
        'D' => number(u32::from(at.ordinal())),
        'E' => name(&DAYS, usize::from(at.weekday().number_days_from_monday())),
        'H' => number(hour),
        'k' => number(if hour == 0 { 24 } else { hour }),
        'K' => number(hour % 12),
        'h' => number(if hour.is_multiple_of(12) {
            12
        } else {
            hour % 12
        }),
        'm' => number(u32::from(at.minute())),
        's' => number(u32::from(at.second())),
        'S' => number(u32::from(at.millisecond())),
        'a' => if hour < 12 { "AM" } else { "PM" }.to_owned(),
        _ => {
            let (hours, minutes, _) = at.offset().as_hms();
            let sign = if at.offset().is_negative() { '-' } else { '+' };
            format!(
                "{sign}{:02}{:02}",
                hours.unsigned_abs(),
                minutes.unsigned_abs()
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_those_of_java() {
        let at =
            OffsetDateTime::from_unix_timestamp_nanos(1_795_571_291_092_000_000).expect("in range");
        let check = |pattern: &str, expected: &str| {
            let pattern = Pattern::new(pattern).expect("right");
            assert_eq!(pattern.show(at), expected);
        };
        check("yyyy-MM-dd HH:mm:ss:SSS", "2026-11-25 01:48:11:092");
        check("yy/M/d h:m a", "26/11/25 1:48 AM");
        check("EEE, MMM dd 'at' HH'h'", "Wed, Nov 25 at 01h");
        check("EEEE MMMM ''", "Wednesday November '");
        check("yyyy", "2026");
        assert!(Pattern::new("b").is_err());
        assert!(Pattern::new("'a").is_err());
    }
}
