//! How unusual it is, in numbers: what was seen, what was usual, what would have been enough.

use super::catalogue::Catalogue;
use super::facts::{Facts, FindingFacts, IdentityFacts};
use super::phrase;

/// Codes that are listed one by one.
const CODES_LISTED: usize = 5;

pub(super) fn numbers(facts: &Facts<'_>, catalogue: &Catalogue) -> Vec<String> {
    let incident = facts.incident;
    let mut lines = vec![format!(
        "{} from {} to {}.",
        phrase::count(incident.event_count, "sign-in"),
        phrase::time(incident.started_at),
        phrase::time(incident.last_seen_at)
    )];
    lines.extend(codes(facts, catalogue));
    lines.extend(facts.findings.iter().filter_map(measured));
    if let [one] = facts.identities.as_slice() {
        lines.extend(usual(one));
        lines.extend(last_good(facts, one));
        lines.extend(
            one.first_good_after.map(|at| format!("It got a token again at {}.", phrase::time(at))),
        );
    }
    if !incident.error_codes.is_empty() {
        let others = match facts.failing_alike {
            0 => "No other identity".to_owned(),
            number => phrase::others(number),
        };
        lines.push(format!("{others} failed with the same code in this time."));
    }
    lines
}

fn codes(facts: &Facts<'_>, catalogue: &Catalogue) -> Vec<String> {
    let mut lines: Vec<String> = facts
        .incident
        .error_codes
        .iter()
        .take(CODES_LISTED)
        .map(|&code| {
            let entry = catalogue.get(code);
            let name = entry.and_then(|entry| entry.name.as_deref());
            let name = name.map_or_else(String::new, |name| format!(" ({name})"));
            let times = facts.codes.get(&code).map(|&number| format!(" {}", phrase::times(number)));
            let times = times.unwrap_or_default();
            let meaning = catalogue.meaning(code);
            format!("AADSTS{code}{name}{times}: {meaning}. {}", Catalogue::link(code))
        })
        .collect();
    let rest = facts.incident.error_codes.len().saturating_sub(CODES_LISTED);
    if rest > 0 {
        lines.push(format!("{} more.", phrase::count(rest as u64, "error code")));
    }
    lines
}

/// What the rule measured, beside what it takes to meet it.
fn measured(finding: &FindingFacts<'_>) -> Option<String> {
    let measures = &finding.draft.measures;
    if measures.is_empty() {
        return None;
    }
    let mut parts: Vec<String> = Vec::new();
    for (key, words) in [
        ("seen", "seen"),
        ("expected", "expected"),
        ("value", "new"),
        ("learned_for", "learnt for"),
    ] {
        parts.extend(measures.get(key).map(|value| format!("{words} {}", phrase::plain(value))));
    }
    let named = ["seen", "expected", "value", "learned_for"];
    let others = measures.iter().filter(|(key, _)| !named.contains(&key.as_str()));
    parts.extend(
        others.map(|(key, value)| format!("{} {}", key.replace('_', " "), phrase::plain(value))),
    );
    Some(format!("{}: {}.", finding.title, parts.join(", ")))
}

fn usual(identity: &IdentityFacts) -> Option<String> {
    let usual = identity.baseline?;
    if usual.days == 0 {
        return Some(
            "Nothing is stored of the days before, so nothing can be compared.".to_owned(),
        );
    }
    Some(format!(
        "In the {} before: {} sign-ins a day, of which {} failed, and {} in all.",
        phrase::count(usual.days.into(), "day"),
        phrase::rate(usual.sign_ins, usual.days),
        phrase::rate(usual.failures, usual.days),
        phrase::count(usual.resources, "resource")
    ))
}

fn last_good(facts: &Facts<'_>, identity: &IdentityFacts) -> Option<String> {
    let at = identity.last_good_at?;
    Some(format!(
        "The last token before it was given at {}, {} earlier.",
        phrase::time(at),
        phrase::span(facts.incident.started_at - at)
    ))
}
