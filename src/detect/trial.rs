//! A rule's own tests, walked along the path that real events take: stored, evaluated, read back.

use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, TimeDelta, Utc};
use yaml_serde::Value;

use super::chained::with_inner;
use super::document::Slip;
use super::extension::RuleTest;
use super::fields::Field;
use super::matching::{CodeClasses, Matcher};
use super::rule::Rule;
use super::rulebook::Rulebook;
use super::stage::Detector;
use crate::model::{Event, EventId, Facet, Identity, Resource};
use crate::store::{Fetched, Store, StoreError};

const SAY_EITHER: &str = "say either `finds` (so many findings) or `matches` (true or false)";

/// Events of one entry, and how long an entry may last, in seconds: a slip of the pen fills no memory.
const REPEAT_AT_MOST: i32 = 100_000;
const YEARS_AT_MOST: u64 = 3 * 366 * 86_400;

/// A test that a rule does not pass, or that cannot be run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("rule `{rule}`, test \"{test}\": {sentence}")]
pub struct TrialFault {
    pub rule: String,
    pub test: String,
    pub sentence: String,
}

/// Runs the tests of every rule and building block, or of one. Gives how many ran, and the faults.
pub async fn try_rules(
    book: &Rulebook,
    codes: &CodeClasses,
    only: Option<&str>,
) -> Result<(usize, Vec<TrialFault>), StoreError> {
    let mut ran = 0;
    let mut faults = Vec::new();
    let blocks = book
        .detections
        .values()
        .filter(|detection| !book.rules.contains_key(&detection.name) && detection.lacks.is_empty())
        .map(super::rule::standalone);
    for rule in book.rules.values().cloned().chain(blocks) {
        if only.is_some_and(|only| only != rule.name) {
            continue;
        }
        if rule.tests.is_empty() {
            faults.push(fault(
                &rule,
                "(none)",
                "a rule has at least one test that finds and one that does not",
            ));
        }
        for test in &rule.tests {
            ran += 1;
            if let Err(sentence) = run(book, codes, &rule, test).await? {
                faults.push(fault(&rule, &test.name, &sentence));
            }
        }
    }
    Ok((ran, faults))
}

fn fault(rule: &Rule, test: &str, sentence: &str) -> TrialFault {
    TrialFault { rule: rule.name.clone(), test: test.to_owned(), sentence: sentence.to_owned() }
}

/// The inner result is the verdict.
async fn run(
    book: &Rulebook,
    codes: &CodeClasses,
    rule: &Rule,
    test: &RuleTest,
) -> Result<Result<(), String>, StoreError> {
    let arrivals = match arrivals(test) {
        Ok(arrivals) => arrivals,
        Err(sentence) => return Ok(Err(sentence)),
    };
    let alone = Rulebook {
        detections: book.detections.clone(),
        filters: book.filters.clone(),
        rules: with_inner(book, rule),
        dataless: BTreeMap::new(),
    };
    let matcher = match Matcher::new(&alone, codes.clone()) {
        Ok(matcher) => matcher,
        Err(faults) => {
            return Ok(Err(faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")));
        }
    };
    let folder = tempfile::tempdir().map_err(|error| StoreError::Corrupt(error.to_string()))?;
    let store =
        Store::open(&format!("sqlite://{}", folder.path().join("trial.db").display())).await?;
    let mut detector = Detector::new(matcher);
    let events: usize = arrivals.iter().map(Vec::len).sum();
    // All of it has happened.
    let now = arrivals.iter().flatten().map(|event| event.created_at).max().unwrap_or_else(base);
    for arrived in arrivals {
        let mut fetched = Fetched::default();
        for event in &arrived {
            fetched.batch.push(event, 0..0);
        }
        store.add(("trial", "trial"), fetched, None, now).await?;
        detector.run(&store, now, |_| ()).await?;
    }
    let mut found = store.findings_in_force().await?;
    found.retain(|finding| finding.rule == rule.name);
    let seen: u64 = found.iter().map(|finding| finding.draft.event_count).sum();
    store.close().await;
    Ok(match (test.finds, test.matches) {
        (Some(wanted), None) if wanted != found.len() => {
            Err(format!("finds {}, not {wanted}", found.len()))
        }
        (None, Some(true)) if seen != events as u64 => {
            Err(format!("matches {seen} of {events} events"))
        }
        (None, Some(false)) if seen != 0 => {
            Err(format!("matches {seen} of {events} events, and should none"))
        }
        (Some(_), None) | (None, Some(_)) => Ok(()),
        _ => Err(SAY_EITHER.to_owned()),
    })
}

/// The instant that `at: 0m` is.
fn base() -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_571_200, 0).expect("a date of 2026")
}

/// What is wrong with the words of a test; its number in the file is known.
pub(super) fn slips(number: usize, test: &RuleTest) -> Vec<Slip> {
    let number = number.to_string();
    let said = format!("test \"{}\"", test.name);
    let slip = |at: &[&str], sentence: String| {
        Slip::at(&[&["signinel", "tests", &number], at].concat(), format!("{said}: {sentence}"))
    };
    let mut slips = Vec::new();
    if test.finds.is_some() == test.matches.is_some() {
        slips.push(slip(&[], SAY_EITHER.to_owned()));
    }
    if test.events.is_empty() {
        slips.push(slip(&["events"], "has no events: write one at least".to_owned()));
    }
    for (place, entry) in test.events.iter().enumerate() {
        for (key, value) in entry {
            // Each key for itself, so that all are told.
            let alone = HashMap::from([(key.clone(), value.clone())]);
            let read = timing(&alone)
                .map(|_| ())
                .and_then(|()| event(&alone, EventId([0; 16]), base()).map(|_| ()));
            if let Err(sentence) = read {
                slips.push(slip(&["events", &place.to_string(), key], sentence));
            }
        }
    }
    if test.late && !comes_late(test) {
        let sentence = "`late: true`, and each event happens after those listed before it: list one that does not";
        slips.push(slip(&["late"], sentence.to_owned()));
    }
    for name in &test.unknown {
        let sentence = match Field::named(name) {
            None => format!(
                "`unknown`: events have no field `{name}`; `rules/README.md` lists those they have"
            ),
            Some(field) if !test.events.iter().any(|entry| lacks(entry, field)) => {
                format!(
                    "`unknown: [{name}]`, and each event has a value for it: leave it out of one"
                )
            }
            Some(_) => continue,
        };
        slips.push(slip(&["unknown"], sentence));
    }
    slips
}

/// Whether some event happened before one that an entry above it has: entries arrive one after the other.
fn comes_late(test: &RuleTest) -> bool {
    let mut latest = TimeDelta::MIN;
    test.events.iter().filter_map(|entry| timing(entry).ok()).any(|(at, every, repeat)| {
        let is_late = at < latest;
        latest = latest.max(at + every * (repeat - 1));
        is_late
    })
}

/// Whether an event says nothing of a field.
fn lacks(entry: &HashMap<String, Value>, field: Field) -> bool {
    let says = |wanted: Field| {
        entry
            .iter()
            .any(|(key, value)| Field::named(key) == Some(wanted) && !text(value).is_empty())
    };
    match field {
        Field::Resource => !says(Field::ResourceId) && !says(Field::ResourceDisplayName),
        // What a test leaves open has these, see `event`; the others are made of such.
        Field::TenantId
        | Field::SignInType
        | Field::ErrorCode
        | Field::Id
        | Field::Identity
        | Field::Category
        | Field::Outcome
        | Field::ErrorClass
        | Field::ErrorKnown => false,
        field => !says(field),
    }
}

/// The events of a test, entry by entry: each entry arrives after the one before it.
fn arrivals(test: &RuleTest) -> Result<Vec<Vec<Event<'static>>>, String> {
    let mut made = 0_u128;
    test.events.iter().map(|entry| entry_events(entry, &mut made)).collect()
}

/// When the events of an entry happen: the first, from one to the next, and how many.
fn timing(entry: &HashMap<String, Value>) -> Result<(TimeDelta, TimeDelta, i32), String> {
    let span = |key: &str| match entry.get(key) {
        None => Ok(TimeDelta::zero()),
        Some(value) => humantime::parse_duration(&text(value))
            .ok()
            .filter(|span| span.as_secs() <= YEARS_AT_MOST)
            .and_then(|span| TimeDelta::from_std(span).ok())
            .ok_or_else(|| {
                format!("`{key}: {}` is not a span of time: write `90s` or `2h`", text(value))
            }),
    };
    let repeat = match entry.get("repeat") {
        None => 1,
        Some(value) => text(value)
            .parse::<i32>()
            .ok()
            .filter(|repeat| (1..=REPEAT_AT_MOST).contains(repeat))
            .ok_or_else(|| {
                format!("`repeat: {}` is not a number from 1 to {REPEAT_AT_MOST}", text(value))
            })?,
    };
    Ok((span("at")?, span("every")?, repeat))
}

fn entry_events(
    entry: &HashMap<String, Value>,
    made: &mut u128,
) -> Result<Vec<Event<'static>>, String> {
    let (at, every, repeat) = timing(entry)?;
    (0..repeat)
        .map(|turn| {
            *made += 1;
            let id = EventId(made.to_be_bytes());
            event(entry, id, base() + at + every * turn)
        })
        .collect()
}

fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(answer) => answer.to_string(),
        _ => String::new(),
    }
}

/// A managed identity's token issued in one tenant, with what the entry says over it. What it leaves
/// open has no value, as `rules/README.md` promises.
fn event(
    entry: &HashMap<String, Value>,
    id: EventId,
    created_at: DateTime<Utc>,
) -> Result<Event<'static>, String> {
    let mut identity = Identity {
        tenant_id: "11111111-2222-4333-8444-555555555555".into(),
        ..Identity::default()
    };
    let mut resource = Resource::default();
    let mut facet = Facet { sign_in_type: "managedIdentity".into(), ..Facet::default() };
    let (mut error_code, mut ip_address, mut user) = (0, String::new(), String::new());
    for (key, value) in entry {
        let value = text(value);
        match key.as_str() {
            "at" | "every" | "repeat" => {}
            "tenantId" => identity.tenant_id = value.into(),
            "servicePrincipalId" => identity.service_principal_id = value.into(),
            "appId" => identity.app_id = value.into(),
            "servicePrincipalName" | "appDisplayName" => identity.name = value.into(),
            "managedServiceIdentity.associatedResourceId" => {
                identity.arm_resource_id = value.into();
            }
            "resourceId" => resource.id = value.into(),
            "resourceDisplayName" => resource.name = value.into(),
            "resourceServicePrincipalId" => resource.service_principal_id = value.into(),
            "status.errorCode" => {
                error_code = value.parse().map_err(|_| format!("`{key}` is a number"))?;
            }
            "ipAddress" => ip_address = value,
            "userPrincipalName" => user = value,
            _ => set_facet(&mut facet, key, value)?,
        }
    }
    Ok(Event {
        id,
        created_at,
        identity,
        resource,
        facet,
        error_code,
        ip_address: ip_address.into(),
        user: user.into(),
    })
}

fn set_facet(facet: &mut Facet<'static>, key: &str, value: String) -> Result<(), String> {
    let field = match key {
        "signInType" => &mut facet.sign_in_type,
        "clientCredentialType" => &mut facet.client_credential_type,
        "servicePrincipalCredentialKeyId" => &mut facet.credential_key_id,
        "incomingTokenType" => &mut facet.incoming_token_type,
        "tokenIssuerType" => &mut facet.token_issuer_type,
        "crossTenantAccessType" => &mut facet.cross_tenant_access_type,
        "federatedCredentialId" => &mut facet.federated_credential_id,
        "managedServiceIdentity.federatedTokenIssuer" => &mut facet.federated_token_issuer,
        "managedServiceIdentity.msiType" => &mut facet.msi_type,
        "conditionalAccessStatus" => &mut facet.conditional_access_status,
        "resourceTenantId" => &mut facet.resource_tenant_id,
        "appOwnerTenantId" => &mut facet.app_owner_tenant_id,
        "userAgent" => &mut facet.user_agent,
        "location.countryOrRegion" => &mut facet.country,
        "autonomousSystemNumber" => &mut facet.autonomous_system_number,
        "status.failureReason" => &mut facet.failure_reason,
        _ => return Err(format!("`{key}` is not a field that a test event can have")),
    };
    *field = value.into();
    Ok(())
}
