//! Times, spans, numbers and names as people read them.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::NamedIdentity;
pub(crate) use crate::model::span_in_words as span;

/// The longest name that a sentence repeats.
const NAME_AT_MOST: usize = 120;

/// Letters of a word that tell it from others, whatever its ending.
const STEM: usize = 5;

/// Sentences of fewer words are too short to be called alike.
const STEMS_AT_LEAST: usize = 3;

pub(crate) fn time(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M UTC").to_string()
}

/// "within 5 min", or "at one moment" for events of one second.
pub(crate) fn within(from: DateTime<Utc>, to: DateTime<Utc>) -> String {
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

/// The order in which measures are told; those without a place come last.
const TOLD_FIRST: [&str; 9] = [
    "seen",
    "distinct",
    "known_values",
    "expected",
    "rarity",
    "known_for",
    "learned_for",
    "learned_days",
    "inherited",
];

/// What a rule measured, in words; a new value is told by whoever knows its name, and what would have been enough by
/// whoever knows the rule.
pub(crate) fn measures(measures: &BTreeMap<String, String>) -> Vec<String> {
    let in_words = |(key, value): (&String, &String)| {
        let value = plain(value);
        let number = value.parse::<u64>().ok();
        match (key.as_str(), number) {
            // That it was new says as much.
            ("value" | "enough", _) | ("known_values", Some(0)) => None,
            ("known_values", _) => Some(format!("{value} known before")),
            ("learned_days", Some(days)) => Some(format!("learnt for {}", count(days, "full day"))),
            ("learned_for", _) => Some(format!("learnt for {value}")),
            ("rarity", _) => Some(value),
            ("seen", _) if value.starts_with("nothing for ") => {
                Some(value.replacen("nothing", "nothing came", 1))
            }
            ("avg", _) => Some(format!("average {value}")),
            ("inherited", _) => {
                Some(format!("{value} of that by another of its name, before it was made anew"))
            }
            ("distinct", _) => Some(format!("{value} different ones")),
            ("evicted", _) => Some(format!("{value} more not kept apart")),
            _ => Some(format!("{} {value}", key.replace('_', " "))),
        }
    };
    let mut told: Vec<_> = measures.iter().collect();
    told.sort_by_key(|(key, _)| {
        TOLD_FIRST.iter().position(|first| first == key).unwrap_or(TOLD_FIRST.len())
    });
    told.into_iter().filter_map(in_words).collect()
}

/// The first sentence of a text as a clause of another: without its full stop, and small at the front unless a name
/// stands there.
pub(crate) fn clause(text: &str) -> String {
    const NAMES: [&str; 4] = ["Azure", "Conditional", "Entra", "Microsoft"];
    let first = text.split_once(". ").map_or(text, |(first, _)| first).trim_end_matches('.');
    let word = first.split(' ').next().unwrap_or_default();
    let is_name = NAMES.contains(&word) || word.chars().skip(1).any(char::is_uppercase);
    let mut letters = first.chars();
    match letters.next() {
        Some(letter) if !is_name => letter.to_lowercase().chain(letters).collect(),
        _ => first.to_owned(),
    }
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
pub(crate) fn rate(number: u64, days: u32) -> String {
    let tenths = (number * 10 + u64::from(days) / 2) / u64::from(days.max(1));
    match (tenths / 10, tenths % 10) {
        (whole, 0) if number == 0 || whole > 0 => whole.to_string(),
        (0, 0) => "less than 0.1".to_owned(),
        (whole, tenth) => format!("{whole}.{tenth}"),
    }
}

/// A name from a log as a sentence may repeat it: one line, of bounded length, in backticks.
pub(crate) fn quoted(name: &str) -> String {
    format!("`{}`", plain(name))
}

/// The first of name, client id and object id that an identity has.
pub(crate) fn label(identity: &NamedIdentity) -> Option<String> {
    [&identity.name, &identity.app_id, &identity.service_principal_id]
        .into_iter()
        .find(|text| !text.is_empty())
        .map(|text| quoted(text))
}

/// "1 other identity", "4 other identities".
pub(crate) fn others(number: u64) -> String {
    if number == 1 { "1 other identity".to_owned() } else { format!("{number} other identities") }
}

/// A text from a log without control characters and of bounded length.
pub(crate) fn plain(text: &str) -> String {
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

/// "a", "a and b", "a, b and c", "a, b and 4 others".
pub(crate) fn list(items: &[String]) -> String {
    match items {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] if items.len() <= 3 => format!("{} and {last}", head.join(", ")),
        [first, second, rest @ ..] => format!("{first}, {second} and {} others", rest.len()),
    }
}

/// Whether two sentences say the same in other words: most words of the shorter are in the longer.
/// Names in backticks do not count, else two sentences about one identity would always be alike.
pub(crate) fn says_the_same(one: &str, other: &str) -> bool {
    let (one, other) = (stems(one), stems(other));
    let fewer = one.len().min(other.len());
    let shared = one.intersection(&other).count();
    fewer >= STEMS_AT_LEAST && shared * 10 >= fewer * 6
}

/// The beginnings of the words that carry meaning.
fn stems(sentence: &str) -> BTreeSet<String> {
    let outside_backticks = sentence.split('`').step_by(2);
    outside_backticks
        .flat_map(|text| text.split(|c: char| !c.is_alphanumeric()))
        .filter(|word| word.chars().count() > 3)
        .map(|word| word.to_lowercase().chars().take(STEM).collect())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentences_are_the_same_in_other_words_and_not_by_a_shared_name() {
        for (one, other) in [
            (
                "Look for the same name with a new client id.",
                "Look for an identity of the same name with a new client id.",
            ),
            (
                "Where the requests came from. Entra blanks the address of a managed identity.",
                "Where the requests come from, if they are a managed identity's. Entra blanks its address.",
            ),
        ] {
            assert!(says_the_same(one, other), "{one}");
        }
        for (one, other) in [
            ("See who added it.", "See who disabled it, and when."),
            (
                "Ask the owner of `sp-billing-reports-prod` whether a release began to use it.",
                "Ask the owner of `sp-billing-reports-prod` whether it was a rotation. If so, the old key should fall silent within a day.",
            ),
            (
                "Put the new client id where the workload reads it, and restart it.",
                "Compare the client id and the tenant id in the workload's settings with what exists.",
            ),
        ] {
            assert!(!says_the_same(one, other), "{one}");
        }
    }

    #[test]
    fn a_sentence_becomes_a_clause_and_names_stay() {
        for (sentence, wanted) in [
            ("Addresses come and go. A new one is a move.", "addresses come and go"),
            ("A workload stays where it runs.", "a workload stays where it runs"),
            ("Entra blanks it.", "Entra blanks it"),
            ("AADSTS700016 is one.", "AADSTS700016 is one"),
            ("", ""),
        ] {
            assert_eq!(clause(sentence), wanted);
        }
    }

    #[test]
    fn measures_are_told_in_words() {
        let told = |pairs: &[(&str, &str)]| {
            let owned = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            measures(&owned.collect())
        };
        assert_eq!(
            told(&[("known_values", "0"), ("learned_days", "9"), ("value", "cfa8b339")]),
            ["learnt for 9 full days"]
        );
        assert_eq!(told(&[("seen", "nothing for 24 h")]), ["nothing came for 24 h"]);
        assert_eq!(
            told(&[("distinct", "46"), ("at_most", "5")]),
            ["46 different ones", "at most 5"]
        );
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
        assert_eq!(list(&items), "a, b and 2 others");
    }
}
