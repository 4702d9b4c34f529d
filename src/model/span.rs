//! How long something lasted, as people read it: the one way in which every sentence says it.

use chrono::TimeDelta;

/// A span in its two largest units; the sign is dropped.
#[must_use]
pub fn span_in_words(length: TimeDelta) -> String {
    let seconds = length.num_seconds().unsigned_abs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    let (large, small) = match seconds {
        0..60 => return format!("{seconds} s"),
        60..3600 => (format!("{minutes} min"), String::new()),
        3600..86_400 => (format!("{hours} h"), part(minutes % 60, "min")),
        86_400..172_800 => ("1 day".to_owned(), part(hours % 24, "h")),
        _ => (format!("{days} days"), part(hours % 24, "h")),
    };
    if small.is_empty() { large } else { format!("{large} {small}") }
}

fn part(number: u64, unit: &str) -> String {
    if number == 0 { String::new() } else { format!("{number} {unit}") }
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
            assert_eq!(span_in_words(TimeDelta::seconds(seconds)), words);
        }
    }
}
