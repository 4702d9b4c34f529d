//! Events: written once each with their records, and read back one by one.

use std::ops::Range;

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::batch::Fetched;
use super::blocks::{self, BLOCK_EVENTS};
use super::coverage::Reading;
use super::joined::{Incoming, arrivals};
use super::marks::Mark;
use super::packed::{Stretch, in_time_order};
use super::replaced::replace_row;
use super::sources::Tally;
use super::{Store, StoreError, micros};
use crate::model::EventId;

/// Rows of one `insert`: more do not go faster (`BENCHMARKS.md`).
pub(super) const ROWS_AT_ONCE: usize = 500;

/// Records on their way into blocks.
type Compressing = tokio::task::JoinHandle<std::io::Result<Vec<blocks::Block>>>;

/// An event as its row has it: numbers for all that repeats.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventRow {
    pub seq: i64,
    pub created_at: i64,
    pub id: EventId,
    pub identity_id: i64,
    pub resource_id: i64,
    pub facet_id: i64,
    pub error_code: i64,
    pub address_id: Option<i64>,
    pub user_id: Option<i64>,
}

impl EventRow {
    /// The order of events: by time, and by id where times are equal.
    #[must_use]
    pub fn key(&self) -> (i64, EventId) {
        (self.created_at, self.id)
    }
}

impl Store {
    /// Stores what a source gave: new events with their records, rejects, the tally, and what
    /// it tells of its head, all or nothing.
    pub async fn add(
        &self,
        source: (&str, &str),
        fetched: Fetched,
        reading: Option<&Reading<'_>>,
        now: DateTime<Utc>,
    ) -> Result<Tally, StoreError> {
        self.put(source, fetched, (reading, None), now).await
    }

    /// As [`add`](Self::add), for a piece of a file of a head, with how far it was read.
    pub async fn add_piece(
        &self,
        source: (&str, &str),
        fetched: Fetched,
        mark: (&str, &Mark),
        now: DateTime<Utc>,
    ) -> Result<Tally, StoreError> {
        self.put(source, fetched, (None, Some(mark)), now).await
    }

    async fn put(
        &self,
        source: (&str, &str),
        fetched: Fetched,
        (reading, mark): (Option<&Reading<'_>>, Option<(&str, &Mark)>),
        now: DateTime<Utc>,
    ) -> Result<Tally, StoreError> {
        let Fetched { batch, bytes, rejects, retried, other, .. } = fetched;
        let mut dictionary_slot = self.dictionary.lock().await;
        // Taken out, so that a write which is given up half-way leaves an empty one behind rather than
        // one that knows rows which are not there.
        let mut dictionary = std::mem::take(&mut *dictionary_slot);
        let mut writing = self.write().await?;
        let source_id = super::sources::number(&mut writing, source.0, source.1).await?;
        let numbers = dictionary.resolve(&mut writing, &batch).await?;
        let kept = arrivals(&mut writing, &mut dictionary, &batch, &numbers).await?;
        let records = kept.iter().map(|event| event.record.clone()).collect();
        let compressed = compress_beside(bytes, records);
        let first_seq = next_seq(&mut writing).await?;
        insert(&mut writing, first_seq, &kept).await?;
        let mut seq = first_seq;
        for block in &compressed_blocks(compressed).await? {
            blocks::insert(&mut writing, block, seq, source_id, micros(now)).await?;
            seq += i64::try_from(block.event_count).expect("a block is small");
        }
        let rejected = rejects.len() as u64;
        super::rejects::set_aside(&mut writing, source_id, &rejects, now).await?;
        let stored = kept.len() as u64;
        let duplicates = batch.len() as u64 - stored;
        let tally = Tally {
            read: stored + duplicates + rejected + other,
            stored,
            duplicates,
            rejected,
            other,
        };
        super::sources::count(&mut writing, source_id, &tally, now).await?;
        super::others::count(&mut writing, source_id, &fetched.others).await?;
        super::rejects::take_back(&mut writing, source_id, &retried).await?;
        if let Some(reading) = reading {
            // One of which more was said now was not late.
            let new = kept.iter().filter(|event| event.replaces.is_none());
            let stored_at: Vec<i64> = new.map(|event| event.row.created_at).collect();
            super::coverage::note(&mut writing, source_id, reading, &stored_at, &tally, now)
                .await?;
        }
        if let Some((head, mark)) = mark {
            super::marks::set(&mut writing, source_id, head, mark).await?;
        }
        writing.commit().await?;
        *dictionary_slot = dictionary;
        super::conservation::meter(source.0, &tally);
        Ok(tally)
    }

    /// Writes what [`add`](Self::add) put off to save writes; called when a read of a source ends.
    pub async fn settle(&self) -> Result<(), StoreError> {
        let mut dictionary_slot = self.dictionary.lock().await;
        let mut dictionary = std::mem::take(&mut *dictionary_slot);
        let mut writing = self.write().await?;
        dictionary.flush(&mut writing).await?;
        writing.commit().await?;
        *dictionary_slot = dictionary;
        Ok(())
    }
}

impl Store {
    /// An event by its id as people type it.
    pub async fn event(&self, id: EventId) -> Result<Option<EventRow>, StoreError> {
        let row = sqlx::query(
            "select seq, created_at, id, identity_id, resource_id, facet_id, error_code, address_id, user_id \
             from events where id = $1 limit 1",
        )
        .bind(id.0.to_vec())
        .fetch_optional(self.readers())
        .await?;
        row.as_ref().map(event_row).transpose()
    }

    /// Events of a stretch in the order of time, at most `limit`.
    pub async fn stretch(
        &self,
        stretch: &Stretch,
        limit: i64,
    ) -> Result<Vec<EventRow>, StoreError> {
        in_time_order(&mut *self.readers().acquire().await?, stretch, limit).await
    }

    /// The last place in the order of arrival, 0 when nothing came yet.
    pub async fn last_seq(&self) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar("select coalesce(max(seq), 0) from events")
            .fetch_one(self.readers())
            .await?)
    }

    /// The time of the latest event, whenever it arrived.
    pub async fn latest_at(&self) -> Result<Option<i64>, StoreError> {
        Ok(sqlx::query_scalar("select max(created_at) from events")
            .fetch_one(self.readers())
            .await?)
    }
}

pub(super) fn event_row(row: &SqliteRow) -> Result<EventRow, StoreError> {
    let id: &[u8] = row.try_get(2)?;
    Ok(EventRow {
        seq: row.try_get(0)?,
        created_at: row.try_get(1)?,
        id: EventId::from_bytes(id)
            .ok_or_else(|| StoreError::Corrupt("an event's id is not 16 bytes".to_owned()))?,
        identity_id: row.try_get(3)?,
        resource_id: row.try_get(4)?,
        facet_id: row.try_get(5)?,
        error_code: row.try_get(6)?,
        address_id: row.try_get(7)?,
        user_id: row.try_get(8)?,
    })
}

async fn next_seq(connection: &mut SqliteConnection) -> Result<i64, StoreError> {
    let last: i64 = sqlx::query_scalar("select coalesce(max(seq), 0) from events")
        .fetch_one(connection)
        .await?;
    Ok(last + 1)
}

/// Compresses the records on another thread, beginning now, while their rows are written.
fn compress_beside(bytes: Vec<u8>, records: Vec<Range<usize>>) -> Compressing {
    tokio::task::spawn_blocking(move || {
        let records: Vec<&[u8]> = records.into_iter().map(|range| &bytes[range]).collect();
        blocks::compress(&records)
    })
}

async fn compressed_blocks(compressing: Compressing) -> Result<Vec<blocks::Block>, StoreError> {
    let blocks = compressing.await.map_err(|error| StoreError::Corrupt(error.to_string()))?;
    blocks.map_err(|error| StoreError::Corrupt(format!("records cannot be compressed: {error}")))
}

async fn insert(
    connection: &mut SqliteConnection,
    first_seq: i64,
    events: &[Incoming],
) -> Result<(), StoreError> {
    for (seq, event) in (first_seq..).zip(events) {
        if let Some(old) = &event.replaces {
            replace_row(connection, old, seq).await?;
        }
    }
    let mut seqs = first_seq..;
    for events in events.chunks(ROWS_AT_ONCE) {
        let sql = rows_sql(
            "insert into events (seq, created_at, id, identity_id, resource_id, facet_id, \
             error_code, address_id, user_id) values ",
            9,
            events.len(),
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(events.len() == ROWS_AT_ONCE);
        for Incoming { row, .. } in events {
            query = query
                .bind(seqs.next())
                .bind(row.created_at)
                .bind(row.id.0.to_vec())
                .bind(row.identity_id)
                .bind(row.resource_id)
                .bind(row.facet_id)
                .bind(row.error_code)
                .bind(row.address_id)
                .bind(row.user_id);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// `head` followed by `rows` rows of `columns` placeholders.
pub(super) fn rows_sql(head: &str, columns: usize, rows: usize) -> String {
    let row = format!("({})", vec!["?"; columns].join(","));
    let mut sql = String::with_capacity(head.len() + rows * (row.len() + 1));
    sql.push_str(head);
    for place in 0..rows {
        if place > 0 {
            sql.push(',');
        }
        sql.push_str(&row);
    }
    sql
}

const _: () =
    assert!(BLOCK_EVENTS > 0 && ROWS_AT_ONCE * 9 < 32_766, "SQLite binds at most 32,766 values");
