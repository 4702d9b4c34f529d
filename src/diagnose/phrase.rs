//! Times, spans, numbers and names as people read them.

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::NamedIdentity;

/// The longest name that a sentence repeats.
const NAME_AT_MOST: usize = 120;

pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// A span in its two largest units; the sign is dropped.
pub(crate) fn span(length: TimeDelta) -> String {
    let seconds = length.num_seconds().unsigned_abs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let (large, small) = match seconds {
        0..60 => return format!("{seconds} s"),
        60..3600 => (format!("{minutes} min"), String::new()),
        3600..86_400 => (format!("{hours} h"), part(minutes % 60, "min")),
        _ => (count(days, "day"), part(hours % 24, "h")),
    };
    if small.is_empty() { large } else { format!("{large} {small}") }
}

fn part(number: u64, unit: &str) -> String {
    if number == 0 { String::new() } else { format!("{number} {unit}") }
}

/// "within 5 min", or "at one moment" for events of one second.
pub(super) fn within(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
    let length = to - from;
    if length < TimeDelta::seconds(1) {
        "at one moment".to_owned()
    } else {
        format!("within {}", span(length))
    }
}

/// "1 day", "14 days".
pub(crate) fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// "once", "twice", "34 times".
pub(crate) fn times(number: u64) -> String {
    match number {
        1 => "once".to_owned(),
        2 => "twice".to_owned(),
        _ => format!("{number} times"),
    }
}

/// A rate with one digit, as "2.1", or "0".
pub(super) fn rate(number: u64, days: u32) -> String {
    let tenths = (number * 10 + u64::from(days) / 2) / u64::from(days.max(1));
    match (tenths / 10, tenths % 10) {
        (whole, 0) if number == 0 || whole > 0 => whole.to_string(),
        (0, 0) => "less than 0.1".to_owned(),
        (whole, tenth) => format!("{whole}.{tenth}"),
    }
}

/// A name from a log as a sentence may repeat it: one line, of bounded length, in backticks.
pub(super) fn quoted(name: &str) -> String {
    format!("`{}`", plain(name))
}

/// The first of name, client id and object id that an identity has.
pub(super) fn label(identity: &NamedIdentity) -> Option<String> {
    [&identity.name, &identity.app_id, &identity.service_principal_id]
        .into_iter()
        .find(|text| !text.is_empty())
        .map(|text| quoted(text))
}

/// "1 other identity", "4 other identities".
pub(super) fn others(number: u64) -> String {
    if number == 1 { "1 other identity".to_owned() } else { format!("{number} other identities") }
}

/// A text from a log without control characters and of bounded length.
pub(super) fn plain(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .map(|c| if c.is_control() || c == '`' { ' ' } else { c })
        .take(NAME_AT_MOST)
        .collect();
    if text.chars().count() > NAME_AT_MOST {
        shown.push('…');
    }
    shown
}

/// "a", "a and b", "a, b and c", "a, b and 4 more".
pub(super) fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] if items.len() <= 3 => format!("{} and {last}", head.join(", ")),
        [first, second, rest @ ..] => format!("{first}, {second} and {} more", rest.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_in_their_two_largest_units() {
        let cases = [
            (0, "0 s"),
            (59, "59 s"),
            (-240, "4 min"),
            (3600, "1 h"),
            (11_520, "3 h 12 min"),
            (86_400, "1 day"),
            (180_000, "2 days 2 h"),
        ];
        for (seconds, words) in cases {
            assert_eq!(span(TimeDelta::seconds(seconds)), words);
        }
    }

    #[test]
    fn rates_keep_one_digit_and_never_call_something_nothing() {
        assert_eq!(rate(0, 14), "0");
        assert_eq!(rate(28, 14), "2");
        assert_eq!(rate(30, 14), "2.1");
        assert_eq!(rate(1, 14), "0.1");
        assert_eq!(rate(1, 30), "less than 0.1");
    }

    #[test]
    fn a_name_from_a_log_cannot_break_out_of_its_sentence() {
        assert_eq!(quoted("a`b\nc"), "`a b c`");
        assert_eq!(plain(&"x".repeat(500)).chars().count(), NAME_AT_MOST + 1);
    }

    #[test]
    fn long_lists_are_summed_up() {
        let items: Vec<String> = ["a", "b", "c", "d"].map(str::to_owned).to_vec();
        assert_eq!(list(&items[..1]), "a");
        assert_eq!(list(&items[..3]), "a, b and c");
        assert_eq!(list(&items), "a, b and 2 more");
    }
}
