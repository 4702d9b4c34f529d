//! What applications sent of late, so that a start sends no more than one program may.

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqlitePool;

use super::{Store, StoreError, micros, time};
use crate::model::Sent;

/// The rows of it, for whoever sends.
#[derive(Clone, Debug)]
pub struct Allowances {
    writer: SqlitePool,
    readers: SqlitePool,
}

type Row = (String, Option<i64>, Option<i64>, Option<i64>, Option<i64>);

impl Store {
    #[must_use]
    pub fn allowances(&self) -> Allowances {
        Allowances { writer: self.writer.clone(), readers: self.readers.clone() }
    }
}

impl Allowances {
    /// What an application sent to a tenant, and what it was told.
    pub async fn sent(&self, tenant: &str, application: &str) -> Result<Sent, StoreError> {
        let row: Option<Row> = sqlx::query_as(
            "select sent, told_at, rests_until, bears, learnt_at from allowances \
             where tenant = $1 and application = $2",
        )
        .bind(tenant)
        .bind(application)
        .fetch_optional(&self.readers)
        .await?;
        Ok(row.map_or_else(Sent::default, |(sent, told_at, rests_until, bears, learnt_at)| Sent {
            requests: sent.split(',').filter_map(request).collect(),
            rest: told_at.zip(rests_until).map(|(told_at, until)| (time(told_at), time(until))),
            bears: bears
                .zip(learnt_at)
                .map(|(bears, at)| (u32::try_from(bears).unwrap_or(1), time(at))),
        }))
    }

    /// Keeps it: one statement, for it is written before a request is sent.
    pub async fn keep(
        &self,
        tenant: &str,
        application: &str,
        sent: &Sent,
    ) -> Result<(), StoreError> {
        let requests: Vec<String> =
            sent.requests.iter().map(|(at, count)| format!("{} {count}", micros(*at))).collect();
        sqlx::query(
            "insert into allowances (tenant, application, sent, told_at, rests_until, bears, learnt_at) \
             values ($1, $2, $3, $4, $5, $6, $7) on conflict (tenant, application) do update set \
             sent = excluded.sent, told_at = excluded.told_at, rests_until = excluded.rests_until, \
             bears = excluded.bears, learnt_at = excluded.learnt_at",
        )
        .bind(tenant)
        .bind(application)
        .bind(requests.join(","))
        .bind(sent.rest.map(|(told_at, _)| micros(told_at)))
        .bind(sent.rest.map(|(_, until)| micros(until)))
        .bind(sent.bears.map(|(bears, _)| i64::from(bears)))
        .bind(sent.bears.map(|(_, at)| micros(at)))
        .execute(&self.writer)
        .await?;
        Ok(())
    }
}

fn request(text: &str) -> Option<(DateTime<Utc>, u32)> {
    let (at, count) = text.split_once(' ')?;
    Some((time(at.parse().ok()?), count.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[tokio::test]
    async fn what_is_kept_comes_back_and_is_of_one_application_of_one_tenant() {
        let folder = tempfile::tempdir().unwrap();
        let db = format!("sqlite://{}", folder.path().join("t.db").display());
        let store = Store::open(&db).await.unwrap();
        let rows = store.allowances();
        let at: DateTime<Utc> = "2026-11-23T08:00:00.000001Z".parse().unwrap();
        let sent = Sent {
            requests: vec![(at, 1), (at + TimeDelta::seconds(2), 200)],
            rest: Some((at, at + TimeDelta::minutes(10))),
            bears: Some((4, at)),
        };
        rows.keep("t", "a", &sent).await.unwrap();
        assert_eq!(rows.sent("t", "a").await.unwrap(), sent);
        for (tenant, application) in [("t", "b"), ("u", "a")] {
            assert_eq!(rows.sent(tenant, application).await.unwrap(), Sent::default());
        }
        rows.keep("t", "a", &Sent::default()).await.unwrap();
        assert_eq!(rows.sent("t", "a").await.unwrap(), Sent::default());
    }
}
