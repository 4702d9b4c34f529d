//! What came of living through a history again, in numbers.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::app::App;
use crate::model::{Incident, IncidentId, Severity};
use crate::store::StoreError;

/// Keys that are named, loudest first.
pub(super) const KEYS_AT_MOST: usize = 20;

/// What would have been found and told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// Events evaluated, those before `since` among them.
    pub events: u64,
    /// Those from `since` on. Without any there is nothing to count.
    pub counted_events: u64,
    /// What was found from then on is counted.
    pub since: DateTime<Utc>,
    pub until: DateTime<Utc>,
    /// Rules that found something, those with most deliveries first.
    pub rules: Vec<RuleReport>,
    /// Rules that found nothing.
    pub quiet_rules: Vec<String>,
    pub findings: u64,
    pub incidents: u64,
    /// Findings and incidents of rules in shadow, not counted above.
    pub shadow_findings: u64,
    pub shadow_incidents: u64,
    pub deliveries: u64,
    /// Days from the first to the last, begun ones among them.
    pub days: u64,
    pub channels: Vec<ChannelTold>,
    /// The identities and groups that cause most deliveries.
    pub loudest: Vec<KeyNoise>,
}

/// What one rule found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RuleReport {
    pub rule: String,
    pub title: String,
    pub level: Severity,
    pub shadow: bool,
    pub findings: u64,
    /// Incidents that it is part of, and what was told of these.
    pub incidents: u64,
    pub deliveries: u64,
}

/// What one channel would have been told.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChannelTold {
    pub channel: String,
    pub deliveries: u64,
    /// On average, over all days.
    pub per_day: f64,
    /// Most on one day.
    pub busiest: Option<Day>,
    /// The days on which it was told something.
    pub by_day: Vec<Day>,
}

/// A day (UTC) and its deliveries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Day {
    pub day: String,
    pub deliveries: u64,
}

/// What one identity or group causes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct KeyNoise {
    /// The name of the identity, or the values that the group has in common.
    pub key: String,
    pub incidents: u64,
    pub deliveries: u64,
    /// The rules of its incidents.
    pub rules: Vec<String>,
}

impl Report {
    pub(super) async fn of(
        app: &App,
        (events, counted_events): (u64, u64),
        (since, until): (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<Self, StoreError> {
        let (rules, quiet_rules) = rules(app, since).await?;
        let counted = |is_shadow: bool| {
            rules.iter().filter(move |rule| rule.shadow == is_shadow).map(|rule| rule.findings)
        };
        let all = incidents(app, since).await?;
        let days = days(since, until);
        let channels = channels(app, days).await?;
        let shadow_incidents = all.iter().filter(|(incident, _)| incident.is_shadow).count() as u64;
        Ok(Self {
            events,
            counted_events,
            since,
            until,
            findings: counted(false).sum(),
            shadow_findings: counted(true).sum(),
            incidents: all.len() as u64 - shadow_incidents,
            shadow_incidents,
            deliveries: channels.iter().map(|channel| channel.deliveries).sum(),
            days,
            channels,
            loudest: loudest(&all),
            rules,
            quiet_rules,
        })
    }
}

/// The days from a moment to just before another.
fn days(since: DateTime<Utc>, until: DateTime<Utc>) -> u64 {
    let last = (until - TimeDelta::microseconds(1)).max(since);
    (last.date_naive() - since.date_naive()).num_days().unsigned_abs() + 1
}

async fn rules(
    app: &App,
    since: DateTime<Utc>,
) -> Result<(Vec<RuleReport>, Vec<String>), StoreError> {
    let known = app.rules();
    let mut found = Vec::new();
    for noise in app.store.noise_by_rule(since).await? {
        let Some(rule) = known.rulebook.rules.get(&noise.rule) else { continue };
        found.push(RuleReport {
            title: rule.text.title.clone(),
            level: rule.level,
            shadow: rule.is_shadow,
            rule: noise.rule,
            findings: noise.findings,
            incidents: noise.incidents,
            // Those of an incident that it only stands beside are not its own.
            deliveries: if rule.is_shadow { 0 } else { noise.deliveries },
        });
    }
    found.sort_by_key(|rule| std::cmp::Reverse((rule.deliveries, rule.incidents, rule.findings)));
    let is_quiet = |name: &&String| found.iter().all(|rule| rule.rule != **name);
    let quiet = known.rulebook.rules.keys().filter(is_quiet).cloned().collect();
    Ok((found, quiet))
}

/// Incidents found from a time on, or told from then on, each with what it is of.
async fn incidents(app: &App, since: DateTime<Utc>) -> Result<Vec<(Incident, String)>, StoreError> {
    Ok(keyed(app.store.incidents().await?, &app.store.incident_keys().await?, since))
}

pub(super) fn keyed(
    incidents: Vec<Incident>,
    keys: &BTreeMap<IncidentId, String>,
    since: DateTime<Utc>,
) -> Vec<(Incident, String)> {
    let is_counted = |it: &Incident| it.detected_at >= since || it.deliveries > 0;
    let key = |id: &IncidentId| keys.get(id).cloned().unwrap_or_default();
    incidents
        .into_iter()
        .filter(is_counted)
        .map(|incident| {
            let key = key(&incident.id);
            (incident, key)
        })
        .collect()
}

async fn channels(app: &App, days: u64) -> Result<Vec<ChannelTold>, StoreError> {
    let told = app.store.told_by_day().await?;
    let channel = |name: &str| {
        let by_day: Vec<Day> = told
            .iter()
            .filter(|day| day.channel == name)
            .map(|day| Day {
                day: day.day.format("%Y-%m-%d").to_string(),
                deliveries: day.deliveries,
            })
            .collect();
        let deliveries: u64 = by_day.iter().map(|day| day.deliveries).sum();
        #[expect(clippy::cast_precision_loss, reason = "an average is shown to a tenth")]
        let per_day = deliveries as f64 / days as f64;
        let busiest = by_day.iter().max_by_key(|day| day.deliveries).cloned();
        ChannelTold { channel: name.to_owned(), deliveries, per_day, busiest, by_day }
    };
    Ok(app.outbox.channels().map(|it| channel(it.name())).collect())
}

fn loudest(incidents: &[(Incident, String)]) -> Vec<KeyNoise> {
    let mut all: Vec<KeyNoise> = by_key(incidents).into_values().collect();
    all.sort_by_key(|noise| std::cmp::Reverse((noise.deliveries, noise.incidents)));
    all.truncate(KEYS_AT_MOST);
    all
}

/// What each key causes, those of rules in shadow left out.
pub(super) fn by_key(incidents: &[(Incident, String)]) -> BTreeMap<&str, KeyNoise> {
    let mut by_key: BTreeMap<&str, KeyNoise> = BTreeMap::new();
    for (incident, key) in incidents.iter().filter(|(incident, _)| !incident.is_shadow) {
        let noise = by_key.entry(key).or_insert_with(|| KeyNoise {
            key: label(incident, key),
            incidents: 0,
            deliveries: 0,
            rules: Vec::new(),
        });
        noise.incidents += 1;
        noise.deliveries += incident.deliveries;
        for rule in &incident.rules {
            if !noise.rules.contains(rule) {
                noise.rules.push(rule.clone());
            }
        }
    }
    by_key
}

/// What people call the subject of an incident.
pub(super) fn label(incident: &Incident, key: &str) -> String {
    if let Some((fields, values)) = key.split_once('\n') {
        let pairs = fields.split(',').zip(values.lines());
        let told = pairs.filter(|(_, value)| !value.is_empty());
        let told: Vec<String> = told.map(|(field, value)| format!("{field} {value}")).collect();
        // A tenant that no record names is no name for what happened in it.
        return if told.is_empty() { incident.title.clone() } else { told.join(", ") };
    }
    let name = incident.identities.first().and_then(|identity| {
        [&identity.name, &identity.app_id, &identity.service_principal_id]
            .into_iter()
            .find(|text| !text.is_empty())
    });
    name.cloned().unwrap_or_else(|| key.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_that_it_ends_with_is_left_out_where_it_ends_at_midnight() {
        let at = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let since = at("2026-11-16T00:00:00Z");
        assert_eq!(days(since, at("2026-11-21T00:00:00Z")), 5);
        assert_eq!(days(since, at("2026-11-21T00:00:01Z")), 6);
        assert_eq!(days(since, since), 1);
    }
}
