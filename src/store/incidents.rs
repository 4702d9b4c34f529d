//! Incidents: what they gather, how they stand, what happened to them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::findings::{StoredFinding, stored_finding};
use super::{StoreError, Writing, micros, time};
use crate::model::{Incident, IncidentId, NamedIdentity, ResolvedBy};

/// What the findings of an incident are of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    Identity(i64),
    /// A group that is not of one identity: an address, a tenant.
    Group(i64),
    /// A source that is not read: it has gaps in place of findings.
    Source(i64),
}

impl std::fmt::Display for Subject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Identity(id) => write!(f, "identity:{id}"),
            Self::Group(id) => write!(f, "group:{id}"),
            Self::Source(id) => write!(f, "source:{id}"),
        }
    }
}

/// A finding with what its incident needs.
#[derive(Clone, Debug)]
pub struct IncidentFinding {
    pub finding: StoredFinding,
    pub rule: String,
    pub incident_id: Option<IncidentId>,
    pub found_at: DateTime<Utc>,
    pub amended_at: Option<DateTime<Utc>>,
}

/// The parts of an incident that no query asks for.
#[derive(Serialize, Deserialize)]
struct Summary {
    categories: Vec<String>,
    rules: Vec<String>,
    error_codes: Vec<i64>,
    identities: Vec<NamedIdentity>,
    resources: Vec<String>,
}

/// Something that happened to an incident.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct IncidentChange {
    pub at: DateTime<Utc>,
    pub kind: String,
    pub sentence: String,
}

pub(super) const INCIDENT: &str = "select i.id, i.title, i.severity, i.summary, i.started_at, i.detected_at, i.last_seen_at, \
     i.event_count, i.opened_at, i.acknowledged_at, i.acknowledged_by, i.resolved_at, i.resolved_by, \
     i.resolved_why, i.revision, (select count(*) from deliveries d where d.incident_id = i.id) \
     from incidents i";

pub(super) fn incident(row: &SqliteRow) -> Result<Incident, StoreError> {
    let id = IncidentId(row.try_get(0)?);
    let broken =
        |what: &dyn std::fmt::Display| StoreError::Corrupt(format!("incident {id}: {what}"));
    let summary: Summary = serde_json::from_str(row.try_get(3)?).map_err(|error| broken(&error))?;
    let severity: &str = row.try_get(2)?;
    let resolved_by: Option<&str> = row.try_get(12)?;
    Ok(Incident {
        id,
        title: row.try_get(1)?,
        severity: severity.parse().map_err(|error| broken(&error))?,
        categories: summary.categories,
        rules: summary.rules,
        error_codes: summary.error_codes,
        identities: summary.identities,
        resources: summary.resources,
        started_at: time(row.try_get(4)?),
        detected_at: time(row.try_get(5)?),
        last_seen_at: time(row.try_get(6)?),
        event_count: u64::try_from(row.try_get::<i64, _>(7)?).unwrap_or(0),
        opened_at: time(row.try_get(8)?),
        acknowledged_at: row.try_get::<Option<i64>, _>(9)?.map(time),
        acknowledged_by: row.try_get(10)?,
        resolved_at: row.try_get::<Option<i64>, _>(11)?.map(time),
        resolved_by: resolved_by.and_then(ResolvedBy::from_text),
        resolved_why: row.try_get(13)?,
        revision: row.try_get(14)?,
        deliveries: u64::try_from(row.try_get::<i64, _>(15)?).unwrap_or(0),
    })
}

/// Subjects whose findings changed since they were last grouped.
pub async fn ungrouped(writing: &mut Writing) -> Result<Vec<Subject>, StoreError> {
    let rows: Vec<(i64, Option<i64>)> = sqlx::query_as(
        "select distinct g.id, g.identity_id from findings f join groups g on g.id = f.group_id where f.ungrouped = 1",
    )
    .fetch_all(&mut **writing)
    .await?;
    Ok(rows.into_iter().map(subject).collect())
}

fn subject((group_id, identity_id): (i64, Option<i64>)) -> Subject {
    identity_id.map_or(Subject::Group(group_id), Subject::Identity)
}

/// Subjects whose incidents new events may end, or end earlier: those of identities that signed in
/// before the end their incident has, of identities that share a name with these, of groups whose
/// findings name one of these, and those that have been quiet for long enough at `latest_at`.
pub async fn endable(
    writing: &mut Writing,
    after_seq: i64,
    quiet_before: i64,
) -> Result<Vec<Subject>, StoreError> {
    let rows: Vec<String> = sqlx::query_scalar(
        "with fresh as materialized (select identity_id, max(created_at) as latest, min(created_at) as earliest \
           from events not indexed where seq > $1 group by identity_id), \
         reach as materialized (select identity_id, latest, earliest from fresh \
           union all select n.id, f.latest, f.earliest from fresh f \
             cross join identities i on i.id = f.identity_id \
             cross join identities n indexed by identities_by_name \
               on n.name = i.name and n.tenant_id = i.tenant_id and n.id <> i.id \
             where i.name <> ''), \
         members as materialized (select i.subject, i.last_seen_at, i.resolved_at, named.value as identity_id \
           from incidents i cross join findings f on f.incident_id = i.id \
             cross join json_each(f.evidence, '$.identities') named \
           where i.identity_id is null and i.merged_into is null \
             and i.last_seen_at < (select max(latest) from fresh) \
             and (i.resolved_at is null or i.resolved_at > (select min(earliest) from fresh))) \
         select distinct i.subject from incidents i join reach r on r.identity_id = i.identity_id \
           where i.merged_into is null and r.latest > i.last_seen_at \
           and (i.resolved_at is null or i.resolved_at > r.earliest) \
         union select m.subject from members m cross join reach r on r.identity_id = m.identity_id \
           where r.latest > m.last_seen_at and (m.resolved_at is null or m.resolved_at > r.earliest) \
         union select subject from incidents \
           where resolved_at is null and merged_into is null and last_seen_at <= $2",
    )
    .bind(after_seq)
    .bind(quiet_before)
    .fetch_all(&mut **writing)
    .await?;
    Ok(rows.iter().filter_map(|text| parse_subject(text)).collect())
}

fn parse_subject(text: &str) -> Option<Subject> {
    let (kind, id) = text.split_once(':')?;
    let id = id.parse().ok()?;
    match kind {
        "identity" => Some(Subject::Identity(id)),
        "group" => Some(Subject::Group(id)),
        _ => None,
    }
}

/// The findings in force of a subject, and marks all of its findings as grouped.
pub async fn take_findings(
    writing: &mut Writing,
    subject: Subject,
) -> Result<Vec<IncidentFinding>, StoreError> {
    let (column, id) = match subject {
        Subject::Identity(id) => ("identity_id", id),
        Subject::Group(id) => ("id", id),
        Subject::Source(_) => return Ok(Vec::new()),
    };
    let rows = sqlx::query(AssertSqlSafe(format!(
        "select f.id, f.started_at, f.first_event, f.detected_at, f.last_at, f.last_event, f.event_count, \
         f.evidence, f.unconfirmed, r.name, f.incident_id, f.found_at, f.amended_at \
         from groups g join findings f on f.group_id = g.id join rules r on r.id = f.rule_id \
         where g.{column} = $1 and f.withdrawn_at is null and f.ungrouped < 2 order by f.started_at, r.name, f.id"
    )))
    .bind(id)
    .fetch_all(&mut **writing)
    .await?;
    sqlx::query(AssertSqlSafe(format!(
        "update findings set ungrouped = 0 where ungrouped = 1 and group_id in (select id from groups where {column} = $1)"
    )))
    .bind(id)
    .execute(&mut **writing)
    .await?;
    rows.iter().map(incident_finding).collect()
}

pub(super) fn incident_finding(row: &SqliteRow) -> Result<IncidentFinding, StoreError> {
    Ok(IncidentFinding {
        finding: stored_finding(row)?,
        rule: row.try_get(9)?,
        incident_id: row.try_get::<Option<i64>, _>(10)?.map(IncidentId),
        found_at: time(row.try_get(11)?),
        amended_at: row.try_get::<Option<i64>, _>(12)?.map(time),
    })
}

/// The incidents of a subject, oldest number first; those merged into others are left out.
pub async fn of_subject(
    writing: &mut Writing,
    subject: Subject,
) -> Result<Vec<Incident>, StoreError> {
    let rows = sqlx::query(AssertSqlSafe(format!(
        "{INCIDENT} where i.subject = $1 and i.merged_into is null order by i.id"
    )))
    .bind(subject.to_string())
    .fetch_all(&mut **writing)
    .await?;
    rows.iter().map(incident).collect()
}

/// Opens an incident; `incident.id` is not yet one.
pub async fn open(
    writing: &mut Writing,
    subject: Subject,
    incident: &Incident,
) -> Result<IncidentId, StoreError> {
    let identity_id = match subject {
        Subject::Identity(id) => Some(id),
        Subject::Group(_) | Subject::Source(_) => None,
    };
    let id: i64 = sqlx::query_scalar(
        "insert into incidents (subject, identity_id, title, severity, summary, started_at, detected_at, \
         last_seen_at, event_count, opened_at, changed_at) values ($1, $2, '', '', '{}', 0, 0, 0, 0, $3, $3) returning id",
    )
    .bind(subject.to_string())
    .bind(identity_id)
    .bind(micros(incident.opened_at))
    .fetch_one(&mut **writing)
    .await?;
    let id = IncidentId(id);
    update(writing, &Incident { id, revision: 1, ..incident.clone() }, incident.opened_at).await?;
    Ok(id)
}

/// Writes what an incident is now.
pub async fn update(
    writing: &mut Writing,
    incident: &Incident,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let summary = serde_json::to_string(&Summary {
        categories: incident.categories.clone(),
        rules: incident.rules.clone(),
        error_codes: incident.error_codes.clone(),
        identities: incident.identities.clone(),
        resources: incident.resources.clone(),
    })
    .expect("texts and numbers always serialise");
    sqlx::query(
        "update incidents set title = $2, severity = $3, summary = $4, started_at = $5, detected_at = $6, \
         last_seen_at = $7, event_count = $8, changed_at = $9, acknowledged_at = $10, acknowledged_by = $11, \
         resolved_at = $12, resolved_by = $13, resolved_why = $14, revision = $15 where id = $1",
    )
    .bind(incident.id.0)
    .bind(&incident.title)
    .bind(incident.severity.as_str())
    .bind(summary)
    .bind(micros(incident.started_at))
    .bind(micros(incident.detected_at))
    .bind(micros(incident.last_seen_at))
    .bind(i64::try_from(incident.event_count).unwrap_or(i64::MAX))
    .bind(micros(now))
    .bind(incident.acknowledged_at.map(micros))
    .bind(&incident.acknowledged_by)
    .bind(incident.resolved_at.map(micros))
    .bind(incident.resolved_by.map(ResolvedBy::as_str))
    .bind(&incident.resolved_why)
    .bind(incident.revision)
    .execute(&mut **writing)
    .await?;
    Ok(())
}

/// Makes an incident part of another.
pub async fn merge(
    writing: &mut Writing,
    id: IncidentId,
    into: IncidentId,
) -> Result<(), StoreError> {
    sqlx::query("update incidents set merged_into = $2, revision = revision + 1 where id = $1")
        .bind(id.0)
        .bind(into.0)
        .execute(&mut **writing)
        .await?;
    Ok(())
}

/// Links findings to their incident.
pub async fn link(
    writing: &mut Writing,
    findings: &[i64],
    id: IncidentId,
) -> Result<(), StoreError> {
    for finding in findings {
        sqlx::query("update findings set incident_id = $2 where id = $1")
            .bind(finding)
            .bind(id.0)
            .execute(&mut **writing)
            .await?;
    }
    Ok(())
}

/// Notes what happened to an incident.
pub async fn note(
    writing: &mut Writing,
    id: IncidentId,
    kind: &str,
    sentence: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into incident_changes (incident_id, at, kind, sentence) values ($1, $2, $3, $4)",
    )
    .bind(id.0)
    .bind(micros(now))
    .bind(kind)
    .bind(sentence)
    .execute(&mut **writing)
    .await?;
    Ok(())
}

/// The first good sign-in after a time to one of the resources, by the identity or by one of the same
/// name in its tenant: a recreated identity has another number.
pub async fn first_good_after(
    connection: &mut SqliteConnection,
    identity_id: i64,
    resources: &[i64],
    after: i64,
) -> Result<Option<(i64, i64)>, StoreError> {
    let siblings: Vec<i64> = sqlx::query_scalar(
        "select n.id from identities i join identities n \
         on n.id = i.id or (i.name <> '' and n.name = i.name and n.tenant_id = i.tenant_id) where i.id = $1",
    )
    .bind(identity_id)
    .fetch_all(&mut *connection)
    .await?;
    let resources: Vec<String> = resources.iter().map(i64::to_string).collect();
    let mut first: Option<(i64, i64)> = None;
    for sibling in siblings {
        let at: Option<i64> = sqlx::query_scalar(AssertSqlSafe(format!(
            "select created_at from events indexed by events_by_identity where identity_id = $1 \
             and created_at > $2 and error_code = 0 and resource_id in ({}) order by created_at limit 1",
            resources.join(",")
        )))
        .bind(sibling)
        .bind(after)
        .fetch_optional(&mut *connection)
        .await?;
        if let Some(at) = at {
            first = Some(first.map_or((at, sibling), |first| first.min((at, sibling))));
        }
    }
    Ok(first)
}

/// How many sign-ins of an identity to these resources had these codes in an interval.
pub async fn count_events(
    connection: &mut SqliteConnection,
    identity_id: i64,
    interval: (i64, i64),
    codes: &[i64],
    resources: &[i64],
) -> Result<u64, StoreError> {
    let list = |numbers: &[i64]| numbers.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
    let count: i64 = sqlx::query_scalar(AssertSqlSafe(format!(
        "select count(*) from events indexed by events_by_identity where identity_id = $1 \
         and created_at between $2 and $3 and error_code in ({}) and resource_id in ({})",
        list(codes),
        list(resources)
    )))
    .bind(identity_id)
    .bind(interval.0)
    .bind(interval.1)
    .fetch_one(connection)
    .await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// Counts by number, most first, ties by number.
#[must_use]
pub fn most_first(counts: &BTreeMap<i64, u64>) -> Vec<i64> {
    let mut numbers: Vec<(i64, u64)> =
        counts.iter().map(|(number, count)| (*number, *count)).collect();
    numbers.sort_by_key(|(number, count)| (std::cmp::Reverse(*count), *number));
    numbers.into_iter().map(|(number, _)| number).collect()
}
