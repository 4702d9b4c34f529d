//! Hours that were compared with what a source itself counts.

use chrono::{DateTime, TimeDelta, Utc};

use super::sources;
use super::{Store, StoreError, micros, time};
use crate::model::Summary;

/// A comparison of one hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compared {
    pub hour: DateTime<Utc>,
    /// When it was made.
    pub at: DateTime<Utc>,
    pub counted: u64,
    pub missing: u64,
    pub tries: u32,
}

impl Store {
    /// What is stored of a sign-in type over an hour, counted as a source would.
    pub async fn counted(
        &self,
        sign_in_type: &str,
        hour: DateTime<Utc>,
    ) -> Result<Vec<Summary>, StoreError> {
        let rows: Vec<(String, String, String, i64, i64)> = sqlx::query_as(
            "select i.service_principal_id, i.app_id, r.resource_id, e.error_code, count(*) \
             from events e indexed by events_by_key join identities i on i.id = e.identity_id \
             join resources r on r.id = e.resource_id join facets f on f.id = e.facet_id \
             where e.created_at >= $1 and e.created_at < $2 and f.value ->> 'sign_in_type' = $3 \
             group by e.identity_id, e.resource_id, e.error_code",
        )
        .bind(micros(hour))
        .bind(micros(hour + TimeDelta::hours(1)))
        .bind(sign_in_type)
        .fetch_all(self.readers())
        .await?;
        Ok(rows
            .into_iter()
            .map(|(service_principal_id, app_id, resource_id, error_code, count)| Summary {
                service_principal_id,
                app_id,
                resource_id,
                error_code,
                count: u64::try_from(count).unwrap_or(0),
            })
            .collect())
    }

    /// How an hour compared when it was last looked at.
    pub async fn compared(
        &self,
        source: &str,
        head: &str,
        hour: DateTime<Utc>,
    ) -> Result<Option<Compared>, StoreError> {
        let row: Option<(i64, i64, i64, i64)> = sqlx::query_as(
            "select c.compared_at, c.counted, c.missing, c.tries from reconciled c join sources s on s.id = c.source_id \
             where s.name = $1 and c.head = $2 and c.hour_at = $3",
        )
        .bind(source)
        .bind(head)
        .bind(micros(hour))
        .fetch_optional(self.readers())
        .await?;
        Ok(row.map(|row| compared((micros(hour), row.0, row.1, row.2, row.3))))
    }

    /// Hours that lack something after their last comparison, the latest first.
    pub async fn lacking(&self, source: &str, head: &str) -> Result<Vec<Compared>, StoreError> {
        let rows: Vec<(i64, i64, i64, i64, i64)> = sqlx::query_as(
            "select c.hour_at, c.compared_at, c.counted, c.missing, c.tries from reconciled c \
             join sources s on s.id = c.source_id \
             where s.name = $1 and c.head = $2 and c.missing > 0 order by c.hour_at desc",
        )
        .bind(source)
        .bind(head)
        .fetch_all(self.readers())
        .await?;
        Ok(rows.into_iter().map(compared).collect())
    }

    /// Keeps a comparison.
    pub async fn set_compared(
        &self,
        (source, kind): (&str, &str),
        head: &str,
        of: Compared,
    ) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        let source_id = sources::number(&mut writing, source, kind).await?;
        sqlx::query(
            "insert into reconciled (source_id, head, hour_at, compared_at, counted, missing, tries) \
             values ($1, $2, $3, $4, $5, $6, $7) on conflict (source_id, head, hour_at) do update set \
             compared_at = excluded.compared_at, counted = excluded.counted, \
             missing = excluded.missing, tries = excluded.tries",
        )
        .bind(source_id)
        .bind(head)
        .bind(micros(of.hour))
        .bind(micros(of.at))
        .bind(i64::try_from(of.counted).unwrap_or(i64::MAX))
        .bind(i64::try_from(of.missing).unwrap_or(i64::MAX))
        .bind(i64::from(of.tries))
        .execute(&mut *writing)
        .await?;
        writing.commit().await?;
        Ok(())
    }
}

fn compared((hour, at, counted, missing, tries): (i64, i64, i64, i64, i64)) -> Compared {
    Compared {
        hour: time(hour),
        at: time(at),
        counted: u64::try_from(counted).unwrap_or(0),
        missing: u64::try_from(missing).unwrap_or(0),
        tries: u32::try_from(tries).unwrap_or(u32::MAX),
    }
}
