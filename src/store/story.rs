//! The story of an incident as rows: its evidence over time, how late it came, what was noted and told.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::events::{EventRow, event_row};
use super::incidents::{self, GoodAfter};
use super::{Store, StoreError, list, micros, time};
use crate::model::{Delivery, DeliveryId, EventId, IncidentId, TellReason};

/// Which events are the evidence of an incident.
#[derive(Clone, Debug)]
pub struct Scope {
    pub identities: Vec<i64>,
    pub resources: Vec<i64>,
    pub codes: Vec<i64>,
    pub from: DateTime<Utc>,
    /// The last event's time, which belongs to it.
    pub to: DateTime<Utc>,
}

impl Scope {
    fn sql(&self) -> String {
        format!(
            "e.identity_id in ({}) and e.created_at between $1 and $2 and e.error_code in ({}) \
             and e.resource_id in ({})",
            list(&self.identities),
            list(&self.codes),
            list(&self.resources)
        )
    }
}

/// Evidence of one stretch of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bucket {
    /// Its place among the stretches of its width since 1970.
    pub place: i64,
    pub first_at: i64,
    pub last_at: i64,
    pub count: u64,
}

/// How the evidence arrived by one source or, where that is files, by one import of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    pub source: String,
    /// graph, import, …
    pub kind: String,
    pub count: u64,
    /// Events that arrived later than asked for, and how late the latest was, in microseconds.
    pub late: u64,
    pub latest_by: i64,
    /// When the last of it arrived; where some was late, the last of that.
    pub last_received_at: DateTime<Utc>,
}

/// Something noted of an incident or, where there is a rule, of one of its findings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    pub at: DateTime<Utc>,
    pub kind: String,
    pub sentence: String,
    pub rule: Option<String>,
}

/// A delivery with what was tried.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Telling {
    pub delivery: Delivery,
    /// When, and what came of it.
    pub attempts: Vec<(DateTime<Utc>, String)>,
}

impl Store {
    /// One event by its whole key.
    pub async fn event_at(&self, at: i64, id: EventId) -> Result<Option<EventRow>, StoreError> {
        let row = sqlx::query(
            "select seq, created_at, id, identity_id, resource_id, facet_id, error_code, address_id, user_id \
             from events where created_at = $1 and id = $2",
        )
        .bind(at)
        .bind(id.0.to_vec())
        .fetch_optional(self.readers())
        .await?;
        row.as_ref().map(event_row).transpose()
    }

    /// How much evidence there is in each stretch of `width` microseconds; those without any are left
    /// out.
    pub async fn growth(&self, scope: &Scope, width: i64) -> Result<Vec<Bucket>, StoreError> {
        let sql = format!(
            "select e.created_at / $3, min(e.created_at), max(e.created_at), count(*) \
             from events e indexed by events_by_identity where {} group by 1 order by 1",
            scope.sql()
        );
        let rows: Vec<(i64, i64, i64, i64)> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(micros(scope.from))
            .bind(micros(scope.to))
            .bind(width.max(1))
            .fetch_all(self.readers())
            .await?;
        Ok(rows
            .into_iter()
            .map(|(place, first_at, last_at, events)| Bucket {
                place,
                first_at,
                last_at,
                count: count(events),
            })
            .collect())
    }

    /// How the evidence arrived, by source. Late is what came more than `late` microseconds after it
    /// happened.
    pub async fn arrivals(&self, scope: &Scope, late: i64) -> Result<Vec<Arrival>, StoreError> {
        let sql = format!(
            "select s.name, s.kind, count(*), sum(b.received_at - e.created_at > $3), \
             max(b.received_at - e.created_at), \
             coalesce(max(b.received_at) filter (where b.received_at - e.created_at > $3), \
               max(b.received_at)) \
             from events e indexed by events_by_identity \
             join blocks b on b.first_seq = (select max(first_seq) from blocks where first_seq <= e.seq) \
             join sources s on s.id = b.source_id where {} \
             group by s.id, case when s.kind = 'import' then b.received_at end order by s.name, 6",
            scope.sql()
        );
        let rows: Vec<(String, String, i64, i64, i64, i64)> = sqlx::query_as(AssertSqlSafe(sql))
            .bind(micros(scope.from))
            .bind(micros(scope.to))
            .bind(late)
            .fetch_all(self.readers())
            .await?;
        Ok(rows
            .into_iter()
            .map(|(source, kind, events, late, latest_by, last_received_at)| Arrival {
                source,
                kind,
                count: count(events),
                late: count(late),
                latest_by,
                last_received_at: time(last_received_at),
            })
            .collect())
    }

    /// The first good sign-in after a time to one of the resources, by the identity or one of its name,
    /// and the number of the one that signed in.
    pub async fn recovery(
        &self,
        identity_id: i64,
        resources: &[i64],
        after: DateTime<Utc>,
    ) -> Result<Option<(DateTime<Utc>, i64)>, StoreError> {
        let mut reader = self.readers().acquire().await?;
        let asked = GoodAfter { identity_id, resources: resources.to_vec(), after: micros(after) };
        let found = incidents::first_good(&mut reader, &[asked]).await?;
        Ok(found.into_iter().flatten().next().map(|(at, id)| (time(at), id)))
    }

    /// What was noted of an incident and of its findings, those taken back among them.
    pub async fn notes_of(&self, id: IncidentId) -> Result<Vec<Note>, StoreError> {
        let rows: Vec<(i64, String, String, Option<String>)> = sqlx::query_as(
            "select at, kind, sentence, rule from ( \
               select at, kind, sentence, null as rule, 0 as origin, id from incident_changes \
               where incident_id = $1 \
             union all select a.at, a.kind, a.sentence, r.name, 1, a.id from amendments a \
               join findings f on f.id = a.finding_id join rules r on r.id = f.rule_id \
               where f.incident_id = $1) order by at, origin, id",
        )
        .bind(id.0)
        .fetch_all(self.readers())
        .await?;
        Ok(rows
            .into_iter()
            .map(|(at, kind, sentence, rule)| Note { at: time(at), kind, sentence, rule })
            .collect())
    }

    /// The deliveries of an incident with their attempts, in the order of planning.
    pub async fn tellings_of(&self, id: IncidentId) -> Result<Vec<Telling>, StoreError> {
        let mut reader = self.readers().acquire().await?;
        let rows = sqlx::query(
            "select id, incident_id, channel, number, reason, revision, severity, event_count, planned_at, \
             attempts, next_attempt_at, sent_at, dead_at, last_error from deliveries \
             where incident_id = $1 order by planned_at, channel, id",
        )
        .bind(id.0)
        .fetch_all(&mut *reader)
        .await?;
        let mut tellings = Vec::with_capacity(rows.len());
        for row in &rows {
            let delivery = delivery(row)?;
            let attempts: Vec<(i64, String)> = sqlx::query_as(
                "select at, outcome from attempts where delivery_id = $1 order by at, id",
            )
            .bind(delivery.id.0)
            .fetch_all(&mut *reader)
            .await?;
            let attempts = attempts.into_iter().map(|(at, outcome)| (time(at), outcome)).collect();
            tellings.push(Telling { delivery, attempts });
        }
        Ok(tellings)
    }
}

fn delivery(row: &SqliteRow) -> Result<Delivery, StoreError> {
    let id = DeliveryId(row.try_get(0)?);
    let broken = |what: &str| StoreError::Corrupt(format!("delivery {id}: {what}"));
    let reason: &str = row.try_get(4)?;
    let severity: &str = row.try_get(6)?;
    Ok(Delivery {
        id,
        incident_id: IncidentId(row.try_get(1)?),
        channel: row.try_get(2)?,
        number: row.try_get(3)?,
        reason: TellReason::from_text(reason)
            .ok_or_else(|| broken(&format!("`{reason}` is not a reason")))?,
        revision: row.try_get(5)?,
        severity: severity.parse().map_err(|error| broken(&format!("{error}")))?,
        event_count: count(row.try_get(7)?),
        planned_at: time(row.try_get(8)?),
        attempts: u32::try_from(row.try_get::<i64, _>(9)?).unwrap_or(u32::MAX),
        next_attempt_at: time(row.try_get(10)?),
        sent_at: row.try_get::<Option<i64>, _>(11)?.map(time),
        dead_at: row.try_get::<Option<i64>, _>(12)?.map(time),
        last_error: row.try_get(13)?,
    })
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

#[cfg(test)]
impl Store {
    /// Keeps a delivery as if the stage that tells had planned and tried it.
    pub(crate) async fn put_telling(&self, telling: &Telling) -> Result<(), StoreError> {
        let delivery = &telling.delivery;
        let mut writing = self.write().await?;
        sqlx::query(
            "insert into deliveries (id, incident_id, channel, number, reason, revision, severity, event_count, \
             message, planned_at, attempts, next_attempt_at, sent_at, dead_at, last_error) \
             values ($1, $2, $3, $4, $5, $6, $7, $8, '{}', $9, $10, $11, $12, $13, $14)",
        )
        .bind(delivery.id.0)
        .bind(delivery.incident_id.0)
        .bind(&delivery.channel)
        .bind(delivery.number)
        .bind(delivery.reason.as_str())
        .bind(delivery.revision)
        .bind(delivery.severity.as_str())
        .bind(i64::try_from(delivery.event_count).unwrap())
        .bind(micros(delivery.planned_at))
        .bind(delivery.attempts)
        .bind(micros(delivery.next_attempt_at))
        .bind(delivery.sent_at.map(micros))
        .bind(delivery.dead_at.map(micros))
        .bind(&delivery.last_error)
        .execute(&mut *writing)
        .await?;
        for (at, outcome) in &telling.attempts {
            sqlx::query("insert into attempts (delivery_id, at, outcome) values ($1, $2, $3)")
                .bind(delivery.id.0)
                .bind(micros(*at))
                .bind(outcome)
                .execute(&mut *writing)
                .await?;
        }
        writing.commit().await?;
        Ok(())
    }
}
