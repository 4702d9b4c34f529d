//! The events of another database, taken over piece by piece in the order of time: so a database of its own
//! lives through them again, and the one they come from is only read.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};

use super::{Store, StoreError, micros, time};

/// A connection that reads the one database and writes the other.
pub struct History {
    connection: SqliteConnection,
    /// Events that arrived later than this are not of it.
    up_to_seq: i64,
    taken: i64,
    until: i64,
}

impl Store {
    /// Begins to take over the events of another database that happened before a time. What events
    /// refer to is taken over at once, and so are silences.
    pub async fn history_of(
        &self,
        other: &Self,
        until: DateTime<Utc>,
    ) -> Result<History, StoreError> {
        let address = format!("sqlite://{}", encoded(self.path()));
        let mut connection = SqliteConnectOptions::from_str(&address)?
            .create_if_missing(false)
            .foreign_keys(false)
            .busy_timeout(Duration::from_mins(1))
            // A copy that is thrown away need not outlive the machine.
            .pragma("synchronous", "off")
            .connect()
            .await?;
        sqlx::query("attach database $1 as history")
            .bind(format!("file:{}?mode=ro", encoded(other.path())))
            .execute(&mut connection)
            .await?;
        let mut taking = connection.begin_with("begin immediate").await?;
        let up_to_seq = sqlx::query_scalar("select coalesce(max(seq), 0) from history.events")
            .fetch_one(&mut *taking)
            .await?;
        for copy in [
            "insert into main.texts select * from history.texts",
            "insert into main.identities select * from history.identities",
            "insert into main.resources select * from history.resources",
            "insert into main.facets select * from history.facets",
            "insert into main.silences select * from history.silences",
        ] {
            sqlx::query(copy).execute(&mut *taking).await?;
        }
        taking.commit().await?;
        Ok(History { connection, up_to_seq, taken: 0, until: micros(until) })
    }
}

impl History {
    /// How many events there are to take over.
    pub async fn count(&mut self) -> Result<u64, StoreError> {
        let count: i64 = sqlx::query_scalar(
            "select count(*) from history.events where seq <= $1 and created_at < $2",
        )
        .bind(self.up_to_seq)
        .bind(self.until)
        .fetch_one(&mut self.connection)
        .await?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// When the first event at or after a time happened.
    pub async fn next(
        &mut self,
        from: Option<DateTime<Utc>>,
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let at: Option<i64> = sqlx::query_scalar(
            "select created_at from history.events where created_at >= $1 and created_at < $2 \
             and seq <= $3 order by created_at limit 1",
        )
        .bind(from.map_or(i64::MIN, micros))
        .bind(self.until)
        .bind(self.up_to_seq)
        .fetch_optional(&mut self.connection)
        .await?;
        Ok(at.map(time))
    }

    /// Takes over the events of an interval, its end not in it; gives how many.
    pub async fn take(
        &mut self,
        from: Option<DateTime<Utc>>,
        to: DateTime<Utc>,
    ) -> Result<u64, StoreError> {
        let done = sqlx::query(
            "insert into main.events (seq, created_at, id, identity_id, resource_id, facet_id, error_code, \
             address_id, user_id) \
             select $1 + row_number() over (order by created_at, id), created_at, id, identity_id, resource_id, \
             facet_id, error_code, address_id, user_id from history.events \
             where created_at >= $2 and created_at < min($3, $4) and seq <= $5 order by created_at, id",
        )
        .bind(self.taken)
        .bind(from.map_or(i64::MIN, micros))
        .bind(micros(to))
        .bind(self.until)
        .bind(self.up_to_seq)
        .execute(&mut self.connection)
        .await?;
        self.taken += i64::try_from(done.rows_affected()).unwrap_or(i64::MAX);
        Ok(done.rows_affected())
    }

    /// Lets go of both databases.
    pub async fn end(self) -> Result<(), StoreError> {
        Ok(self.connection.close().await?)
    }
}

/// A path as it stands in a URI.
pub(super) fn encoded(path: &Path) -> String {
    path.to_string_lossy().replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}
