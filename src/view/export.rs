//! A timeline for other tools: a spreadsheet, and Timesketch.

use chrono::SecondsFormat;
use serde::Serialize;

use super::phrase::clean;
use super::timeline::{Entry, EntryKind, Timeline};

/// One line for each entry under a line of headings.
#[must_use]
pub fn csv(timeline: &Timeline) -> String {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let heads = ["at", "clock", "kind", "sentence", "detail", "count", "event_id", "incident_id"];
    let mut write = |fields: [String; 8]| {
        writer.write_record(fields).expect("every row has the same number of fields");
    };
    write(heads.map(str::to_owned));
    for entry in &timeline.entries {
        write([
            datetime(entry),
            entry.clock.as_str().to_owned(),
            entry.kind.as_str().to_owned(),
            inert(&entry.sentence),
            entry.detail.as_deref().map(inert).unwrap_or_default(),
            entry.count.map(|count| count.to_string()).unwrap_or_default(),
            entry.event_id.clone().unwrap_or_default(),
            timeline.card.incident.id.to_string(),
        ]);
    }
    let bytes = writer.into_inner().expect("memory takes every row");
    String::from_utf8(bytes).expect("texts were written")
}

/// A text that no spreadsheet takes for a formula.
fn inert(text: &str) -> String {
    let text = clean(text);
    if text.starts_with(['=', '+', '-', '@']) { format!("'{text}") } else { text }
}

#[derive(Serialize)]
struct Line<'a> {
    message: String,
    datetime: String,
    timestamp_desc: &'static str,
    kind: &'static str,
    incident_id: i64,
    severity: &'static str,
    error_codes: &'a [i64],
    service_principal_ids: Vec<&'a str>,
    app_ids: Vec<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    count: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event_id: Option<&'a str>,
}

/// One JSON object for each entry and line, as Timesketch imports them.
#[must_use]
pub fn timesketch(timeline: &Timeline) -> String {
    let incident = &timeline.card.incident;
    let mut text = String::new();
    for entry in &timeline.entries {
        let detail = entry.detail.as_deref().map(|detail| format!(" ({})", clean(detail)));
        let ids = |id: fn(&crate::model::NamedIdentity) -> &String| {
            incident
                .identities
                .iter()
                .map(|one| id(one).as_str())
                .filter(|id| !id.is_empty())
                .collect()
        };
        let line = Line {
            message: clean(&entry.sentence) + &detail.unwrap_or_default(),
            datetime: datetime(entry),
            timestamp_desc: described(entry.kind),
            kind: entry.kind.as_str(),
            incident_id: incident.id.0,
            severity: incident.severity.as_str(),
            error_codes: &incident.error_codes,
            service_principal_ids: ids(|one| &one.service_principal_id),
            app_ids: ids(|one| &one.app_id),
            count: entry.count,
            event_id: entry.event_id.as_deref(),
        };
        text += &serde_json::to_string(&line).expect("texts and numbers always serialise");
        text.push('\n');
    }
    text
}

fn datetime(entry: &Entry) -> String {
    entry.at.to_rfc3339_opts(SecondsFormat::Micros, false)
}

/// What kind of time Timesketch files an entry under.
fn described(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::LastGood
        | EntryKind::First
        | EntryKind::Growth
        | EntryKind::Last
        | EntryKind::Recovered => "Sign-in",
        EntryKind::RuleMet => "Rule met",
        EntryKind::Arrived => "Ingested",
        EntryKind::Amended | EntryKind::Change => "Incident changed",
        EntryKind::Planned | EntryKind::Attempt | EntryKind::Sent | EntryKind::Dead => "Delivery",
    }
}
