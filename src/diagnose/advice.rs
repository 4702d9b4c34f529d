//! What to do now: few steps, each said once, those that know most of this incident first.

use super::card::Step;
use super::catalogue::Catalogue;
use super::cause::{self, Guess, Kind};
use super::facts::{Facts, FindingFacts, IdentityFacts};
use super::phrase;
use super::step::{self, Blanks};

/// More steps than this nobody does at night.
const STEPS_AT_MOST: usize = 5;

/// One step more, where the incident holds a second matter.
const WITH_SECOND_MATTER: usize = 6;

pub(super) fn steps(facts: &Facts<'_>, catalogue: &Catalogue, guesses: &[Guess]) -> Vec<Step> {
    let blanks = Blanks::of(facts);
    let mut steps = Vec::new();
    let of_tokens = |finding: &&FindingFacts<'_>| finding.is_of_tokens();
    let likeliest = guesses.first().map_or(Kind::Other, |guess| guess.kind);
    match likeliest {
        // Under attack, mending the identities is the wrong thing to do.
        Kind::Spray => add_rules(&mut steps, &blanks, in_category(facts, "spray")),
        Kind::Outage => {
            add_rules(&mut steps, &blanks, in_category(facts, "outage"));
            if steps.is_empty() {
                add_codes(&mut steps, &blanks, facts, catalogue);
            }
        }
        Kind::Recreated => {
            for identity in &facts.identities {
                recreated(&mut steps, identity);
            }
        }
        Kind::Other => {
            add_unexplained(&mut steps, facts, catalogue);
            add_codes(&mut steps, &blanks, facts, catalogue);
            add_rules(&mut steps, &blanks, facts.findings.iter().filter(|one| !one.is_of_tokens()));
        }
    }
    let mut at_most = if steps.is_empty() { STEPS_AT_MOST } else { WITH_SECOND_MATTER };
    steps.truncate(STEPS_AT_MOST);
    for finding in facts.findings.iter().filter(of_tokens) {
        add_rules(&mut steps, &blanks, std::iter::once(finding));
        steps.truncate(at_most);
        at_most = WITH_SECOND_MATTER;
    }
    steps
}

/// The codes that the catalogue does not hold.
pub(super) fn unexplained<'f>(
    facts: &'f Facts<'_>,
    catalogue: &'f Catalogue,
) -> impl Iterator<Item = i64> + 'f {
    facts.incident.error_codes.iter().copied().filter(|&code| !catalogue.is_known(code))
}

fn in_category<'f, 'a>(
    facts: &'f Facts<'a>,
    category: &'f str,
) -> impl Iterator<Item = &'f FindingFacts<'a>> {
    facts.findings.iter().filter(move |finding| finding.category == category)
}

fn add_rules<'f, 'a: 'f>(
    steps: &mut Vec<Step>,
    blanks: &Blanks,
    findings: impl Iterator<Item = &'f FindingFacts<'a>>,
) {
    for finding in findings {
        let told = finding.first_steps.iter().filter_map(|template| blanks.useful(template));
        step::add_all(steps, told.collect());
    }
}

fn add_codes(steps: &mut Vec<Step>, blanks: &Blanks, facts: &Facts<'_>, catalogue: &Catalogue) {
    let codes = facts.incident.error_codes.iter().take(cause::CODES_EXPLAINED);
    for entry in codes.filter_map(|&code| catalogue.get(code)) {
        let told = entry.remedy.iter().filter_map(|template| blanks.useful(template));
        step::add_all(steps, told.collect());
    }
}

fn add_unexplained(steps: &mut Vec<Step>, facts: &Facts<'_>, catalogue: &Catalogue) {
    for code in unexplained(facts, catalogue) {
        let sentence = format!("Read what Microsoft says about AADSTS{code}.");
        let read = Step { sentence, command: Some(Catalogue::link(code)) };
        step::add_all(steps, vec![read]);
    }
}

/// The new id is known, so there is nothing to look up: put it in, and give it its rights.
fn recreated(steps: &mut Vec<Step>, identity: &IdentityFacts) {
    let Some(successor) = identity.successor_of_gone() else { return };
    let old = if identity.named.app_id.is_empty() {
        "the old one".to_owned()
    } else {
        phrase::quoted(&identity.named.app_id)
    };
    let new = cause::client_id(successor);
    let of_old = Blanks { arm_resource_id: identity.arm_resource_id.clone(), ..Blanks::default() };
    let of_new = Blanks {
        service_principal_id: successor.named.service_principal_id.clone(),
        ..Blanks::default()
    };
    let put = Step {
        sentence: format!(
            "Put the new client id {new} where the workload still has {old}, or attach the identity to it again, and restart it."
        ),
        command: None,
    };
    let grant = of_new.step(
        "Give the new identity the role assignments of the old one; they do not come along. See what it has: `az role assignment list --assignee {service_principal_id} --all --output table`",
    );
    let mut told = vec![put, grant];
    if !identity.arm_resource_id.is_empty() {
        told.push(of_old.step(
            "See who deleted it, and when: `az monitor activity-log list --resource-id \"{arm_resource_id}\" --offset 7d --output table`",
        ));
    }
    step::add_all(steps, told);
}
