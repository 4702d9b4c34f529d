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
        | EntryKind::Recovered
        | EntryKind::GoodBetween => "Sign-in",
        EntryKind::RuleMet => "Rule met",
        EntryKind::Arrived => "Ingested",
        EntryKind::Amended | EntryKind::Change => "Incident changed",
        EntryKind::Planned | EntryKind::Attempt | EntryKind::Sent | EntryKind::Dead => "Delivery",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::night;

    #[test]
    fn a_spreadsheet_reads_every_entry_and_takes_none_for_a_formula() {
        let mut told = night::block_on(async { night::whole("a,\"b\"\nc").await.timeline().await });
        told.entries[0].detail = Some("=HYPERLINK(\"x\")".to_owned());
        let text = csv(&told);
        let mut reader = csv::Reader::from_reader(text.as_bytes());
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), told.entries.len());
        assert_eq!(&rows[0][0], "2026-11-22T23:00:11.000000+00:00");
        assert_eq!(&rows[0][4], "'=HYPERLINK(\"x\")");
        assert!(rows.iter().any(|row| row[3].contains("`a,\"b\" c` was refused")), "{text}");
    }

    #[test]
    fn timesketch_gets_its_three_keys_on_every_line() {
        let told = night::block_on(async { night::whole("build-agent").await.timeline().await });
        let lines: Vec<serde_json::Value> =
            timesketch(&told).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), told.entries.len());
        for line in &lines {
            let datetime = line["datetime"].as_str().unwrap();
            assert!(chrono::DateTime::parse_from_rfc3339(datetime).is_ok(), "{datetime}");
            assert!(line["message"].as_str().is_some_and(|message| !message.is_empty()));
        }
        let mut described: Vec<&str> =
            lines.iter().map(|line| line["timestamp_desc"].as_str().unwrap()).collect();
        described.sort_unstable();
        described.dedup();
        assert_eq!(described, ["Delivery", "Incident changed", "Ingested", "Rule met", "Sign-in"]);
    }
}
