//! Incidents as views ask for them.

use sqlx::AssertSqlSafe;

use super::incidents::{INCIDENT, IncidentChange, IncidentFinding, incident, incident_finding};
use super::{Store, StoreError, time};
use crate::model::{Incident, IncidentId};

impl Store {
    /// Incidents, newest first; those that are part of others, or were withdrawn, are left out.
    pub async fn incidents(&self) -> Result<Vec<Incident>, StoreError> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "{INCIDENT} where i.merged_into is null and coalesce(i.resolved_by, '') <> 'withdrawn' \
             order by i.started_at desc, i.title, i.last_seen_at desc, i.id desc"
        )))
        .fetch_all(self.readers())
        .await?;
        rows.iter().map(incident).collect()
    }

    pub async fn incident(&self, id: IncidentId) -> Result<Option<Incident>, StoreError> {
        let row = sqlx::query(AssertSqlSafe(format!("{INCIDENT} where i.id = $1")))
            .bind(id.0)
            .fetch_optional(self.readers())
            .await?;
        row.as_ref().map(incident).transpose()
    }

    /// The findings in force of an incident, in the order of time.
    pub async fn findings_of(&self, id: IncidentId) -> Result<Vec<IncidentFinding>, StoreError> {
        let rows = sqlx::query(
            "select f.id, f.started_at, f.first_event, f.detected_at, f.last_at, f.last_event, f.event_count, \
             f.evidence, f.unconfirmed, r.name, f.incident_id, f.found_at, f.amended_at, f.group_id \
             from findings f join rules r on r.id = f.rule_id \
             where f.incident_id = $1 and f.withdrawn_at is null order by f.started_at, r.name, f.id",
        )
        .bind(id.0)
        .fetch_all(self.readers())
        .await?;
        rows.iter().map(incident_finding).collect()
    }

    /// What happened to an incident and its findings, in order.
    pub async fn changes_of(&self, id: IncidentId) -> Result<Vec<IncidentChange>, StoreError> {
        let rows: Vec<(i64, String, String)> = sqlx::query_as(
            "select at, kind, sentence from incident_changes where incident_id = $1 \
             union all select a.at, a.kind, a.sentence from amendments a \
               join findings f on f.id = a.finding_id where f.incident_id = $1 order by 1",
        )
        .bind(id.0)
        .fetch_all(self.readers())
        .await?;
        Ok(rows
            .into_iter()
            .map(|(at, kind, sentence)| IncidentChange { at: time(at), kind, sentence })
            .collect())
    }

    /// How many findings are in force, without those that only other rules count.
    pub async fn count_findings(&self) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar(
            "select count(*) from findings where withdrawn_at is null and ungrouped < 2",
        )
        .fetch_one(self.readers())
        .await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// The identity that an incident is of, where it is of one.
    pub async fn identity_of_incident(&self, id: IncidentId) -> Result<Option<i64>, StoreError> {
        Ok(sqlx::query_scalar("select identity_id from incidents where id = $1")
            .bind(id.0)
            .fetch_optional(self.readers())
            .await?
            .flatten())
    }
}
