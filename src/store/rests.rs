//! How long heads are left alone since their source asked for that.

use chrono::{DateTime, Utc};

use super::{Store, StoreError, micros, time};

impl Store {
    /// Keeps that a head is not asked for before a time.
    pub async fn rest(
        &self,
        source: (&str, &str),
        head: &str,
        until: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        let source_id = super::sources::number(&mut writing, source.0, source.1).await?;
        sqlx::query(
            "insert into rests (source_id, head, until) values ($1, $2, $3) \
             on conflict (source_id, head) do update set until = excluded.until",
        )
        .bind(source_id)
        .bind(head)
        .bind(micros(until))
        .execute(&mut *writing)
        .await?;
        writing.commit().await?;
        Ok(())
    }

    /// When a head may be asked for again, where that was ever put off.
    pub async fn rests_until(
        &self,
        source: &str,
        head: &str,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let until: Option<i64> = sqlx::query_scalar(
            "select r.until from rests r join sources s on s.id = r.source_id \
             where s.name = $1 and r.head = $2",
        )
        .bind(source)
        .bind(head)
        .fetch_optional(self.readers())
        .await?;
        Ok(until.map(time))
    }
}
