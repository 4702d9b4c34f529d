//! Deletes events past their age, with the records behind them, a few at a time so that nobody waits.

use chrono::{DateTime, Utc};

use super::{Store, StoreError, micros};

/// Events deleted in one transaction: some milliseconds of work.
const AT_ONCE: i64 = 5_000;

impl Store {
    /// Deletes events that happened before `before`, unless a rule has yet to see them. Findings and
    /// incidents stay. The last event to arrive stays too, for its place is where the next one goes.
    pub async fn delete_events_before(&self, before: DateTime<Utc>) -> Result<u64, StoreError> {
        let mut deleted = 0;
        loop {
            let mut writing = self.write().await?;
            let gone = sqlx::query(
                "delete from events where seq in (select seq from events indexed by events_by_key \
                 where created_at < $1 and seq < (select max(seq) from events) \
                 and seq <= (select coalesce(min(seen_seq), 0) from rules where fingerprint <> '') \
                 order by created_at limit $2)",
            )
            .bind(micros(before))
            .bind(AT_ONCE)
            .execute(&mut *writing)
            .await?
            .rows_affected();
            if gone == 0 {
                break;
            }
            deleted += gone;
            writing.commit().await?;
            tokio::task::yield_now().await;
        }
        if deleted > 0 {
            self.delete_replaced_before(before).await?;
            self.delete_empty_blocks().await?;
        }
        Ok(deleted)
    }

    async fn delete_replaced_before(&self, before: DateTime<Utc>) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        sqlx::query(
            "delete from replaced where created_at < $1 \
             and by_seq <= (select coalesce(min(seen_seq), 0) from rules where fingerprint <> '')",
        )
        .bind(micros(before))
        .execute(&mut *writing)
        .await?;
        writing.commit().await?;
        Ok(())
    }

    /// A block goes with the last of its events.
    async fn delete_empty_blocks(&self) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        sqlx::query(
            "delete from blocks where not exists (select 1 from events \
             where seq between first_seq and first_seq + event_count - 1)",
        )
        .execute(&mut *writing)
        .await?;
        writing.commit().await?;
        Ok(())
    }
}
