//! A message as the body of a webhook: one JSON object of bounded size that says what it left out.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::message::{Message, cut};
use super::words::headline;
use crate::diagnose::{Cause, Step, Who};
use crate::model::{IncidentId, IncidentState, NamedIdentity, ResolvedBy, Severity, TellReason};

/// Standard Webhooks 1.0.0 recommends less than 20 kB.
const BODY_AT_MOST: usize = 20_000;

/// The type of the event that a telling is.
fn event_type(reason: TellReason) -> &'static str {
    match reason {
        TellReason::Opened => "incident.opened",
        TellReason::Worse => "incident.updated",
        TellReason::Resolved => "incident.resolved",
        TellReason::Reopened => "incident.reopened",
    }
}

#[derive(Serialize)]
struct Payload<'a> {
    r#type: &'static str,
    timestamp: DateTime<Utc>,
    data: Data<'a>,
}

/// The incident as `incidents list --format json` has it, and the six answers.
#[derive(Clone, Serialize)]
struct Data<'a> {
    id: IncidentId,
    title: String,
    severity: Severity,
    state: IncidentState,
    categories: Vec<String>,
    rules: Vec<String>,
    error_codes: Vec<i64>,
    identities: Vec<NamedIdentity>,
    /// How many there are, however many are listed.
    identity_count: usize,
    resources: Vec<String>,
    started_at: DateTime<Utc>,
    detected_at: DateTime<Utc>,
    last_seen_at: DateTime<Utc>,
    acknowledged_at: Option<DateTime<Utc>>,
    resolved_at: Option<DateTime<Utc>>,
    resolved_by: Option<ResolvedBy>,
    resolved_why: Option<String>,
    part_of: Option<IncidentId>,
    event_count: u64,
    deliveries: i64,
    text: String,
    what: String,
    who: Vec<Who>,
    causes: Vec<Cause>,
    steps: Vec<Step>,
    unusual: Vec<String>,
    unknown: Vec<String>,
    commands: &'a [String],
    installation: &'a str,
    channel: &'a str,
    number: i64,
    /// What did not fit; empty when all is here.
    left_out: Vec<String>,
}

/// How much of each list is kept, and how long a text may be.
struct Rung {
    text: usize,
    names: usize,
    who: usize,
    steps: usize,
    lines: usize,
    because: usize,
}

/// From all to the least: what is not needed to act goes first. On the last rung the longest possible
/// body is under the limit, since every text and every list has its bound.
const LADDER: [Rung; 4] = [
    Rung {
        text: usize::MAX,
        names: usize::MAX,
        who: usize::MAX,
        steps: usize::MAX,
        lines: usize::MAX,
        because: usize::MAX,
    },
    Rung { text: 600, names: 50, who: 10, steps: 9, lines: 10, because: 5 },
    Rung { text: 300, names: 20, who: 5, steps: 6, lines: 4, because: 2 },
    Rung { text: 120, names: 5, who: 1, steps: 2, lines: 1, because: 0 },
];

/// The bytes to send, the same for the same message.
pub(super) fn body(message: &Message) -> Vec<u8> {
    let whole = whole(message);
    let mut body = Vec::new();
    for rung in &LADDER {
        let payload = Payload {
            r#type: event_type(message.reason),
            timestamp: message.planned_at,
            data: shorten(&whole, rung),
        };
        body = serde_json::to_vec(&payload).expect("texts, numbers and times always serialise");
        if body.len() < BODY_AT_MOST {
            break;
        }
    }
    body
}

fn whole(message: &Message) -> Data<'_> {
    let card = message.card.clone();
    let incident = card.incident;
    Data {
        id: incident.id,
        state: incident.state(),
        title: incident.title,
        severity: incident.severity,
        categories: incident.categories,
        rules: incident.rules,
        error_codes: incident.error_codes,
        identity_count: incident.identities.len(),
        identities: incident.identities,
        resources: incident.resources,
        started_at: incident.started_at,
        detected_at: incident.detected_at,
        last_seen_at: incident.last_seen_at,
        acknowledged_at: incident.acknowledged_at,
        resolved_at: incident.resolved_at,
        resolved_by: incident.resolved_by,
        resolved_why: incident.resolved_why,
        part_of: message.part_of,
        event_count: incident.event_count,
        deliveries: message.number,
        text: headline(message),
        what: card.what,
        who: card.who,
        causes: card.causes,
        steps: card.steps,
        unusual: card.unusual,
        unknown: card.unknown,
        commands: &message.commands,
        installation: &message.host,
        channel: &message.channel,
        number: message.number,
        left_out: Vec::new(),
    }
}

fn shorten<'a>(whole: &Data<'a>, rung: &Rung) -> Data<'a> {
    let mut data = whole.clone();
    let mut left_out = Vec::new();
    keep(&mut data.categories, rung.names, "categories", &mut left_out);
    keep(&mut data.rules, rung.names, "rules", &mut left_out);
    keep(&mut data.error_codes, rung.names, "error codes", &mut left_out);
    keep(&mut data.identities, rung.names, "identities", &mut left_out);
    keep(&mut data.resources, rung.names, "resources", &mut left_out);
    keep(&mut data.who, rung.who, "identities with all their ids", &mut left_out);
    keep(&mut data.causes, rung.lines, "causes", &mut left_out);
    keep(&mut data.steps, rung.steps, "steps", &mut left_out);
    keep(&mut data.unusual, rung.lines, "lines of what is unusual", &mut left_out);
    keep(&mut data.unknown, rung.lines, "lines of what is unknown", &mut left_out);
    for cause in &mut data.causes {
        keep(&mut cause.because, rung.because, "facts of a cause", &mut left_out);
    }
    let mut is_cut = false;
    for text in texts(&mut data) {
        let shorter = cut(text, rung.text);
        is_cut |= shorter != *text;
        *text = shorter;
    }
    if is_cut {
        left_out.push(format!("texts over {} characters are cut", rung.text));
    }
    data.left_out = left_out;
    data
}

fn keep<T>(list: &mut Vec<T>, at_most: usize, what: &str, left_out: &mut Vec<String>) {
    if list.len() > at_most {
        left_out.push(format!("{} of {} {what}", list.len() - at_most, list.len()));
        list.truncate(at_most);
    }
}

/// Every text that may be cut. Names of rules and categories are ours, and short.
fn texts<'d>(data: &'d mut Data<'_>) -> impl Iterator<Item = &'d mut String> {
    let identities = data
        .identities
        .iter_mut()
        .flat_map(|one| [&mut one.service_principal_id, &mut one.app_id, &mut one.name]);
    let who = data.who.iter_mut().flat_map(|one| {
        [
            &mut one.name,
            &mut one.service_principal_id,
            &mut one.app_id,
            &mut one.tenant_id,
            &mut one.arm_resource_id,
        ]
    });
    let causes = data
        .causes
        .iter_mut()
        .flat_map(|cause| std::iter::once(&mut cause.sentence).chain(&mut cause.because));
    let steps = data
        .steps
        .iter_mut()
        .flat_map(|step| std::iter::once(&mut step.sentence).chain(&mut step.command));
    [&mut data.title, &mut data.text, &mut data.what]
        .into_iter()
        .chain(&mut data.resolved_why)
        .chain(&mut data.resources)
        .chain(&mut data.unusual)
        .chain(&mut data.unknown)
        .chain(identities)
        .chain(who)
        .chain(causes)
        .chain(steps)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::super::sample;
    use super::*;

    fn read(message: &Message) -> Value {
        serde_json::from_slice(&body(message)).unwrap()
    }

    #[test]
    fn the_body_has_the_fields_of_the_contract_and_the_six_answers() {
        let body = read(&sample::message(TellReason::Opened, 1));
        assert_eq!(body["type"], "incident.opened");
        assert_eq!(body["timestamp"], "2026-01-03T02:17:00Z");
        let data = &body["data"];
        for field in [
            "id",
            "title",
            "severity",
            "state",
            "categories",
            "rules",
            "error_codes",
            "identities",
            "started_at",
            "detected_at",
            "last_seen_at",
            "resolved_at",
            "event_count",
            "deliveries",
            "what",
            "who",
            "causes",
            "steps",
            "unusual",
            "unknown",
        ] {
            assert!(data.get(field).is_some(), "{field}");
        }
        assert_eq!((&data["id"], &data["severity"]), (&12.into(), &"high".into()));
        assert_eq!(data["identities"][0]["name"], "billing-api");
        assert_eq!(data["left_out"], serde_json::json!([]));
    }

    /// The largest message that can be: every list full, every text as long as a card lets it be, of
    /// characters that take most room.
    fn largest(characters: usize, items: usize) -> Message {
        let long = || "\u{1f980}".repeat(characters);
        let longs = || (0..items).map(|_| long()).collect::<Vec<_>>();
        let mut message = sample::message(TellReason::Worse, 2);
        let card = &mut message.card;
        card.what = long();
        card.incident.title = long();
        card.incident.resolved_why = Some(long());
        card.incident.resources = longs();
        card.incident.error_codes = (0..200).collect();
        card.incident.rules = (0..200).map(|number| format!("rule_number_{number}")).collect();
        let named = NamedIdentity { service_principal_id: long(), app_id: long(), name: long() };
        card.incident.identities = vec![named; items];
        let who = Who { name: long(), arm_resource_id: long(), ..card.who[0].clone() };
        card.who = vec![who; items];
        card.causes =
            vec![Cause { sentence: long(), because: longs(), ..card.causes[0].clone() }; items];
        card.steps = vec![Step { sentence: long(), command: Some(long()) }; items];
        (card.unusual, card.unknown) = (longs(), longs());
        message
    }

    #[test]
    fn a_body_never_grows_too_large_and_never_loses_what_matters() {
        for (characters, items) in [(10, 20), (120, 50), (1_001, 3), (1_001, 60)] {
            let message = largest(characters, items);
            let bytes = body(&message);
            assert!(bytes.len() < BODY_AT_MOST, "{characters} {items}: {}", bytes.len());
            let data = &read(&message)["data"];
            assert_eq!((&data["id"], &data["severity"]), (&12.into(), &"high".into()));
            assert_eq!(
                (&data["event_count"], &data["identity_count"]),
                (&34.into(), &items.into())
            );
            assert!(data["identities"][0]["name"].as_str().unwrap().starts_with('\u{1f980}'));
            assert!(!data["steps"].as_array().unwrap().is_empty());
        }
        let left_out = &read(&largest(1_001, 60))["data"]["left_out"];
        assert!(left_out.to_string().contains("55 of 60 identities"), "{left_out}");
    }
}
