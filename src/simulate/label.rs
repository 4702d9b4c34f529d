//! What a scenario did, and what should be found of it: the key to the simulated records.

use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};

use super::fleet::Identity;
use super::scenarios::Family;
use crate::model::{Incident, NamedIdentity, Severity, SignInType};

/// One scenario as it is told in `labels.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    pub family: Family,
    /// Whether it only looks like trouble.
    pub is_benign: bool,
    /// The rules that find something.
    pub rules: Vec<String>,
    /// The rules that may speak as well, and are not wrong to.
    pub tolerated_rules: Vec<String>,
    /// The level of the gravest of `rules`.
    pub severity: Severity,
    pub identities: Vec<LabelledIdentity>,
    /// The identity that takes the place of a deleted one.
    pub successor: Option<LabelledIdentity>,
    pub error_codes: Vec<i64>,
    /// How many records tell of it: those of `identities` with one of `error_codes`, from
    /// `started_at` up to and including `ended_at`.
    pub records: u64,
    pub started_at: DateTime<Utc>,
    /// The last record that tells of it.
    pub ended_at: DateTime<Utc>,
    /// The first token after it; `None` where it is not over.
    pub recovered_at: Option<DateTime<Utc>>,
}

impl Label {
    /// Whether an incident tells of this scenario: one of its identities, a rule that finds it, and evidence
    /// from its time.
    #[must_use]
    pub fn is_told_by(&self, incident: &Incident) -> bool {
        self.is_of(incident) && self.rules.iter().any(|rule| incident.rules.contains(rule))
    }

    /// Whether an incident is of an identity of this scenario, or of the one in its place, within its time.
    #[must_use]
    pub fn is_of(&self, incident: &Incident) -> bool {
        self.covers(&incident.identities, incident.started_at, incident.last_seen_at)
    }

    /// Whether what was said of these identities, from `since` to `until`, touches this scenario.
    #[must_use]
    pub fn covers(
        &self,
        identities: &[NamedIdentity],
        since: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> bool {
        let is_known = |known: &LabelledIdentity| {
            identities.iter().any(|named| {
                let is_principal = !named.service_principal_id.is_empty()
                    && named.service_principal_id == known.service_principal_id;
                is_principal || named.app_id == known.app_id
            })
        };
        // The store keeps milliseconds, records have more: a trouble of one record must not end before it begins.
        let started_at = self.started_at - TimeDelta::milliseconds(1);
        self.identities.iter().chain(&self.successor).any(is_known)
            && since <= self.recovered_at.unwrap_or(self.ended_at).max(self.ended_at)
            && until >= started_at
    }
}

/// An identity as the records of a scenario show it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LabelledIdentity {
    /// What findings are grouped by: the service principal's id, else the application's.
    pub identity: String,
    pub service_principal_id: String,
    pub app_id: String,
    pub name: String,
    pub sign_in_type: SignInType,
}

impl LabelledIdentity {
    pub(super) fn of(who: &Identity) -> Self {
        let service_principal_id =
            who.service_principal_id.map(|id| id.to_string()).unwrap_or_default();
        let app_id = who.app_id.to_string();
        let identity =
            if service_principal_id.is_empty() { &app_id } else { &service_principal_id };
        Self {
            identity: identity.clone(),
            service_principal_id,
            app_id,
            name: who.name.clone(),
            sign_in_type: who.kind,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_record_is_covered_by_its_time_in_milliseconds() {
        let at: DateTime<Utc> = "2026-11-22T10:00:00.1234567Z".parse().unwrap();
        let who = LabelledIdentity {
            identity: "a".to_owned(),
            service_principal_id: "a".to_owned(),
            app_id: "b".to_owned(),
            name: String::new(),
            sign_in_type: SignInType::ServicePrincipal,
        };
        let label = Label {
            family: Family::NewResource,
            is_benign: false,
            rules: Vec::new(),
            tolerated_rules: Vec::new(),
            severity: Severity::Medium,
            identities: vec![who],
            successor: None,
            error_codes: vec![0],
            records: 1,
            started_at: at,
            ended_at: at,
            recovered_at: None,
        };
        let named = |app_id: &str| NamedIdentity {
            service_principal_id: String::new(),
            app_id: app_id.to_owned(),
            name: String::new(),
        };
        let kept = "2026-11-22T10:00:00.123Z".parse().unwrap();
        let before = "2026-11-22T10:00:00.1Z".parse().unwrap();
        assert!(label.covers(&[named("b")], kept, kept));
        assert!(!label.covers(&[named("b")], before, before));
        assert!(!label.covers(&[named("c")], kept, kept));
    }
}
