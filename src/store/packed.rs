//! Events read back many at a time, in the order of arrival or of time.

use sqlx::{AssertSqlSafe, SqliteConnection};

use super::StoreError;
use super::events::EventRow;
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

/// Many events as one text, a line each: the driver hands single rows over from SQLite's thread with a dozen
/// allocations apiece, which costs several times what finding them does.
const PACKED: &str = "select group_concat(format('%d %d %s %d %d %d %d %d %d', seq, created_at, hex(id), \
     identity_id, resource_id, facet_id, error_code, coalesce(address_id, 0), coalesce(user_id, 0)), char(10)), \
     max(seq) from (select * from events ";

/// Events of one text.
const PACKED_AT_ONCE: i64 = 4_096;

/// Events in the order of arrival, at most `limit` of those after `seq`.
pub async fn arrived_after(
    connection: &mut SqliteConnection,
    mut seq: i64,
    limit: i64,
) -> Result<Vec<EventRow>, StoreError> {
    let sql = format!("{PACKED} where seq > $1 order by seq limit $2)");
    let mut events: Vec<EventRow> = Vec::new();
    let mut packed = None;
    let mut asked = 0;
    loop {
        let next = sqlx::query_as::<_, (Option<String>, Option<i64>)>(AssertSqlSafe(sql.as_str()))
            .bind(seq)
            .bind(PACKED_AT_ONCE.min(limit - asked))
            .fetch_one(&mut *connection);
        // SQLite's thread looks for the next ones while this one reads those that it gave.
        let (next, unpacked) = tokio::join!(next, async { unpack(packed.as_deref(), &mut events) });
        unpacked?;
        let (text, Some(last)) = next? else { return Ok(events) };
        (packed, seq) = (text, last);
        asked += PACKED_AT_ONCE.min(limit - asked);
    }
}

/// Events of a stretch in the order of time, at most `limit`.
pub async fn in_time_order(
    connection: &mut SqliteConnection,
    stretch: &Stretch,
    limit: i64,
) -> Result<Vec<EventRow>, StoreError> {
    const ALL: &str = "where created_at >= $1 and (created_at, id) > ($1, $2) and seq <= $3 \
         order by created_at, id limit $4)";
    const OF_ONE: &str = "indexed by events_by_identity \
         where identity_id = $5 and created_at >= $1 and (created_at, id) > ($1, $2) and seq <= $3 \
         order by created_at, id limit $4)";
    // One is read straight from the index; of several, what is left is sorted for each page.
    const OF_SOME: &str = "indexed by events_by_identity \
         where identity_id in (select value from json_each($6)) and created_at >= $1 \
         and (created_at, id) > ($1, $2) and seq <= $3 order by created_at, id limit $4)";
    let (at, id) = stretch.after.map_or((i64::MIN, EventId([0; 16])), |after| after);
    let which = match stretch.identities.as_slice() {
        [] => ALL,
        [_] => OF_ONE,
        _ => OF_SOME,
    };
    let (packed, _) = sqlx::query_as::<_, (Option<String>, Option<i64>)>(AssertSqlSafe(format!(
        "{PACKED} {which}"
    )))
    .bind(at)
    .bind(id.0.to_vec())
    .bind(stretch.up_to_seq)
    .bind(limit)
    .bind(stretch.identities.first())
    .bind(serde_json::json!(stretch.identities).to_string())
    .fetch_one(connection)
    .await?;
    let mut events = Vec::new();
    unpack(packed.as_deref(), &mut events)?;
    // SQLite keeps the order of the inner query, and does not promise it.
    if !events.is_sorted_by_key(EventRow::key) {
        events.sort_unstable_by_key(EventRow::key);
    }
    Ok(events)
}

fn unpack(packed: Option<&str>, events: &mut Vec<EventRow>) -> Result<(), StoreError> {
    for line in packed.unwrap_or_default().lines() {
        events.push(event_of(line).ok_or_else(|| {
            StoreError::Corrupt(format!("an event reads `{line}`, which is no event"))
        })?);
    }
    Ok(())
}

fn event_of(line: &str) -> Option<EventRow> {
    let mut cells = line.split_ascii_whitespace();
    let (seq, created_at) = (number(cells.next()?)?, number(cells.next()?)?);
    let id = u128::from_str_radix(cells.next()?, 16).ok()?;
    let mut next = || number(cells.next()?);
    Some(EventRow {
        seq,
        created_at,
        id: EventId(id.to_be_bytes()),
        identity_id: next()?,
        resource_id: next()?,
        facet_id: next()?,
        error_code: next()?,
        address_id: next().map(|id| (id != 0).then_some(id))?,
        user_id: next().map(|id| (id != 0).then_some(id))?,
    })
}

fn number(text: &str) -> Option<i64> {
    text.parse().ok()
}
