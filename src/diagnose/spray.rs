//! Attempts that go through many applications: what was tried, from where, and who does such a thing.

use super::card::Confidence;
use super::cause::{Guess, Kind, NOT_FOUND};
use super::facts::{Facts, TriedFrom};
use super::phrase;

/// The category of rules that find it.
pub(super) const SPRAY: &str = "spray";
/// Addresses that are told one by one.
const ADDRESSES_TOLD: usize = 3;

pub(super) fn is_spray(facts: &Facts<'_>) -> bool {
    facts.findings.iter().any(|finding| finding.category == SPRAY)
}

/// Whether it asks for ids that nobody has; else it tries secrets of those that exist.
fn is_of_ids(facts: &Facts<'_>) -> bool {
    facts.incident.error_codes.iter().any(|code| NOT_FOUND.contains(code))
}

/// How many applications were tried, by whoever counted most.
fn tried(facts: &Facts<'_>) -> u64 {
    let sprays = facts.findings.iter().filter(|finding| finding.category == SPRAY);
    let counts = sprays.flat_map(|finding| {
        let measures = &finding.draft.measures;
        ["distinct", "seen"].map(|name| measures.get(name).and_then(|text| text.parse().ok()))
    });
    counts.flatten().chain([facts.identity_count]).max().unwrap_or(0)
}

/// The first sentence of what happened.
pub(super) fn what(facts: &Facts<'_>, span: &str) -> String {
    let from = match named(&facts.addresses) {
        names if names.is_empty() => String::new(),
        names => format!(" from {names}"),
    };
    let times = phrase::times(facts.incident.event_count);
    let tried = tried(facts);
    if is_of_ids(facts) {
        let number = match tried {
            0 | 1 => "Application ids".to_owned(),
            number => format!("{number} application ids"),
        };
        return format!(
            "{number} that this tenant does not know were tried{from}, {times} {span}."
        );
    }
    let number = phrase::count(tried, "application");
    format!("Credentials that are not theirs were presented for {number}{from}, {times} {span}.")
}

fn named(addresses: &[TriedFrom]) -> String {
    let mut names: Vec<String> =
        addresses.iter().take(ADDRESSES_TOLD).map(|from| phrase::quoted(&from.address)).collect();
    match addresses.len().saturating_sub(ADDRESSES_TOLD) {
        0 => {}
        1 => names.push("1 other address".to_owned()),
        more => names.push(format!("{more} other addresses")),
    }
    phrase::list(&names)
}

pub(super) fn spray(facts: &Facts<'_>) -> Option<Guess> {
    if !is_spray(facts) {
        return None;
    }
    let mut because = Vec::new();
    let tried = tried(facts);
    let of_ids = is_of_ids(facts);
    if tried > 1 {
        because.push(if of_ids {
            format!("{tried} different ids were tried; a broken workload repeats one")
        } else {
            format!("{tried} applications were tried; a broken workload repeats its own credential")
        });
    }
    because.extend(facts.addresses.iter().take(ADDRESSES_TOLD).map(|from| {
        let attempts = phrase::count(from.attempts, "attempt");
        let applications = phrase::count(from.applications, "application");
        format!("{attempts} at {applications} came from {}", phrase::quoted(&from.address))
    }));
    if let [_, _, _, others @ ..] = facts.addresses.as_slice()
        && !others.is_empty()
    {
        let attempts = others.iter().map(|from| from.attempts).sum();
        let attempts = phrase::count(attempts, "attempt");
        because.push(format!("{attempts} came from {} more addresses", others.len()));
    }
    if !of_ids {
        let sentence = match named(&facts.addresses) {
            names if names.is_empty() => "Somebody guesses credentials.".to_owned(),
            names => format!("Somebody guesses credentials, from {names}."),
        };
        return Some(Guess::new(Kind::Spray, Confidence::High, sentence, because));
    }
    let never_good = facts.identities.iter().all(|identity| identity.last_good_at.is_none());
    because.push(if never_good {
        "none of the ids named here ever got a token".to_owned()
    } else {
        "but some of the ids worked before, so several identities may have been deleted at once"
            .to_owned()
    });
    Some(Guess::new(
        Kind::Spray,
        if never_good { Confidence::High } else { Confidence::Medium },
        "Somebody tries out which applications this tenant has.".to_owned(),
        because,
    ))
}
