//! Where records come from: the tally of each source, and how far its heads have come.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::SqliteConnection;

use super::{Store, StoreError, micros, time};

/// What became of the records of a source. `read` is the sum of the others, always.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    pub read: u64,
    pub stored: u64,
    pub duplicates: u64,
    pub rejected: u64,
    pub other: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, more: Self) {
        self.read += more.read;
        self.stored += more.stored;
        self.duplicates += more.duplicates;
        self.rejected += more.rejected;
        self.other += more.other;
    }
}

/// How far one head of a source has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub name: String,
    /// Event time before which every window was read to its end.
    pub read_to: DateTime<Utc>,
    /// Failures in a row.
    pub failures: u32,
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// When a window of it was last read to its end.
    pub last_read_at: Option<DateTime<Utc>>,
}

impl Store {
    /// How far a head has come; `None` before its first window was read.
    pub async fn head(&self, source: &str, head: &str) -> Result<Option<Head>, StoreError> {
        let row: Option<(i64, i64, Option<i64>, Option<i64>)> = sqlx::query_as(
            "select h.read_to, h.failures, h.next_attempt_at, h.last_read_at from heads h \
             join sources s on s.id = h.source_id where s.name = $1 and h.name = $2",
        )
        .bind(source)
        .bind(head)
        .fetch_optional(self.readers())
        .await?;
        Ok(row.map(|(read_to, failures, next_attempt_at, last_read_at)| Head {
            name: head.to_owned(),
            read_to: time(read_to),
            failures: u32::try_from(failures).unwrap_or(u32::MAX),
            next_attempt_at: next_attempt_at.map(time),
            last_read_at: last_read_at.map(time),
        }))
    }

    /// Keeps that a head could not be read, with the sentence, when to try again, and the requests spent,
    /// those that gave no page being the second number.
    pub async fn head_failed(
        &self,
        source: (&str, &str),
        head: &Head,
        sentence: &str,
        requests: (u64, u64),
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        let source_id = number(&mut writing, source.0, source.1).await?;
        set_head(&mut writing, source_id, head, None).await?;
        super::coverage::spend(&mut writing, source_id, &head.name, requests).await?;
        super::gaps::explain(&mut writing, source_id, &head.name, sentence).await?;
        sqlx::query("update sources set last_failed_at = $2, last_failure = $3 where id = $1")
            .bind(source_id)
            .bind(micros(now))
            .bind(sentence)
            .execute(&mut *writing)
            .await?;
        writing.commit().await?;
        Ok(())
    }

    /// The tally of every source, by name.
    pub async fn tallies(&self) -> Result<Vec<(String, Tally)>, StoreError> {
        let rows: Vec<(String, i64, i64, i64, i64, i64)> = sqlx::query_as(
            "select name, read, stored, duplicates, rejected, other from sources order by name",
        )
        .fetch_all(self.readers())
        .await?;
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        Ok(rows
            .into_iter()
            .map(|(name, read, stored, duplicates, rejected, other)| {
                let tally = Tally {
                    read: count(read),
                    stored: count(stored),
                    duplicates: count(duplicates),
                    rejected: count(rejected),
                    other: count(other),
                };
                (name, tally)
            })
            .collect())
    }
}

/// The number of a source that gave something already.
pub(super) async fn known(
    connection: &mut SqliteConnection,
    name: &str,
) -> Result<Option<i64>, StoreError> {
    Ok(sqlx::query_scalar("select id from sources where name = $1")
        .bind(name)
        .fetch_optional(connection)
        .await?)
}

/// The number of a source, made at its first record.
pub(super) async fn number(
    connection: &mut SqliteConnection,
    name: &str,
    kind: &str,
) -> Result<i64, StoreError> {
    match known(&mut *connection, name).await? {
        Some(id) => Ok(id),
        None => {
            Ok(sqlx::query_scalar("insert into sources (name, kind) values ($1, $2) returning id")
                .bind(name)
                .bind(kind)
                .fetch_one(connection)
                .await?)
        }
    }
}

/// Adds to the tally of a source.
pub(super) async fn count(
    connection: &mut SqliteConnection,
    source_id: i64,
    tally: &Tally,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let count = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    sqlx::query(
        "update sources set read = read + $2, stored = stored + $3, duplicates = duplicates + $4, \
         rejected = rejected + $5, other = other + $6, \
         last_record_at = case when $2 > 0 then $7 else last_record_at end where id = $1",
    )
    .bind(source_id)
    .bind(count(tally.read))
    .bind(count(tally.stored))
    .bind(count(tally.duplicates))
    .bind(count(tally.rejected))
    .bind(count(tally.other))
    .bind(micros(now))
    .execute(connection)
    .await?;
    Ok(())
}

/// Moves a head after a window was read to its end.
pub(super) async fn advance(
    connection: &mut SqliteConnection,
    source_id: i64,
    head: &Head,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    set_head(connection, source_id, head, Some(now)).await
}

async fn set_head(
    connection: &mut SqliteConnection,
    source_id: i64,
    head: &Head,
    read_at: Option<DateTime<Utc>>,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into heads (source_id, name, read_to, failures, next_attempt_at, last_read_at) \
         values ($1, $2, $3, $4, $5, $6) on conflict (source_id, name) do update set \
         read_to = excluded.read_to, failures = excluded.failures, \
         next_attempt_at = excluded.next_attempt_at, \
         last_read_at = coalesce(excluded.last_read_at, last_read_at)",
    )
    .bind(source_id)
    .bind(&head.name)
    .bind(micros(head.read_to))
    .bind(i64::from(head.failures))
    .bind(head.next_attempt_at.map(micros))
    .bind(read_at.map(micros))
    .execute(connection)
    .await?;
    Ok(())
}
