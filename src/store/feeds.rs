//! How far the feeds of rules about absence have come, and which groups are due by them.

use sqlx::Row as _;

use super::checkpoints::{Checkpoint, checkpoint};
use super::{StoreError, Writing};

/// Groups that are judged at once.
const DUE_AT_ONCE: i64 = 500;

/// Failures in a row after which a source is no longer waited for: its feed does not come on by itself.
const WAITED_FOR: i64 = 10;

/// A feed of a rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedRow {
    pub id: i64,
    pub rule_id: i64,
    /// The tenant and the type of its sign-ins, one on each line.
    pub name: String,
    /// Its latest event.
    pub latest_at: i64,
    /// Up to where deadlines were judged.
    pub judged_at: i64,
}

/// All feeds.
pub async fn feeds(writing: &mut Writing) -> Result<Vec<FeedRow>, StoreError> {
    let rows: Vec<(i64, i64, String, i64, i64)> =
        sqlx::query_as("select id, rule_id, name, latest_at, judged_at from feeds order by id")
            .fetch_all(&mut **writing)
            .await?;
    Ok(rows
        .into_iter()
        .map(|(id, rule_id, name, latest_at, judged_at)| FeedRow {
            id,
            rule_id,
            name,
            latest_at,
            judged_at,
        })
        .collect())
}

/// Makes a feed whose first event was at a time; nothing was judged by it yet.
pub async fn new_feed(
    writing: &mut Writing,
    rule_id: i64,
    name: &str,
    latest_at: i64,
) -> Result<FeedRow, StoreError> {
    let id = sqlx::query_scalar(
        "insert into feeds (rule_id, name, latest_at, judged_at) values ($1, $2, $3, $4) returning id",
    )
    .bind(rule_id)
    .bind(name)
    .bind(latest_at)
    .bind(i64::MIN)
    .fetch_one(&mut **writing)
    .await?;
    Ok(FeedRow { id, rule_id, name: name.to_owned(), latest_at, judged_at: i64::MIN })
}

/// Notes how far a feed has come, and up to where it was judged.
pub async fn put_feed(writing: &mut Writing, feed: &FeedRow) -> Result<(), StoreError> {
    sqlx::query("update feeds set latest_at = $2, judged_at = $3 where id = $1")
        .bind(feed.id)
        .bind(feed.latest_at)
        .bind(feed.judged_at)
        .execute(&mut **writing)
        .await?;
    Ok(())
}

/// The time up to which sign-ins of a type were read to the end, where sources are read that tell: a page
/// that is newer than one still to come says nothing of what is between them.
pub async fn read_to(writing: &mut Writing, sign_in_type: &str) -> Result<Option<i64>, StoreError> {
    Ok(sqlx::query_scalar("select min(read_to) from heads where name = $1 and failures < $2")
        .bind(sign_in_type)
        .bind(WAITED_FOR)
        .fetch_one(&mut **writing)
        .await?)
}

/// The folds of a feed whose next event must have come by a time; some of them.
pub async fn due_tails(
    writing: &mut Writing,
    feed_id: i64,
    at: i64,
) -> Result<Vec<(i64, Checkpoint)>, StoreError> {
    let rows = sqlx::query(
        "select created_at, event_id, folded, state, group_id from tails \
         where feed_id = $1 and due_at is not null and due_at <= $2 order by due_at, group_id limit $3",
    )
    .bind(feed_id)
    .bind(at)
    .bind(DUE_AT_ONCE)
    .fetch_all(&mut **writing)
    .await?;
    rows.iter().map(|row| Ok((row.try_get(4)?, checkpoint(row)?))).collect()
}
