//! Times as records spell them.
//!
//! Three rules settle what the spelling leaves open. A time without a zone is UTC. `04/02/2021` is
//! month first, as Azure's own exports write it, unless the month would be greater than 12.
//! `04.02.2021` is day first, for nobody writes months before dots.

use chrono::{DateTime, NaiveDate, Utc};

use super::dates;

/// Reads a time to the microsecond; further digits are cut off. `None` when it is none.
pub(super) fn read(text: &str) -> Option<DateTime<Utc>> {
    usual(text.as_bytes()).or_else(|| any(text.as_bytes())).or_else(|| dates::read(text))
}

/// Whether it is the time that .NET writes for "none", year 1.
pub(super) fn is_unset(text: &str) -> bool {
    text.starts_with("0001-01-01") || text.starts_with("1/1/0001")
}

/// `2025-04-22T20:00:56.6328802Z` and its like: what nearly every record has.
fn usual(text: &[u8]) -> Option<DateTime<Utc>> {
    if text.len() < 20 || text[4] != b'-' || text[7] != b'-' || text[10] != b'T' {
        return None;
    }
    if text[13] != b':' || text[16] != b':' {
        return None;
    }
    let date = [number(&text[..4])?, number(&text[5..7])?, number(&text[8..10])?];
    let clock = [number(&text[11..13])?, number(&text[14..16])?, number(&text[17..19])?];
    let (micros, rest) = fraction(&text[19..]);
    instant(date, clock, micros, offset(rest)?)
}

/// Digits only, at most nine of them.
pub(super) fn number(digits: &[u8]) -> Option<u32> {
    if digits.is_empty() || digits.len() > 9 || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0')))
}

/// `.6328802…` as microseconds, and what follows.
fn fraction(text: &[u8]) -> (u32, &[u8]) {
    let Some((b'.' | b',', digits)) = text.split_first() else { return (0, text) };
    let length = digits.iter().take_while(|digit| digit.is_ascii_digit()).count();
    let micros = (0..6).fold(0, |sum, place| {
        sum * 10 + if place < length { u32::from(digits[place] - b'0') } else { 0 }
    });
    (micros, &digits[length..])
}

/// The minutes that a zone is ahead of UTC; nothing is UTC.
pub(super) fn offset(zone: &[u8]) -> Option<i32> {
    match zone {
        b"" | b"Z" | b"z" | b"UTC" | b"GMT" | b"+00:00" => Some(0),
        [zone @ .., b' ', b'U', b'T', b'C'] => offset(zone.trim_ascii_end()),
        [sign @ (b'+' | b'-'), rest @ ..] => {
            let (hours, minutes) = match rest {
                [h, b':', m1, m2] => ([b'0', *h], [*m1, *m2]),
                [h1, h2, b':', m1, m2] | [h1, h2, m1, m2] => ([*h1, *h2], [*m1, *m2]),
                [h1, h2] => ([*h1, *h2], *b"00"),
                [h] => ([b'0', *h], *b"00"),
                _ => return None,
            };
            let (hours, minutes) = (number(&hours)?, number(&minutes)?);
            let ahead = i32::try_from(hours * 60 + minutes).ok()?;
            (hours <= 18 && minutes < 60).then_some(if *sign == b'-' { -ahead } else { ahead })
        }
        _ => None,
    }
}

fn instant(
    [year, month, day]: [u32; 3],
    [hour, minute, second]: [u32; 3],
    micros: u32,
    ahead: i32,
) -> Option<DateTime<Utc>> {
    // A leap second has no place of its own in UTC as computers count it: it ends the one before.
    let (second, micros) = if second == 60 { (59, 999_999) } else { (second, micros) };
    let date = NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, day)?;
    let time = date.and_hms_micro_opt(hour, minute, second, micros)?;
    time.and_utc().checked_sub_signed(chrono::TimeDelta::minutes(i64::from(ahead)))
}

/// Every other spelling: `8/22/2022 6:07:16 PM`, `4/28/2021, 2:08:45.221 PM`,
/// `1/9/2007 10:41:00 AM +01:00`, `2022-09-09T8:48:50Z`, `2021-02-04T07: 45: 44.5Z`.
pub(super) fn any(text: &[u8]) -> Option<DateTime<Utc>> {
    // Long text is no time, and is not worth a walk.
    if text.len() > 64 {
        return None;
    }
    let (first, rest) = digits(text)?;
    let has_dots = rest.first() == Some(&b'.');
    let (second, rest) = digits(after(rest, b"-/.")?)?;
    let (third, rest) = digits(after(rest, b"-/.")?)?;
    let date = match [number(first)?, number(second)?, number(third)?] {
        date if first.len() == 4 => date,
        [one, other, year] => {
            let year = match third.len() {
                4 => year,
                2 => 2000 + year,
                _ => return None,
            };
            if has_dots || one > 12 { [year, other, one] } else { [year, one, other] }
        }
    };
    let rest = rest.trim_ascii_start();
    let rest = after(rest, b"Tt,").unwrap_or(rest).trim_ascii_start();
    let (hour, rest) = digits(rest)?;
    let (minute, rest) = digits(after(rest, b":")?.trim_ascii_start())?;
    let (second, rest) = match after(rest, b":") {
        Some(rest) => digits(rest.trim_ascii_start())?,
        None => (b"0".as_slice(), rest),
    };
    let (micros, rest) = fraction(rest);
    let rest = rest.trim_ascii();
    let mut hour = number(hour)?;
    let mut zone = rest;
    if let Some((half, others)) = rest.split_at_checked(2)
        && half[1].eq_ignore_ascii_case(&b'M')
        && matches!(half[0], b'A' | b'a' | b'P' | b'p')
        && hour <= 12
    {
        hour = hour % 12 + if half[0].eq_ignore_ascii_case(&b'P') { 12 } else { 0 };
        zone = others.trim_ascii_start();
    }
    instant(date, [hour, number(minute)?, number(second)?], micros, offset(zone)?)
}

/// The digits that the text begins with, and the rest.
fn digits(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let length = text.iter().take_while(|digit| digit.is_ascii_digit()).count();
    (length > 0).then(|| text.split_at(length))
}

/// What follows one of these signs.
fn after<'t>(text: &'t [u8], signs: &[u8]) -> Option<&'t [u8]> {
    text.split_first().filter(|(sign, _)| signs.contains(sign)).map(|(_, rest)| rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn reads(text: &str, expected: &str) {
        let expected = DateTime::parse_from_rfc3339(expected).unwrap().to_utc();
        assert_eq!(read(text), Some(expected), "{text}");
    }

    #[test]
    fn every_spelling_that_was_seen_is_read() {
        reads("2025-04-22T20:00:56.6328802Z", "2025-04-22T20:00:56.632880Z");
        reads("2025-04-22T19:59:56+00:00", "2025-04-22T19:59:56Z");
        reads("2019-10-18T04:45:48.0729893-05:00", "2019-10-18T09:45:48.072989Z");
        reads("8/22/2022 6:07:16 PM", "2022-08-22T18:07:16Z");
        reads("11/14/2025 1:48:53 AM", "2025-11-14T01:48:53Z");
        reads("1/9/2007 10:41:00 AM +01:00", "2007-01-09T09:41:00Z");
        reads("2022-09-09T8:48:50.361Z", "2022-09-09T08:48:50.361Z");
        reads("2021-02-04T07: 45: 44.5864815Z", "2021-02-04T07:45:44.586481Z");
        reads("05/28/2025 01:15:14", "2025-05-28T01:15:14Z");
        reads("4/28/2021, 2:08:45.221 PM", "2021-04-28T14:08:45.221Z");
        reads("2023-07-26 23:00:20.889", "2023-07-26T23:00:20.889Z");
        reads("2023-07-26 22:58:30.983201900", "2023-07-26T22:58:30.983201Z");
        reads("2007-01-09T09:41:00", "2007-01-09T09:41:00Z");
        reads("2021-06-30 00:18:34.456304+00:00", "2021-06-30T00:18:34.456304Z");
        reads("12/31/2024 12:00 AM", "2024-12-31T00:00:00Z");
        reads("2016-12-31T23:59:60Z", "2016-12-31T23:59:59.999999Z");
    }

    #[test]
    fn the_month_comes_first_unless_it_cannot() {
        reads("04/02/2021 07:45:00", "2021-04-02T07:45:00Z");
        reads("22/08/2022 18:07:16", "2022-08-22T18:07:16Z");
        reads("11/20/26 2:04:11 AM", "2026-11-20T02:04:11Z");
    }

    #[test]
    fn before_dots_stands_the_day() {
        reads("04.02.2026 02:04:11", "2026-02-04T02:04:11Z");
        reads("20.11.2026, 02:04:11", "2026-11-20T02:04:11Z");
        reads("2026.11.20 02:04:11", "2026-11-20T02:04:11Z");
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in
            ["", "yesterday", "2025-13-01T00:00:00Z", "2025-04-22", "2025-04-22T25:00:00Z", "7"]
        {
            assert_eq!(read(text), None, "{text}");
        }
        for text in
            ["2025-04-22T20:00:56+99:00", "2025-04-22T20:00:56é", "1/2/3 4:5:6", "99.99.2026 1:2"]
        {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
