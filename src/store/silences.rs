//! Silences: what is not to be told, until when, and who said so.

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, Row};

use super::{Store, StoreError, Writing, micros, time};
use crate::model::{Silence, SilenceId};

const SILENCE: &str =
    "select id, scope, begins_at, ends_at, reason, created_at, created_by, ended_by from silences";

fn silence(row: &SqliteRow) -> Result<Silence, StoreError> {
    let id = SilenceId(row.try_get(0)?);
    let scope = serde_json::from_str(row.try_get(1)?)
        .map_err(|error| StoreError::Corrupt(format!("silence {id}: {error}")))?;
    Ok(Silence {
        id,
        scope,
        begins_at: time(row.try_get(2)?),
        ends_at: time(row.try_get(3)?),
        reason: row.try_get(4)?,
        created_at: time(row.try_get(5)?),
        created_by: row.try_get(6)?,
        ended_by: row.try_get(7)?,
    })
}

/// Keeps a silence; `silence.id` is not yet one.
pub async fn add(writing: &mut Writing, silence: &Silence) -> Result<SilenceId, StoreError> {
    let scope = serde_json::to_string(&silence.scope).expect("texts and numbers always serialise");
    let id = sqlx::query_scalar(
        "insert into silences (scope, begins_at, ends_at, reason, created_at, created_by) \
         values ($1, $2, $3, $4, $5, $6) returning id",
    )
    .bind(scope)
    .bind(micros(silence.begins_at))
    .bind(micros(silence.ends_at))
    .bind(&silence.reason)
    .bind(micros(silence.created_at))
    .bind(&silence.created_by)
    .fetch_one(&mut **writing)
    .await?;
    Ok(SilenceId(id))
}

/// Ends a silence before its time: what it holds back is judged again at once.
pub async fn end(
    writing: &mut Writing,
    id: SilenceId,
    by: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query("update silences set ends_at = $2, ended_by = $3 where id = $1")
        .bind(id.0)
        .bind(micros(now))
        .bind(by)
        .execute(&mut **writing)
        .await?;
    sqlx::query("update judgements set due_at = 0 where held_by = $1 and due_at is not null")
        .bind(id.0)
        .execute(&mut **writing)
        .await?;
    Ok(())
}

impl Store {
    /// The silences that end after a time, or all; the last to be made first.
    pub async fn silences(&self, after: Option<DateTime<Utc>>) -> Result<Vec<Silence>, StoreError> {
        let rows =
            sqlx::query(AssertSqlSafe(format!("{SILENCE} where ends_at > $1 order by id desc")))
                .bind(after.map_or(i64::MIN, micros))
                .fetch_all(self.readers())
                .await?;
        rows.iter().map(silence).collect()
    }

    pub async fn silence(&self, id: SilenceId) -> Result<Option<Silence>, StoreError> {
        let row = sqlx::query(AssertSqlSafe(format!("{SILENCE} where id = $1")))
            .bind(id.0)
            .fetch_optional(self.readers())
            .await?;
        row.as_ref().map(silence).transpose()
    }

    /// Whether an identity of a name or id has ever signed in; `*` stands for any letters.
    pub async fn knows_identity(&self, pattern: &str) -> Result<bool, StoreError> {
        let glob: String = pattern
            .to_lowercase()
            .chars()
            .map(|letter| match letter {
                '?' | '[' => format!("[{letter}]"),
                other => other.to_string(),
            })
            .collect();
        Ok(sqlx::query_scalar(
            "select exists (select 1 from identities where lower(name) glob $1 or lower(app_id) glob $1 \
             or lower(service_principal_id) glob $1)",
        )
        .bind(glob)
        .fetch_one(self.readers())
        .await?)
    }
}
