//! What the findings of an incident say together: its title, severity, numbers and names.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::symptoms::{is_silence, is_silence_of_many};
use crate::model::{Incident, IncidentId, NAMED_AT_MOST, NamedIdentity, RuleFacts, Severity};
use crate::store::incidents::{self as rows, IncidentFinding};
use crate::store::subjects::{self, Subject};
use crate::store::{Names, StoreError, Writing, time};

/// The category of rules that find failures whatever their reason.
const STREAK: &str = "streak";

/// What it takes to describe incidents.
pub(super) struct Describing<'a> {
    pub(super) writing: &'a mut Writing,
    pub(super) rules: &'a BTreeMap<String, RuleFacts>,
    pub(super) names: &'a mut Names,
    pub(super) now: DateTime<Utc>,
}

/// The findings of one incident.
pub(super) struct Members<'a> {
    pub(super) own: Vec<&'a IncidentFinding>,
    /// Findings of others that these explain.
    pub(super) symptoms: Vec<&'a IncidentFinding>,
}

impl<'a> Members<'a> {
    pub(super) fn all(&self) -> impl Iterator<Item = &'a IncidentFinding> {
        self.own.iter().chain(&self.symptoms).copied()
    }

    pub(super) fn count(&self) -> usize {
        self.own.len() + self.symptoms.len()
    }

    /// Those that decide what the incident is, and those in shadow beside them; without a live one, those in shadow
    /// decide.
    pub(super) fn part(
        &self,
        is_shadow: impl Fn(&IncidentFinding) -> bool,
    ) -> (Self, Vec<&'a IncidentFinding>) {
        let part = |rows: &[&'a IncidentFinding]| -> (Vec<_>, Vec<_>) {
            rows.iter().copied().partition(|row| is_shadow(row))
        };
        let ((mut beside, own), (more, symptoms)) = (part(&self.own), part(&self.symptoms));
        if own.is_empty() {
            return (Self { own: beside, symptoms: Vec::new() }, Vec::new());
        }
        beside.extend(more);
        (Self { own, symptoms }, beside)
    }
}

/// What the evidence holds, each number once.
#[derive(Default)]
struct Evidence {
    codes: BTreeMap<i64, u64>,
    identities: Vec<i64>,
    resources: Vec<i64>,
}

impl Evidence {
    fn of(members: &Members<'_>) -> Self {
        let mut evidence = Self { codes: rows::codes_of(members.all()), ..Self::default() };
        for row in members.all() {
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
        members: &Members<'_>,
    ) -> Result<Incident, StoreError> {
        let Evidence { codes, identities, resources } = Evidence::of(members);
        self.names.load_identities(self.writing, &identities).await?;
        self.names.load_resources(self.writing, &resources).await?;
        // Silence begins with a sign-in that was well, so it dates no trouble that others tell of.
        let is_silence = |row: &IncidentFinding| {
            is_silence(self.rules, &row.rule) || is_silence_of_many(self.rules, &row.rule)
        };
        let is_all_silence = members.all().all(is_silence);
        let first = |pick: fn(&IncidentFinding) -> i64| {
            let telling = members.all().filter(|row| is_all_silence || !is_silence(row));
            telling.map(pick).min().unwrap_or(0)
        };
        let started_at = first(|row| row.finding.draft.started_at);
        let detected_at = first(|row| row.finding.draft.detected_at);
        let last_seen_at = members.all().map(|row| row.finding.draft.last_at).max().unwrap_or(0);
        let numbers: Vec<i64> = codes.keys().copied().collect();
        let event_count = match subject {
            Subject::Identity(id) => {
                let interval = (started_at, last_seen_at);
                let own = if identities.is_empty() { vec![id] } else { identities.clone() };
                rows::count_events(self.writing, &own, interval, &numbers, &resources).await?
            }
            Subject::Rule(_) | Subject::Group(_) | Subject::Source(_) => {
                members.own.iter().map(|row| row.finding.draft.event_count).sum()
            }
        };
        let in_all = self.identities_in_all(members, event_count);
        let rules = self.rules_of(members);
        let identities = self.named(&identities).await?;
        let gravest = rules.first().and_then(|rule| self.rules.get(rule));
        Ok(Incident {
            id: IncidentId(0),
            title: title(gravest, &identities, in_all),
            severity: gravest.map_or(Severity::default(), |rule| rule.level),
            categories: self.categories(&rules),
            shadow_rules: Vec::new(),
            is_shadow: false,
            error_codes: rows::most_first(&codes).into_iter().filter(|code| *code != 0).collect(),
            resources: self.labels(&resources),
            rules,
            identities,
            started_at: time(started_at),
            detected_at: time(detected_at),
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

    /// How many identities there are in all, where a rule has counted them and each came once: more are not named.
    fn identities_in_all(&self, members: &Members<'_>, event_count: u64) -> Option<u64> {
        let counted = members.all().find(|row| {
            let draft = &row.finding.draft;
            let distinct = draft.measures.get("distinct").and_then(|text| text.parse().ok());
            let is_of_identities =
                self.rules.get(&row.rule).is_some_and(|rule| rule.counts_identities);
            is_of_identities && draft.event_count == event_count && distinct == Some(event_count)
        });
        counted.map(|row| row.finding.draft.event_count)
    }

    /// The rules of the findings, gravest first, and of equal ones those that say most; those of symptoms last.
    fn rules_of(&self, members: &Members<'_>) -> Vec<String> {
        let mut rules = Vec::new();
        for rows in [&members.own, &members.symptoms] {
            let names: BTreeSet<&str> = rows.iter().map(|row| row.rule.as_str()).collect();
            let mut names: Vec<String> = names.into_iter().map(str::to_owned).collect();
            names.sort_by_key(|name| {
                let rule = self.rules.get(name);
                let is_general = rule.is_some_and(|rule| rule.category == STREAK);
                (std::cmp::Reverse(rule.map(|rule| rule.level)), is_general)
            });
            names.retain(|name| !rules.contains(name));
            rules.extend(names);
        }
        rules
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

    /// The identities by their names. One that was refused may have shown its client id alone; it is then named as
    /// its application was known before, and once.
    async fn named(&mut self, ids: &[i64]) -> Result<Vec<NamedIdentity>, StoreError> {
        let is_unnamed =
            |id: &i64| self.names.identity(*id).is_some_and(|it| it.identity.name.is_empty());
        let unnamed: Vec<i64> = ids.iter().copied().filter(is_unnamed).collect();
        let known_as = subjects::known_as(self.writing, &unnamed).await?;
        let before: Vec<i64> = known_as.values().copied().collect();
        self.names.load_identities(self.writing, &before).await?;
        let mut named: Vec<NamedIdentity> = Vec::new();
        for id in ids {
            let shown = known_as.get(id).copied().unwrap_or(*id);
            let Some(known) = self.names.identity(shown) else { continue };
            let identity = &known.identity;
            let one = NamedIdentity {
                service_principal_id: identity.service_principal_id.to_string(),
                app_id: identity.app_id.to_string(),
                name: identity.name.to_string(),
            };
            if !named.contains(&one) {
                named.push(one);
            }
        }
        Ok(named)
    }
}

fn title(rule: Option<&RuleFacts>, identities: &[NamedIdentity], in_all: Option<u64>) -> String {
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
            let first = label(first);
            match in_all.filter(|all| *all > identities.len() as u64) {
                Some(all) => format!("{rule}: {first} and {} others", all - 1),
                None if identities.len() >= NAMED_AT_MOST => {
                    format!("{rule}: {first} and at least {} others", others.len())
                }
                None => format!("{rule}: {first} and {} others", others.len()),
            }
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
