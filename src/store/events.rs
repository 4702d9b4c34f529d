//! Events: written once each with their records, and read back one by one.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::ops::Range;

use chrono::{DateTime, Utc};
use foldhash::fast::RandomState;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row, SqliteConnection};

use super::batch::{Batch, Fetched, NewEvent};
use super::blocks::{self, BLOCK_EVENTS};
use super::coverage::Reading;
use super::dictionary::Numbers;
use super::marks::Mark;
use super::packed::{Stretch, in_time_order};
use super::sources::Tally;
use super::{Store, StoreError, micros};
use crate::model::EventId;

/// Rows of one `insert`: more do not go faster (`BENCHMARKS.md`).
const ROWS_AT_ONCE: usize = 500;

/// In microseconds.
const SECOND: i64 = 1_000_000;

/// What an event is known by: its second and its id.
type Key = (i64, EventId);

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
        let kept = new_events(&mut writing, &batch).await?;
        let records = kept.iter().map(|event| event.record.clone()).collect();
        let compressed = compress_beside(bytes, records);
        let numbers = dictionary.resolve(&mut writing, &batch).await?;
        let first_seq = next_seq(&mut writing).await?;
        insert(&mut writing, first_seq, &kept, &numbers).await?;
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
        super::rejects::take_back(&mut writing, source_id, &retried).await?;
        if let Some(reading) = reading {
            let stored_at: Vec<i64> = kept.iter().map(|event| event.created_at).collect();
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

/// The second of a time: sources write the time of one sign-in with no, three or seven digits behind it.
fn second(created_at: i64) -> i64 {
    created_at.div_euclid(SECOND)
}

/// The events of a batch that the database does not have yet, each once, in the order of the batch.
async fn new_events<'b>(
    connection: &mut SqliteConnection,
    batch: &'b Batch,
) -> Result<Vec<&'b NewEvent>, StoreError> {
    let mut kept = each_once(&batch.events);
    let latest: Option<i64> = sqlx::query_scalar("select max(created_at) from events")
        .fetch_one(&mut *connection)
        .await?;
    let Some(latest) = latest else { return Ok(kept) };
    let suspects: Vec<Key> = kept
        .iter()
        .map(|event| key(event))
        .filter(|(second, _)| *second <= self::second(latest))
        .collect();
    let known = known(connection, &suspects).await?;
    kept.retain(|event| !known.contains(&key(event)));
    Ok(kept)
}

fn key(event: &NewEvent) -> Key {
    (second(event.created_at), event.id)
}

/// Of several records of one sign-in the one that says most: the finer time, then the greater code, then the
/// longer record. So it does not matter in which order they came together.
fn each_once(events: &[NewEvent]) -> Vec<&NewEvent> {
    let mut places: HashMap<Key, usize, RandomState> =
        HashMap::with_capacity_and_hasher(events.len(), RandomState::default());
    let mut kept: Vec<&NewEvent> = Vec::with_capacity(events.len());
    let says = |event: &NewEvent| (event.created_at, event.error_code, event.record.len());
    for event in events {
        match places.entry(key(event)) {
            Entry::Vacant(vacant) => {
                vacant.insert(kept.len());
                kept.push(event);
            }
            Entry::Occupied(place) => {
                let held = &mut kept[*place.get()];
                if says(event) > says(held) {
                    *held = event;
                }
            }
        }
    }
    kept
}

/// Those of the keys that the database has.
async fn known(
    connection: &mut SqliteConnection,
    keys: &[Key],
) -> Result<HashSet<Key, RandomState>, StoreError> {
    let mut known = HashSet::default();
    for keys in keys.chunks(ROWS_AT_ONCE) {
        let sql = rows_sql("with k (c, i) as (values ", 2, keys.len())
            + ") select k.c, e.id from k cross join events e indexed by events_by_key \
               on e.created_at >= k.c and e.created_at < k.c + 1000000 and e.id = k.i";
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(keys.len() == ROWS_AT_ONCE);
        for (second, id) in keys {
            query = query.bind(second * SECOND).bind(id.0.to_vec());
        }
        for row in query.fetch_all(&mut *connection).await? {
            let id: &[u8] = row.try_get(1)?;
            let second = second(row.try_get(0)?);
            known.extend(EventId::from_bytes(id).map(|id| (second, id)));
        }
    }
    Ok(known)
}

async fn insert(
    connection: &mut SqliteConnection,
    first_seq: i64,
    events: &[&NewEvent],
    numbers: &Numbers,
) -> Result<(), StoreError> {
    let mut seqs = first_seq..;
    for events in events.chunks(ROWS_AT_ONCE) {
        let sql = rows_sql(
            "insert into events (seq, created_at, id, identity_id, resource_id, facet_id, \
             error_code, address_id, user_id) values ",
            9,
            events.len(),
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(events.len() == ROWS_AT_ONCE);
        let text = |place: Option<u32>| place.map(|place| numbers.texts[place as usize]);
        for event in events {
            query = query
                .bind(seqs.next())
                .bind(event.created_at)
                .bind(event.id.0.to_vec())
                .bind(numbers.identities[event.identity as usize])
                .bind(numbers.resources[event.resource as usize])
                .bind(numbers.facets[event.facet as usize])
                .bind(event.error_code)
                .bind(text(event.address))
                .bind(text(event.user));
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
