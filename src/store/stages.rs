//! How far a stage has read the events.

use super::{StoreError, Writing};

/// How far a stage has read the events in the order of arrival.
pub async fn stage_seen(writing: &mut Writing, stage: &str) -> Result<i64, StoreError> {
    Ok(sqlx::query_scalar("select seen_seq from stages where name = $1")
        .bind(stage)
        .fetch_optional(&mut **writing)
        .await?
        .unwrap_or(0))
}

pub async fn set_stage_seen(
    writing: &mut Writing,
    stage: &str,
    seq: i64,
) -> Result<(), StoreError> {
    sqlx::query("insert into stages (name, seen_seq) values ($1, $2) on conflict (name) do update set seen_seq = $2")
        .bind(stage)
        .bind(seq)
        .execute(&mut **writing)
        .await?;
    Ok(())
}

/// How far the events reach; all 0 where there are none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Horizon {
    /// The last event in the order of arrival.
    pub last_seq: i64,
    /// The latest in time.
    pub latest_at: i64,
}

pub async fn horizon(writing: &mut Writing) -> Result<Horizon, StoreError> {
    let (last_seq, latest_at) = sqlx::query_as(
        "select coalesce((select max(seq) from events), 0) as last_seq, \
         coalesce((select max(created_at) from events), 0) as latest_at",
    )
    .fetch_one(&mut **writing)
    .await?;
    Ok(Horizon { last_seq, latest_at })
}
