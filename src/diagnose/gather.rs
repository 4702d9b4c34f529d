//! Reads from the database what the explanation of an incident rests on.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::card::Card;
use super::catalogue::Catalogue;
use super::cause;
use super::explain::explain;
use super::facts::{Baseline, Facts, FindingFacts, IdentityFacts, Shared, Successor, TriedFrom};
use super::measured;
use super::spray::SPRAY;
use super::unread;
use crate::detect::{Field, Rule, Rulebook};
use crate::model::{COVERAGE, Incident, NAMED_AT_MOST};
use crate::store::incidents::{IncidentFinding, codes_of};
use crate::store::{Dossier, Store, StoreError, Tried};

/// Identities of an incident whose history is looked up.
const LOOKED_UP: usize = 5;

/// How long before the first failure a new form of an identity may have appeared, and after the last.
const SUCCESSOR_WITHIN: TimeDelta = TimeDelta::days(2);

/// Others that are broken by the same change fail this near to the first failure.
const BEGINS_WITHIN: TimeDelta = TimeDelta::hours(1);

/// The codes that a change may cause which several identities share. Passing troubles, wrong credentials and what users
/// do come at any time, whatever else happens.
fn shared_codes(catalogue: &Catalogue, codes: &[i64]) -> Vec<i64> {
    let is_shared = |code: &&i64| cause::may_be_shared(catalogue.class_of(**code));
    codes.iter().filter(is_shared).copied().collect()
}

/// The identities and their history, one of several ids once.
async fn looked_up(
    store: &Store,
    identity_ids: &[i64],
    interval: (DateTime<Utc>, DateTime<Utc>),
) -> Result<Vec<IdentityFacts>, StoreError> {
    let mut identities: Vec<IdentityFacts> = Vec::new();
    for id in identity_ids {
        if identities.len() >= LOOKED_UP {
            break;
        }
        let Some(dossier) = store.dossier(*id, interval.0, interval.1).await? else { continue };
        let one = identity(dossier, interval);
        match identities.iter_mut().find(|known| known.is_of_the_application_of(&one)) {
            Some(known) => known.take_in(one),
            None => identities.push(one),
        }
    }
    Ok(identities)
}

/// Explains an incident from what the database holds of it.
pub async fn card(
    store: &Store,
    rulebook: &Rulebook,
    catalogue: &Catalogue,
    incident: &Incident,
) -> Result<Card, StoreError> {
    if incident.categories.iter().any(|category| category == COVERAGE) {
        return Ok(unread::card(incident, &store.gaps_of(incident.id).await?));
    }
    let mut rows = store.findings_of(incident.id).await?;
    // Of rules in shadow only the timeline tells, where they are beside live ones.
    rows.retain(|row| !incident.shadow_rules.contains(&row.rule));
    rows.sort_by_key(|row| std::cmp::Reverse(rulebook.rules.get(&row.rule).map(|rule| rule.level)));
    let mut identity_ids = Vec::new();
    for id in rows.iter().flat_map(|row| &row.finding.draft.identities) {
        if !identity_ids.contains(id) && identity_ids.len() < NAMED_AT_MOST {
            identity_ids.push(*id);
        }
    }
    let codes = codes_of(rows.iter());
    let value_names = value_names(store, rulebook, &rows).await?;
    let interval = (incident.started_at, incident.last_seen_at);
    let numbers: Vec<i64> = codes.keys().copied().collect();
    let identities = looked_up(store, &identity_ids, interval).await?;
    // Of one application there may be several ids, and it is named once.
    let named = incident.identities.len().min(identity_ids.len()) as u64;
    let tried = if has_spray(rulebook, &rows) {
        store.tried(&identity_ids, &numbers, interval).await?
    } else {
        Tried::default()
    };
    let identity_count = counted(rulebook, &rows).max(named).max(tried.identities);
    let alike = store.failing_alike(&identity_ids, &numbers, interval).await?;
    let shared = shared_codes(catalogue, &numbers);
    let begins = (interval.0 - BEGINS_WITHIN, interval.0 + BEGINS_WITHIN);
    let near = store.failing_alike(&identity_ids, &shared, begins).await?;
    // Those of the incident that it does not name failed alike too, but they are not others.
    let unnamed = identity_count - named;
    let facts = Facts {
        incident,
        findings: rows.iter().filter_map(|row| finding(rulebook, row, &value_names)).collect(),
        identities,
        addresses: tried.from.into_iter().map(tried_from).collect(),
        identity_count,
        // Where it names as many as it can, nobody knows who of the rest is of it.
        failing_alike: (identity_ids.len() < NAMED_AT_MOST)
            .then(|| alike.all.saturating_sub(unnamed)),
        failing_alike_worked: near.worked_before.min(near.all.saturating_sub(unnamed)),
        codes,
        coverage: unread::sentence(&store.gaps_within(interval.0, interval.1).await?),
    };
    Ok(explain(&facts, catalogue))
}

fn has_spray(rulebook: &Rulebook, rows: &[IncidentFinding]) -> bool {
    rows.iter().filter_map(|row| rulebook.rules.get(&row.rule)).any(|rule| rule.category == SPRAY)
}

fn tried_from((address, attempts, applications): (String, u64, u64)) -> TriedFrom {
    TriedFrom { address, attempts, applications }
}

/// How many identities the rules that count identities have counted.
fn counted(rulebook: &Rulebook, rows: &[IncidentFinding]) -> u64 {
    let counts = rows.iter().filter_map(|row| {
        let is_identity = rulebook.rules.get(&row.rule)?.counts_identities();
        row.finding.draft.measures.get("distinct").filter(|_| is_identity)?.parse::<u64>().ok()
    });
    counts.max().unwrap_or(0)
}

/// What people call values that were new: resources by their ids, and networks by their numbers.
pub(crate) async fn value_names(
    store: &Store,
    rulebook: &Rulebook,
    rows: &[IncidentFinding],
) -> Result<BTreeMap<String, String>, StoreError> {
    let mut names = BTreeMap::new();
    for row in rows {
        let field = rulebook.rules.get(&row.rule).and_then(Rule::value).map(Field::name);
        let Some(value) = row.finding.draft.measures.get("value") else { continue };
        if field == Some("autonomousSystemNumber") {
            names.insert(value.clone(), format!("AS{value}"));
        }
        if field != Some("resourceId") || names.contains_key(value) {
            continue;
        }
        if let Some(name) = store.resource_name(value).await? {
            names.insert(value.clone(), name);
        }
    }
    Ok(names)
}

fn finding<'a>(
    rulebook: &'a Rulebook,
    row: &'a IncidentFinding,
    value_names: &'a BTreeMap<String, String>,
) -> Option<FindingFacts<'a>> {
    let rule = rulebook.rules.get(&row.rule)?;
    Some(FindingFacts {
        rule: &rule.name,
        title: &rule.text.title,
        category: &rule.category,
        kind: rule.kind_name(),
        field: rule.value().map(Field::name),
        value_name: row
            .finding
            .draft
            .measures
            .get("value")
            .and_then(|value| value_names.get(value))
            .map(String::as_str),
        level: rule.level,
        why: &rule.text.why,
        first_steps: &rule.text.first_steps,
        unknown: &rule.text.unknown,
        enough: measured::enough(rule, &row.finding.draft),
        draft: &row.finding.draft,
    })
}

fn identity(
    dossier: Dossier,
    (started_at, ended_at): (DateTime<Utc>, DateTime<Utc>),
) -> IdentityFacts {
    let is_new_form = |first_seen_at: DateTime<Utc>| {
        first_seen_at >= started_at - SUCCESSOR_WITHIN
            && first_seen_at <= ended_at + SUCCESSOR_WITHIN
    };
    let successor = dossier
        .alike
        .into_iter()
        .filter(|alike| is_new_form(alike.first_seen_at))
        .min_by_key(|alike| alike.first_seen_at);
    IdentityFacts {
        named: dossier.named,
        tenant_id: dossier.tenant_id,
        arm_resource_id: dossier.arm_resource_id,
        msi_type: dossier.msi_type,
        sign_in_type: dossier.sign_in_type.parse().ok(),
        last_good_at: dossier.last_good_at,
        first_good_after: dossier.first_good_after,
        came_back_at: dossier.came_back_at,
        successor: successor.map(|alike| Successor {
            named: alike.named,
            first_seen_at: alike.first_seen_at,
            shares: if alike.shares_arm_resource { Shared::ArmResource } else { Shared::Name },
        }),
        baseline: dossier.habits.map(|habits| Baseline {
            days: habits.days,
            sign_ins: habits.sign_ins,
            failures: habits.failures,
            resources: habits.resources,
        }),
    }
}
