//! Guesses at why tokens were given in a way they never were before: a change on purpose, or a theft.

use super::card::Confidence;
use super::cause::Guess;
use super::facts::{Facts, FindingFacts, IdentityFacts};
use super::phrase;

/// What one finding may mean; nothing where it is about failures.
pub(super) fn guesses(facts: &Facts<'_>, finding: &FindingFacts<'_>) -> Vec<Guess> {
    match (finding.kind, finding.category, finding.field) {
        ("first_seen", _, Some("resourceId")) => new_resource(facts, finding),
        // Failures are explained by their codes.
        ("first_seen", "failure", _) => Vec::new(),
        ("first_seen", "lifecycle", _) => made_anew(finding),
        ("first_seen", "credential", _) => new_credential(finding),
        ("first_seen", ..) => new_habit(finding),
        ("event_count" | "baseline", "token_pattern", _) => burst(facts, finding),
        ("newcomer", ..) => newcomer(finding),
        ("awakening", ..) => awakening(facts, finding),
        ("rhythm", ..) => odd_hour(facts, finding),
        _ => Vec::new(),
    }
}

/// What makes abuse likelier than a release: a second thing that is odd about the same identity.
fn second_oddity(facts: &Facts<'_>, finding: &FindingFacts<'_>) -> Option<String> {
    let other = facts.findings.iter().find(|other| {
        other.rule != finding.rule
            && matches!(other.category, "token_pattern" | "credential" | "cross_tenant" | "policy")
    })?;
    Some(format!("the same incident holds \"{}\"", other.title))
}

/// "`Azure Key Vault` was not seen in the 9 full days of learning before".
fn new_value(finding: &FindingFacts<'_>, shown: &[String]) -> String {
    if shown.is_empty() {
        return format!("the rule `{}` was met", finding.rule);
    }
    let (names, were) = (phrase::list(shown), if shown.len() > 1 { "were" } else { "was" });
    let days = finding.draft.measures.get("learned_days").and_then(|days| days.parse().ok());
    let learned = days.map_or_else(
        || "before".to_owned(),
        |days| format!("in the {} of learning before", phrase::count(days, "full day")),
    );
    format!("{names} {were} not seen {learned}")
}

fn value_shown(finding: &FindingFacts<'_>) -> Vec<String> {
    finding.new_value().map(phrase::quoted).into_iter().collect()
}

fn new_resource(facts: &Facts<'_>, finding: &FindingFacts<'_>) -> Vec<Guess> {
    let shown = facts.new_resources();
    let resource = match shown.as_slice() {
        [] => "a resource that is new for it".to_owned(),
        shown => phrase::list(shown),
    };
    let mut because = vec![new_value(finding, &shown)];
    let baseline = facts.identities.first().and_then(|identity| identity.baseline);
    because.extend(baseline.map(|usual| {
        let resources = phrase::count(usual.resources, "resource");
        format!("in the {} before it used {resources}", phrase::count(usual.days.into(), "day"))
    }));
    let release = Guess::other(
        Confidence::Medium,
        format!("A release made the workload use {resource}."),
        because,
    );
    let oddity = second_oddity(facts, finding);
    let confidence = if oddity.is_some() { Confidence::Medium } else { Confidence::Low };
    let is_managed = facts.identities.first().is_none_or(IdentityFacts::is_managed);
    let way = if is_managed {
        "whoever runs code where the workload runs can get its token for any resource"
    } else {
        "whoever holds its credential can get its token for any resource"
    };
    let mut against = vec![way.to_owned()];
    against.extend(oddity);
    let theft =
        Guess::other(confidence, format!("Somebody else uses its token for {resource}."), against);
    vec![release, theft]
}

fn new_credential(finding: &FindingFacts<'_>) -> Vec<Guess> {
    vec![
        Guess::other(
            Confidence::Medium,
            "The credential was rotated or replaced on purpose.",
            vec![new_value(finding, &value_shown(finding))],
        ),
        Guess::other(
            Confidence::Low,
            "Somebody added a credential of their own to the application.",
            vec!["a second credential survives the rotation of the first".to_owned()],
        ),
    ]
}

fn new_habit(finding: &FindingFacts<'_>) -> Vec<Guess> {
    vec![
        Guess::other(
            Confidence::Medium,
            "The way this identity signs in was changed on purpose.",
            vec![new_value(finding, &value_shown(finding))],
        ),
        Guess::other(
            Confidence::Low,
            "Somebody else signs in as this identity.",
            vec![phrase::clause(finding.why)],
        ),
    ]
}

fn made_anew(finding: &FindingFacts<'_>) -> Vec<Guess> {
    vec![
        Guess::other(
            Confidence::Medium,
            "The identity was deleted and made again, so it has other ids.",
            vec![new_value(finding, &value_shown(finding))],
        ),
        Guess::other(
            Confidence::Low,
            "Another identity has the same name, and was seen for the first time.",
            vec!["names need not be unique".to_owned()],
        ),
    ]
}

fn newcomer(finding: &FindingFacts<'_>) -> Vec<Guess> {
    let known_for = finding.draft.measures.get("known_for");
    let because = known_for.map(|span| format!("it was first seen {span} before"));
    vec![
        Guess::other(
            Confidence::Medium,
            "The workload was deployed on purpose.",
            because.into_iter().collect(),
        ),
        Guess::other(
            Confidence::Low,
            "Somebody made an identity of their own to come back with.",
            vec!["its first tokens were for what has power over others".to_owned()],
        ),
    ]
}

fn awakening(facts: &Facts<'_>, finding: &FindingFacts<'_>) -> Vec<Guess> {
    let silence = finding.draft.measures.get("seen").cloned();
    vec![
        Guess::other(
            Confidence::Medium,
            "The workload was switched on again on purpose, or runs this rarely.",
            silence.into_iter().collect(),
        ),
        Guess::other(
            Confidence::Low,
            "Somebody uses an identity that nobody watches any more.",
            second_oddity(facts, finding).into_iter().collect(),
        ),
    ]
}

fn odd_hour(facts: &Facts<'_>, finding: &FindingFacts<'_>) -> Vec<Guess> {
    let expected = finding.draft.measures.get("expected");
    let because = expected.map(|hours| format!("its sign-ins lie {hours}"));
    vec![
        Guess::other(
            Confidence::Medium,
            "Somebody worked with it by hand, or its job was moved.",
            because.into_iter().collect(),
        ),
        Guess::other(
            Confidence::Low,
            "Somebody else uses its credential.",
            second_oddity(facts, finding).into_iter().collect(),
        ),
    ]
}

fn burst(facts: &Facts<'_>, finding: &FindingFacts<'_>) -> Vec<Guess> {
    let seen = format!(
        "{} {}",
        phrase::count(finding.draft.event_count, "token"),
        phrase::within(facts.incident.started_at, facts.incident.last_seen_at)
    );
    vec![
        Guess::other(
            Confidence::Medium,
            "Many instances that share the identity were started at once.",
            vec![seen.clone()],
        ),
        Guess::other(
            Confidence::Medium,
            "A client asks for a new token for each call and keeps none.",
            vec![seen],
        ),
        Guess::other(
            Confidence::Low,
            "Somebody harvests tokens on a host of the identity.",
            second_oddity(facts, finding).into_iter().collect(),
        ),
    ]
}
