//! The forms that programs read: stable names, times in RFC 3339.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::timeline::{Entry, Timeline};
use crate::diagnose::{Card, Cause, Step, Who};
use crate::model::{
    Incident, IncidentId, IncidentState, NamedIdentity, ResolvedBy, Severity, Silence,
};

/// An incident as lists show it: all of it follows from the events, the rules and what people did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IncidentRow {
    pub id: IncidentId,
    pub title: String,
    pub severity: Severity,
    pub state: IncidentState,
    pub categories: Vec<String>,
    pub rules: Vec<String>,
    /// All of its rules are in shadow: it is never told.
    pub shadow: bool,
    /// Rules in shadow that were met beside these.
    pub shadow_rules: Vec<String>,
    pub error_codes: Vec<i64>,
    pub identities: Vec<NamedIdentity>,
    pub resources: Vec<String>,
    pub started_at: DateTime<Utc>,
    pub detected_at: DateTime<Utc>,
    pub last_seen_at: DateTime<Utc>,
    pub acknowledged_at: Option<DateTime<Utc>>,
    pub acknowledged_by: Option<String>,
    pub resolved_at: Option<DateTime<Utc>>,
    pub resolved_by: Option<ResolvedBy>,
    pub resolved_why: Option<String>,
    pub event_count: u64,
    pub deliveries: u64,
    /// The end of a silence that it is of now.
    pub silenced_until: Option<DateTime<Utc>>,
}

impl IncidentRow {
    /// The same under the silences that there are.
    #[must_use]
    pub fn under(incident: &Incident, silences: &[Silence], now: DateTime<Utc>) -> Self {
        let silence = Silence::over(silences, incident, now);
        Self { silenced_until: silence.map(|silence| silence.ends_at), ..Self::from(incident) }
    }
}

impl From<&Incident> for IncidentRow {
    fn from(incident: &Incident) -> Self {
        Self {
            state: incident.state(),
            id: incident.id,
            title: incident.title.clone(),
            severity: incident.severity,
            categories: incident.categories.clone(),
            rules: incident.rules.clone(),
            shadow: incident.is_shadow,
            shadow_rules: incident.shadow_rules.clone(),
            error_codes: incident.error_codes.clone(),
            identities: incident.identities.clone(),
            resources: incident.resources.clone(),
            started_at: incident.started_at,
            detected_at: incident.detected_at,
            last_seen_at: incident.last_seen_at,
            acknowledged_at: incident.acknowledged_at,
            acknowledged_by: incident.acknowledged_by.clone(),
            resolved_at: incident.resolved_at,
            resolved_by: incident.resolved_by,
            resolved_why: incident.resolved_why.clone(),
            event_count: incident.event_count,
            deliveries: incident.deliveries,
            silenced_until: None,
        }
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    incident: IncidentRow,
    /// When the program first had it, by its own clock.
    opened_at: DateTime<Utc>,
    what: &'a str,
    who: &'a [Who],
    unusual: &'a [String],
    causes: &'a [Cause],
    steps: &'a [Step],
    unknown: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    timeline: Option<&'a [Entry]>,
}

fn shown<'a>(
    card: &'a Card,
    silence: Option<&Silence>,
    timeline: Option<&'a [Entry]>,
) -> Shown<'a> {
    let silenced_until = silence.map(|silence| silence.ends_at);
    Shown {
        incident: IncidentRow { silenced_until, ..IncidentRow::from(&card.incident) },
        opened_at: card.incident.opened_at,
        what: &card.what,
        who: &card.who,
        unusual: &card.unusual,
        causes: &card.causes,
        steps: &card.steps,
        unknown: &card.unknown,
        timeline,
    }
}

/// Rows of a list, or anything else, as indented JSON with a line break at its end.
#[must_use]
pub fn document<T: Serialize + ?Sized>(value: &T) -> String {
    let mut text = serde_json::to_string_pretty(value).expect("rows are texts, numbers and times");
    text.push('\n');
    text
}

/// An incident, explained: the keys of a list's row, and the six answers.
#[must_use]
pub fn card(card: &Card, silence: Option<&Silence>) -> String {
    document(&shown(card, silence, None))
}

/// The same with its `timeline`.
#[must_use]
pub fn timeline(timeline: &Timeline, silence: Option<&Silence>) -> String {
    document(&shown(&timeline.card, silence, Some(&timeline.entries)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::night;

    #[test]
    fn a_row_has_the_keys_that_other_programs_read() {
        let incident =
            night::block_on(async { night::whole("build-agent").await.incident().await });
        let rows: serde_json::Value =
            serde_json::from_str(&document(&[IncidentRow::from(&incident)])).unwrap();
        let row = &rows[0];
        assert_eq!(row["id"], 1);
        assert_eq!(row["title"], "Application not found, many times: build-agent");
        assert_eq!((&row["severity"], &row["state"]), (&"high".into(), &"resolved".into()));
        assert_eq!(row["categories"], serde_json::json!(["spike", "streak"]));
        assert_eq!(
            row["rules"],
            serde_json::json!([
                "application_not_found_spike",
                "application_not_found_streak",
                "failure_streak"
            ])
        );
        assert_eq!(row["error_codes"], serde_json::json!([700_016]));
        assert_eq!(
            row["identities"],
            serde_json::json!([{
                "service_principal_id": "5a3e9d70-1c2b-4e8f-8f60-7b9c0d1e2f32",
                "app_id": "c4b1e6a8-7d35-4c2e-9b1f-0e8d7a6b5c43",
                "name": "build-agent"
            }])
        );
        assert_eq!(row["started_at"], "2026-11-23T02:14:07Z");
        assert_eq!(row["detected_at"], "2026-11-23T02:15:30Z");
        assert_eq!(row["last_seen_at"], "2026-11-23T05:41:00Z");
        assert_eq!(row["resolved_at"], "2026-11-23T07:30:00Z");
        assert_eq!((&row["event_count"], &row["deliveries"]), (&16.into(), &2.into()));
    }

    #[test]
    fn a_shown_incident_is_a_row_with_six_answers_and_its_timeline() {
        let told = night::block_on(async { night::whole("build-agent").await.timeline().await });
        let shown: serde_json::Value = serde_json::from_str(&timeline(&told, None)).unwrap();
        for key in ["state", "what", "who", "unusual", "causes", "steps", "unknown"] {
            assert!(!shown[key].is_null(), "{key}");
        }
        assert_eq!(
            shown["timeline"][0],
            serde_json::json!({
                "at": "2026-11-22T23:00:11Z",
                "clock": "event",
                "kind": "last_good",
                "sentence": "Last good sign-in before it",
                "detail": "3 h 13 min earlier"
            })
        );
        let without: serde_json::Value = serde_json::from_str(&card(&told.card, None)).unwrap();
        assert!(without.get("timeline").is_none());
    }
}
