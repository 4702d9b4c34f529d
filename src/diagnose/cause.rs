//! Guesses at why, each with what speaks for it, ranked.

use chrono::{DateTime, TimeDelta, Utc};

use super::card::{Cause, Confidence};
use super::catalogue::{Catalogue, ErrorClass, Origin};
use super::facts::{Facts, IdentityFacts, Shared, Successor};
use super::measured;
use super::oddity;
use super::phrase;
use super::spray::{is_spray, spray};

/// The tenant does not know the application, or no longer.
pub(super) const NOT_FOUND: [i64; 3] = [700_016, 700_011, 500_341];
/// A date has passed; no other reading is possible.
const EXPIRED: [i64; 2] = [7_000_222, 1_000_502];
/// From so many other identities on, failing alike is no accident.
const ALIKE: u64 = 3;
/// So many that meet the same at once have something in common for certain.
const MANY: u64 = 5;
/// A successor that appears this near to the first failure explains it.
const NEAR: TimeDelta = TimeDelta::hours(24);
/// Codes that are explained each for itself.
pub(super) const CODES_EXPLAINED: usize = 3;

/// What sort of guess it is: the steps depend on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Recreated,
    Spray,
    /// What many meet at once.
    Outage,
    Other,
}

pub(super) struct Guess {
    pub kind: Kind,
    pub cause: Cause,
}

impl Guess {
    pub(super) fn new(
        kind: Kind,
        confidence: Confidence,
        sentence: String,
        because: Vec<String>,
    ) -> Self {
        Self { kind, cause: Cause { sentence, because, confidence } }
    }

    pub(super) fn other(
        confidence: Confidence,
        sentence: impl Into<String>,
        because: Vec<String>,
    ) -> Self {
        Self::new(Kind::Other, confidence, sentence.into(), because)
    }
}

/// All guesses, the likeliest first.
pub(super) fn guesses(facts: &Facts<'_>, catalogue: &Catalogue) -> Vec<Guess> {
    let mut guesses = Vec::new();
    guesses.extend(spray(facts));
    guesses.extend(outage(facts, catalogue));
    if facts.incident.error_codes.iter().any(|code| NOT_FOUND.contains(code)) {
        let recreated: Vec<Guess> =
            facts.identities.iter().filter_map(|one| recreated(facts, one)).collect();
        if recreated.is_empty() && !is_spray(facts) && !is_told_of_many(facts) {
            guesses.extend(facts.identities.first().map(|identity| deleted(facts, identity)));
        }
        guesses.extend(recreated);
    }
    if !is_told_of_many(facts) {
        guesses.extend(shared_change(facts, catalogue));
    }
    guesses.extend(by_code(facts, catalogue));
    guesses.extend(facts.findings.iter().flat_map(|finding| oddity::guesses(facts, finding)));
    if guesses.is_empty() {
        guesses.extend(facts.findings.iter().map(|finding| {
            Guess::other(
                Confidence::Low,
                finding.why,
                vec![measured::seen(finding.kind, finding.draft)],
            )
        }));
    }
    guesses.sort_by_key(|guess| std::cmp::Reverse(guess.cause.confidence));
    guesses
}

fn times_of(facts: &Facts<'_>, code: i64) -> u64 {
    facts.codes.get(&code).copied().unwrap_or(0)
}

/// "AADSTS700016, 34 times: the tenant knows no application with this client id".
fn code_seen(facts: &Facts<'_>, catalogue: &Catalogue, code: i64) -> String {
    let times = match times_of(facts, code) {
        0 => String::new(),
        number => format!(", {}", phrase::times(number)),
    };
    format!("AADSTS{code}{times}: {}", catalogue.meaning(code))
}

fn last_good(facts: &Facts<'_>, identity: &IdentityFacts) -> Option<String> {
    identity.last_good_at.map(|at| {
        format!(
            "it last got a token at {}, {} before the first event of this incident",
            phrase::time(at),
            phrase::span(facts.incident.started_at - at)
        )
    })
}

fn label(identity: &IdentityFacts) -> String {
    phrase::label(&identity.named).unwrap_or_else(|| "the identity".to_owned())
}

fn recreated(facts: &Facts<'_>, identity: &IdentityFacts) -> Option<Guess> {
    let successor = identity.successor_of_gone()?;
    let distance = successor.first_seen_at - facts.incident.started_at;
    let is_near = distance.abs() <= NEAR;
    let mut because = vec![appeared(successor, distance)];
    because.extend(last_good(facts, identity));
    let new_id = client_id(successor);
    Some(Guess::new(
        Kind::Recreated,
        if is_near { Confidence::High } else { Confidence::Medium },
        format!(
            "{} was deleted and created anew as {new_id}, and the workload still uses the old client id.",
            label(identity)
        ),
        because,
    ))
}

/// The id under which the successor lives.
pub(super) fn client_id(successor: &Successor) -> String {
    let named = &successor.named;
    let id = if named.app_id.is_empty() { &named.service_principal_id } else { &named.app_id };
    phrase::quoted(id)
}

fn appeared(successor: &Successor, distance: TimeDelta) -> String {
    let shared = match successor.shares {
        Shared::Name => "the same name",
        Shared::ArmResource => "the same Azure resource",
    };
    let side = if distance < TimeDelta::zero() { "before" } else { "after" };
    format!(
        "{shared} appeared with the client id {} at {}, {} {side} the first failure",
        client_id(successor),
        phrase::time(successor.first_seen_at),
        phrase::span(distance)
    )
}

fn deleted(facts: &Facts<'_>, identity: &IdentityFacts) -> Guess {
    if let Some(at) = identity.came_back_at {
        return came_back(facts, identity, at);
    }
    if let Some(good) = last_good(facts, identity) {
        let sentence =
            format!("{} was deleted, and something still uses its client id.", label(identity));
        return Guess::other(
            Confidence::High,
            sentence,
            vec![good, "the tenant knew the id then, and no longer does".to_owned()],
        );
    }
    Guess::other(
        Confidence::Medium,
        "The client id is stale or mistyped, or belongs to an application of another tenant.",
        vec!["no sign-in under this id that gave a token is stored".to_owned()],
    )
}

/// The same id got a token afterwards, so the identity cannot be gone.
fn came_back(facts: &Facts<'_>, identity: &IdentityFacts, at: DateTime<Utc>) -> Guess {
    let again = format!("it got a token under the same id at {}", phrase::time(at));
    match last_good(facts, identity) {
        Some(good) => Guess::other(
            Confidence::Medium,
            format!(
                "{} was not found for a while and is back: it was deleted and restored, or the workload asked in another tenant.",
                label(identity)
            ),
            vec![again, good],
        ),
        None => Guess::other(
            Confidence::Medium,
            format!("{} was new then, and Entra did not know it everywhere yet.", label(identity)),
            vec![again, "no token given to it before is stored".to_owned()],
        ),
    }
}

/// What many identities meet at once lies in none of them: in Entra where its codes say so, else in what they share.
fn outage(facts: &Facts<'_>, catalogue: &Catalogue) -> Option<Guess> {
    let told = is_told_of_many(facts);
    let first = facts.incident.error_codes.first().copied();
    let class = first.map(|code| catalogue.class_of(code));
    let is_transient = class == Some(ErrorClass::Transient);
    let lies_in_entra = is_transient || told && class == Some(ErrorClass::Throttling);
    let others = facts.failing_alike.unwrap_or(0);
    let mut because: Vec<String> =
        first.map(|code| code_seen(facts, catalogue, code)).into_iter().collect();
    if facts.identity_count > 1 {
        because.push(if first.is_some() {
            format!("{} identities were refused in the same time", facts.refused_count())
        } else {
            format!("{} identities stopped in the same time", facts.identity_count)
        });
    }
    if others > 0 && first.is_some() {
        because.push(failing_alike(others));
    }
    if !lies_in_entra {
        let is_many = facts.identity_count >= MANY;
        let confidence = if is_many { Confidence::High } else { Confidence::Medium };
        let sentence = in_common(first, class).to_owned();
        return told.then(|| Guess::new(Kind::Outage, confidence, sentence, because));
    }
    let together = told || others >= ALIKE;
    let confidence = if together { Confidence::High } else { Confidence::Medium };
    let sentence = if together {
        "Entra itself has trouble. The cause lies in none of the identities."
    } else {
        "Entra had a passing fault, or the line to it was cut."
    };
    Some(Guess::new(Kind::Outage, confidence, sentence.to_owned(), because))
}

fn is_told_of_many(facts: &Facts<'_>) -> bool {
    facts.findings.iter().any(|finding| finding.category == "outage")
}

/// What identities share that all meet the same, by what they meet; without a code they fell silent.
fn in_common(code: Option<i64>, class: Option<ErrorClass>) -> &'static str {
    match (code, class) {
        (None, _) => {
            "What carries these identities is down or was stopped: their cluster, network or subscription. The cause lies in none of them."
        }
        (Some(code), _) if NOT_FOUND.contains(&code) => {
            "These identities were deleted together, for example with their resource group, or their workloads all ask the wrong tenant."
        }
        (_, Some(ErrorClass::Policy | ErrorClass::Security)) => {
            "A policy that all of these identities fall under was made or changed. The cause lies in none of them."
        }
        (_, Some(ErrorClass::Credential | ErrorClass::Federation)) => {
            "These identities share what ran out or was replaced: a certificate, a vault, or a deployment that wrote their secrets. The cause lies in none of them."
        }
        _ => {
            "Something changed that all of these identities share: a resource, a policy, a deployment. The cause lies in none of them."
        }
    }
}

fn failing_alike(others: u64) -> String {
    let others = phrase::others(others);
    format!("{others} failed with the same code in the same time")
}

/// Whether a failure of this class may come of a change that several identities share.
pub(super) fn may_be_shared(class: ErrorClass) -> bool {
    !matches!(
        class,
        ErrorClass::Transient | ErrorClass::Throttling | ErrorClass::Credential | ErrorClass::User
    )
}

fn shared_change(facts: &Facts<'_>, catalogue: &Catalogue) -> Option<Guess> {
    let code = *facts.incident.error_codes.first()?;
    let class = catalogue.class_of(code);
    // Ids that never worked were not broken by anything: somebody made them up.
    if facts.failing_alike_worked < ALIKE || is_spray(facts) || !may_be_shared(class) {
        return None;
    }
    let sentence = if NOT_FOUND.contains(&code) {
        let was_there = |one: &IdentityFacts| one.last_good_at.is_some();
        if !facts.identities.iter().any(was_there)
            || facts.identities.iter().any(|one| one.came_back_at.is_some())
        {
            return None;
        }
        "Several identities were deleted together, for example with their resource group."
    } else {
        "Something changed that several identities share: a policy, a resource, a deployment."
    };
    let because = format!(
        "{} that got tokens before failed alike within an hour of the first failure",
        phrase::others(facts.failing_alike_worked)
    );
    Some(Guess::other(Confidence::Medium, sentence, vec![because]))
}

/// What the catalogue says of the codes that no other guess has explained.
fn by_code(facts: &Facts<'_>, catalogue: &Catalogue) -> Vec<Guess> {
    let codes = facts.incident.error_codes.iter().take(CODES_EXPLAINED);
    codes.filter_map(|&code| one_code(facts, catalogue, code)).collect()
}

fn one_code(facts: &Facts<'_>, catalogue: &Catalogue, code: i64) -> Option<Guess> {
    let mut because = vec![code_seen(facts, catalogue, code)];
    let Some(entry) = catalogue.get(code) else {
        return Some(Guess::other(
            Confidence::Low,
            format!("Entra refuses for a reason that the catalogue does not hold (AADSTS{code})."),
            vec![code_seen(facts, catalogue, code)],
        ));
    };
    if NOT_FOUND.contains(&code) || entry.class == ErrorClass::Transient {
        return None;
    }
    because.extend(facts.identities.first().and_then(|identity| last_good(facts, identity)));
    let confidence = if EXPIRED.contains(&code) {
        Confidence::High
    } else if entry.source == Origin::Field || entry.class == ErrorClass::Unknown {
        Confidence::Low
    } else {
        Confidence::Medium
    };
    Some(Guess::other(confidence, entry.cause.clone(), because))
}
