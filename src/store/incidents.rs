//! Incidents: what they gather, how they stand, what happened to them.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Row, Sqlite, SqliteConnection};

use super::findings::{StoredFinding, stored_finding};
use super::subjects::{Subject, parse, texts};
use super::{StoreError, Writing, list, micros, time};
use crate::model::{Incident, IncidentId, NamedIdentity, ResolvedBy};

/// A finding with what its incident needs.
#[derive(Clone, Debug)]
pub struct IncidentFinding {
    pub finding: StoredFinding,
    pub rule: String,
    pub group_id: i64,
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
    #[serde(default)]
    shadow_rules: Vec<String>,
    #[serde(default)]
    is_shadow: bool,
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
     i.resolved_why, i.revision, (select count(*) from deliveries d where d.incident_id = i.id), i.subject \
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
        shadow_rules: summary.shadow_rules,
        is_shadow: summary.is_shadow,
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

pub(super) fn incident_finding(row: &SqliteRow) -> Result<IncidentFinding, StoreError> {
    Ok(IncidentFinding {
        finding: stored_finding(row)?,
        rule: row.try_get(9)?,
        incident_id: row.try_get::<Option<i64>, _>(10)?.map(IncidentId),
        found_at: time(row.try_get(11)?),
        amended_at: row.try_get::<Option<i64>, _>(12)?.map(time),
        group_id: row.try_get(13)?,
    })
}

/// The incidents of subjects, oldest number first of each; those merged into others are left out.
pub async fn of_subjects(
    writing: &mut Writing,
    subjects: &[Subject],
) -> Result<BTreeMap<Subject, Vec<Incident>>, StoreError> {
    let rows = sqlx::query(AssertSqlSafe(format!(
        "{INCIDENT} where i.subject in (select value from json_each($1)) and i.merged_into is null order by i.id"
    )))
    .bind(texts(subjects))
    .fetch_all(&mut **writing)
    .await?;
    let mut incidents = BTreeMap::<Subject, Vec<Incident>>::new();
    for row in &rows {
        if let Some(subject) = parse(row.try_get(16)?) {
            incidents.entry(subject).or_default().push(incident(row)?);
        }
    }
    Ok(incidents)
}

/// Opens an incident; `incident.id` is not yet one.
pub async fn open(
    writing: &mut Writing,
    subject: Subject,
    incident: &Incident,
) -> Result<IncidentId, StoreError> {
    let identity_id = match subject {
        Subject::Identity(id) => Some(id),
        Subject::Group(_) | Subject::Rule(_) | Subject::Source(_) => None,
    };
    let sql = format!(
        "insert into incidents ({COLUMNS}, subject, identity_id, opened_at) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) returning id"
    );
    let first = Incident { revision: 1, ..incident.clone() };
    let id: i64 = bound(sqlx::query(AssertSqlSafe(sql)), &first, incident.opened_at)
        .bind(subject.to_string())
        .bind(identity_id)
        .bind(micros(incident.opened_at))
        .fetch_one(&mut **writing)
        .await?
        .try_get(0)?;
    Ok(IncidentId(id))
}

/// Writes what an incident is now.
pub async fn update(
    writing: &mut Writing,
    incident: &Incident,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let sql = format!(
        "update incidents set ({COLUMNS}) = ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
         where id = $15"
    );
    bound(sqlx::query(AssertSqlSafe(sql)), incident, now)
        .bind(incident.id.0)
        .execute(&mut **writing)
        .await?;
    Ok(())
}

/// What [`bound`] binds, in its order.
const COLUMNS: &str = "title, severity, summary, started_at, detected_at, last_seen_at, event_count, \
     changed_at, acknowledged_at, acknowledged_by, resolved_at, resolved_by, resolved_why, revision";

type Asked<'q> = Query<'q, Sqlite, SqliteArguments>;

fn bound<'q>(query: Asked<'q>, incident: &'q Incident, now: DateTime<Utc>) -> Asked<'q> {
    let summary = serde_json::to_string(&Summary {
        categories: incident.categories.clone(),
        rules: incident.rules.clone(),
        error_codes: incident.error_codes.clone(),
        identities: incident.identities.clone(),
        resources: incident.resources.clone(),
        shadow_rules: incident.shadow_rules.clone(),
        is_shadow: incident.is_shadow,
    })
    .expect("texts and numbers always serialise");
    query
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
    if findings.is_empty() {
        return Ok(());
    }
    sqlx::query(
        "update findings set incident_id = $1 where id in (select value from json_each($2))",
    )
    .bind(id.0)
    .bind(serde_json::json!(findings).to_string())
    .execute(&mut **writing)
    .await?;
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
    note_all(writing, &[(id, kind, sentence.to_owned())], now).await
}

/// Notes what happened to incidents: to which, of what kind, and in words.
pub async fn note_all(
    writing: &mut Writing,
    notes: &[(IncidentId, &str, String)],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let rows: Vec<(i64, &str, &str)> =
        notes.iter().map(|(id, kind, sentence)| (id.0, *kind, sentence.as_str())).collect();
    sqlx::query(
        "insert into incident_changes (incident_id, at, kind, sentence) \
         select value ->> 0, $1, value ->> 1, value ->> 2 from json_each($2) order by key",
    )
    .bind(micros(now))
    .bind(serde_json::to_string(&rows).expect("texts and numbers always serialise"))
    .execute(&mut **writing)
    .await?;
    Ok(())
}

/// What is asked of [`first_good`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GoodAfter {
    pub identity_id: i64,
    pub resources: Vec<i64>,
    /// Microseconds.
    pub after: i64,
}

/// For each that is asked, in their order, the first good sign-in after a time to one of the resources: when, and of
/// whom. It may be of one of the same name or application in the tenant: a recreated identity has another number.
pub async fn first_good(
    connection: &mut SqliteConnection,
    asked: &[GoodAfter],
) -> Result<Vec<Option<(i64, i64)>>, StoreError> {
    let mut firsts = vec![None; asked.len()];
    if asked.is_empty() {
        return Ok(firsts);
    }
    let asked: Vec<(i64, String, i64)> = asked
        .iter()
        .map(|of| (of.identity_id, format!(",{},", list(&of.resources)), of.after))
        .collect();
    let rows: Vec<(i64, i64, i64)> = sqlx::query_as(
        "with asked (place, id, resources, after) as materialized (\
           select key, value ->> 0, value ->> 1, value ->> 2 from json_each($1)), \
         candidates (place, id) as (\
           select place, id from asked \
           union select a.place, n.id from asked a cross join identities i on i.id = a.id join identities n \
             on n.tenant_id = i.tenant_id and n.name = i.name where i.name <> '' \
           union select a.place, n.id from asked a cross join identities i on i.id = a.id join identities n \
             on n.tenant_id = i.tenant_id and n.app_id = i.app_id where i.app_id <> ''), \
         goods (place, at, id) as materialized (select a.place, (select created_at from events indexed by events_by_identity \
           where identity_id = c.id and created_at > a.after and error_code = 0 \
           and instr(a.resources, ',' || resource_id || ',') order by created_at limit 1), c.id \
           from candidates c join asked a on a.place = c.place) \
         select place, at, id from goods where at is not null",
    )
    .bind(serde_json::json!(asked).to_string())
    .fetch_all(&mut *connection)
    .await?;
    for (place, at, id) in rows {
        if let Some(first) = usize::try_from(place).ok().and_then(|place| firsts.get_mut(place)) {
            *first = Some(first.map_or((at, id), |known: (i64, i64)| known.min((at, id))));
        }
    }
    Ok(firsts)
}

/// How many sign-ins of identities to these resources had these codes in an interval.
pub async fn count_events(
    connection: &mut SqliteConnection,
    identities: &[i64],
    interval: (i64, i64),
    codes: &[i64],
    resources: &[i64],
) -> Result<u64, StoreError> {
    let count: i64 = sqlx::query_scalar(
        "select count(*) from events indexed by events_by_identity \
         where identity_id in (select value from json_each($3)) and created_at between $1 and $2 \
         and error_code in (select value from json_each($4)) \
         and resource_id in (select value from json_each($5))",
    )
    .bind(interval.0)
    .bind(interval.1)
    .bind(serde_json::json!(identities).to_string())
    .bind(serde_json::json!(codes).to_string())
    .bind(serde_json::json!(resources).to_string())
    .fetch_one(connection)
    .await?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// The events of findings by error code. Findings of one rule share no events, those of different rules may share
/// all.
pub fn codes_of<'a>(rows: impl Iterator<Item = &'a IncidentFinding>) -> BTreeMap<i64, u64> {
    let mut by_rule: BTreeMap<&str, BTreeMap<i64, u64>> = BTreeMap::new();
    for row in rows {
        let codes = by_rule.entry(&row.rule).or_default();
        for (code, count) in &row.finding.draft.codes {
            *codes.entry(*code).or_default() += count;
        }
    }
    let mut most = BTreeMap::new();
    for (code, count) in by_rule.into_values().flatten() {
        let known = most.entry(code).or_default();
        *known = count.max(*known);
    }
    most
}

/// Counts by number, most first, ties by number.
#[must_use]
pub fn most_first(counts: &BTreeMap<i64, u64>) -> Vec<i64> {
    let mut numbers: Vec<(i64, u64)> =
        counts.iter().map(|(number, count)| (*number, *count)).collect();
    numbers.sort_by_key(|(number, count)| (std::cmp::Reverse(*count), *number));
    numbers.into_iter().map(|(number, _)| number).collect()
}
