//! The one place with SQL: a SQLite file that the stages meet at.

mod allowances;
mod backup;
mod blocks;
mod conservation;
mod coverage;
mod dictionary;
mod dossier;
mod events;
mod history;
mod incident_reads;
mod joined;
mod learnt;
mod migrations;

/// What is told of incidents to whom, and how that went.
pub mod deliveries;

/// Which incidents are to be judged for telling.
pub mod judgements;

/// Incidents and what happened to them.
pub mod incidents;
pub mod subjects;

/// What incidents take from rules besides their findings.
pub mod facts;

/// How far folds have come.
pub mod checkpoints;

/// Findings that rules count.
pub mod counted;

/// Findings and how they changed.
pub mod feeds;
pub mod findings;
mod marks;
mod names;
mod namesakes;

/// Who is new, and who was there before.
pub mod newcomers;
mod others;
mod packed;
mod reconciled;
/// Records that were set aside.
pub mod rejects;
pub mod renamed;
mod rests;
mod retention;

/// What was never read.
pub mod gaps;
mod sources;

/// What is not to be told for a while.
pub mod silences;

/// Sign-ins that are known better now.
mod replaced;

/// How far stages have read.
pub mod stages;

/// What lists show.
pub mod overview;

/// How much rules found and how much of it was told.
pub mod noise;

/// What happened to an incident, for its timeline.
pub mod story;

/// What an ingest hands over at once.
pub mod batch;

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::migrate::MigrateError;
use sqlx::sqlite::{
    SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous,
};
use sqlx::{ConnectOptions, Sqlite, Transaction};
use tokio::sync::Mutex;

use dictionary::Dictionary;

pub use allowances::Allowances;
pub use backup::{BackupError, Copied};
pub use batch::{Batch, Fetched, Reject};
pub use coverage::{HeadCoverage, Reading, ReadingKind, WindowDone};
pub use dossier::{Alike, Dossier, Habits, Tried};
pub use events::EventRow;
pub use history::History;
pub use learnt::Learnt;
pub use marks::Mark;
pub use names::{KnownIdentity, Names};
pub use namesakes::namesakes;
pub use packed::{Arrivals, Packed, Stretch, in_time_order};
pub use reconciled::Compared;
pub use replaced::replaced;
pub use sources::{Head, Tally};

/// Why the database could not be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("cannot open the database {path}: {reason}")]
    Open { path: String, reason: String },
    #[error("`{0}` is not a database address: write sqlite://FILE")]
    Address(String),
    #[error("the disk is full: nothing was lost, make room and start again")]
    Full,
    #[error("the database may only be read: let this user write the file and its folder")]
    ReadOnly,
    #[error("the database is not as this program left it: {0}")]
    Corrupt(String),
    #[error("the database: {0}")]
    Sql(#[source] sqlx::Error),
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        let code =
            error.as_database_error().and_then(|error| error.code().map(|code| code.to_string()));
        match code.as_deref() {
            // SQLITE_FULL
            Some("13") => Self::Full,
            // SQLITE_READONLY and its extended codes, which carry it in their lowest byte.
            Some(code) if code.parse::<u32>().is_ok_and(|code| code & 0xff == 8) => Self::ReadOnly,
            _ => Self::Sql(error),
        }
    }
}

/// An open transaction on the one writing connection.
pub type Writing = Transaction<'static, Sqlite>;

/// A connection that only reads what was committed.
pub type Reader = sqlx::pool::PoolConnection<sqlx::Sqlite>;

/// The database: one writer, many readers.
pub struct Store {
    /// One connection, so that writers queue here and not in SQLite.
    writer: SqlitePool,
    readers: SqlitePool,
    dictionary: Mutex<Dictionary>,
    path: PathBuf,
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Store({})", self.path.display())
    }
}

/// Pages of the write-ahead log after which it is folded into the file: a larger log than SQLite's
/// own 1,000 writes each page of a bulk import less often.
const WAL_PAGES: &str = "20000";

/// KiB of the file that the writing connection remembers: as much as bulk imports go back to.
const WRITER_CACHE: &str = "-65536";

/// KiB of the file that each connection that only reads remembers. What they go through is mostly passed once, and what
/// is asked for often stands in the system's own memory.
const READER_CACHE: &str = "-4096";

/// Connections that only read: detection has two for itself while it waits for its turn to write.
const READERS: u32 = 6;

impl Store {
    /// Opens a database by its address (`sqlite://FILE`), making it and bringing it up to date.
    pub async fn open(address: &str) -> Result<Self, StoreError> {
        // The parser takes anything for a file, the address of another database too.
        let named = address.strip_prefix("sqlite:").map(|name| name.trim_start_matches('/'));
        let options = named
            .filter(|name| !name.is_empty() && !name.starts_with('?'))
            .and_then(|_| SqliteConnectOptions::from_str(address).ok())
            .ok_or_else(|| StoreError::Address(address.to_owned()))?
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .foreign_keys(false)
            .busy_timeout(Duration::from_mins(1))
            .pragma("wal_autocheckpoint", WAL_PAGES)
            .pragma("temp_store", "memory")
            // Rows cross from SQLite's thread to ours so many at a time: each crossing costs two switches.
            .row_buffer_size(1024)
            .page_size(8192)
            // A statement that waits for a busy disk is no news, and some of them fill screens.
            .disable_statement_logging();
        let path = options.get_filename().to_path_buf();
        let failed = |error: sqlx::Error| StoreError::Open {
            path: path.display().to_string(),
            reason: unopened(&path, &error),
        };
        let writer = SqlitePoolOptions::new()
            .max_connections(1)
            .acquire_timeout(Duration::from_mins(2))
            .connect_with(options.clone().pragma("cache_size", WRITER_CACHE))
            .await
            .map_err(failed)?;
        migrations::all().run(&writer).await.map_err(|error| StoreError::Open {
            path: path.display().to_string(),
            reason: unready(&error),
        })?;
        let readers = SqlitePoolOptions::new()
            .max_connections(READERS)
            .connect_with(
                options.read_only(true).create_if_missing(false).pragma("cache_size", READER_CACHE),
            )
            .await
            .map_err(failed)?;
        Ok(Self { writer, readers, dictionary: Mutex::default(), path })
    }

    /// Begins to write. It holds all other writers back until it is committed or dropped; dropped, it
    /// leaves no trace.
    pub async fn write(&self) -> Result<Writing, StoreError> {
        Ok(self.writer.begin_with("begin immediate").await?)
    }

    /// One of the connections that only read.
    pub async fn reader(&self) -> Result<Reader, StoreError> {
        Ok(self.readers().acquire().await?)
    }

    /// Connections that only read, each seeing what was committed when it began.
    pub(crate) fn readers(&self) -> &SqlitePool {
        &self.readers
    }

    /// Whether the file is sound; gives the number of events in it.
    pub async fn check(&self) -> Result<u64, StoreError> {
        let verdict: String =
            sqlx::query_scalar("pragma quick_check(1)").fetch_one(self.readers()).await?;
        if verdict != "ok" {
            return Err(StoreError::Corrupt(verdict));
        }
        let events: i64 =
            sqlx::query_scalar("select count(*) from events").fetch_one(self.readers()).await?;
        Ok(u64::try_from(events).unwrap_or(0))
    }

    /// Where the file is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Folds the write-ahead log into the file and closes it.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// Why a file cannot be opened as a database, and what to do.
fn unopened(path: &Path, error: &sqlx::Error) -> String {
    let said = error
        .as_database_error()
        .map_or_else(|| error.to_string(), |error| error.message().to_owned());
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if path.is_dir() {
        "it is a folder; name a file, which is made where it is absent".to_owned()
    } else if folder.is_some_and(|folder| !folder.is_dir()) {
        "its folder does not exist; make it first".to_owned()
    } else if said.contains("not a database") {
        "the file is no database; name another, which is made where it is absent".to_owned()
    } else if said.contains("malformed") {
        format!("{said}; the file is damaged: put back the last copy of it that was whole")
    } else {
        format!("{said}; check that this user may write the file and its folder")
    }
}

/// Why a file cannot be brought up to date, and what to do.
fn unready(error: &MigrateError) -> String {
    match error {
        MigrateError::VersionMissing(_) => {
            "a newer version of this program made it: run that one, or name another file".to_owned()
        }
        other => other.to_string(),
    }
}

/// Numbers as they stand between the brackets of an `in`.
fn list(numbers: &[i64]) -> String {
    numbers.iter().map(i64::to_string).collect::<Vec<_>>().join(",")
}

/// A time as stored: microseconds since 1970, UTC.
#[must_use]
pub fn micros(at: DateTime<Utc>) -> i64 {
    at.timestamp_micros()
}

/// A stored time. One that no calendar has becomes the earliest there is.
#[must_use]
pub fn time(micros: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_micros(micros).unwrap_or(DateTime::<Utc>::MIN_UTC)
}
