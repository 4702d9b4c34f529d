//! How far the folds of rules have come: their state after some event of each group.

use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

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

const CHECKPOINT: &str = "select created_at, event_id, folded, state from checkpoints \
                          where rule_id = $1 and group_id = $2";

/// The last checkpoint of a pair.
pub async fn tail(
    writing: &mut Writing,
    pair: (i64, i64),
) -> Result<Option<Checkpoint>, StoreError> {
    let row =
        sqlx::query(const_format(CHECKPOINT, " order by created_at desc, event_id desc limit 1"))
            .bind(pair.0)
            .bind(pair.1)
            .fetch_optional(&mut **writing)
            .await?;
    row.as_ref().map(checkpoint).transpose()
}

/// The last checkpoint of a pair before an event.
pub async fn checkpoint_before(
    writing: &mut Writing,
    pair: (i64, i64),
    key: Key,
) -> Result<Option<Checkpoint>, StoreError> {
    let row = sqlx::query(const_format(
        CHECKPOINT,
        " and (created_at, event_id) < ($3, $4) order by created_at desc, event_id desc limit 1",
    ))
    .bind(pair.0)
    .bind(pair.1)
    .bind(key.0)
    .bind(key.1.0.to_vec())
    .fetch_optional(&mut **writing)
    .await?;
    row.as_ref().map(checkpoint).transpose()
}

/// The checkpoints of a pair at and after an event, in order.
pub async fn checkpoints_from(
    writing: &mut Writing,
    pair: (i64, i64),
    key: Key,
) -> Result<Vec<Checkpoint>, StoreError> {
    let rows = sqlx::query(const_format(
        CHECKPOINT,
        " and (created_at, event_id) >= ($3, $4) order by created_at, event_id",
    ))
    .bind(pair.0)
    .bind(pair.1)
    .bind(key.0)
    .bind(key.1.0.to_vec())
    .fetch_all(&mut **writing)
    .await?;
    rows.iter().map(checkpoint).collect()
}

fn const_format(head: &str, tail: &str) -> sqlx::AssertSqlSafe<String> {
    sqlx::AssertSqlSafe(format!("{head}{tail}"))
}

fn checkpoint(row: &SqliteRow) -> Result<Checkpoint, StoreError> {
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

/// Puts a fold away.
pub async fn put_checkpoint(
    writing: &mut Writing,
    pair: (i64, i64),
    checkpoint: &Checkpoint,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert or replace into checkpoints (rule_id, group_id, created_at, event_id, folded, state) \
         values ($1, $2, $3, $4, $5, $6)",
    )
    .bind(pair.0)
    .bind(pair.1)
    .bind(checkpoint.key.0)
    .bind(checkpoint.key.1.0.to_vec())
    .bind(checkpoint.folded)
    .bind(&checkpoint.state)
    .execute(&mut **writing)
    .await?;
    Ok(())
}
