//! Sign-ins of which a later record said more, as they were before.

use sqlx::{Row as _, SqliteConnection};

use super::events::{EventRow, event_row};
use super::{Store, StoreError, Writing};

/// Makes room for a row that takes the place of another, and has judged again what was said on the ground of that.
pub(super) async fn replace_row(
    connection: &mut SqliteConnection,
    old: &EventRow,
    by_seq: i64,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into replaced (seq, by_seq, created_at, id, identity_id, resource_id, facet_id, error_code, \
         address_id, user_id) select seq, $2, created_at, id, identity_id, resource_id, facet_id, error_code, \
         address_id, user_id from events where seq = $1",
    )
    .bind(old.seq)
    .bind(by_seq)
    .execute(&mut *connection)
    .await?;
    sqlx::query("delete from events where seq = $1")
        .bind(old.seq)
        .execute(&mut *connection)
        .await?;
    // It may have been the first there ever was: that is found anew.
    sqlx::query("delete from beginning where earliest_at = $1")
        .bind(old.created_at)
        .execute(&mut *connection)
        .await?;
    if old.error_code == 0 {
        judge_again(connection, old.created_at).await?;
    }
    Ok(())
}

/// Has the incidents judged again that a good sign-in of a time may have ended.
async fn judge_again(connection: &mut SqliteConnection, at: i64) -> Result<(), StoreError> {
    sqlx::query(
        "update findings set ungrouped = 1 where ungrouped = 0 and withdrawn_at is null \
         and incident_id in (select id from incidents where resolved_at = $1)",
    )
    .bind(at)
    .execute(&mut *connection)
    .await?;
    Ok(())
}

impl Store {
    /// The records of a sign-in, the latest of those that said more first; none where they are past their age.
    pub async fn records_of(&self, event: &EventRow) -> Result<Vec<Vec<u8>>, StoreError> {
        let before: Vec<i64> = sqlx::query_scalar(
            "with recursive before (seq) as (select $1 \
             union select s.seq from replaced s join before b on s.by_seq = b.seq) \
             select seq from before order by seq desc",
        )
        .bind(event.seq)
        .fetch_all(self.readers())
        .await?;
        let mut records = Vec::new();
        for seq in before {
            records.extend(self.record(seq).await?);
        }
        Ok(records)
    }
}

/// What events that arrived after a place, up to another, have taken the place of; each with the place of the one
/// that did.
pub async fn replaced(
    writing: &mut Writing,
    after_seq: i64,
    up_to_seq: i64,
) -> Result<Vec<(EventRow, i64)>, StoreError> {
    let rows = sqlx::query(
        "select seq, created_at, id, identity_id, resource_id, facet_id, error_code, address_id, user_id, by_seq \
         from replaced where by_seq > $1 and by_seq <= $2 order by created_at, id, seq",
    )
    .bind(after_seq)
    .bind(up_to_seq)
    .fetch_all(&mut **writing)
    .await?;
    rows.iter().map(|row| Ok((event_row(row)?, row.try_get(9)?))).collect()
}
