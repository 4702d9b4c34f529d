//! The forms that programs read: stable names, times in RFC 3339.

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::timeline::{Entry, Timeline};
use crate::diagnose::{Card, Cause, Step, Who};
use crate::model::{Incident, IncidentId, IncidentState, NamedIdentity, ResolvedBy, Severity};

/// An incident as lists show it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IncidentRow {
    pub id: IncidentId,
    pub title: String,
    pub severity: Severity,
    pub state: IncidentState,
    pub categories: Vec<String>,
    pub rules: Vec<String>,
    pub error_codes: Vec<i64>,
    pub identities: Vec<NamedIdentity>,
    pub resources: Vec<String>,
    pub started_at: DateTime<Utc>,
    pub detected_at: DateTime<Utc>,
    pub last_seen_at: DateTime<Utc>,
    pub opened_at: DateTime<Utc>,
    pub acknowledged_at: Option<DateTime<Utc>>,
    pub acknowledged_by: Option<String>,
    pub resolved_at: Option<DateTime<Utc>>,
    pub resolved_by: Option<ResolvedBy>,
    pub resolved_why: Option<String>,
    pub event_count: u64,
    pub deliveries: u64,
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
            error_codes: incident.error_codes.clone(),
            identities: incident.identities.clone(),
            resources: incident.resources.clone(),
            started_at: incident.started_at,
            detected_at: incident.detected_at,
            last_seen_at: incident.last_seen_at,
            opened_at: incident.opened_at,
            acknowledged_at: incident.acknowledged_at,
            acknowledged_by: incident.acknowledged_by.clone(),
            resolved_at: incident.resolved_at,
            resolved_by: incident.resolved_by,
            resolved_why: incident.resolved_why.clone(),
            event_count: incident.event_count,
            deliveries: incident.deliveries,
        }
    }
}

#[derive(Serialize)]
struct Shown<'a> {
    #[serde(flatten)]
    incident: IncidentRow,
    what: &'a str,
    who: &'a [Who],
    unusual: &'a [String],
    causes: &'a [Cause],
    steps: &'a [Step],
    unknown: &'a [String],
    #[serde(skip_serializing_if = "Option::is_none")]
    timeline: Option<&'a [Entry]>,
}

fn shown<'a>(card: &'a Card, timeline: Option<&'a [Entry]>) -> Shown<'a> {
    Shown {
        incident: IncidentRow::from(&card.incident),
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
pub fn card(card: &Card) -> String {
    document(&shown(card, None))
}

/// The same with its `timeline`.
#[must_use]
pub fn timeline(timeline: &Timeline) -> String {
    document(&shown(&timeline.card, Some(&timeline.entries)))
}
