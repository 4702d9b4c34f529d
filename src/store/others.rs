//! What the records are that a source gave and that nobody kept: of other logs, or not wanted.

use std::collections::BTreeMap;

use sqlx::SqliteConnection;

use super::StoreError;

/// Adds to what is known of a source.
pub(super) async fn count(
    connection: &mut SqliteConnection,
    source_id: i64,
    others: &BTreeMap<&'static str, u64>,
) -> Result<(), StoreError> {
    for (log, count) in others {
        sqlx::query(
            "insert into others (source_id, log, count) values ($1, $2, $3) \
             on conflict (source_id, log) do update set count = count + excluded.count",
        )
        .bind(source_id)
        .bind(log)
        .bind(i64::try_from(*count).unwrap_or(i64::MAX))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// By the number of the source, and by what they are.
pub(super) async fn all(
    connection: &mut SqliteConnection,
) -> Result<BTreeMap<i64, BTreeMap<String, u64>>, StoreError> {
    let rows: Vec<(i64, String, i64)> =
        sqlx::query_as("select source_id, log, count from others").fetch_all(connection).await?;
    let mut all: BTreeMap<i64, BTreeMap<String, u64>> = BTreeMap::new();
    for (source_id, log, count) in rows {
        all.entry(source_id).or_default().insert(log, u64::try_from(count).unwrap_or(0));
    }
    Ok(all)
}
