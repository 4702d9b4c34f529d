//! Events read back many at a time, in the order of arrival or of time.

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};

use super::events::EventRow;
use super::{Reader, StoreError};
use crate::model::EventId;

/// Which events to read back in the order of time.
#[derive(Clone, Debug, Default)]
pub struct Stretch {
    /// Only those of these identities; of all where there is none.
    pub identities: Vec<i64>,
    /// After this event, in the order of [`EventRow::key`]; from the beginning where absent.
    pub after: Option<(i64, EventId)>,
    /// Not past this place in the order of arrival.
    pub up_to_seq: i64,
}

/// What is read of an event besides its id: numbers all. Of those that the database gave out itself, two go in one:
/// no table has rows enough to need more than 31 bits.
const NUMBERS: [&str; 6] = [
    "seq",
    "created_at",
    "identity_id << 32 | resource_id",
    "facet_id",
    "error_code",
    "coalesce(address_id, 0) << 32 | coalesce(user_id, 0)",
];

/// Many events as one row, a list of numbers for each column: the driver hands single rows over from SQLite's thread
/// with a dozen allocations apiece, which costs several times what finding them does. The ids stand one behind the
/// other in a blob, which is null where there are none.
fn packed(from: &str) -> String {
    let columns = NUMBERS.map(|number| format!("json_group_array({number})")).join(", ");
    format!("select {columns}, cast(group_concat(id, '') as blob) from {from}")
}

/// Events of one row.
const PACKED_AT_ONCE: i64 = 4_096;

/// Events in the order of arrival, some at a time.
#[derive(Clone, Copy, Debug)]
pub struct Arrivals {
    /// The place of the last that was read.
    seq: i64,
    /// Places still to be looked at.
    left: i64,
}

/// Events as they were read.
pub struct Packed(SqliteRow);

impl Packed {
    /// Adds them to others.
    pub fn unpack(self, events: &mut Vec<EventRow>) -> Result<(), StoreError> {
        unpack(&self.0, events)
    }
}

impl Arrivals {
    /// At most `limit` of those after `seq`.
    #[must_use]
    pub fn after(seq: i64, limit: i64) -> Self {
        Self { seq, left: limit }
    }

    /// The next of them, in their order; nothing where there are no more. Each connection looks through its part with
    /// a thread of its own.
    pub async fn next(
        &mut self,
        [one, other]: &mut [Reader; 2],
    ) -> Result<Vec<Packed>, StoreError> {
        while self.left > 0 {
            let begin = *self;
            let (first, second) = (self.window(), self.window());
            let (first, second) =
                tokio::try_join!(read_window(&mut *one, first), read_window(other, second))?;
            let found: Vec<Packed> = [first, second].into_iter().flatten().collect();
            if !found.is_empty() {
                return Ok(found);
            }
            *self = begin;
            let next: Option<i64> =
                sqlx::query_scalar("select min(seq) from events where seq > $1")
                    .bind(self.seq)
                    .fetch_one(&mut **one)
                    .await?;
            let Some(next) = next else { break };
            self.seq = next - 1;
        }
        Ok(Vec::new())
    }

    /// The places to be looked at next: after the first, up to the last of them. The order of arrival has hardly any
    /// holes: its next places are the next events, and nothing need be sorted.
    fn window(&mut self) -> (i64, i64) {
        let places = PACKED_AT_ONCE.min(self.left);
        let from = self.seq;
        self.seq = from.saturating_add(places);
        self.left -= places;
        (from, self.seq)
    }
}

async fn read_window(
    connection: &mut SqliteConnection,
    (from, to): (i64, i64),
) -> Result<Option<Packed>, StoreError> {
    let sql = packed("events where seq > $1 and seq <= $2");
    let query = sqlx::query(AssertSqlSafe(sql)).bind(from).bind(to);
    let row = query.fetch_one(connection).await?;
    Ok(row.try_get::<Option<&[u8]>, _>(NUMBERS.len())?.is_some().then_some(Packed(row)))
}

/// Events of a stretch in the order of time, at most `limit`.
pub async fn in_time_order(
    connection: &mut SqliteConnection,
    stretch: &Stretch,
    limit: i64,
) -> Result<Vec<EventRow>, StoreError> {
    const ALL: &str = "where created_at >= $1 and (created_at, id) > ($1, $2) and seq <= $3 \
         order by created_at, id limit $4";
    const OF_ONE: &str = "indexed by events_by_identity \
         where identity_id = $5 and created_at >= $1 and (created_at, id) > ($1, $2) and seq <= $3 \
         order by created_at, id limit $4";
    // One is read straight from the index; of several, what is left is sorted for each page.
    const OF_SOME: &str = "indexed by events_by_identity \
         where identity_id in (select value from json_each($6)) and created_at >= $1 \
         and (created_at, id) > ($1, $2) and seq <= $3 order by created_at, id limit $4";
    let (at, id) = stretch.after.map_or((i64::MIN, EventId([0; 16])), |after| after);
    let which = match stretch.identities.as_slice() {
        [] => ALL,
        [_] => OF_ONE,
        _ => OF_SOME,
    };
    let row = sqlx::query(AssertSqlSafe(packed(&format!("(select * from events {which})"))))
        .bind(at)
        .bind(id.0.to_vec())
        .bind(stretch.up_to_seq)
        .bind(limit)
        .bind(stretch.identities.first())
        .bind(serde_json::json!(stretch.identities).to_string())
        .fetch_one(connection)
        .await?;
    let mut events = Vec::new();
    unpack(&row, &mut events)?;
    // SQLite keeps the order of the inner query, and does not promise it.
    if !events.is_sorted_by_key(EventRow::key) {
        events.sort_unstable_by_key(EventRow::key);
    }
    Ok(events)
}

fn unpack(row: &SqliteRow, events: &mut Vec<EventRow>) -> Result<(), StoreError> {
    let ids: Option<&[u8]> = row.try_get(NUMBERS.len())?;
    let (ids, rest) = ids.unwrap_or_default().as_chunks();
    let mut columns = [const { Vec::new() }; NUMBERS.len()];
    for (place, column) in columns.iter_mut().enumerate() {
        let numbers: Vec<i64> = serde_json::from_str(row.try_get(place)?)
            .map_err(|error| corrupt(&error.to_string()))?;
        if numbers.len() != ids.len() || !rest.is_empty() {
            return Err(corrupt("there are not as many numbers as ids"));
        }
        *column = numbers;
    }
    let of_row = |(place, id): (usize, &[u8; 16])| {
        event_of(EventId(*id), columns.each_ref().map(|column: &Vec<i64>| column[place]))
    };
    events.extend(ids.iter().enumerate().map(of_row));
    Ok(())
}

fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(format!("events cannot be read: {what}"))
}

/// The event of an id and what [`NUMBERS`] say of it.
fn event_of(id: EventId, numbers: [i64; NUMBERS.len()]) -> EventRow {
    let [seq, created_at, whose, facet_id, error_code, by_whom] = numbers;
    let two = |number: i64| (number >> 32, number & 0xffff_ffff);
    let ((identity_id, resource_id), (address_id, user_id)) = (two(whose), two(by_whom));
    let some = |id: i64| (id != 0).then_some(id);
    EventRow {
        seq,
        created_at,
        id,
        identity_id,
        resource_id,
        facet_id,
        error_code,
        address_id: some(address_id),
        user_id: some(user_id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Store;

    /// Events by their places, each with other numbers.
    async fn stored(places: &[i64]) -> (tempfile::TempDir, Store) {
        let folder = tempfile::tempdir().unwrap();
        let db = format!("sqlite://{}", folder.path().join("events.db").display());
        let store = Store::open(&db).await.unwrap();
        let mut writing = store.write().await.unwrap();
        for seq in places {
            sqlx::query(
                "insert into events (seq, created_at, id, identity_id, resource_id, facet_id, error_code, address_id) \
                 values ($1, $2, $3, $1 + 1, $1 + 2, $1 + 3, $4, $5)",
            )
            .bind(seq)
            .bind(if *seq == 1 { i64::MIN } else { i64::MAX - seq })
            .bind(u128::try_from(*seq).unwrap().to_be_bytes().to_vec())
            .bind(if *seq == 1 { i64::MAX } else { -seq })
            .bind((*seq % 2 == 0).then_some(*seq))
            .execute(&mut *writing)
            .await
            .unwrap();
        }
        writing.commit().await.unwrap();
        (folder, store)
    }

    async fn read(store: &Store, seq: i64, limit: i64) -> Vec<EventRow> {
        let mut readers = [store.reader().await.unwrap(), store.reader().await.unwrap()];
        let (mut arrivals, mut events) = (Arrivals::after(seq, limit), Vec::new());
        loop {
            let packed = arrivals.next(&mut readers).await.unwrap();
            if packed.is_empty() {
                return events;
            }
            for packed in packed {
                packed.unpack(&mut events).unwrap();
            }
        }
    }

    fn places(events: &[EventRow]) -> Vec<i64> {
        events.iter().map(|event| event.seq).collect()
    }

    #[tokio::test]
    async fn events_are_read_over_holes_of_any_length_in_the_order_of_arrival() {
        let all = [1, 2, 3, 4_096, 4_097, 9_000, 30_000, 30_001, 50_000];
        let (_folder, store) = stored(&all).await;
        assert_eq!(places(&read(&store, 0, i64::MAX).await), all);
        assert_eq!(places(&read(&store, 3, i64::MAX).await), all[3..]);
        assert_eq!(places(&read(&store, 0, 2).await), all[..2]);
        assert_eq!(places(&read(&store, 29_999, 2).await), [30_000, 30_001]);
        assert_eq!(places(&read(&store, 50_000, i64::MAX).await), [0_i64; 0]);
    }

    #[tokio::test]
    async fn the_largest_and_the_smallest_numbers_come_back_as_they_are() {
        let (_folder, store) = stored(&[1, 2]).await;
        let of = |seq: i64, created_at, error_code, address_id| EventRow {
            seq,
            created_at,
            id: EventId(u128::try_from(seq).unwrap().to_be_bytes()),
            identity_id: seq + 1,
            resource_id: seq + 2,
            facet_id: seq + 3,
            error_code,
            address_id,
            user_id: None,
        };
        let all = [of(1, i64::MIN, i64::MAX, None), of(2, i64::MAX - 2, -2, Some(2))];
        assert_eq!(read(&store, 0, i64::MAX).await, all);
        let mut reader = store.reader().await.unwrap();
        let stretch = Stretch { up_to_seq: 2, ..Stretch::default() };
        assert_eq!(in_time_order(&mut reader, &stretch, 10).await.unwrap(), all);
    }
}
