//! Dates and durations of the command line, as Java's `SimpleDateFormat` and `Duration.parse` read them.

/// Milliseconds since 1970 of `YYYY-MM-DDThh:mm:ss.sss` with an optional zone: `Z`, `+02:00`, `+02`.
/// UTC if there is none.
///
/// # Errors
/// The message of Kafka's exception.
pub(super) fn date_time(text: &str) -> Result<i64, String> {
    let Some((_, time)) = text.split_once('T') else {
        return Err(parse_exception(
            "Error parsing timestamp. It does not contain a 'T' according to ISO8601 format",
        ));
    };
    let whole = if time.contains(['Z', '+', '-']) {
        text.to_owned()
    } else {
        format!("{text}Z")
    };
    parse_date_time(&whole)
        .ok_or_else(|| parse_exception(&format!("Unparseable date: \"{whole}\"")))
}

fn parse_exception(text: &str) -> String {
    format!("java.text.ParseException: {text}")
}

/// A place in a text from which parts are taken off.
struct Rest<'a>(&'a str);

impl Rest<'_> {
    fn number(&mut self) -> Option<i64> {
        let end = self
            .0
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(self.0.len());
        let (digits, rest) = self.0.split_at(end);
        self.0 = rest;
        digits.parse().ok()
    }

    fn between(&mut self, min: i64, max: i64) -> Option<i64> {
        self.number().filter(|number| (min..=max).contains(number))
    }

    fn literal(&mut self, text: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(text)?;
        Some(())
    }

    /// Two digits.
    fn two(&mut self, max: i64) -> Option<i64> {
        let digits = self.0.get(..2)?;
        self.0 = self.0.get(2..)?;
        let number: i64 = digits
            .bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| digits.parse().ok())??;
        (number <= max).then_some(number)
    }
}

fn parse_date_time(text: &str) -> Option<i64> {
    let mut rest = Rest(text);
    // Java's calendar begins with the year 1; the largest keeps the sum within 64 bits.
    let year = rest.between(1, 200_000_000)?;
    rest.literal("-")?;
    let month = rest.between(1, 12)?;
    rest.literal("-")?;
    let day = rest.between(1, days_of_month(year, month))?;
    rest.literal("T")?;
    let hour = rest.between(0, 23)?;
    rest.literal(":")?;
    let minute = rest.between(0, 59)?;
    rest.literal(":")?;
    let second = rest.between(0, 59)?;
    rest.literal(".")?;
    let milli = rest.between(0, 999)?;
    let zone = zone_minutes(&mut rest)?;
    let minutes = (days(year, month, day) * 24 + hour) * 60 + minute - zone;
    Some((minutes * 60 + second) * 1000 + milli)
}

/// Minutes east of Greenwich. What follows is left alone, as Java does.
fn zone_minutes(rest: &mut Rest<'_>) -> Option<i64> {
    if rest.literal("Z").is_some() {
        return Some(0);
    }
    let sign = if rest.literal("+").is_some() { 1 } else { -1 };
    if sign < 0 {
        rest.literal("-")?;
    }
    let hours = rest.two(23)?;
    let mut minutes = Rest(rest.0);
    let minutes = minutes
        .literal(":")
        .and_then(|()| minutes.two(59))
        .unwrap_or_default();
    Some(sign * (hours * 60 + minutes))
}

const fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

const fn days_of_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days since 1970-01-01.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let before = year - 1;
    let years = before * 365 + before / 4 - before / 100 + before / 400;
    // Days from the first day of the year 1 to 1970-01-01.
    const EPOCH: i64 = 719_162;
    let months: i64 = (1..month).map(|month| days_of_month(year, month)).sum();
    years - EPOCH + months + day - 1
}

/// Milliseconds of an ISO 8601 duration such as `P1DT2H3M4.5S`.
///
/// # Errors
/// The message of Java's exception.
pub(super) fn duration(text: &str) -> Result<i64, String> {
    parse_duration(text).ok_or_else(|| "Text cannot be parsed to a Duration".to_owned())
}

fn parse_duration(text: &str) -> Option<i64> {
    let upper = text.to_ascii_uppercase();
    let (negative, rest) = match upper.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, upper.strip_prefix('+').unwrap_or(&upper)),
    };
    let rest = rest.strip_prefix('P')?;
    let (date, time) = match rest.split_once('T') {
        Some((date, time)) => (date, Some(time)),
        None => (rest, None),
    };
    if date.is_empty() && time.is_none() || time.is_some_and(str::is_empty) {
        return None;
    }
    let mut millis: i64 = 0;
    let mut add = |amount: i64, unit: i64| -> Option<()> {
        millis = millis.checked_add(amount.checked_mul(unit)?)?;
        Some(())
    };
    if !date.is_empty() {
        add(signed(date.strip_suffix('D')?)?, 86_400_000)?;
    }
    let mut time = time.unwrap_or_default();
    for (letter, unit) in [('H', 3_600_000), ('M', 60_000)] {
        if let Some((amount, rest)) = time.split_once(letter) {
            add(signed(amount)?, unit)?;
            time = rest;
        }
    }
    if !time.is_empty() {
        let seconds = time.strip_suffix('S')?;
        let (whole, fraction) = seconds.split_once(['.', ',']).unwrap_or((seconds, ""));
        add(signed(whole)?, 1000)?;
        if fraction.len() > 9 || !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let thousandths: i64 = format!("{fraction:0<3}").get(..3)?.parse().ok()?;
        add(
            if whole.starts_with('-') {
                -thousandths
            } else {
                thousandths
            },
            1,
        )?;
    }
    if negative {
        millis.checked_neg()
    } else {
        Some(millis)
    }
}

fn signed(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_java_reads_them() {
        let check = |text: &str, expected: i64| {
            assert_eq!(date_time(text), Ok(expected), "{text}");
        };
        check("1970-01-01T00:00:00.000", 0);
        check("2020-01-01T00:00:00.000", 1_577_836_800_000);
        check("2020-01-01T00:00:00.000Z", 1_577_836_800_000);
        check("2020-01-01T02:00:00.000+02:00", 1_577_836_800_000);
        check("2020-01-01T02:00:00.000+02", 1_577_836_800_000);
        check("2020-01-01T02:00:00.000+0200", 1_577_836_800_000);
        check("2019-12-31T19:00:00.000-05:00", 1_577_836_800_000);
        check("2024-02-29T23:59:59.999Z", 1_709_251_199_999);
        check("1969-12-31T23:59:59.999Z", -1);
        let wrong = |text: &str, expected: &str| {
            assert_eq!(
                date_time(text).expect_err("wrong"),
                format!("java.text.ParseException: {expected}"),
                "{text}"
            );
        };
        let no_time =
            "Error parsing timestamp. It does not contain a 'T' according to ISO8601 format";
        wrong("2020-01-01", no_time);
        wrong("", no_time);
        wrong(
            "2020-01-01T00:00:00",
            "Unparseable date: \"2020-01-01T00:00:00Z\"",
        );
        wrong(
            "2023-02-29T00:00:00.000",
            "Unparseable date: \"2023-02-29T00:00:00.000Z\"",
        );
        wrong("T", "Unparseable date: \"TZ\"");
        wrong(
            "99999999999999999999-01-01T00:00:00.000Z",
            "Unparseable date: \"99999999999999999999-01-01T00:00:00.000Z\"",
        );
    }

    #[test]
    fn durations_are_read_as_java_reads_them() {
        let check = |text: &str, expected: Option<i64>| {
            assert_eq!(duration(text).ok(), expected, "{text}");
        };
        check("PT0S", Some(0));
        check("P1D", Some(86_400_000));
        check("P1DT2H3M4.5S", Some(93_784_500));
        check("pt15m", Some(900_000));
        check("PT-1H", Some(-3_600_000));
        check("-PT1H", Some(-3_600_000));
        check("PT1.25S", Some(1250));
        check("P", None);
        check("PT", None);
        check("P1DT", None);
        check("P1Y", None);
        check("1H", None);
        check("PT1M1H", None);
        check("PT99999999999999999999S", None);
        check("P99999999999999D", None);
    }
}
