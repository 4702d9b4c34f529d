//! What was made to happen, so that it can be compared with what is found.

use chrono::{DateTime, Utc};
use serde::Serialize;

use crate::model::Incident;

/// One scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Label {
    pub family: &'static str,
    /// It only looks like trouble: nothing should be found.
    pub is_benign: bool,
    /// The rules that should be met, one at least.
    pub rules: &'static [&'static str],
    pub service_principal_id: String,
    pub app_id: String,
    pub name: String,
    /// The first and the last bad sign-in.
    pub started_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    /// The first good one after; absent where it goes on, or heals without one.
    pub recovered_at: Option<DateTime<Utc>>,
    /// AADSTS numbers, 0 for tokens issued.
    pub error_codes: Vec<i64>,
    /// Bad sign-ins.
    pub sign_ins: u64,
}

impl Label {
    /// Whether an incident tells of this scenario: the same identity (or nobody's, for a spray), a rule
    /// that should be met, and evidence from its time.
    #[must_use]
    pub fn is_told_by(&self, incident: &Incident) -> bool {
        let is_of_identity = self.app_id.is_empty()
            || incident.identities.iter().any(|identity| {
                identity.service_principal_id == self.service_principal_id
                    || identity.app_id == self.app_id
            });
        is_of_identity
            && self.rules.iter().any(|rule| incident.rules.iter().any(|met| met == rule))
            && incident.started_at <= self.ended_at
            && incident.last_seen_at >= self.started_at
    }
}
