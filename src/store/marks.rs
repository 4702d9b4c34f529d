//! How far the files of a source were read that still grow.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::SqliteConnection;

use super::coverage::{Reading, note};
use super::sources::{Tally, number};
use super::{Store, StoreError, micros, time};

/// How far one file was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    pub name: String,
    /// The hour that it holds.
    pub hour: DateTime<Utc>,
    /// One that was made anew is another file.
    pub made_at: DateTime<Utc>,
    /// The bytes that are stored.
    pub taken: u64,
    /// Its etag when it was read to its end; empty before.
    pub etag: String,
    /// A digest of what stands at both ends of the bytes that are stored; empty where none are.
    pub ends: String,
    /// Of a file that is read whole: its etag at the last look.
    pub looked: String,
}

impl Store {
    /// The marks of a head by the names of their files.
    pub async fn marks(
        &self,
        source: &str,
        head: &str,
    ) -> Result<HashMap<String, Mark>, StoreError> {
        let rows: Vec<(String, i64, i64, i64, String, String, String)> = sqlx::query_as(
            "select m.name, m.hour, m.made_at, m.taken, m.etag, m.ends, m.looked from marks m \
             join sources s on s.id = m.source_id where s.name = $1 and m.head = $2",
        )
        .bind(source)
        .bind(head)
        .fetch_all(self.readers())
        .await?;
        Ok(rows
            .into_iter()
            .map(|(name, hour, made_at, taken, etag, ends, looked)| {
                let taken = u64::try_from(taken).unwrap_or(0);
                let (hour, made_at) = (time(hour), time(made_at));
                (name.clone(), Mark { name, hour, made_at, taken, etag, ends, looked })
            })
            .collect())
    }

    /// Moves a head whose files were all read, and lets go of the marks of hours that are not looked
    /// at again.
    pub async fn files_read(
        &self,
        source: (&str, &str),
        reading: &Reading<'_>,
        before: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        let source_id = number(&mut writing, source.0, source.1).await?;
        note(&mut writing, source_id, reading, &[], &Tally::default(), now).await?;
        sqlx::query("delete from marks where source_id = $1 and head = $2 and hour < $3")
            .bind(source_id)
            .bind(reading.head)
            .bind(micros(before))
            .execute(&mut *writing)
            .await?;
        writing.commit().await?;
        Ok(())
    }
}

pub(super) async fn set(
    connection: &mut SqliteConnection,
    source_id: i64,
    head: &str,
    mark: &Mark,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert or replace into marks (source_id, head, name, hour, made_at, taken, etag, ends, looked) \
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(source_id)
    .bind(head)
    .bind(&mark.name)
    .bind(micros(mark.hour))
    .bind(micros(mark.made_at))
    .bind(i64::try_from(mark.taken).unwrap_or(i64::MAX))
    .bind(&mark.etag)
    .bind(&mark.ends)
    .bind(&mark.looked)
    .execute(connection)
    .await?;
    Ok(())
}
