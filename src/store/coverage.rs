//! What was read of each head of a source, how late records came there, and what was never read.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::{Row as _, SqliteConnection};

use super::gaps;
use super::sources::{self, Head, Tally};
use super::{Store, StoreError, micros, time};
use crate::model::{Covered, Interval, Lateness, Ledger};

/// Rows of single readings that are kept: some days of a busy source.
const READINGS_KEPT: i64 = 20_000;

/// What a page is read for.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    pub head: &'a str,
    /// New events of this time or later tell how late records come; absent where the program was not
    /// there to see them come.
    pub measured_from: Option<DateTime<Utc>>,
    /// Requests since the last page was stored, and those of them that gave none.
    pub requests: u64,
    pub failed_requests: u64,
    /// Given with the last page of a window.
    pub done: Option<&'a WindowDone>,
}

/// A window that was read to its end.
#[derive(Clone, Debug)]
pub struct WindowDone {
    /// How the head stands after it.
    pub head: Head,
    pub window: Interval,
    pub kind: ReadingKind,
    pub began_at: DateTime<Utc>,
    /// The ages of the source's sweeps.
    pub ages: Vec<Duration>,
    /// What its earlier pages gave.
    pub tally: Tally,
}

/// Why a window is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadingKind {
    /// The newest, with the overlap behind it.
    Head,
    /// What went by while nobody read, or was there before the program.
    CatchUp,
    /// Once more, for records that came late.
    Sweep,
}

impl ReadingKind {
    fn as_str(self) -> &'static str {
        match self {
            Self::Head => "head",
            Self::CatchUp => "catch_up",
            Self::Sweep => "sweep",
        }
    }
}

/// What is known of one head.
#[derive(Clone, Debug, Serialize)]
pub struct HeadCoverage {
    pub source: String,
    pub head: String,
    /// The first time that was ever read over.
    pub begins: Option<DateTime<Utc>>,
    /// Since then nothing is missing up to this time.
    pub complete_to: Option<DateTime<Utc>>,
    pub last_read_at: Option<DateTime<Utc>>,
    /// Failures in a row, and when it is tried again.
    pub failures: u32,
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// In the order of time.
    pub intervals: Vec<Covered>,
    pub lateness: LatenessOverview,
    pub requests: u64,
    pub failed_requests: u64,
    /// Hours that were compared with what the source counts, and sign-ins of them that it did not give.
    pub compared_hours: u64,
    pub missing: u64,
}

/// How late records came, in seconds, of those whose coming was watched.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct LatenessOverview {
    pub records: u64,
    pub p50_seconds: Option<u64>,
    pub p99_seconds: Option<u64>,
    pub most_seconds: Option<u64>,
}

impl From<&Lateness> for LatenessOverview {
    fn from(lateness: &Lateness) -> Self {
        let seconds = |share| lateness.quantile(share).map(|late| late.as_secs());
        Self {
            records: lateness.count(),
            p50_seconds: seconds(0.5),
            p99_seconds: seconds(0.99),
            most_seconds: seconds(1.0),
        }
    }
}

impl Store {
    /// What is known of every head, by source and name.
    pub async fn coverage(&self) -> Result<Vec<HeadCoverage>, StoreError> {
        let mut reader = self.readers().begin().await?;
        let rows = sqlx::query(
            "select s.id, s.name, h.name, h.last_read_at, h.failures, h.next_attempt_at, h.requests, \
             h.failed_requests from heads h join sources s on s.id = h.source_id order by s.name, h.name",
        )
        .fetch_all(&mut *reader)
        .await?;
        let mut all = Vec::new();
        for row in rows {
            let (source_id, head): (i64, String) = (row.try_get(0)?, row.try_get(2)?);
            let ledger = ledger(&mut reader, source_id, &head).await?;
            let lateness = lateness(&mut reader, source_id, &head).await?;
            let count = |place| {
                Ok::<u64, StoreError>(u64::try_from(row.try_get::<i64, _>(place)?).unwrap_or(0))
            };
            let (compared, missing): (i64, i64) = sqlx::query_as(
                "select count(*), coalesce(sum(missing), 0) from reconciled where source_id = $1 and head = $2",
            )
            .bind(source_id)
            .bind(&head)
            .fetch_one(&mut *reader)
            .await?;
            all.push(HeadCoverage {
                source: row.try_get(1)?,
                head,
                begins: ledger.covered().first().map(|first| first.interval.from),
                complete_to: ledger.complete_to(),
                last_read_at: row.try_get::<Option<i64>, _>(3)?.map(time),
                failures: u32::try_from(count(4)?).unwrap_or(u32::MAX),
                next_attempt_at: row.try_get::<Option<i64>, _>(5)?.map(time),
                intervals: ledger.covered().to_vec(),
                lateness: (&lateness).into(),
                requests: count(6)?,
                failed_requests: count(7)?,
                compared_hours: u64::try_from(compared).unwrap_or(0),
                missing: u64::try_from(missing).unwrap_or(0),
            });
        }
        Ok(all)
    }

    /// What is covered of a head.
    pub async fn ledger(&self, source: &str, head: &str) -> Result<Ledger, StoreError> {
        let mut reader = self.readers().acquire().await?;
        match sources::known(&mut reader, source).await? {
            Some(source_id) => ledger(&mut reader, source_id, head).await,
            None => Ok(Ledger::default()),
        }
    }

    /// How late the records of a head came.
    pub async fn lateness(&self, source: &str, head: &str) -> Result<Lateness, StoreError> {
        let mut reader = self.readers().acquire().await?;
        match sources::known(&mut reader, source).await? {
            Some(source_id) => lateness(&mut reader, source_id, head).await,
            None => Ok(Lateness::default()),
        }
    }
}

/// Notes what a stored page tells of its head.
pub(super) async fn note(
    connection: &mut SqliteConnection,
    source_id: i64,
    reading: &Reading<'_>,
    stored_at: &[i64],
    tally: &Tally,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    measure(connection, source_id, reading, stored_at, now).await?;
    if let Some(done) = reading.done {
        sources::advance(connection, source_id, &done.head, now).await?;
        cover(connection, source_id, reading.head, done).await?;
        // Given only with the window that reaches the present.
        if done.head.next_attempt_at.is_some() {
            gaps::end(connection, source_id, reading.head, done.began_at).await?;
        }
        log(connection, source_id, reading.head, done, tally).await?;
    }
    spend(connection, source_id, reading.head, (reading.requests, reading.failed_requests)).await
}

/// Counts requests to a head that has a row; one that was never read to anywhere has none.
pub(super) async fn spend(
    connection: &mut SqliteConnection,
    source_id: i64,
    head: &str,
    (requests, failed): (u64, u64),
) -> Result<(), StoreError> {
    sqlx::query(
        "update heads set requests = requests + $3, failed_requests = failed_requests + $4 \
         where source_id = $1 and name = $2",
    )
    .bind(source_id)
    .bind(head)
    .bind(i64::try_from(requests).unwrap_or(i64::MAX))
    .bind(i64::try_from(failed).unwrap_or(i64::MAX))
    .execute(connection)
    .await?;
    Ok(())
}

async fn ledger(
    connection: &mut SqliteConnection,
    source_id: i64,
    head: &str,
) -> Result<Ledger, StoreError> {
    let rows: Vec<(i64, i64, i64, i64)> = sqlx::query_as(
        "select from_at, to_at, settled, read_at from coverage where source_id = $1 and head = $2",
    )
    .bind(source_id)
    .bind(head)
    .fetch_all(connection)
    .await?;
    let covered = rows.into_iter().map(|(from, to, settled, read_at)| Covered {
        interval: Interval { from: time(from), to: time(to) },
        settled: Duration::from_micros(u64::try_from(settled).unwrap_or(0)),
        read_at: time(read_at),
    });
    Ok(Ledger::of(covered.collect()))
}

/// Writes the ledger of a head anew: it has a handful of rows.
async fn cover(
    connection: &mut SqliteConnection,
    source_id: i64,
    head: &str,
    done: &WindowDone,
) -> Result<(), StoreError> {
    let mut ledger = ledger(&mut *connection, source_id, head).await?;
    ledger.note(done.window, done.began_at, &done.ages);
    sqlx::query("delete from coverage where source_id = $1 and head = $2")
        .bind(source_id)
        .bind(head)
        .execute(&mut *connection)
        .await?;
    for covered in ledger.covered() {
        sqlx::query(
            "insert into coverage (source_id, head, from_at, to_at, settled, read_at) \
             values ($1, $2, $3, $4, $5, $6)",
        )
        .bind(source_id)
        .bind(head)
        .bind(micros(covered.interval.from))
        .bind(micros(covered.interval.to))
        .bind(i64::try_from(covered.settled.as_micros()).unwrap_or(i64::MAX))
        .bind(micros(covered.read_at))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

async fn log(
    connection: &mut SqliteConnection,
    source_id: i64,
    head: &str,
    done: &WindowDone,
    tally: &Tally,
) -> Result<(), StoreError> {
    let mut whole = done.tally;
    whole += *tally;
    let id: i64 = sqlx::query_scalar(
        "insert into readings (source_id, head, kind, from_at, to_at, began_at, records, stored) \
         values ($1, $2, $3, $4, $5, $6, $7, $8) returning id",
    )
    .bind(source_id)
    .bind(head)
    .bind(done.kind.as_str())
    .bind(micros(done.window.from))
    .bind(micros(done.window.to))
    .bind(micros(done.began_at))
    .bind(i64::try_from(whole.read).unwrap_or(i64::MAX))
    .bind(i64::try_from(whole.stored).unwrap_or(i64::MAX))
    .fetch_one(&mut *connection)
    .await?;
    sqlx::query("delete from readings where id <= $1")
        .bind(id - READINGS_KEPT)
        .execute(connection)
        .await?;
    Ok(())
}

async fn lateness(
    connection: &mut SqliteConnection,
    source_id: i64,
    head: &str,
) -> Result<Lateness, StoreError> {
    let rows: Vec<(i64, i64)> =
        sqlx::query_as("select bucket, count from lateness where source_id = $1 and head = $2")
            .bind(source_id)
            .bind(head)
            .fetch_all(connection)
            .await?;
    Ok(Lateness::of(rows.into_iter().filter_map(|(bucket, count)| {
        Some((u8::try_from(bucket).ok()?, u64::try_from(count).ok()?))
    })))
}

async fn measure(
    connection: &mut SqliteConnection,
    source_id: i64,
    reading: &Reading<'_>,
    stored_at: &[i64],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    let Some(from) = reading.measured_from else { return Ok(()) };
    let mut late = stored_at
        .iter()
        .filter(|at| **at >= micros(from))
        .map(|at| (now - time(*at)).to_std().unwrap_or_default())
        .peekable();
    if late.peek().is_none() {
        return Ok(());
    }
    let mut lateness = lateness(&mut *connection, source_id, reading.head).await?;
    late.for_each(|late| lateness.add(late));
    sqlx::query("delete from lateness where source_id = $1 and head = $2")
        .bind(source_id)
        .bind(reading.head)
        .execute(&mut *connection)
        .await?;
    for (bucket, count) in lateness.counts() {
        sqlx::query(
            "insert into lateness (source_id, head, bucket, count) values ($1, $2, $3, $4)",
        )
        .bind(source_id)
        .bind(reading.head)
        .bind(i64::from(*bucket))
        .bind(i64::try_from(*count).unwrap_or(i64::MAX))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::store::Fetched;

    #[tokio::test]
    async fn windows_that_end_between_two_microseconds_meet() {
        let folder = tempfile::tempdir().unwrap();
        let db = format!("sqlite://{}", folder.path().join("t.db").display());
        let store = Store::open(&db).await.unwrap();
        let begin: DateTime<Utc> = "2026-11-23T08:00:00Z".parse().unwrap();
        let at = |nanoseconds| begin + TimeDelta::nanoseconds(nanoseconds);
        let bounds = [at(0), at(3_000_000_333), at(6_000_000_666), at(9_000_000_999)];
        for (turn, place) in (0..).zip([1, 0, 2, 1]) {
            let now = bounds[3] + TimeDelta::hours(turn);
            let window = Interval { from: bounds[place], to: bounds[place + 1] };
            let head = Head {
                name: "managedIdentity".to_owned(),
                read_to: window.to,
                failures: 0,
                next_attempt_at: None,
                last_read_at: None,
            };
            let done = WindowDone {
                head,
                window,
                kind: ReadingKind::Head,
                began_at: now,
                ages: vec![Duration::from_hours(1)],
                tally: Tally::default(),
            };
            let reading = Reading {
                head: "managedIdentity",
                measured_from: None,
                requests: 1,
                failed_requests: 0,
                done: Some(&done),
            };
            let added = store.add(("one", "graph"), Fetched::default(), Some(&reading), now).await;
            added.unwrap();
        }
        let covered = store.ledger("one", "managedIdentity").await.unwrap();
        let intervals: Vec<Interval> = covered.covered().iter().map(|it| it.interval).collect();
        assert_eq!(intervals, [Interval { from: begin, to: at(9_000_000_000) }]);
    }
}
