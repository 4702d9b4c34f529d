//! How what one set of rules would have found and told differs from what another would have.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::report::{KEYS_AT_MOST, KeyNoise, by_key, keyed, label};
use super::walk::Lived;
use crate::model::{Incident, Severity};
use crate::store::StoreError;
use crate::store::noise::FindingsApart;

/// The difference, as seen from the first set of rules.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Apart {
    /// By rule; those that find the same are left out.
    pub findings: Vec<FindingsApart>,
    pub new: Vec<IncidentApart>,
    pub gone: Vec<IncidentApart>,
    pub changed: Vec<IncidentApart>,
    /// Incidents that are the same under both.
    pub same: u64,
    /// Deliveries more, or fewer.
    pub deliveries: i64,
    /// The identities and groups of which more or less is told, those with the greatest difference first.
    pub keys: Vec<KeyApart>,
}

/// An identity or group of which one set of rules tells more than the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyApart {
    pub key: String,
    pub deliveries: u64,
    /// Under the other rules.
    pub against: u64,
}

/// An incident that is not the same under both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IncidentApart {
    /// The identity, or the values that the group has in common.
    pub key: String,
    pub title: String,
    pub severity: Severity,
    pub shadow: bool,
    pub started_at: DateTime<Utc>,
    pub last_seen_at: DateTime<Utc>,
    pub rules: Vec<String>,
    pub event_count: u64,
    pub deliveries: u64,
    /// What is not as under the other rules.
    pub changes: Vec<String>,
}

/// Compares two walks over the same history.
pub async fn compare(ours: &Lived, theirs: &Lived) -> Result<Apart, StoreError> {
    let (mine, mut others) = (incidents(ours).await?, incidents(theirs).await?);
    let keys = keys(&mine, &others);
    let mut apart = Apart {
        findings: ours.store.findings_apart(&theirs.store, ours.since).await?,
        new: Vec::new(),
        gone: Vec::new(),
        changed: Vec::new(),
        same: 0,
        deliveries: signed(ours.report.deliveries) - signed(theirs.report.deliveries),
        keys,
    };
    for (incident, key) in mine {
        let place = others
            .iter()
            .position(|(other, their_key)| *their_key == key && overlaps(&incident, other));
        let Some(place) = place else {
            apart.new.push(told(&incident, &key, Vec::new()));
            continue;
        };
        let (other, _) = others.swap_remove(place);
        let changes = changes(&incident, &other);
        if changes.is_empty() {
            apart.same += 1;
        } else {
            apart.changed.push(told(&incident, &key, changes));
        }
    }
    apart.gone = others.iter().map(|(incident, key)| told(incident, key, Vec::new())).collect();
    apart.gone.sort_by_key(|incident| std::cmp::Reverse(incident.started_at));
    Ok(apart)
}

fn keys(mine: &[(Incident, String)], others: &[(Incident, String)]) -> Vec<KeyApart> {
    let (ours, theirs) = (by_key(mine), by_key(others));
    let mut apart: BTreeMap<&str, KeyApart> = BTreeMap::new();
    for (key, noise) in ours.iter().chain(&theirs) {
        let deliveries = |of: &BTreeMap<&str, KeyNoise>| of.get(key).map_or(0, |it| it.deliveries);
        let (deliveries, against) = (deliveries(&ours), deliveries(&theirs));
        if deliveries != against {
            let told = || KeyApart { key: noise.key.clone(), deliveries, against };
            apart.entry(key).or_insert_with(told);
        }
    }
    let mut apart: Vec<KeyApart> = apart.into_values().collect();
    apart.sort_by_key(|key| std::cmp::Reverse(key.deliveries.abs_diff(key.against)));
    apart.truncate(KEYS_AT_MOST);
    apart
}

async fn incidents(of: &Lived) -> Result<Vec<(Incident, String)>, StoreError> {
    Ok(keyed(of.store.incidents().await?, &of.store.incident_keys().await?, of.since))
}

fn overlaps(one: &Incident, other: &Incident) -> bool {
    one.started_at <= other.last_seen_at && other.started_at <= one.last_seen_at
}

fn changes(one: &Incident, other: &Incident) -> Vec<String> {
    let mut changes = Vec::new();
    let mut differs = |what: &str, before: String, after: String| {
        if before != after {
            changes.push(format!("{what}: {before} → {after}"));
        }
    };
    let told = |shadow: bool| if shadow { "shadow" } else { "live" }.to_owned();
    differs("severity", other.severity.to_string(), one.severity.to_string());
    differs("state", told(other.is_shadow), told(one.is_shadow));
    differs("rules", other.rules.join(", "), one.rules.join(", "));
    differs("sign-ins", other.event_count.to_string(), one.event_count.to_string());
    differs("begins", second(other.started_at), second(one.started_at));
    differs("found", second(other.detected_at), second(one.detected_at));
    differs("last", second(other.last_seen_at), second(one.last_seen_at));
    let end = |it: &Incident| it.resolved_at.map_or_else(|| "open".to_owned(), second);
    differs("ends", end(other), end(one));
    differs("deliveries", other.deliveries.to_string(), one.deliveries.to_string());
    changes
}

fn second(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn told(incident: &Incident, key: &str, changes: Vec<String>) -> IncidentApart {
    IncidentApart {
        key: label(incident, key),
        title: incident.title.clone(),
        severity: incident.severity,
        shadow: incident.is_shadow,
        started_at: incident.started_at,
        last_seen_at: incident.last_seen_at,
        rules: incident.rules.clone(),
        event_count: incident.event_count,
        deliveries: incident.deliveries,
        changes,
    }
}

fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
