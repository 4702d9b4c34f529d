//! The six answers: what, who, how unusual, why probably, what to do, what is unknown.

use super::advice::{self, unexplained};
use super::card::{Card, Cause, Confidence, Who};
use super::catalogue::{Catalogue, ErrorClass};
use super::cause::{self, Guess};
use super::facts::{Facts, IdentityFacts};
use super::phrase;
use super::spray;
use super::step::Blanks;
use super::unusual;
use crate::model::NAMED_AT_MOST;
use crate::store::time;

/// Explains an incident. The same facts give the same card.
#[must_use]
pub fn explain(facts: &Facts<'_>, catalogue: &Catalogue) -> Card {
    let guesses = cause::guesses(facts, catalogue);
    let steps = advice::steps(facts, catalogue, &guesses);
    Card {
        incident: facts.incident.clone(),
        what: what(facts, catalogue),
        who: facts.identities.iter().map(who).collect(),
        identity_count: in_all(facts),
        unusual: unusual::numbers(facts, catalogue),
        causes: distinct(guesses),
        steps,
        unknown: unknown(facts, catalogue),
    }
}

/// How many identities there are in all, where more are known of than an incident names.
fn in_all(facts: &Facts<'_>) -> u64 {
    let named = facts.incident.identities.len();
    if named < NAMED_AT_MOST { named as u64 } else { facts.identity_count.max(named as u64) }
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
    if named.len() > 1 {
        let all = facts.identity_count.max(named.len() as u64);
        let is_refused = facts.incident.error_codes.iter().any(|code| *code != 0);
        let few = facts.refused_count();
        // One alone would be named; who it is, the title and the list of all say.
        return if is_refused && few > 1 && few < all {
            format!("{few} of {all} identities")
        } else {
            format!("{all} identities")
        };
    }
    // The history knows the name of an id that a record gives without one.
    let first = facts.identities.first().map(|identity| &identity.named).or(named.first());
    let Some(label) = first.and_then(phrase::label) else {
        return "An identity without a name or id".to_owned();
    };
    match facts.identities.first() {
        Some(identity) if identity.is_managed() => format!("The managed identity {label}"),
        _ => format!("The identity {label}"),
    }
}

fn resources(facts: &Facts<'_>) -> String {
    let names = facts.incident.resources.iter().filter(|name| !name.is_empty());
    let names: Vec<String> = names.map(|name| phrase::quoted(name)).collect();
    match names.as_slice() {
        [first, second, rest @ ..] if rest.len() > 1 => {
            format!("{first}, {second} and {} other resources", rest.len())
        }
        few => phrase::list(few),
    }
}

fn what(facts: &Facts<'_>, catalogue: &Catalogue) -> String {
    let incident = facts.incident;
    let span = phrase::within(incident.started_at, incident.last_seen_at);
    let subject = subject(facts);
    let target = match resources(facts) {
        names if names.is_empty() => String::new(),
        names => format!(" for {names}"),
    };
    if spray::is_spray(facts) {
        return spray::what(facts, &span);
    }
    let Some(&code) = incident.error_codes.first() else {
        return without_failure(facts, &subject, &target, &span);
    };
    let refused = facts.codes.iter().filter(|(code, _)| **code != 0).map(|(_, count)| count).sum();
    let refused = if refused == 0 { incident.event_count } else { refused };
    let meaning = catalogue.meaning(code);
    if let [one] = facts.identities.as_slice()
        && one.is_asked_for_by_users()
        && let Some(application) = phrase::label(&one.named)
    {
        return format!(
            "Users were refused a token{target} in the application {application} {} {span}: {meaning} (AADSTS{code}).",
            phrase::times(refused)
        );
    }
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
            let new = facts.new_resources();
            let target = if new.is_empty() {
                target.to_owned()
            } else {
                format!(" for {}", phrase::list(&new))
            };
            format!("{subject} was given a token{target}, which it never asked for before.")
        }
        Some(finding) if finding.is_first_seen() && finding.field == Some("appId") => {
            let value = finding.new_value().map(phrase::quoted).unwrap_or_default();
            format!(
                "{subject} signed in with an application id {value} that was never seen under this name."
            )
        }
        Some(finding) if finding.is_first_seen() => {
            let value = finding.new_value().map(phrase::quoted);
            let shown = value.map_or_else(String::new, |value| format!(" ({value})"));
            format!(
                "{subject} signed in{target} in a way it never did before{shown}: {}.",
                lower(finding.title)
            )
        }
        Some(finding)
            if finding.category == "outage"
                && facts.findings.iter().any(|finding| finding.kind == "absence") =>
        {
            format!(
                "{subject} fell silent, the first after its sign-in of {}. They were missed between {} and {}.",
                phrase::time(facts.incident.started_at),
                phrase::time(time(finding.draft.started_at)),
                phrase::time(time(finding.draft.last_at))
            )
        }
        Some(finding) if finding.kind == "absence" => {
            let expected = finding.draft.measures.get("expected");
            let usual = expected.map_or_else(String::new, |usual| format!(" Usual is {usual}."));
            let at = phrase::time(facts.incident.started_at);
            let state = if facts.incident.resolved_at.is_some() { "was" } else { "has been" };
            format!("{subject} {state} silent since its sign-in of {at}.{usual}")
        }
        _ => {
            let were = if facts.incident.identities.len() > 1 { "were" } else { "was" };
            let tokens = phrase::count(facts.incident.event_count, "token");
            let measure = |name: &str| first.and_then(|finding| finding.draft.measures.get(name));
            let how = match first.map(|finding| finding.kind) {
                Some("newcomer") => ", on the first day that it was seen".to_owned(),
                Some("awakening") => {
                    measure("seen").map_or_else(String::new, |seen| format!(", after {seen}"))
                }
                Some("rhythm") => measure("expected")
                    .map_or_else(String::new, |hours| format!(", though it is seen {hours}")),
                _ => String::new(),
            };
            format!("{subject} {were} given {tokens}{target} {span}{how}.")
        }
    }
}

fn lower(title: &str) -> String {
    let mut letters = title.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn unknown(facts: &Facts<'_>, catalogue: &Catalogue) -> Vec<String> {
    let mut unknown: Vec<String> = Vec::new();
    let mut say = |sentence: String| {
        let is_said =
            |other: &String| *other == sentence || phrase::says_the_same(other, &sentence);
        if !unknown.iter().any(is_said) {
            unknown.push(sentence);
        }
    };
    let codes: Vec<String> =
        unexplained(facts, catalogue).map(|code| format!("AADSTS{code}")).collect();
    if !codes.is_empty() {
        let mean = if codes.len() > 1 { "mean" } else { "means" };
        say(format!(
            "What the code {} {mean}. The catalogue does not hold it.",
            phrase::list(&codes)
        ));
    }
    let blanks = Blanks::of(facts);
    let is_managed = facts.identities.iter().any(IdentityFacts::is_managed);
    for sentence in facts.findings.iter().flat_map(|finding| finding.unknown) {
        // Rules are for all kinds of identities; what is so of managed ones alone is said of them alone.
        if is_managed || !sentence.contains("managed identit") {
            say(blanks.sentence(sentence));
        }
    }
    if is_managed {
        say("Where the requests came from. Entra blanks the address of a managed identity."
            .to_owned());
    }
    if facts.incident.resources.iter().any(|name| !name.is_empty()) {
        say("Which vault, account or database was meant. The log names the service, not the instance.".to_owned());
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use chrono::{DateTime, TimeDelta, Utc};

    use super::*;
    use crate::diagnose::facts::TriedFrom;
    use crate::diagnose::{Baseline, FindingFacts, Shared, Successor};
    use crate::model::{Draft, EventId, Incident, IncidentId, NamedIdentity, Severity, SignInType};

    const OLD: &str = "8d0b7c1e-2f0a-4f1c-b7c5-1d6c3a2e9f41";
    const NEW: &str = "c4b1e6a8-7d35-4c2e-9b1f-0e8d7a6b5c43";
    const PRINCIPAL: &str = "2f6c1f8e-58c4-4d3b-9a55-3b0a6f3f2a10";

    fn at(minutes: i64) -> DateTime<Utc> {
        let start: DateTime<Utc> = "2026-11-20T10:00:00Z".parse().unwrap();
        start + TimeDelta::minutes(minutes)
    }

    fn orders() -> NamedIdentity {
        NamedIdentity {
            service_principal_id: PRINCIPAL.to_owned(),
            app_id: OLD.to_owned(),
            name: "orders".to_owned(),
        }
    }

    fn incident(codes: &[i64]) -> Incident {
        Incident {
            id: IncidentId(7),
            title: "Application not found, many times".to_owned(),
            severity: Severity::High,
            categories: Vec::new(),
            rules: Vec::new(),
            shadow_rules: Vec::new(),
            is_shadow: false,
            error_codes: codes.to_vec(),
            identities: vec![orders()],
            resources: vec!["Azure Key Vault".to_owned()],
            started_at: at(0),
            detected_at: at(4),
            last_seen_at: at(5),
            opened_at: at(6),
            acknowledged_at: None,
            acknowledged_by: None,
            resolved_at: None,
            resolved_by: None,
            resolved_why: None,
            event_count: 34,
            deliveries: 0,
            revision: 1,
        }
    }

    fn draft(measures: &[(&str, &str)]) -> Draft {
        let texts = measures.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        Draft {
            started_at: at(0).timestamp_micros(),
            first_event: EventId([0; 16]),
            detected_at: at(4).timestamp_micros(),
            detected_by: EventId([1; 16]),
            last_at: at(5).timestamp_micros(),
            last_event: EventId([1; 16]),
            event_count: 34,
            codes: BTreeMap::new(),
            identities: Vec::new(),
            resources: Vec::new(),
            measures: texts.collect(),
        }
    }

    fn finding<'a>(
        rule: &'a str,
        category: &'a str,
        kind: &'a str,
        draft: &'a Draft,
    ) -> FindingFacts<'a> {
        FindingFacts {
            rule,
            title: "A rule was met",
            category,
            kind,
            field: None,
            value_name: None,
            level: Severity::High,
            why: "It matters.",
            first_steps: &[],
            unknown: &[],
            enough: "10 within 10 min".to_owned(),
            draft,
        }
    }

    fn facts(incident: &Incident) -> Facts<'_> {
        Facts {
            incident,
            findings: Vec::new(),
            identities: vec![IdentityFacts {
                named: orders(),
                tenant_id: "tenant".to_owned(),
                sign_in_type: Some(SignInType::ManagedIdentity),
                last_good_at: Some(at(-192)),
                ..IdentityFacts::default()
            }],
            codes: incident.error_codes.iter().map(|&code| (code, 34)).collect(),
            addresses: Vec::new(),
            identity_count: 1,
            failing_alike: Some(0),
            failing_alike_worked: 0,
            coverage: None,
        }
    }

    fn explained(facts: &Facts<'_>) -> Card {
        explain(facts, &Catalogue::shipped())
    }

    #[test]
    fn the_first_sentence_says_who_what_how_often_and_why() {
        let incident = incident(&[700_016]);
        assert_eq!(
            explained(&facts(&incident)).what,
            "The managed identity `orders` was refused a token for `Azure Key Vault` 34 times within 5 min: \
             the tenant knows no application with this client id (AADSTS700016)."
        );
    }

    #[test]
    fn a_recreated_identity_is_recognised_by_its_successor() {
        let incident = incident(&[700_016]);
        let mut facts = facts(&incident);
        facts.identities[0].successor = Some(Successor {
            named: NamedIdentity { app_id: NEW.to_owned(), ..orders() },
            first_seen_at: at(-4),
            shares: Shared::Name,
        });
        let card = explained(&facts);
        let cause = card.probable_cause().unwrap();
        assert_eq!(cause.confidence, Confidence::High);
        assert!(cause.sentence.contains("created anew") && cause.sentence.contains(NEW));
        assert!(
            cause.because[0].ends_with("4 min before the first failure"),
            "{:?}",
            cause.because
        );
        assert!(cause.because[1].contains("3 h 12 min before"), "{:?}", cause.because);
        assert!(card.steps[0].sentence.contains(NEW) && card.steps[0].sentence.contains(OLD));
        assert!(card.causes.iter().all(|cause| !cause.sentence.contains("was deleted, and")));
    }

    #[test]
    fn a_successor_that_came_weeks_apart_is_less_sure() {
        let incident = incident(&[700_016]);
        let mut facts = facts(&incident);
        facts.identities[0].successor = Some(Successor {
            named: NamedIdentity { app_id: NEW.to_owned(), ..orders() },
            first_seen_at: at(-60 * 24 * 9),
            shares: Shared::ArmResource,
        });
        let card = explained(&facts);
        assert_eq!(card.causes[0].confidence, Confidence::Medium);
        assert!(card.causes[0].because[0].starts_with("the same Azure resource"));
    }

    #[test]
    fn an_id_that_worked_before_was_deleted() {
        let incident = incident(&[700_016]);
        let card = explained(&facts(&incident));
        assert_eq!(card.causes[0].confidence, Confidence::High);
        assert!(card.causes[0].sentence.contains("`orders` was deleted"));
    }

    #[test]
    fn an_id_that_never_worked_is_wrong_or_of_another_tenant() {
        let incident = incident(&[700_016]);
        let mut facts = facts(&incident);
        facts.identities[0].last_good_at = None;
        let card = explained(&facts);
        assert!(card.causes[0].sentence.contains("another tenant"));
        assert!(card.unknown.iter().any(|sentence| sentence.starts_with("Whether it ever worked")));
    }

    #[test]
    fn a_spray_is_an_attack_and_not_a_deleted_identity() {
        let incident = incident(&[700_016]);
        let draft = draft(&[("seen", "12")]);
        let mut facts = facts(&incident);
        facts.identities[0].last_good_at = None;
        facts.addresses = vec![
            TriedFrom { address: "203.0.113.7".to_owned(), attempts: 30, applications: 20 },
            TriedFrom { address: "198.51.100.9".to_owned(), attempts: 4, applications: 4 },
        ];
        facts.identity_count = 24;
        let steps = ["Find out whose address it is.".to_owned()];
        let mut spray = finding("application_id_spray", "spray", "value_count", &draft);
        spray.first_steps = &steps;
        facts.findings.push(spray);
        let card = explained(&facts);
        assert_eq!(
            card.what,
            "24 application ids that this tenant does not know were tried from `203.0.113.7` and `198.51.100.9`, \
             34 times within 5 min."
        );
        assert!(card.causes[0].sentence.contains("tries out"));
        assert!(card.causes[0].because[0].starts_with("24 different ids"));
        assert_eq!(
            card.causes[0].because[1],
            "30 attempts at 20 applications came from `203.0.113.7`"
        );
        assert_eq!(
            card.causes[0].because[2],
            "4 attempts at 4 applications came from `198.51.100.9`"
        );
        assert!(card.causes.iter().all(|cause| !cause.sentence.contains("deleted")));
        assert_eq!(card.steps[0].sentence, steps[0]);
    }

    #[test]
    fn wrong_secrets_of_many_applications_are_guesses_from_an_address() {
        let incident = incident(&[7_000_215]);
        let draft = draft(&[("distinct", "9")]);
        let mut facts = facts(&incident);
        facts.addresses =
            vec![TriedFrom { address: "203.0.113.7".to_owned(), attempts: 34, applications: 9 }];
        facts.findings.push(finding("credential_spray", "spray", "value_count", &draft));
        let card = explained(&facts);
        assert_eq!(
            card.what,
            "Credentials that are not theirs were presented for 9 applications from `203.0.113.7`, \
             34 times within 5 min."
        );
        assert_eq!(card.causes[0].sentence, "Somebody guesses credentials, from `203.0.113.7`.");
        assert_eq!(card.causes[0].confidence, Confidence::High);
        assert_eq!(
            card.causes[0].because[1],
            "34 attempts at 9 applications came from `203.0.113.7`"
        );
    }

    #[test]
    fn an_expired_secret_is_certain_by_its_code() {
        let incident = incident(&[7_000_222]);
        let mut facts = facts(&incident);
        facts.identities[0].sign_in_type = Some(SignInType::ServicePrincipal);
        let card = explained(&facts);
        assert_eq!(card.causes[0].confidence, Confidence::High);
        assert!(card.causes[0].because[0].contains("AADSTS7000222, 34 times"));
        let command = card.steps[0].command.as_deref().unwrap();
        assert!(command.starts_with(&format!("az ad app credential list --id {OLD}")), "{command}");
    }

    #[test]
    fn a_wrong_secret_is_likely_but_not_certain() {
        let incident = incident(&[7_000_215]);
        assert_eq!(explained(&facts(&incident)).causes[0].confidence, Confidence::Medium);
    }

    #[test]
    fn an_outage_lies_in_none_of_the_identities() {
        let incident = incident(&[90_033]);
        let mut facts = facts(&incident);
        facts.failing_alike = Some(11);
        let card = explained(&facts);
        assert!(card.causes[0].sentence.starts_with("Entra itself has trouble"));
        assert_eq!(card.causes[0].confidence, Confidence::High);
        assert!(card.causes[0].because[1].starts_with("11 other identities"));
        assert!(card.steps[0].sentence.starts_with("Leave the identity as it is"));
    }

    #[test]
    fn what_many_share_is_no_trouble_of_entra() {
        let told = |codes: &[i64], rule: &str, identities: u64| {
            let incident = incident(codes);
            let draft = draft(&[]);
            let mut facts = facts(&incident);
            facts.identity_count = identities;
            facts.findings.push(finding(rule, "outage", "value_count", &draft));
            let card = explained(&facts);
            assert!(card.causes.iter().all(|cause| !cause.sentence.contains("Entra itself")));
            (card.causes[0].sentence.clone(), card.causes[0].confidence)
        };
        for (codes, rule, expected) in [
            (&[530_032][..], "fleet_failure", "A policy that all of these"),
            (&[7_000_222], "fleet_failure", "These identities share what ran out"),
            (&[700_016], "fleet_application_not_found", "These identities were deleted together"),
            (&[], "fleet_fell_silent", "What carries these identities"),
        ] {
            let (sentence, confidence) = told(codes, rule, 6);
            assert!(sentence.starts_with(expected), "{sentence}");
            assert_eq!(confidence, Confidence::High);
        }
        assert_eq!(told(&[530_032], "fleet_failure", 4).1, Confidence::Medium);
    }

    #[test]
    fn many_identities_that_are_gone_at_once_were_deleted_together() {
        let incident = incident(&[700_016]);
        let mut facts = facts(&incident);
        facts.failing_alike = Some(5);
        facts.failing_alike_worked = 5;
        let card = explained(&facts);
        assert!(card.causes.iter().any(|cause| cause.sentence.contains("deleted together")));
    }

    #[test]
    fn two_oddities_of_tokens_both_get_a_step() {
        let incident = incident(&[]);
        let steps: Vec<String> = (1..=5).map(|place| format!("Do thing number {place}.")).collect();
        let others = ["Ask who added the credential.".to_owned(), "Remove it.".to_owned()];
        let (resource, key) = (draft(&[("value", "a")]), draft(&[("value", "b")]));
        let mut facts = facts(&incident);
        let mut first = finding("first_seen_resource", "token_pattern", "first_seen", &resource);
        (first.field, first.first_steps) = (Some("resourceId"), &steps);
        let mut second = finding("first_seen_key", "credential", "first_seen", &key);
        second.first_steps = &others;
        facts.findings = vec![first, second];
        let card = explained(&facts);
        let told: Vec<&str> = card.steps.iter().map(|step| step.sentence.as_str()).collect();
        assert_eq!(told.len(), 6);
        assert_eq!(told[5], others[0]);
    }

    #[test]
    fn an_open_incident_does_not_say_that_the_token_it_lacks_was_given() {
        let incident = incident(&[500_011]);
        let mut facts = facts(&incident);
        facts.identities[0].came_back_at = Some(at(30));
        let is_told = |card: &Card| {
            card.unusual
                .iter()
                .any(|line| line.ends_with("10:30 UTC, but not for what was refused."))
        };
        assert!(is_told(&explained(&facts)));
        let over = Incident { resolved_at: Some(at(30)), ..incident.clone() };
        facts.incident = &over;
        assert!(!is_told(&explained(&facts)));
    }

    #[test]
    fn those_that_fell_silent_were_not_refused() {
        let mut incident = incident(&[700_016]);
        incident.identities = vec![orders(); 5];
        let with = |ids: &[i64], code: i64| Draft {
            identities: ids.to_vec(),
            codes: [(code, 3)].into(),
            ..draft(&[])
        };
        let (silent, refused) = (with(&[1, 2, 3], 0), with(&[4, 5], 700_016));
        let mut facts = facts(&incident);
        facts.identity_count = 5;
        facts.findings = vec![
            finding("fleet_fell_silent", "outage", "value_count", &silent),
            finding("fleet_application_not_found", "outage", "value_count", &refused),
        ];
        let card = explained(&facts);
        assert!(card.what.starts_with("2 of 5 identities were refused"), "{}", card.what);
        assert!(
            card.causes[0].because.iter().any(|it| it.starts_with("2 identities were refused"))
        );
    }

    #[test]
    fn a_silence_is_over_with_the_sign_in_that_ended_it() {
        let over = Incident { resolved_at: Some(at(5)), ..incident(&[]) };
        let silence = draft(&[("seen", "nothing for 5 min")]);
        let mut facts = facts(&over);
        facts.findings = vec![finding("fell_silent", "absence", "absence", &silence)];
        facts.identities[0].came_back_at = Some(at(40));
        let told: Vec<String> = explained(&facts).unusual;
        let again: Vec<&String> = told.iter().filter(|line| line.contains("again")).collect();
        assert_eq!(again, ["It got a token again at 2026-11-20 10:05 UTC."]);
    }

    #[test]
    fn what_comes_at_any_time_is_no_change_that_many_share() {
        let says_so = |code: i64| {
            let incident = incident(&[code]);
            let mut facts = facts(&incident);
            facts.failing_alike_worked = 5;
            let card = explained(&facts);
            card.causes.iter().any(|cause| cause.sentence.starts_with("Something changed"))
        };
        assert!(says_so(53_003));
        for code in [90_033, 50_196, 7_000_215, 50_020] {
            assert!(!says_so(code), "{code}");
        }
    }

    #[test]
    fn ids_that_never_worked_were_not_deleted_together() {
        let incident = incident(&[700_016]);
        let mut facts = facts(&incident);
        facts.failing_alike = Some(47);
        let is_together = |card: &Card| {
            card.causes.iter().any(|cause| cause.sentence.contains("deleted together"))
        };
        assert!(!is_together(&explained(&facts)));
        facts.failing_alike_worked = 5;
        facts.identities[0].last_good_at = None;
        assert!(!is_together(&explained(&facts)));
    }

    #[test]
    fn an_id_that_signs_in_again_was_not_deleted() {
        let incident = incident(&[700_016]);
        let mut facts = facts(&incident);
        facts.identities[0].came_back_at = Some(at(90));
        facts.identities[0].successor = Some(Successor {
            named: NamedIdentity { app_id: NEW.to_owned(), ..orders() },
            first_seen_at: at(-4),
            shares: Shared::Name,
        });
        let card = explained(&facts);
        assert_eq!(card.causes[0].confidence, Confidence::Medium);
        assert!(card.causes[0].sentence.contains("is back"), "{:?}", card.causes);
        assert!(card.causes.iter().all(|cause| !cause.sentence.contains("was deleted, and")
            && !cause.sentence.contains("created anew")));
        assert!(card.steps.iter().all(|step| !step.sentence.contains(NEW)));
    }

    #[test]
    fn a_new_resource_is_a_release_first_and_a_theft_second() {
        let incident = incident(&[]);
        let draft = draft(&[("value", "Azure Key Vault"), ("learned_days", "9")]);
        let mut facts = facts(&incident);
        facts.identities[0].baseline =
            Some(Baseline { days: 9, sign_ins: 18, failures: 0, resources: 2 });
        let mut new =
            finding("first_seen_privileged_resource", "token_pattern", "first_seen", &draft);
        new.field = Some("resourceId");
        facts.findings.push(new);
        let card = explained(&facts);
        assert!(card.what.ends_with("which it never asked for before."), "{}", card.what);
        assert!(card.causes[0].sentence.starts_with("A release"));
        assert_eq!(card.causes[0].because[1], "in the 9 days before it used 2 resources");
        assert_eq!(
            card.causes[0].because[0],
            "`Azure Key Vault` was not seen in the 9 full days of learning before"
        );
        assert_eq!(card.causes[1].confidence, Confidence::Low);
        assert!(card.causes[1].sentence.contains("Somebody else uses its token"));
        let usual =
            "In the 9 days before: 2 sign-ins a day, of which 0 failed, and 2 resources in all.";
        assert!(card.unusual.iter().any(|line| line == usual), "{:?}", card.unusual);
    }

    #[test]
    fn a_second_oddity_makes_theft_likelier() {
        let incident = incident(&[]);
        let (new, burst) = (draft(&[]), draft(&[]));
        let mut facts = facts(&incident);
        let mut first = finding("first_seen_resource", "token_pattern", "first_seen", &new);
        first.field = Some("resourceId");
        facts.findings.push(first);
        facts.findings.push(finding("token_burst", "token_pattern", "event_count", &burst));
        let card = explained(&facts);
        let theft =
            card.causes.iter().find(|one| one.sentence.starts_with("Somebody else")).unwrap();
        assert_eq!(theft.confidence, Confidence::Medium);
        assert!(card.causes.iter().any(|cause| cause.sentence.contains("instances")));
    }

    #[test]
    fn a_new_credential_was_rotated_or_planted() {
        let incident = incident(&[]);
        let draft = draft(&[("value", "7d9c0c8e")]);
        let mut facts = facts(&incident);
        facts.findings.push(finding(
            "first_seen_credential_key",
            "credential",
            "first_seen",
            &draft,
        ));
        let card = explained(&facts);
        assert!(card.causes[0].sentence.contains("rotated"));
        assert!(card.causes[1].sentence.contains("of their own"));
    }

    #[test]
    fn an_unknown_code_is_told_as_unknown_with_a_page_to_read() {
        let incident = incident(&[7_999_999]);
        let card = explained(&facts(&incident));
        assert!(card.what.contains("AADSTS7999999"));
        assert!(card.probable_cause().is_none());
        assert!(card.causes[0].sentence.contains("does not hold"));
        assert!(card.steps.iter().any(|step| {
            step.command.as_deref() == Some("https://login.microsoftonline.com/error?code=7999999")
        }));
        assert!(card.unknown.iter().any(|sentence| sentence.contains("AADSTS7999999")));
    }

    #[test]
    fn a_rule_of_ones_own_is_explained_by_its_why() {
        let incident = incident(&[]);
        let draft = draft(&[]);
        let mut facts = facts(&incident);
        facts.findings.push(finding("crown_jewels", "ours", "event_count", &draft));
        let card = explained(&facts);
        assert_eq!(card.causes[0].sentence, "It matters.");
    }

    #[test]
    fn what_cannot_be_known_is_said() {
        let incident = incident(&[700_016]);
        let unknown = ["Who uses {name}.".to_owned()];
        let draft = draft(&[]);
        let mut facts = facts(&incident);
        let mut one = finding("r", "spike", "event_count", &draft);
        one.unknown = &unknown;
        facts.findings.push(one);
        facts.coverage = Some("No data from 10:05 to 10:42.".to_owned());
        let card = explained(&facts);
        assert_eq!(card.unknown[0], "Who uses `orders`.");
        assert!(card.unknown.iter().any(|sentence| sentence.contains("blanks the address")));
        assert!(card.unknown.iter().any(|sentence| sentence.contains("not the instance")));
        assert_eq!(card.unknown.last().unwrap(), "No data from 10:05 to 10:42.");
    }

    #[test]
    fn nothing_known_still_gives_whole_sentences() {
        let mut incident = incident(&[700_016, 7_000_222, 500_011, 70_021, 90_033, 7_999_999]);
        incident.identities = vec![NamedIdentity::default()];
        incident.resources.clear();
        let mut facts = facts(&incident);
        facts.identities.clear();
        facts.codes.clear();
        let card = explained(&facts);
        assert!(card.what.starts_with("An identity without a name or id was refused"));
        for step in &card.steps {
            let command = step.command.as_deref().unwrap_or_default();
            for text in [step.sentence.as_str(), command] {
                assert!(!text.contains("{app_id}") && !text.contains("``"), "{text}");
                assert!(!text.contains("--id  ") && !text.ends_with("--id"), "{text}");
            }
        }
        assert!(card.unusual.iter().any(|line| line == "1 error code more."), "{:?}", card.unusual);
    }
}
