//! Findings that belong together, and the dates that say how the incident stands.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::id::IncidentId;
use super::severity::Severity;

/// How an incident stands; it follows from its dates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum IncidentState {
    Open,
    Acknowledged,
    Resolved,
}

impl fmt::Display for IncidentState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Open => "open",
            Self::Acknowledged => "acknowledged",
            Self::Resolved => "resolved",
        })
    }
}

/// What ended an incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResolvedBy {
    /// The identity signed in again.
    Recovered,
    /// Nothing more came for as long as the configuration says.
    Quiet,
    Person,
    /// It turned out to be part of another incident, which tells the rest.
    Merged,
    /// Late events showed that there was nothing to it.
    Withdrawn,
}

impl ResolvedBy {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Recovered => "recovered",
            Self::Quiet => "quiet",
            Self::Person => "person",
            Self::Merged => "merged",
            Self::Withdrawn => "withdrawn",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::Recovered, Self::Quiet, Self::Person, Self::Merged, Self::Withdrawn]
            .into_iter()
            .find(|by| by.as_str() == text)
    }
}

/// The category of incidents that are of a source which was not read, not of findings.
pub const COVERAGE: &str = "coverage";

/// An identity as an incident names it. Empty texts are unknown.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NamedIdentity {
    pub service_principal_id: String,
    pub app_id: String,
    pub name: String,
}

/// What an incident is about, gathered from its findings.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incident {
    pub id: IncidentId,
    pub title: String,
    pub severity: Severity,
    pub categories: Vec<String>,
    /// Names of the rules, most severe first.
    pub rules: Vec<String>,
    /// Rules in shadow that were met as well: they are shown, and change nothing of the incident.
    #[serde(default)]
    pub shadow_rules: Vec<String>,
    /// All of its rules are in shadow, so it is never told.
    #[serde(default)]
    pub is_shadow: bool,
    /// AADSTS numbers of the evidence, most frequent first; 0 is left out.
    pub error_codes: Vec<i64>,
    pub identities: Vec<NamedIdentity>,
    /// Names of the resources asked for.
    pub resources: Vec<String>,
    /// The first event of its evidence.
    pub started_at: DateTime<Utc>,
    /// The event time at which the first finding's condition became true.
    pub detected_at: DateTime<Utc>,
    pub last_seen_at: DateTime<Utc>,
    /// When this program opened it.
    pub opened_at: DateTime<Utc>,
    pub acknowledged_at: Option<DateTime<Utc>>,
    pub acknowledged_by: Option<String>,
    pub resolved_at: Option<DateTime<Utc>>,
    pub resolved_by: Option<ResolvedBy>,
    /// What a person gave as the reason.
    pub resolved_why: Option<String>,
    /// Sign-ins of its evidence.
    pub event_count: u64,
    /// Deliveries planned for it.
    pub deliveries: u64,
    /// Goes up with each change.
    pub revision: i64,
}

impl Incident {
    #[must_use]
    pub fn state(&self) -> IncidentState {
        match (self.resolved_at, self.acknowledged_at) {
            (Some(_), _) => IncidentState::Resolved,
            (None, Some(_)) => IncidentState::Acknowledged,
            (None, None) => IncidentState::Open,
        }
    }
}
