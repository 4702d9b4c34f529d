//! What several records of one sign-in say together: of each field the greatest, so that it does not matter in which
//! order they came, nor how often.

use std::collections::HashMap;
use std::ops::Range;

use foldhash::fast::RandomState;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};

use super::StoreError;
use super::batch::{Batch, NewEvent};
use super::dictionary::{Dictionary, Numbers};
use super::events::{EventRow, ROWS_AT_ONCE, event_row, rows_sql};
use crate::model::{EventId, Facet};

/// In microseconds.
const SECOND: i64 = 1_000_000;

/// What an event is known by: its second and its id.
type Key = (i64, EventId);

/// An event on its way into the database; it has no place there yet.
#[derive(Clone, Debug)]
pub(super) struct Incoming {
    pub(super) row: EventRow,
    /// Where its record stands in the bytes of the batch.
    pub(super) record: Range<usize>,
    /// The row that it takes the place of, for it says more.
    pub(super) replaces: Option<EventRow>,
}

impl Incoming {
    fn of(event: &NewEvent, numbers: &Numbers) -> Self {
        let text = |place: Option<u32>| place.map(|place| numbers.texts[place as usize]);
        let row = EventRow {
            seq: 0,
            created_at: event.created_at,
            id: event.id,
            identity_id: numbers.identities[event.identity as usize],
            resource_id: numbers.resources[event.resource as usize],
            facet_id: numbers.facets[event.facet as usize],
            error_code: event.error_code,
            address_id: text(event.address),
            user_id: text(event.user),
        };
        Self { row, record: event.record.clone(), replaces: None }
    }

    /// Which of several records is shown: the one with the finer time, then the greater code, then the longer one.
    fn says(&self) -> (i64, i64, usize) {
        (self.row.created_at, self.row.error_code, self.record.len())
    }
}

/// The events of a batch that the database does not have yet, or of which they say more, each once and in the order
/// of the batch.
pub(super) async fn arrivals(
    connection: &mut SqliteConnection,
    dictionary: &mut Dictionary,
    batch: &Batch,
    numbers: &Numbers,
) -> Result<Vec<Incoming>, StoreError> {
    let mut events = each_once(connection, dictionary, batch, numbers).await?;
    let latest: Option<i64> = sqlx::query_scalar("select max(created_at) from events")
        .fetch_one(&mut *connection)
        .await?;
    let Some(latest) = latest else { return Ok(events) };
    let suspects: Vec<Key> =
        events.iter().map(|event| key(&event.row)).filter(|key| key.0 <= second(latest)).collect();
    let known = known(connection, &suspects).await?;
    for event in &mut events {
        event.replaces = known.get(&key(&event.row)).copied();
        if let Some(old) = &event.replaces {
            event.row = joined(connection, dictionary, old, &event.row).await?;
        }
    }
    events.retain(|event| event.replaces != Some(event.row));
    Ok(events)
}

async fn each_once(
    connection: &mut SqliteConnection,
    dictionary: &mut Dictionary,
    batch: &Batch,
    numbers: &Numbers,
) -> Result<Vec<Incoming>, StoreError> {
    let mut places: HashMap<Key, usize, RandomState> =
        HashMap::with_capacity_and_hasher(batch.len(), RandomState::default());
    let mut events: Vec<Incoming> = Vec::with_capacity(batch.len());
    for event in &batch.events {
        let event = Incoming::of(event, numbers);
        let place = *places.entry(key(&event.row)).or_insert(events.len());
        let Some(held) = events.get_mut(place) else {
            events.push(event);
            continue;
        };
        let row = joined(connection, dictionary, &held.row, &event.row).await?;
        let record = if event.says() > held.says() { event.record } else { held.record.clone() };
        *held = Incoming { row, record, replaces: None };
    }
    Ok(events)
}

fn key(row: &EventRow) -> Key {
    (second(row.created_at), row.id)
}

/// The second of a time: sources write the time of one sign-in with no, three or seven digits behind it.
fn second(created_at: i64) -> i64 {
    created_at.div_euclid(SECOND)
}

/// The rows of those keys that the database has.
async fn known(
    connection: &mut SqliteConnection,
    keys: &[Key],
) -> Result<HashMap<Key, EventRow, RandomState>, StoreError> {
    let mut known = HashMap::default();
    for keys in keys.chunks(ROWS_AT_ONCE) {
        let sql = rows_sql("with k (c, i) as (values ", 2, keys.len())
            + ") select e.seq, e.created_at, e.id, e.identity_id, e.resource_id, e.facet_id, e.error_code, \
               e.address_id, e.user_id from k cross join events e indexed by events_by_key \
               on e.created_at >= k.c and e.created_at < k.c + 1000000 and e.id = k.i";
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(keys.len() == ROWS_AT_ONCE);
        for (second, id) in keys {
            query = query.bind(second * SECOND).bind(id.0.to_vec());
        }
        for row in query.fetch_all(&mut *connection).await? {
            let row = event_row(&row)?;
            known.insert(key(&row), row);
        }
    }
    Ok(known)
}

/// Both rows of one sign-in together, at the place of the first.
async fn joined(
    connection: &mut SqliteConnection,
    dictionary: &mut Dictionary,
    one: &EventRow,
    other: &EventRow,
) -> Result<EventRow, StoreError> {
    let (identities, resources) =
        ((one.identity_id, other.identity_id), (one.resource_id, other.resource_id));
    Ok(EventRow {
        seq: one.seq,
        created_at: one.created_at.max(other.created_at),
        id: one.id,
        identity_id: greater(connection, IDENTITY, identities).await?,
        resource_id: greater(connection, RESOURCE, resources).await?,
        facet_id: facet(connection, dictionary, (one.facet_id, other.facet_id)).await?,
        error_code: one.error_code.max(other.error_code),
        address_id: text(connection, (one.address_id, other.address_id)).await?,
        user_id: text(connection, (one.user_id, other.user_id)).await?,
    })
}

/// The one that is known by what tells most: the service principal rather than the application or a name.
const IDENTITY: &str = "select id from identities where id in ($1, $2) order by case key \
     when service_principal_id then 3 when app_id then 2 when name then 1 else 0 end desc, \
     tenant_id desc, key desc limit 1";
const RESOURCE: &str = "select id from resources where id in ($1, $2) \
     order by resource_id <> '' desc, key desc limit 1";
const TEXT: &str = "select id from texts where id in ($1, $2) order by text desc limit 1";

async fn greater(
    connection: &mut SqliteConnection,
    sql: &'static str,
    (one, other): (i64, i64),
) -> Result<i64, StoreError> {
    if one == other {
        return Ok(one);
    }
    Ok(sqlx::query_scalar(sql).bind(one).bind(other).fetch_one(connection).await?)
}

async fn text(
    connection: &mut SqliteConnection,
    texts: (Option<i64>, Option<i64>),
) -> Result<Option<i64>, StoreError> {
    Ok(match texts {
        (Some(one), Some(other)) => Some(greater(connection, TEXT, (one, other)).await?),
        (one, other) => one.or(other),
    })
}

async fn facet(
    connection: &mut SqliteConnection,
    dictionary: &mut Dictionary,
    (one, other): (i64, i64),
) -> Result<i64, StoreError> {
    if one == other {
        return Ok(one);
    }
    let rows: Vec<SqliteRow> = sqlx::query("select value from facets where id in ($1, $2)")
        .bind(one)
        .bind(other)
        .fetch_all(&mut *connection)
        .await?;
    let mut joined = Facet::default();
    for row in &rows {
        let facet: Facet<'static> = serde_json::from_str(row.try_get(0)?)
            .map_err(|error| StoreError::Corrupt(format!("shared values: {error}")))?;
        joined = joined.join(facet);
    }
    dictionary.facet(connection, &joined).await
}
