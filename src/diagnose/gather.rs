//! Reads from the database what the explanation of an incident rests on.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::card::Card;
use super::catalogue::Catalogue;
use super::explain::explain;
use super::facts::{Baseline, Facts, FindingFacts, IdentityFacts, Shared, Successor};
use super::unread;
use crate::detect::Rulebook;
use crate::model::{COVERAGE, Incident, NAMED_AT_MOST};
use crate::store::incidents::IncidentFinding;
use crate::store::{Dossier, Store, StoreError};

/// Identities of an incident whose history is looked up.
const LOOKED_UP: usize = 5;

/// How long before the first failure a new form of an identity may have appeared, and after the last.
const SUCCESSOR_WITHIN: TimeDelta = TimeDelta::days(2);

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
    rows.sort_by_key(|row| std::cmp::Reverse(rulebook.rules.get(&row.rule).map(|rule| rule.level)));
    let (mut identity_ids, mut codes) = (Vec::new(), BTreeMap::<i64, u64>::new());
    for row in &rows {
        for id in &row.finding.draft.identities {
            if !identity_ids.contains(id) && identity_ids.len() < NAMED_AT_MOST {
                identity_ids.push(*id);
            }
        }
        for (code, count) in &row.finding.draft.codes {
            let most = codes.entry(*code).or_default();
            *most = (*most).max(*count);
        }
    }
    let interval = (incident.started_at, incident.last_seen_at);
    let numbers: Vec<i64> = codes.keys().copied().collect();
    let mut identities = Vec::new();
    for id in identity_ids.iter().take(LOOKED_UP) {
        if let Some(dossier) = store.dossier(*id, interval.0, interval.1).await? {
            identities.push(identity(dossier, interval));
        }
    }
    let facts = Facts {
        incident,
        findings: rows.iter().filter_map(|row| finding(rulebook, row)).collect(),
        identities,
        addresses: store.addresses(&identity_ids, &numbers, interval).await?,
        failing_alike: store.failing_alike(&identity_ids, &numbers, interval).await?,
        codes,
        coverage: unread::sentence(&store.gaps_within(interval.0, interval.1).await?),
    };
    Ok(explain(&facts, catalogue))
}

fn finding<'a>(rulebook: &'a Rulebook, row: &'a IncidentFinding) -> Option<FindingFacts<'a>> {
    let rule = rulebook.rules.get(&row.rule)?;
    Some(FindingFacts {
        rule: &rule.name,
        title: &rule.text.title,
        category: &rule.category,
        kind: rule.kind_name(),
        field: rule.value.map(crate::detect::Field::name),
        level: rule.level,
        why: &rule.text.why,
        first_steps: &rule.text.first_steps,
        unknown: &rule.text.unknown,
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
