//! What the findings of an incident say together: its title, severity, numbers and names.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::model::{Incident, IncidentId, NAMED_AT_MOST, NamedIdentity, RuleFacts, Severity};
use crate::store::incidents::{self as rows, IncidentFinding, Subject};
use crate::store::{Names, StoreError, Writing, time};

/// What it takes to describe incidents.
pub(super) struct Describing<'a> {
    pub(super) writing: &'a mut Writing,
    pub(super) rules: &'a BTreeMap<String, RuleFacts>,
    pub(super) names: &'a mut Names,
    pub(super) now: DateTime<Utc>,
}

/// What the evidence holds, each number once.
#[derive(Default)]
struct Evidence {
    codes: BTreeMap<i64, u64>,
    identities: Vec<i64>,
    resources: Vec<i64>,
}

impl Evidence {
    fn of(members: &[&IncidentFinding]) -> Self {
        let mut evidence = Self::default();
        for row in members {
            for (code, count) in &row.finding.draft.codes {
                let most = evidence.codes.entry(*code).or_default();
                *most = (*most).max(*count);
            }
            add(&mut evidence.identities, &row.finding.draft.identities);
            add(&mut evidence.resources, &row.finding.draft.resources);
        }
        evidence
    }
}

impl Describing<'_> {
    /// The incident as its findings have it: not yet numbered, acknowledged or resolved.
    pub(super) async fn incident(
        &mut self,
        subject: Subject,
        members: &[&IncidentFinding],
    ) -> Result<Incident, StoreError> {
        let Evidence { codes, identities, resources } = Evidence::of(members);
        self.names.load_identities(self.writing, &identities).await?;
        self.names.load_resources(self.writing, &resources).await?;
        let first = |pick: fn(&IncidentFinding) -> i64| {
            members.iter().map(|row| pick(row)).min().unwrap_or(0)
        };
        let started_at = first(|row| row.finding.draft.started_at);
        let last_seen_at = members.iter().map(|row| row.finding.draft.last_at).max().unwrap_or(0);
        let numbers: Vec<i64> = codes.keys().copied().collect();
        let event_count = match subject {
            Subject::Identity(id) => {
                let interval = (started_at, last_seen_at);
                rows::count_events(self.writing, id, interval, &numbers, &resources).await?
            }
            Subject::Group(_) | Subject::Source(_) => {
                members.iter().map(|row| row.finding.draft.event_count).sum()
            }
        };
        let rules = self.rules_of(members);
        let identities: Vec<NamedIdentity> =
            identities.iter().filter_map(|id| self.named(*id)).collect();
        let gravest = rules.first().and_then(|rule| self.rules.get(rule));
        Ok(Incident {
            id: IncidentId(0),
            title: title(gravest, &identities),
            severity: gravest.map_or(Severity::default(), |rule| rule.level),
            categories: self.categories(&rules),
            shadow_rules: Vec::new(),
            is_shadow: false,
            error_codes: rows::most_first(&codes).into_iter().filter(|code| *code != 0).collect(),
            resources: self.labels(&resources),
            rules,
            identities,
            started_at: time(started_at),
            detected_at: time(first(|row| row.finding.draft.detected_at)),
            last_seen_at: time(last_seen_at),
            opened_at: self.now,
            acknowledged_at: None,
            acknowledged_by: None,
            resolved_at: None,
            resolved_by: None,
            resolved_why: None,
            event_count,
            deliveries: 0,
            revision: 1,
        })
    }

    /// The rules of the findings, gravest first.
    fn rules_of(&self, members: &[&IncidentFinding]) -> Vec<String> {
        let names: BTreeSet<&str> = members.iter().map(|row| row.rule.as_str()).collect();
        let mut names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        names.sort_by_key(|name| std::cmp::Reverse(self.rules.get(name).map(|rule| rule.level)));
        names
    }

    fn categories(&self, rules: &[String]) -> Vec<String> {
        let mut categories = Vec::new();
        for rule in rules.iter().filter_map(|rule| self.rules.get(rule)) {
            if !rule.category.is_empty() && !categories.contains(&rule.category) {
                categories.push(rule.category.clone());
            }
        }
        categories
    }

    fn labels(&self, resources: &[i64]) -> Vec<String> {
        let known = resources.iter().filter_map(|id| self.names.resource(*id));
        let labels = known.map(|resource| resource.label().to_owned());
        labels.filter(|label| !label.is_empty()).collect()
    }

    fn named(&self, id: i64) -> Option<NamedIdentity> {
        let known = self.names.identity(id)?;
        Some(NamedIdentity {
            service_principal_id: known.identity.service_principal_id.to_string(),
            app_id: known.identity.app_id.to_string(),
            name: known.identity.name.to_string(),
        })
    }
}

fn title(rule: Option<&RuleFacts>, identities: &[NamedIdentity]) -> String {
    let rule = rule.map_or("A rule that is gone", |rule| rule.title.as_str());
    let label = |identity: &NamedIdentity| {
        [&identity.name, &identity.app_id, &identity.service_principal_id]
            .into_iter()
            .find(|text| !text.is_empty())
            .cloned()
            .unwrap_or_else(|| "an identity without a name".to_owned())
    };
    match identities {
        [] => rule.to_owned(),
        [one] => format!("{rule}: {}", label(one)),
        [first, other] => format!("{rule}: {} and {}", label(first), label(other)),
        [first, others @ ..] => {
            let many = if identities.len() >= NAMED_AT_MOST { "at least " } else { "" };
            format!("{rule}: {} and {many}{} others", label(first), others.len())
        }
    }
}

/// Adds numbers that are not there yet.
pub(super) fn add(all: &mut Vec<i64>, more: &[i64]) {
    for number in more {
        if !all.contains(number) && all.len() < NAMED_AT_MOST {
            all.push(*number);
        }
    }
}
