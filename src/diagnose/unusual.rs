//! How unusual it is, in numbers: what was seen, what was usual, what would have been enough.

use super::catalogue::Catalogue;
use super::facts::{Facts, FindingFacts, IdentityFacts};
use super::measured;
use super::phrase;

/// Codes that are listed one by one.
const CODES_LISTED: usize = 5;

pub(super) fn numbers(facts: &Facts<'_>, catalogue: &Catalogue) -> Vec<String> {
    let incident = facts.incident;
    let mut lines = codes(facts, catalogue);
    lines.extend(measured(facts));
    if let [one] = facts.identities.as_slice() {
        lines.extend(usual(one));
        lines.extend(last_good(facts, one));
        if !facts.findings.iter().any(FindingFacts::is_of_tokens) {
            lines.extend(good_since(facts, one));
        }
    }
    if !incident.error_codes.is_empty() {
        lines.extend(others(facts));
    }
    if lines.is_empty() {
        lines.push(format!(
            "{} from {} to {}.",
            phrase::count(incident.event_count, "sign-in"),
            phrase::time(incident.started_at),
            phrase::time(incident.last_seen_at)
        ));
    }
    lines
}

fn others(facts: &Facts<'_>) -> Option<String> {
    let others = match facts.failing_alike? {
        0 => "No other identity".to_owned(),
        number => phrase::others(number),
    };
    let is_one = facts.incident.error_codes.len() == 1;
    let codes = if is_one { "the same code" } else { "one of these codes" };
    Some(format!("{others} failed with {codes} in this time."))
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

/// What the rules measured, a line for each rule, by its largest finding; what each of them found new comes together.
fn measured(facts: &Facts<'_>) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    let mut told: Vec<&str> = Vec::new();
    for finding in &facts.findings {
        if told.contains(&finding.rule) {
            continue;
        }
        told.push(finding.rule);
        let of_rule = || facts.findings.iter().filter(|other| other.rule == finding.rule);
        let mut values: Vec<String> = Vec::new();
        for value in of_rule().filter_map(FindingFacts::new_value).map(phrase::quoted) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        let largest = of_rule().max_by_key(|other| other.draft.event_count).unwrap_or(finding);
        let number = of_rule().count();
        let among =
            if number > 1 { format!(" (the largest of {number} findings)") } else { String::new() };
        let told = measured::numbers(finding.kind, largest.draft, &values, &largest.enough);
        lines.push(format!("{}{among}: {told}.", finding.title));
    }
    lines
}

fn usual(identity: &IdentityFacts) -> Option<String> {
    let usual = identity.baseline?;
    if usual.days == 0 {
        return Some(
            "Nothing is stored of the days before, so nothing can be compared.".to_owned(),
        );
    }
    let a_day = phrase::rate(usual.sign_ins, usual.days);
    let sign_ins = if a_day == "1" { "sign-in" } else { "sign-ins" };
    Some(format!(
        "In the {} before: {a_day} {sign_ins} a day, of which {} failed, and {} in all.",
        phrase::count(usual.days.into(), "day"),
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

/// Tokens given since it began: after the last failure it is over, between failures it comes and goes.
fn good_since(facts: &Facts<'_>, identity: &IdentityFacts) -> Option<String> {
    let last = facts.incident.last_seen_at;
    // What ends a silence is its last sign-in.
    if facts.findings.iter().any(|finding| finding.kind == "absence")
        && let Some(at) = facts.incident.resolved_at.filter(|at| *at <= last)
    {
        return Some(format!("It got a token again at {}.", phrase::time(at)));
    }
    let between = identity.first_good_after.filter(|at| *at < last);
    // Over it is only when what was refused is given again.
    let not_this = match facts.incident.resolved_at {
        None => ", but not for what was refused",
        Some(_) => "",
    };
    match (between, identity.came_back_at) {
        (None, None) => None,
        (None, Some(at)) => {
            Some(format!("It got a token again at {}{not_this}.", phrase::time(at)))
        }
        (Some(at), None) => Some(format!(
            "Tokens were given between the failures as well, the first at {}.",
            phrase::time(at)
        )),
        (Some(_), Some(at)) => Some(format!(
            "Tokens were given between the failures as well, and after the last of them at {}{not_this}.",
            phrase::time(at)
        )),
    }
}
