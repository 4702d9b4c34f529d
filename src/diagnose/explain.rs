//! The six answers: what, who, how unusual, why probably, what to do, what is unknown.

use super::card::{Card, Cause, Confidence, Step, Who};
use super::catalogue::{Catalogue, ErrorClass};
use super::cause::{self, Guess, Kind};
use super::facts::{Facts, IdentityFacts};
use super::phrase;
use super::step::{self, Blanks};
use super::unusual;

/// More steps than this nobody does at night.
const STEPS_AT_MOST: usize = 9;

/// Explains an incident. The same facts give the same card.
#[must_use]
pub fn explain(facts: &Facts<'_>, catalogue: &Catalogue) -> Card {
    let guesses = cause::guesses(facts, catalogue);
    let steps = steps(facts, catalogue, &guesses);
    Card {
        incident: facts.incident.clone(),
        what: what(facts, catalogue),
        who: facts.identities.iter().map(who).collect(),
        unusual: unusual::numbers(facts, catalogue),
        causes: distinct(guesses),
        steps,
        unknown: unknown(facts, catalogue),
    }
}

fn distinct(guesses: Vec<Guess>) -> Vec<Cause> {
    let mut causes: Vec<Cause> = Vec::new();
    for Guess { cause, .. } in guesses {
        if causes.iter().all(|other| other.sentence != cause.sentence) {
            causes.push(cause);
        }
    }
    causes
}

fn who(identity: &IdentityFacts) -> Who {
    Who {
        name: identity.named.name.clone(),
        service_principal_id: identity.named.service_principal_id.clone(),
        app_id: identity.named.app_id.clone(),
        tenant_id: identity.tenant_id.clone(),
        arm_resource_id: identity.arm_resource_id.clone(),
        last_good_at: identity.last_good_at,
    }
}

/// Whom the sentence is about: one by name, several by number.
fn subject(facts: &Facts<'_>) -> String {
    let named = &facts.incident.identities;
    let label = |name: &str, app_id: &str, principal_id: &str| {
        [name, app_id, principal_id].into_iter().find(|text| !text.is_empty()).map(phrase::quoted)
    };
    match named.as_slice() {
        [] => "An identity without a name or id".to_owned(),
        [one] => {
            let kind = match facts.identities.first() {
                Some(identity) if identity.is_managed() => "The managed identity",
                _ => "The identity",
            };
            let label = label(&one.name, &one.app_id, &one.service_principal_id);
            label.map_or_else(
                || "An identity without a name or id".to_owned(),
                |label| format!("{kind} {label}"),
            )
        }
        many => format!("{} identities", many.len()),
    }
}

fn resources(facts: &Facts<'_>) -> String {
    let names: Vec<String> =
        facts.incident.resources.iter().map(|name| phrase::quoted(name)).collect();
    phrase::list(&names)
}

fn what(facts: &Facts<'_>, catalogue: &Catalogue) -> String {
    let incident = facts.incident;
    let span = phrase::within(incident.started_at, incident.last_seen_at);
    let subject = subject(facts);
    let target = match resources(facts) {
        names if names.is_empty() => String::new(),
        names => format!(" for {names}"),
    };
    let has = |category: &str| facts.findings.iter().any(|one| one.category == category);
    if has("spray") {
        let from = facts
            .addresses
            .first()
            .map_or_else(String::new, |address| format!(" from {}", phrase::quoted(address)));
        return format!(
            "Application ids that this tenant does not know were tried{from}, {} {span}.",
            phrase::times(incident.event_count)
        );
    }
    let Some(&code) = incident.error_codes.first() else {
        return without_failure(facts, &subject, &target, &span);
    };
    let refused = facts.codes.iter().filter(|(code, _)| **code != 0).map(|(_, count)| count).sum();
    let refused = if refused == 0 { incident.event_count } else { refused };
    let meaning = catalogue.meaning(code);
    let were = if incident.identities.len() > 1 { "were" } else { "was" };
    format!(
        "{subject} {were} refused a token{target} {} {span}: {meaning} (AADSTS{code}).",
        phrase::times(refused)
    )
}

/// The sentence where nothing failed: something new, or too much of something.
fn without_failure(facts: &Facts<'_>, subject: &str, target: &str, span: &str) -> String {
    let first = facts.findings.first();
    match first {
        Some(finding) if finding.is_first_seen() && finding.field == Some("resourceId") => {
            format!("{subject} was given a token{target}, which it never asked for before.")
        }
        Some(finding) if finding.is_first_seen() => {
            let value = finding.draft.measures.get("value").map(|value| phrase::quoted(value));
            let shown = value.map_or_else(String::new, |value| format!(" ({value})"));
            format!(
                "{subject} signed in{target} in a way it never did before{shown}: {}.",
                lower(finding.title)
            )
        }
        _ => {
            let were = if facts.incident.identities.len() > 1 { "were" } else { "was" };
            let tokens = phrase::count(facts.incident.event_count, "token");
            format!("{subject} {were} given {tokens}{target} {span}.")
        }
    }
}

fn lower(title: &str) -> String {
    let mut letters = title.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn steps(facts: &Facts<'_>, catalogue: &Catalogue, guesses: &[Guess]) -> Vec<Step> {
    let blanks = Blanks::of(facts);
    let mut steps = Vec::new();
    let likeliest = guesses.first().map_or(Kind::Other, |guess| guess.kind);
    if guesses.iter().any(|guess| guess.kind == Kind::Recreated) {
        for step in facts.identities.iter().filter_map(recreated_step) {
            step::add(&mut steps, step);
        }
    }
    let by_rule = facts.findings.iter().flat_map(|finding| finding.first_steps);
    let by_code = facts
        .incident
        .error_codes
        .iter()
        .take(cause::CODES_EXPLAINED)
        .filter_map(|&code| catalogue.get(code))
        .flat_map(|entry| &entry.remedy);
    // Under attack or in an outage, mending the identity is the wrong thing to begin with.
    let ordered: Vec<&String> = match likeliest {
        Kind::Spray | Kind::Outage => by_rule.chain(by_code).collect(),
        Kind::Recreated | Kind::Other => by_code.chain(by_rule).collect(),
    };
    for template in ordered {
        step::add(&mut steps, blanks.step(template));
    }
    for code in unexplained(facts, catalogue) {
        step::add(
            &mut steps,
            Step {
                sentence: format!("Read what Microsoft says about AADSTS{code}."),
                command: Some(Catalogue::link(code)),
            },
        );
    }
    steps.truncate(STEPS_AT_MOST);
    steps
}

fn recreated_step(identity: &IdentityFacts) -> Option<Step> {
    let successor = identity.successor.as_ref()?;
    let old = if identity.named.app_id.is_empty() {
        "the old one".to_owned()
    } else {
        phrase::quoted(&identity.named.app_id)
    };
    Some(Step {
        sentence: format!(
            "Put the new client id {} where the workload still has {old}, or attach the identity to it again, and restart it.",
            cause::client_id(successor)
        ),
        command: None,
    })
}

fn unexplained<'f>(
    facts: &'f Facts<'_>,
    catalogue: &'f Catalogue,
) -> impl Iterator<Item = i64> + 'f {
    facts.incident.error_codes.iter().copied().filter(|&code| !catalogue.is_known(code))
}

fn unknown(facts: &Facts<'_>, catalogue: &Catalogue) -> Vec<String> {
    let mut unknown: Vec<String> = Vec::new();
    let mut say = |sentence: String| {
        if !unknown.contains(&sentence) {
            unknown.push(sentence);
        }
    };
    let blanks = Blanks::of(facts);
    for sentence in facts.findings.iter().flat_map(|finding| finding.unknown) {
        say(blanks.sentence(sentence));
    }
    if facts.identities.iter().any(IdentityFacts::is_managed) {
        say("Where the requests came from. Entra blanks the address of a managed identity."
            .to_owned());
    }
    if !facts.incident.resources.is_empty() {
        say("Which vault, account or database was meant. The log names the service, not the instance.".to_owned());
    }
    for code in unexplained(facts, catalogue) {
        say(format!("What AADSTS{code} means. The catalogue does not hold it."));
    }
    if facts
        .incident
        .error_codes
        .iter()
        .any(|&code| catalogue.get(code).is_some_and(|entry| entry.class == ErrorClass::Unknown))
    {
        say("What the code really means. Microsoft does not document it.".to_owned());
    }
    if let [one] = facts.identities.as_slice()
        && one.last_good_at.is_none()
        && !facts.incident.error_codes.is_empty()
    {
        say("Whether it ever worked. No sign-in before this that gave a token is stored."
            .to_owned());
    }
    if let Some(sentence) = &facts.coverage {
        say(sentence.clone());
    }
    unknown
}

impl Card {
    /// The likeliest cause, if any is likely enough to be told first.
    #[must_use]
    pub fn probable_cause(&self) -> Option<&Cause> {
        self.causes.first().filter(|cause| cause.confidence >= Confidence::Medium)
    }
}
