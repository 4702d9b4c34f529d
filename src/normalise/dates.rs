//! Times as browsers, mail, databases and other programs spell them; tried when no usual spelling fits.

use chrono::{DateTime, Utc};

use super::time;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Seconds since 1970 from here on are of this century …
const SECONDS_FROM: i64 = 978_307_200;
/// … and from here on milli-, micro- or nanoseconds are meant, each a thousand times more.
const SECONDS_BEFORE: i64 = 100_000_000_000;

pub(super) fn read(text: &str) -> Option<DateTime<Utc>> {
    // Long text is no time, and is not worth a walk.
    if text.len() > 64 {
        return None;
    }
    let text = text.trim();
    since_1970(text)
        .or_else(|| compact(text))
        .or_else(|| in_words(text))
        .or_else(|| time::any(plain(text)?.as_bytes()))
}

/// `1795140251`, `1795140251000`, `1795140251.123`, `/Date(1795140251000)/`.
fn since_1970(text: &str) -> Option<DateTime<Utc>> {
    let text = match text.strip_prefix("/Date(") {
        Some(rest) => {
            let millis = rest.strip_suffix(")/")?;
            // A zone behind it is only how it was shown.
            let millis = millis.split_once('+').map_or(millis, |(millis, _)| millis);
            return DateTime::from_timestamp_millis(millis.parse().ok()?);
        }
        None => text,
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if whole.len() < 9 || !fraction.bytes().all(|digit| digit.is_ascii_digit()) {
        return None;
    }
    let whole = whole.parse::<i64>().ok().filter(|number| *number >= SECONDS_FROM)?;
    if whole < SECONDS_BEFORE {
        let micros: i64 = format!("{fraction:0<6}")[..6].parse().ok()?;
        return DateTime::from_timestamp_micros(whole * 1_000_000 + micros);
    }
    if whole < SECONDS_BEFORE * 1_000 {
        DateTime::from_timestamp_millis(whole)
    } else if whole < SECONDS_BEFORE * 1_000_000 {
        DateTime::from_timestamp_micros(whole)
    } else {
        DateTime::from_timestamp_micros(whole / 1_000)
    }
}

/// `20261120T020411Z`.
fn compact(text: &str) -> Option<DateTime<Utc>> {
    let (date, clock) = text.split_once('T')?;
    let (clock, rest) = clock.split_at_checked(6)?;
    if date.len() != 8 || !date.is_ascii() || !clock.is_ascii() {
        return None;
    }
    let spelled = format!(
        "{}-{}-{}T{}:{}:{}{rest}",
        &date[..4],
        &date[4..6],
        &date[6..],
        &clock[..2],
        &clock[2..4],
        &clock[4..]
    );
    time::any(spelled.as_bytes())
}

/// `Fri, 20 Nov 2026 02:04:11 GMT`, `20 Nov 2026 02:04`, `Nov 20, 2026 @ 02:04:11.000`,
/// `November 20th, 2026, 2:04:11 AM`.
fn in_words(text: &str) -> Option<DateTime<Utc>> {
    let text = plain(text)?.replace(['@', ','], " ");
    let mut words = text.split_whitespace().peekable();
    if words.peek().is_some_and(|word| month(word).is_none() && !starts_with_digit(word)) {
        words.next();
    }
    let (first, second) = (words.next()?, words.next()?);
    let (day, month) = match (month(first), month(second)) {
        (Some(month), _) => (second, month),
        (None, Some(month)) => (first, month),
        _ => return None,
    };
    let day = day.trim_end_matches(|sign: char| sign.is_ascii_alphabetic() || sign == '.');
    let mut rest: Vec<&str> = words.collect();
    // `Fri Nov 20 02:04:11 2026`, or the year first.
    let year_at =
        rest.iter().position(|word| word.len() == 4 && time::number(word.as_bytes()).is_some())?;
    let year = rest.remove(year_at);
    time::any(format!("{year}-{month}-{day} {}", rest.join(" ")).as_bytes())
}

fn starts_with_digit(word: &str) -> bool {
    word.starts_with(|sign: char| sign.is_ascii_digit())
}

/// The number of a month by its English name or the first three letters of it.
fn month(word: &str) -> Option<usize> {
    let start = word.get(..3)?;
    let is_word = word.trim_end_matches('.').bytes().all(|sign| sign.is_ascii_alphabetic());
    MONTHS.iter().position(|it| is_word && it.eq_ignore_ascii_case(start)).map(|at| at + 1)
}

/// With plain blanks, and `a.m.` as `AM`: browsers put a narrow blank before it. `None` when there is
/// something that no time holds.
fn plain(text: &str) -> Option<String> {
    let text: String =
        text.chars().map(|sign| if sign.is_whitespace() { ' ' } else { sign }).collect();
    text.is_ascii().then(|| {
        text.replace("a.m.", "AM").replace("p.m.", "PM").replace("A.M.", "AM").replace("P.M.", "PM")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_other_programs_write_is_read() {
        for text in [
            "2026-11-20T02:04:11,000Z",
            "2026-11-20 02:04:11 +0000 UTC",
            "2026-11-20t02:04:11z",
            "11/20/2026, 2:04:11\u{202f}AM",
            "11/20/2026 2:04:11 a.m.",
            "Nov 20, 2026 @ 02:04:11.000",
            "November 20th, 2026, 2:04:11 AM",
            "Fri, 20 Nov 2026 02:04:11 GMT",
            "Fri, 20 Nov 2026 04:04:11 +0200",
            "Fri Nov 20 02:04:11 2026",
            "20 Nov 2026 02:04:11",
            "20261120T020411Z",
            "/Date(1795140251000)/",
            "/Date(1795140251000+0200)/",
            "1795140251",
            "1795140251000",
            "1795140251000000",
            "1795140251000000000",
        ] {
            let read = time::read(text).map(|time| time.to_rfc3339());
            assert_eq!(read.as_deref(), Some("2026-11-20T02:04:11+00:00"), "{text}");
        }
        let read = time::read("1795140251.5").unwrap();
        assert_eq!(read.timestamp_subsec_millis(), 500);
    }

    #[test]
    fn what_is_no_time_is_not_taken_for_one() {
        for text in ["700016", "123456789", "Mayday 2026", "Nov 2026", "20 Nov", "99999999T999999Z"]
        {
            assert_eq!(time::read(text), None, "{text}");
        }
    }
}
