//! How far the folds of rules have come: their state after some event of each group.

use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row as _};

use super::findings::Key;
use super::{StoreError, Writing};
use crate::model::EventId;

/// A fold put away: the state after an event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    pub key: Key,
    /// Events folded since the checkpoint before.
    pub folded: i64,
    pub state: Vec<u8>,
}

/// Where the folds of pairs have come to; those without one are left out.
pub async fn tails(
    writing: &mut Writing,
    pairs: &[(i64, i64)],
) -> Result<Vec<((i64, i64), Checkpoint)>, StoreError> {
    let mut tails = Vec::new();
    for pairs in pairs.chunks(5_000) {
        let rows = sqlx::query(
            "select created_at, event_id, folded, state, rule_id, group_id from json_each($1) \
             cross join tails on group_id = value ->> 1 and rule_id = value ->> 0",
        )
        .bind(serde_json::json!(pairs).to_string());
        for row in rows.fetch_all(&mut **writing).await? {
            tails.push(((row.try_get(4)?, row.try_get(5)?), checkpoint(&row)?));
        }
    }
    Ok(tails)
}

/// The last checkpoint of a pair before an event.
pub async fn checkpoint_before(
    writing: &mut Writing,
    pair: (i64, i64),
    key: Key,
) -> Result<Option<Checkpoint>, StoreError> {
    let row = sqlx::query(
        "select created_at, event_id, folded, state from checkpoints \
         where rule_id = $1 and group_id = $2 and (created_at, event_id) < ($3, $4) \
         order by created_at desc, event_id desc limit 1",
    )
    .bind(pair.0)
    .bind(pair.1)
    .bind(key.0)
    .bind(key.1.0.to_vec())
    .fetch_optional(&mut **writing)
    .await?;
    row.as_ref().map(checkpoint).transpose()
}

/// The checkpoints of a pair at and after an event, in order, without its tail.
pub async fn checkpoints_from(
    writing: &mut Writing,
    pair: (i64, i64),
    key: Key,
) -> Result<Vec<Checkpoint>, StoreError> {
    let rows = sqlx::query(
        "select created_at, event_id, folded, state from checkpoints \
         where rule_id = $1 and group_id = $2 and (created_at, event_id) >= ($3, $4) \
         order by created_at, event_id",
    )
    .bind(pair.0)
    .bind(pair.1)
    .bind(key.0)
    .bind(key.1.0.to_vec())
    .fetch_all(&mut **writing)
    .await?;
    rows.iter().map(checkpoint).collect()
}

pub(super) fn checkpoint(row: &SqliteRow) -> Result<Checkpoint, StoreError> {
    Ok(Checkpoint {
        key: (row.try_get(0)?, event_id(row.try_get(1)?)?),
        folded: row.try_get(2)?,
        state: row.try_get(3)?,
    })
}

pub(super) fn event_id(bytes: &[u8]) -> Result<EventId, StoreError> {
    EventId::from_bytes(bytes)
        .ok_or_else(|| StoreError::Corrupt("an event's id is not 16 bytes".to_owned()))
}

/// Deletes the checkpoints of a pair from an event on, up to and without another.
pub async fn drop_checkpoints(
    writing: &mut Writing,
    pair: (i64, i64),
    from: Key,
    before: Option<Key>,
) -> Result<(), StoreError> {
    let before = before.unwrap_or((i64::MAX, EventId([0xff; 16])));
    sqlx::query(
        "delete from checkpoints where rule_id = $1 and group_id = $2 \
         and (created_at, event_id) >= ($3, $4) and (created_at, event_id) < ($5, $6)",
    )
    .bind(pair.0)
    .bind(pair.1)
    .bind(from.0)
    .bind(from.1.0.to_vec())
    .bind(before.0)
    .bind(before.1.0.to_vec())
    .execute(&mut **writing)
    .await?;
    Ok(())
}

/// Deletes where the fold of a pair has come to.
pub async fn drop_tail(writing: &mut Writing, pair: (i64, i64)) -> Result<(), StoreError> {
    sqlx::query("delete from tails where rule_id = $1 and group_id = $2")
        .bind(pair.0)
        .bind(pair.1)
        .execute(&mut **writing)
        .await?;
    Ok(())
}

/// Rows of one statement.
const ROWS_AT_ONCE: usize = 200;

type Owned = ((i64, i64), Checkpoint);

/// When the next event must have come by, and the feed that tells the time.
pub type Due = (i64, i64);

/// Folds to be put away, each with its rule and group, gathered so that they cost few statements.
#[derive(Debug, Default)]
pub struct CheckpointWrites {
    pub tails: Vec<(Owned, Option<Due>)>,
    pub checkpoints: Vec<Owned>,
}

impl CheckpointWrites {
    /// Adds others.
    pub fn append(&mut self, mut others: Self) {
        self.tails.append(&mut others.tails);
        self.checkpoints.append(&mut others.checkpoints);
    }

    /// Writes as many as fill whole statements; the others wait for more.
    pub async fn flush_some(&mut self, writing: &mut Writing) -> Result<(), StoreError> {
        let whole = |waiting: usize| waiting - waiting % ROWS_AT_ONCE;
        let rest = Self {
            tails: self.tails.split_off(whole(self.tails.len())),
            checkpoints: self.checkpoints.split_off(whole(self.checkpoints.len())),
        };
        self.flush(writing).await?;
        *self = rest;
        Ok(())
    }

    /// Writes all of it, and is empty again. What stands in the order of its key goes in fastest.
    pub async fn flush(&mut self, writing: &mut Writing) -> Result<(), StoreError> {
        self.tails.sort_by_key(|(((rule, group), _), _)| (*group, *rule));
        self.checkpoints.sort_by_key(|(pair, _)| *pair);
        put_tails(writing, &mut self.tails).await?;
        put_checkpoints(writing, &mut self.checkpoints).await
    }
}

async fn put_tails(
    writing: &mut Writing,
    all: &mut Vec<(Owned, Option<Due>)>,
) -> Result<(), StoreError> {
    while !all.is_empty() {
        let rows = all.drain(..ROWS_AT_ONCE.min(all.len()));
        let is_whole = rows.len() == ROWS_AT_ONCE;
        let values = vec!["(?, ?, ?, ?, ?, ?, ?, ?)"; rows.len()].join(", ");
        let sql = format!(
            "insert or replace into tails (rule_id, group_id, created_at, event_id, folded, state, due_at, \
             feed_id) values {values}"
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(is_whole);
        for ((pair, Checkpoint { key, folded, state }), due) in rows {
            query = query.bind(pair.0).bind(pair.1).bind(key.0).bind(key.1.0.to_vec());
            query = query.bind(folded).bind(state);
            query = query.bind(due.map(|(at, _)| at)).bind(due.map(|(_, feed)| feed));
        }
        query.execute(&mut **writing).await?;
    }
    Ok(())
}

async fn put_checkpoints(writing: &mut Writing, all: &mut Vec<Owned>) -> Result<(), StoreError> {
    while !all.is_empty() {
        let rows = all.drain(..ROWS_AT_ONCE.min(all.len()));
        let is_whole = rows.len() == ROWS_AT_ONCE;
        let values = vec!["(?, ?, ?, ?, ?, ?)"; rows.len()].join(", ");
        let sql = format!(
            "insert or replace into checkpoints (rule_id, group_id, created_at, event_id, folded, state) \
             values {values}"
        );
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(is_whole);
        for (pair, Checkpoint { key, folded, state }) in rows {
            query = query.bind(pair.0).bind(pair.1).bind(key.0).bind(key.1.0.to_vec());
            query = query.bind(folded).bind(state);
        }
        query.execute(&mut **writing).await?;
    }
    Ok(())
}
