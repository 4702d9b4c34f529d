//! What asking for a head has taught, so that it need not be learnt anew after each start.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::sources;
use super::{Store, StoreError, micros, time};

/// What was learnt of a head; what is absent never gave reason to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learnt {
    /// The longest stretch that the source gave at once after it had failed over a longer one.
    pub window: Option<Duration>,
    /// How far back the source was found to reach.
    pub reach: Option<Duration>,
    /// When it was last found not to count sign-ins itself.
    pub uncounted_at: Option<DateTime<Utc>>,
}

impl Store {
    pub async fn learnt(&self, source: &str, head: &str) -> Result<Learnt, StoreError> {
        let row: Option<(Option<i64>, Option<i64>, Option<i64>)> = sqlx::query_as(
            "select l.window, l.reach, l.uncounted_at from learnt l \
             join sources s on s.id = l.source_id where s.name = $1 and l.head = $2",
        )
        .bind(source)
        .bind(head)
        .fetch_optional(self.readers())
        .await?;
        let span = |span: i64| Duration::from_micros(u64::try_from(span).unwrap_or(0));
        Ok(row.map_or_else(Learnt::default, |(window, reach, uncounted_at)| Learnt {
            window: window.map(span),
            reach: reach.map(span),
            uncounted_at: uncounted_at.map(time),
        }))
    }

    pub async fn set_learnt(
        &self,
        (source, kind): (&str, &str),
        head: &str,
        learnt: &Learnt,
    ) -> Result<(), StoreError> {
        let span = |span: Duration| i64::try_from(span.as_micros()).unwrap_or(i64::MAX);
        let mut writing = self.write().await?;
        let source_id = sources::number(&mut writing, source, kind).await?;
        sqlx::query(
            "insert into learnt (source_id, head, window, reach, uncounted_at) \
             values ($1, $2, $3, $4, $5) on conflict (source_id, head) do update set \
             window = excluded.window, reach = excluded.reach, uncounted_at = excluded.uncounted_at",
        )
        .bind(source_id)
        .bind(head)
        .bind(learnt.window.map(span))
        .bind(learnt.reach.map(span))
        .bind(learnt.uncounted_at.map(micros))
        .execute(&mut *writing)
        .await?;
        writing.commit().await?;
        Ok(())
    }

    /// When a source last failed.
    pub async fn failed_at(&self, source: &str) -> Result<Option<DateTime<Utc>>, StoreError> {
        let at: Option<Option<i64>> =
            sqlx::query_scalar("select last_failed_at from sources where name = $1")
                .bind(source)
                .fetch_optional(self.readers())
                .await?;
        Ok(at.flatten().map(time))
    }

    /// Counts requests that no page was stored after.
    pub async fn spent(
        &self,
        source: (&str, &str),
        head: &str,
        requests: (u64, u64),
    ) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        let source_id = sources::number(&mut writing, source.0, source.1).await?;
        super::coverage::spend(&mut writing, source_id, head, requests).await?;
        writing.commit().await?;
        Ok(())
    }

    /// Takes back what is said to be read of a time that has not come yet: a clock that ran ahead said so.
    pub async fn take_back(
        &self,
        (source, kind): (&str, &str),
        head: &str,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        let source_id = sources::number(&mut writing, source, kind).await?;
        for sql in [
            "update heads set read_to = min(read_to, $3) where source_id = $1 and name = $2",
            "delete from coverage where source_id = $1 and head = $2 and from_at >= $3",
            "update coverage set to_at = $3 where source_id = $1 and head = $2 and to_at > $3",
        ] {
            sqlx::query(sql)
                .bind(source_id)
                .bind(head)
                .bind(micros(now))
                .execute(&mut *writing)
                .await?;
        }
        writing.commit().await?;
        Ok(())
    }
}
