//! **Stage**: a source that is not read is an incident of its own, for nobody else would notice.

use chrono::{DateTime, TimeDelta, Utc};

use super::stage::Grouped;
use crate::model::{COVERAGE, Incident, IncidentId, ResolvedBy, Severity};
use crate::store::gaps::{self, Blind, Gap, GapState};
use crate::store::incidents as rows;
use crate::store::subjects::Subject;
use crate::store::{Store, StoreError, Writing};

/// A gap without a failure is being read at this moment; only one that takes so long is told.
const PATIENCE: TimeDelta = TimeDelta::minutes(30);

/// One with a failure is told sooner, though not for one request that was refused in passing.
const PATIENCE_WITH_FAILURE: TimeDelta = TimeDelta::minutes(5);

/// Opens an incident for each source with gaps, all of its heads in one, and ends it when they were
/// read again.
pub async fn watch(store: &Store, now: DateTime<Utc>) -> Result<Grouped, StoreError> {
    let mut writing = store.write().await?;
    let mut grouped = Grouped::default();
    for blind in gaps::blind(&mut writing).await? {
        if let Some(gaps) = told(&blind, now) {
            source(&mut writing, &blind, &gaps, now, &mut grouped).await?;
        }
    }
    writing.commit().await?;
    Ok(grouped)
}

fn patience(gap: &Gap) -> TimeDelta {
    if gap.reason.is_empty() { PATIENCE } else { PATIENCE_WITH_FAILURE }
}

/// The gaps that are worth an incident.
fn told(blind: &Blind, now: DateTime<Utc>) -> Option<Vec<Gap>> {
    let is_told = |gap: &&Gap| {
        gap.incident_id.is_some()
            || gap.state == GapState::Lost
            || (gap.state == GapState::Open && now - gap.noticed_at >= patience(gap))
    };
    let gaps: Vec<Gap> = blind.gaps.iter().filter(is_told).cloned().collect();
    (!gaps.is_empty()).then_some(gaps)
}

async fn source(
    writing: &mut Writing,
    blind: &Blind,
    gaps: &[Gap],
    now: DateTime<Utc>,
    grouped: &mut Grouped,
) -> Result<(), StoreError> {
    let subject = Subject::Source(blind.source_id);
    let known = rows::of_subjects(writing, &[subject]).await?;
    let before = known.into_values().flatten().find(|incident| incident.resolved_at.is_none());
    let mut incident = described(blind, gaps, now);
    let id = match before {
        None => {
            let id = rows::open(writing, subject, &incident).await?;
            grouped.opened += 1;
            rows::note(writing, id, "opened", &opening(gaps), now).await?;
            id
        }
        Some(before) => {
            incident.id = before.id;
            incident.opened_at = before.opened_at;
            incident.acknowledged_at = before.acknowledged_at;
            incident.acknowledged_by.clone_from(&before.acknowledged_by);
            incident.deliveries = before.deliveries;
            incident.revision = before.revision;
            if incident != before {
                incident.revision += 1;
                rows::update(writing, &incident, now).await?;
                grouped.changed += 1;
            }
            before.id
        }
    };
    gaps::link(writing, gaps, id).await?;
    if let Some(why) = incident.resolved_why.filter(|_| incident.resolved_at.is_some()) {
        grouped.resolved += 1;
        rows::note(writing, id, "resolved", &why, now).await?;
    }
    Ok(())
}

fn described(blind: &Blind, gaps: &[Gap], now: DateTime<Utc>) -> Incident {
    let is_lost = gaps.iter().any(|gap| gap.state == GapState::Lost);
    let ended_at = gaps.iter().map(|gap| gap.ended_at).max().flatten();
    let resolved_at = ended_at.filter(|_| gaps.iter().all(|gap| gap.ended_at.is_some()));
    let title = if is_lost {
        format!("Sign-ins of {} were not read in time", blind.source)
    } else {
        format!("Sign-ins of {} are not being read", blind.source)
    };
    Incident {
        id: IncidentId(0),
        title,
        severity: Severity::High,
        categories: vec![COVERAGE.to_owned()],
        rules: Vec::new(),
        shadow_rules: Vec::new(),
        is_shadow: false,
        error_codes: Vec::new(),
        identities: Vec::new(),
        resources: Vec::new(),
        started_at: gaps.iter().map(|gap| gap.from).min().unwrap_or(now),
        detected_at: gaps.iter().map(|gap| gap.noticed_at).min().unwrap_or(now),
        last_seen_at: gaps.iter().map(|gap| gap.to.unwrap_or(gap.noticed_at)).max().unwrap_or(now),
        opened_at: now,
        acknowledged_at: None,
        acknowledged_by: None,
        resolved_at,
        resolved_by: resolved_at.map(|_| ResolvedBy::Recovered),
        resolved_why: resolved_at.map(|at| ending(gaps, at)),
        event_count: 0,
        deliveries: 0,
        revision: 1,
    }
}

fn opening(gaps: &[Gap]) -> String {
    let heads: Vec<&str> = gaps.iter().map(|gap| gap.head.as_str()).collect();
    let from = gaps.iter().map(|gap| gap.from).min();
    let since = from.map_or_else(String::new, |from| format!(" since {}", moment(from)));
    format!("nothing read of {}{since}", heads.join(", "))
}

fn ending(gaps: &[Gap], at: DateTime<Utc>) -> String {
    let lost: Vec<String> = gaps
        .iter()
        .filter(|gap| gap.state == GapState::Lost)
        .map(|gap| {
            let to = gap.to.map_or_else(String::new, moment);
            format!("{} from {} to {to}", gap.head, moment(gap.from))
        })
        .collect();
    let at = moment(at);
    if lost.is_empty() {
        format!("read again at {at}, and what was missing with it")
    } else {
        format!("read again at {at}; lost for good: {}", lost.join(", "))
    }
}

fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
