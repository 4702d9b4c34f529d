//! Intervals of event time of which nothing is known: still, for a while, or for good.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};

use super::sources;
use super::{Store, StoreError, Writing, micros, time};
use crate::model::{IncidentId, Interval};

/// An interval that was not read when it should have been.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Gap {
    pub id: i64,
    pub source: String,
    pub head: String,
    pub state: GapState,
    pub from: DateTime<Utc>,
    /// Absent while it lasts.
    pub to: Option<DateTime<Utc>>,
    pub noticed_at: DateTime<Utc>,
    /// What the source answered; empty where the program was not running.
    pub reason: String,
    /// When the source was read again.
    pub ended_at: Option<DateTime<Utc>>,
    pub incident_id: Option<IncidentId>,
}

/// What became of a gap.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum GapState {
    /// It lasts.
    Open,
    /// It was read later: nothing is missing.
    Filled,
    /// The source no longer had it.
    Lost,
}

impl std::fmt::Display for GapState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Open => "open",
            Self::Filled => "filled",
            Self::Lost => "lost",
        })
    }
}

const GAP: &str = "select g.id, s.name, g.head, g.from_at, g.to_at, g.noticed_at, g.reason, g.ended_at, \
     g.is_lost, g.incident_id from gaps g join sources s on s.id = g.source_id";

fn gap(row: &SqliteRow) -> Result<Gap, StoreError> {
    let ended_at = row.try_get::<Option<i64>, _>(7)?.map(time);
    let is_lost: bool = row.try_get(8)?;
    Ok(Gap {
        id: row.try_get(0)?,
        source: row.try_get(1)?,
        head: row.try_get(2)?,
        state: match (is_lost, ended_at) {
            (true, _) => GapState::Lost,
            (false, Some(_)) => GapState::Filled,
            (false, None) => GapState::Open,
        },
        from: time(row.try_get(3)?),
        to: row.try_get::<Option<i64>, _>(4)?.map(time),
        noticed_at: time(row.try_get(5)?),
        reason: row.try_get(6)?,
        ended_at,
        incident_id: row.try_get::<Option<i64>, _>(9)?.map(IncidentId),
    })
}

impl Store {
    /// Every gap there was, the latest first.
    pub async fn gaps(&self) -> Result<Vec<Gap>, StoreError> {
        let sql = format!("{GAP} order by g.from_at desc, g.id desc");
        let rows = sqlx::query(AssertSqlSafe(sql)).fetch_all(self.readers()).await?;
        rows.iter().map(gap).collect()
    }

    /// The gaps that an incident tells of, in the order of time.
    pub async fn gaps_of(&self, id: IncidentId) -> Result<Vec<Gap>, StoreError> {
        let sql = format!("{GAP} where g.incident_id = $1 order by g.from_at, g.id");
        let rows = sqlx::query(AssertSqlSafe(sql)).bind(id.0).fetch_all(self.readers()).await?;
        rows.iter().map(gap).collect()
    }

    /// The gaps that touch an interval and were not filled, in the order of time.
    pub async fn gaps_within(
        &self,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Result<Vec<Gap>, StoreError> {
        let sql = format!(
            "{GAP} where (g.is_lost = 1 or g.ended_at is null) and g.from_at <= $2 \
             and coalesce(g.to_at, $2) >= $1 order by g.from_at, g.id"
        );
        let rows = sqlx::query(AssertSqlSafe(sql))
            .bind(micros(from))
            .bind(micros(to))
            .fetch_all(self.readers())
            .await?;
        rows.iter().map(gap).collect()
    }

    /// Notes that a head has not been read since `from`, once.
    pub async fn open_gap(
        &self,
        (source, kind): (&str, &str),
        head: &str,
        from: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let known: Option<i64> = sqlx::query_scalar(
            "select g.id from gaps g join sources s on s.id = g.source_id \
             where s.name = $1 and g.head = $2 and g.ended_at is null and g.to_at is null",
        )
        .bind(source)
        .bind(head)
        .fetch_optional(self.readers())
        .await?;
        if known.is_some() {
            return Ok(());
        }
        let mut writing = self.write().await?;
        let source_id = sources::number(&mut writing, source, kind).await?;
        insert(&mut writing, source_id, head, (from, None), now).await?;
        writing.commit().await?;
        Ok(())
    }

    /// Notes that the source no longer has an interval. What is open of its head begins after it, and so
    /// does what is read next.
    pub async fn lose(
        &self,
        (source, kind): (&str, &str),
        head: &str,
        lost: Interval,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        let source_id = sources::number(&mut writing, source, kind).await?;
        let grown = sqlx::query(
            "update gaps set to_at = $4 where source_id = $1 and head = $2 and is_lost = 1 \
             and ended_at is null and to_at = $3",
        )
        .bind(source_id)
        .bind(head)
        .bind(micros(lost.from))
        .bind(micros(lost.to))
        .execute(&mut *writing)
        .await?
        .rows_affected();
        if grown == 0 {
            insert(&mut writing, source_id, head, (lost.from, Some(lost.to)), now).await?;
        }
        for sql in [
            "update gaps set from_at = $3 where source_id = $1 and head = $2 and is_lost = 0 \
             and ended_at is null and from_at < $3",
            "update heads set read_to = max(read_to, $3) where source_id = $1 and name = $2",
        ] {
            sqlx::query(sql)
                .bind(source_id)
                .bind(head)
                .bind(micros(lost.to))
                .execute(&mut *writing)
                .await?;
        }
        writing.commit().await?;
        Ok(())
    }
}

async fn insert(
    connection: &mut SqliteConnection,
    source_id: i64,
    head: &str,
    (from, to): (DateTime<Utc>, Option<DateTime<Utc>>),
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into gaps (source_id, head, from_at, to_at, noticed_at, reason, is_lost) \
         values ($1, $2, $3, $4, $5, '', $4 is not null)",
    )
    .bind(source_id)
    .bind(head)
    .bind(micros(from))
    .bind(to.map(micros))
    .bind(micros(now))
    .execute(connection)
    .await?;
    Ok(())
}

/// What is open of a head is so for this reason.
pub(super) async fn explain(
    connection: &mut SqliteConnection,
    source_id: i64,
    head: &str,
    reason: &str,
) -> Result<(), StoreError> {
    sqlx::query(
        "update gaps set reason = $3 where source_id = $1 and head = $2 and ended_at is null",
    )
    .bind(source_id)
    .bind(head)
    .bind(reason)
    .execute(connection)
    .await?;
    Ok(())
}

/// A head was read up to the present again.
pub(super) async fn end(
    connection: &mut SqliteConnection,
    source_id: i64,
    head: &str,
    at: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query(
        "update gaps set ended_at = $3, to_at = coalesce(to_at, $3) \
         where source_id = $1 and head = $2 and ended_at is null",
    )
    .bind(source_id)
    .bind(head)
    .bind(micros(at))
    .execute(connection)
    .await?;
    Ok(())
}

/// A source with gaps that its incident does not yet show as they are.
#[derive(Clone, Debug)]
pub struct Blind {
    pub source_id: i64,
    pub source: String,
    pub gaps: Vec<Gap>,
}

/// Sources with gaps that no incident tells of, or whose incident is not resolved.
pub async fn blind(writing: &mut Writing) -> Result<Vec<Blind>, StoreError> {
    let sources: Vec<(i64, String)> = sqlx::query_as(
        "select distinct s.id, s.name from sources s join gaps g on g.source_id = s.id \
         left join incidents i on i.id = g.incident_id \
         where (g.incident_id is null and (g.ended_at is null or g.is_lost = 1)) \
         or (i.id is not null and i.resolved_at is null) order by s.id",
    )
    .fetch_all(&mut **writing)
    .await?;
    let mut all = Vec::new();
    for (source_id, source) in sources {
        let sql = format!(
            "{GAP} left join incidents i on i.id = g.incident_id where g.source_id = $1 \
             and (g.incident_id is null or i.resolved_at is null) order by g.from_at, g.id"
        );
        let rows =
            sqlx::query(AssertSqlSafe(sql)).bind(source_id).fetch_all(&mut **writing).await?;
        let gaps = rows.iter().map(gap).collect::<Result<Vec<Gap>, StoreError>>()?;
        all.push(Blind { source_id, source, gaps });
    }
    Ok(all)
}

/// Puts gaps under an incident.
pub async fn link(writing: &mut Writing, gaps: &[Gap], id: IncidentId) -> Result<(), StoreError> {
    for gap in gaps.iter().filter(|gap| gap.incident_id != Some(id)) {
        sqlx::query("update gaps set incident_id = $2 where id = $1")
            .bind(gap.id)
            .bind(id.0)
            .execute(&mut **writing)
            .await?;
    }
    Ok(())
}
