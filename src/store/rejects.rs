//! Records that could not be read: kept with the reason, to be looked at and read again.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::SqliteConnection;

use super::batch::Reject;
use super::{Store, StoreError, micros, time};
use crate::model::{EventId, Form};

/// Bytes of a rejected record that are kept.
pub const KEPT_BYTES: usize = 64 * 1024;

/// A record that was set aside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct RejectOverview {
    pub id: i64,
    pub source: String,
    pub received_at: DateTime<Utc>,
    /// The file or request, and the line or number in it.
    pub origin: String,
    pub place: u64,
    pub reason: String,
}

/// A rejected record as it was kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptReject {
    pub id: i64,
    /// The name and the kind of its source.
    pub source: (String, String),
    pub origin: String,
    pub place: u64,
    pub form: Option<Form>,
    /// Its first [`KEPT_BYTES`].
    pub record: Vec<u8>,
}

type KeptRow = (i64, String, String, String, i64, Option<String>, Vec<u8>);

impl Store {
    /// Rejected records with a number above `after`, in the order of their numbers.
    pub async fn kept_rejects(
        &self,
        after: i64,
        limit: u32,
    ) -> Result<Vec<KeptReject>, StoreError> {
        let rows: Vec<KeptRow> = sqlx::query_as(
            "select r.id, s.name, s.kind, r.origin, r.place, r.form, r.record from rejects r \
             join sources s on s.id = r.source_id where r.id > $1 order by r.id limit $2",
        )
        .bind(after)
        .bind(limit)
        .fetch_all(self.readers())
        .await?;
        Ok(rows
            .into_iter()
            .map(|(id, name, kind, origin, place, form, record)| KeptReject {
                id,
                source: (name, kind),
                origin,
                place: u64::try_from(place).unwrap_or(0),
                form: form.as_deref().and_then(Form::from_text),
                record,
            })
            .collect())
    }

    /// The first 64 KiB of a record that was set aside.
    pub async fn rejected_record(&self, id: i64) -> Result<Option<Vec<u8>>, StoreError> {
        Ok(sqlx::query_scalar("select record from rejects where id = $1")
            .bind(id)
            .fetch_optional(self.readers())
            .await?)
    }

    /// Where a record that was set aside stood, and why it was.
    pub async fn reject_overview(&self, id: i64) -> Result<Option<RejectOverview>, StoreError> {
        let row: Option<OverviewRow> = sqlx::query_as(
            "select r.id, s.name, r.received_at, r.origin, r.place, r.reason from rejects r \
             join sources s on s.id = r.source_id where r.id = $1",
        )
        .bind(id)
        .fetch_optional(self.readers())
        .await?;
        Ok(row.map(overview))
    }

    /// Records set aside, the latest first.
    pub async fn reject_overviews(&self, limit: u32) -> Result<Vec<RejectOverview>, StoreError> {
        let rows: Vec<OverviewRow> = sqlx::query_as(
            "select r.id, s.name, r.received_at, r.origin, r.place, r.reason from rejects r \
             join sources s on s.id = r.source_id order by r.id desc limit $1",
        )
        .bind(limit)
        .fetch_all(self.readers())
        .await?;
        Ok(rows.into_iter().map(overview).collect())
    }
}

type OverviewRow = (i64, String, i64, String, i64, String);

fn overview((id, source, received_at, origin, place, reason): OverviewRow) -> RejectOverview {
    RejectOverview {
        id,
        source,
        received_at: time(received_at),
        origin,
        place: u64::try_from(place).unwrap_or(0),
        reason,
    }
}

/// Keeps rejected records, each once however often it is read.
pub(super) async fn set_aside(
    connection: &mut SqliteConnection,
    source_id: i64,
    rejects: &[Reject],
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    for reject in rejects {
        let cut = &reject.record[..reject.record.len().min(KEPT_BYTES)];
        let mut identity = format!("{}\n{}\n", reject.origin, reject.place).into_bytes();
        identity.extend_from_slice(cut);
        sqlx::query(
            "insert into rejects (source_id, received_at, origin, place, reason, record, digest, form) \
             values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (digest) do nothing",
        )
        .bind(source_id)
        .bind(micros(now))
        .bind(&reject.origin)
        .bind(i64::try_from(reject.place).unwrap_or(i64::MAX))
        .bind(&reject.reason)
        .bind(cut)
        .bind(EventId::digest(&identity).0.to_vec())
        .bind(reject.form.map(Form::as_str))
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}

/// Forgets rejected records that were read after all: they count as read once.
pub(super) async fn take_back(
    connection: &mut SqliteConnection,
    source_id: i64,
    ids: &[i64],
) -> Result<(), StoreError> {
    for id in ids {
        sqlx::query("delete from rejects where id = $1").bind(id).execute(&mut *connection).await?;
    }
    if !ids.is_empty() {
        sqlx::query("update sources set read = read - $2, rejected = rejected - $2 where id = $1")
            .bind(source_id)
            .bind(i64::try_from(ids.len()).unwrap_or(0))
            .execute(connection)
            .await?;
    }
    Ok(())
}
