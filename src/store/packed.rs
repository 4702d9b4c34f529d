//! Events read back many at a time, in the order of arrival or of time.

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _, SqliteConnection};

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

/// Many events as one row, a text of numbers for each column: the driver hands single rows over from SQLite's thread
/// with a dozen allocations apiece, which costs several times what finding them does. The ids stand one behind the
/// other in a blob.
fn packed(from: &str) -> String {
    let columns = NUMBERS.map(|number| format!("group_concat({number}, ' ')")).join(", ");
    format!("select {columns}, cast(group_concat(id, '') as blob) from {from}")
}

/// Events of one row.
const PACKED_AT_ONCE: i64 = 4_096;

/// Events in the order of arrival, some at a time.
#[derive(Debug)]
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

    /// The next of them; `None` where there are no more.
    pub async fn next(
        &mut self,
        connection: &mut SqliteConnection,
    ) -> Result<Option<Packed>, StoreError> {
        // The order of arrival has hardly any holes: its next places are the next events, and nothing need be sorted.
        let sql = packed("events where seq > $1 and seq <= $2");
        while self.left > 0 {
            let up_to = self.seq.saturating_add(PACKED_AT_ONCE.min(self.left));
            let row = sqlx::query(AssertSqlSafe(sql.as_str()))
                .bind(self.seq)
                .bind(up_to)
                .fetch_one(&mut *connection)
                .await?;
            if row.try_get::<Option<&str>, _>(0)?.is_some() {
                self.left -= up_to - self.seq;
                self.seq = up_to;
                return Ok(Some(Packed(row)));
            }
            let first: Option<i64> =
                sqlx::query_scalar("select min(seq) from events where seq > $1")
                    .bind(self.seq)
                    .fetch_one(&mut *connection)
                    .await?;
            let Some(first) = first else { break };
            self.seq = first - 1;
        }
        Ok(None)
    }
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
    let mut numbers = [""; NUMBERS.len()].map(Numbers::of);
    for (column, numbers) in numbers.iter_mut().enumerate() {
        *numbers = Numbers::of(row.try_get::<Option<&str>, _>(column)?.unwrap_or_default());
    }
    let ids: Option<&[u8]> = row.try_get(NUMBERS.len())?;
    let (ids, rest) = ids.unwrap_or_default().as_chunks();
    for id in ids {
        let event = event_of(*id, &mut numbers);
        events.push(event.ok_or_else(|| corrupt("a number is missing"))?);
    }
    if !rest.is_empty() || numbers.iter_mut().any(|numbers| numbers.next().is_some()) {
        return Err(corrupt("there are more numbers than ids"));
    }
    Ok(())
}

fn corrupt(what: &str) -> StoreError {
    StoreError::Corrupt(format!("events cannot be read: {what}"))
}

/// The event of the next number of each column.
fn event_of(id: [u8; 16], numbers: &mut [Numbers<'_>; NUMBERS.len()]) -> Option<EventRow> {
    let [seq, created_at, whose, facet_id, error_code, by_whom] =
        numbers.each_mut().map(Iterator::next);
    let two = |number: i64| (number >> 32, number & 0xffff_ffff);
    let ((identity_id, resource_id), (address_id, user_id)) = (two(whose?), two(by_whom?));
    let some = |id: i64| (id != 0).then_some(id);
    Some(EventRow {
        seq: seq?,
        created_at: created_at?,
        id: EventId(id),
        identity_id,
        resource_id,
        facet_id: facet_id?,
        error_code: error_code?,
        address_id: some(address_id),
        user_id: some(user_id),
    })
}

/// The whole numbers of a text, with a space between.
struct Numbers<'t>(&'t [u8]);

impl<'t> Numbers<'t> {
    fn of(text: &'t str) -> Self {
        Self(text.as_bytes())
    }
}

impl Iterator for Numbers<'_> {
    type Item = i64;

    /// `None` at the end, and where there is no number.
    fn next(&mut self) -> Option<i64> {
        let (is_negative, mut rest) = match self.0 {
            [b'-', rest @ ..] => (true, rest),
            rest => (false, rest),
        };
        // Below zero, for there it reaches further by one.
        let mut number = 0_i64;
        let digits = rest.len();
        while let [digit @ b'0'..=b'9', more @ ..] = rest {
            number = number.checked_mul(10)?.checked_sub(i64::from(digit - b'0'))?;
            rest = more;
        }
        if rest.len() == digits {
            return None;
        }
        self.0 = rest.strip_prefix(b" ").unwrap_or(rest);
        if is_negative { Some(number) } else { number.checked_neg() }
    }
}

#[cfg(test)]
mod tests {
    use super::Numbers;

    #[test]
    fn numbers_are_read_to_the_last_and_no_further_than_they_are_numbers() {
        let read = |text: &str| Numbers::of(text).collect::<Vec<i64>>();
        assert_eq!(read("1 -20 0 1763884800000000"), [1, -20, 0, 1_763_884_800_000_000]);
        assert_eq!(read(&format!("{} {}", i64::MIN, i64::MAX)), [i64::MIN, i64::MAX]);
        assert_eq!(read("9223372036854775808"), [0_i64; 0]);
        assert_eq!(read("7 x 8"), [7]);
        assert_eq!(read(""), [0_i64; 0]);
    }
}
