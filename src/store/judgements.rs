//! Which incidents are to be judged for telling, and what was told of them before.

use chrono::{DateTime, Utc};
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::deliveries::{read_reason, read_severity, unsigned};
use super::{Store, StoreError, Writing, micros, time};
use crate::model::{IncidentId, Severity, SilenceId, TellReason};

/// A telling as it was planned, to judge what is new since.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Told {
    pub channel: String,
    pub number: i64,
    pub reason: TellReason,
    /// What its first telling called the incident.
    pub topic: String,
    pub severity: Severity,
    pub event_count: u64,
    pub revision: i64,
    pub planned_at: DateTime<Utc>,
}

/// How an incident stood when it was left untold on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeftUntold {
    pub severity: Severity,
    pub event_count: u64,
    pub resolved: bool,
}

/// What kept an incident from being told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// All of its rules were in shadow.
    InShadow,
    By(SilenceId),
}

impl Held {
    fn number(self) -> i64 {
        match self {
            Self::InShadow => 0,
            Self::By(silence) => silence.0,
        }
    }

    fn of(number: i64) -> Self {
        if number == 0 { Self::InShadow } else { Self::By(SilenceId(number)) }
    }
}

/// An incident that changed, or whose recovery may have held, since it was last judged.
#[derive(Clone, Debug)]
pub struct Unjudged {
    pub incident_id: IncidentId,
    /// The incident it turned out to be part of.
    pub merged_into: Option<IncidentId>,
    pub first_judged_at: Option<DateTime<Utc>>,
    pub left: Option<LeftUntold>,
    /// What held something of it back.
    pub held: Option<Held>,
}

/// Notes that a revision of an incident was judged, and when to look again though nothing changes.
pub async fn set_judged(
    writing: &mut Writing,
    id: IncidentId,
    revision: i64,
    again_at: Option<DateTime<Utc>>,
    held: Option<Held>,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query(
        "update judgements set due_at = $3, judged_at = coalesce(judged_at, $4), held_by = $5 \
         where incident_id = $1 and revision = $2",
    )
    .bind(id.0)
    .bind(revision)
    .bind(again_at.map(micros))
    .bind(micros(now))
    .bind(held.map(Held::number))
    .execute(&mut **writing)
    .await?;
    Ok(())
}

/// Forgets what was to be judged of an incident that is no longer there.
pub async fn forget(writing: &mut Writing, id: IncidentId) -> Result<(), StoreError> {
    sqlx::query("delete from judgements where incident_id = $1")
        .bind(id.0)
        .execute(&mut **writing)
        .await?;
    Ok(())
}

/// Leaves all that is to be judged untold, but for incidents that were told before, since who heard of
/// one hears how it goes on, and for those that a silence holds back. Answers how many were left.
pub async fn leave_untold(writing: &mut Writing, now: DateTime<Utc>) -> Result<u64, StoreError> {
    let done = sqlx::query(
        "update judgements set due_at = null, judged_at = coalesce(judged_at, $1), \
         left_severity = i.severity, left_event_count = i.event_count, left_resolved = i.resolved_at is not null \
         from incidents i where i.id = judgements.incident_id and judgements.due_at is not null \
         and not (judgements.held_by is not null and judgements.due_at > $1) \
         and not exists (select 1 from deliveries d where d.incident_id = i.id)",
    )
    .bind(micros(now))
    .execute(&mut **writing)
    .await?;
    Ok(done.rows_affected())
}

/// Makes channels known. Incidents that are open then are judged again: a new channel hears of them.
pub async fn know_channels(
    writing: &mut Writing,
    names: &[&str],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    for name in names {
        sqlx::query(
            "insert into channels (name, known_at) values ($1, $2) \
             on conflict (name) do update set known_at = excluded.known_at where known_at is null",
        )
        .bind(name)
        .bind(micros(now))
        .execute(&mut **writing)
        .await?;
    }
    sqlx::query(
        "update judgements set due_at = 0 where due_at is null and incident_id in \
         (select id from incidents where resolved_at is null and merged_into is null)",
    )
    .execute(&mut **writing)
    .await?;
    Ok(())
}

impl Store {
    /// What was told of an incident, to all channels, in the order of number.
    pub async fn told_of(&self, id: IncidentId) -> Result<Vec<Told>, StoreError> {
        let rows = sqlx::query(
            "select channel, number, reason, severity, event_count, revision, planned_at, \
             coalesce(message ->> '$.topic', '') from deliveries where incident_id = $1 order by channel, number",
        )
        .bind(id.0)
        .fetch_all(self.readers())
        .await?;
        let told = |row: &SqliteRow| {
            Ok(Told {
                channel: row.try_get(0)?,
                number: row.try_get(1)?,
                reason: read_reason(row.try_get(2)?)?,
                severity: read_severity(row.try_get(3)?)?,
                event_count: unsigned(row.try_get(4)?),
                revision: row.try_get(5)?,
                planned_at: time(row.try_get(6)?),
                topic: row.try_get(7)?,
            })
        };
        rows.iter().map(told).collect()
    }

    /// Incidents to be judged now, longest due first.
    pub async fn unjudged(
        &self,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<Unjudged>, StoreError> {
        let rows = sqlx::query(
            "select j.incident_id, i.merged_into, j.judged_at, j.left_severity, j.left_event_count, j.left_resolved, \
             j.held_by from judgements j left join incidents i on i.id = j.incident_id \
             where j.due_at <= $1 order by j.due_at, j.incident_id limit $2",
        )
        .bind(micros(now))
        .bind(limit)
        .fetch_all(self.readers())
        .await?;
        let unjudged = |row: &SqliteRow| {
            let left = match row.try_get::<Option<&str>, _>(3)? {
                None => None,
                Some(severity) => Some(LeftUntold {
                    severity: read_severity(severity)?,
                    event_count: unsigned(row.try_get(4)?),
                    resolved: row.try_get(5)?,
                }),
            };
            Ok(Unjudged {
                incident_id: IncidentId(row.try_get(0)?),
                merged_into: row.try_get::<Option<i64>, _>(1)?.map(IncidentId),
                first_judged_at: row.try_get::<Option<i64>, _>(2)?.map(time),
                left,
                held: row.try_get::<Option<i64>, _>(6)?.map(Held::of),
            })
        };
        rows.iter().map(unjudged).collect()
    }

    /// When the next incident is to be judged.
    pub async fn next_judgement(&self) -> Result<Option<DateTime<Utc>>, StoreError> {
        let at: Option<i64> =
            sqlx::query_scalar("select min(due_at) from judgements where due_at is not null")
                .fetch_one(self.readers())
                .await?;
        Ok(at.map(time))
    }

    /// Since when each channel is known.
    pub async fn known_channels(&self) -> Result<Vec<(String, DateTime<Utc>)>, StoreError> {
        let rows: Vec<(String, i64)> =
            sqlx::query_as("select name, known_at from channels where known_at is not null")
                .fetch_all(self.readers())
                .await?;
        Ok(rows.into_iter().map(|(name, at)| (name, time(at))).collect())
    }
}
