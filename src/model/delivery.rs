//! One incident told to one channel, and why.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::id::{DeliveryId, IncidentId};
use super::severity::Severity;

/// Why an incident is told now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TellReason {
    Opened,
    /// Graver than when it was last told, or much more of it.
    Worse,
    Resolved,
    Reopened,
}

impl TellReason {
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Opened => "opened",
            Self::Worse => "worse",
            Self::Resolved => "resolved",
            Self::Reopened => "reopened",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::Opened, Self::Worse, Self::Resolved, Self::Reopened]
            .into_iter()
            .find(|reason| reason.as_str() == text)
    }
}

/// The n-th telling of an incident to a channel.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Delivery {
    pub id: DeliveryId,
    pub incident_id: IncidentId,
    pub channel: String,
    pub number: i64,
    pub reason: TellReason,
    pub revision: i64,
    pub severity: Severity,
    pub event_count: u64,
    pub planned_at: DateTime<Utc>,
    pub attempts: u32,
    pub next_attempt_at: DateTime<Utc>,
    pub sent_at: Option<DateTime<Utc>>,
    pub dead_at: Option<DateTime<Utc>>,
    pub last_error: Option<String>,
}
