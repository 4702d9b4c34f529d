//! A copy of the whole database as it was at one moment, made while others read and write it.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::history::encoded;
use super::{Store, StoreError};

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{} is there already; name a file that is not, for no copy is written over another", .0.display())]
    Exists(PathBuf),
    #[error("cannot write the copy {path}: {source}; name a file in a folder that this user may write", path = path.display())]
    Unwritable { path: PathBuf, source: std::io::Error },
    #[error(
        "the copy is not sound, so it was taken away again: {0}; `signinel doctor` checks the database itself"
    )]
    Unsound(String),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Copied {
    pub size_bytes: u64,
    pub events: u64,
}

impl Store {
    /// Copies the database into a file that is not there yet. The file has its name only when it is whole, was
    /// read through, and is on the disk.
    pub async fn back_up(&self, file: &Path) -> Result<Copied, BackupError> {
        if file.exists() {
            return Err(BackupError::Exists(file.to_path_buf()));
        }
        let unwritable = |source| BackupError::Unwritable { path: file.to_path_buf(), source };
        let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
        let folder = folder.unwrap_or(Path::new("."));
        // Made for this user alone, for it holds who signed in where.
        let begun = tempfile::Builder::new()
            .prefix(".signinel-backup-")
            .tempfile_in(folder)
            .map_err(unwritable)?;
        let mut reader = self.readers().acquire().await.map_err(StoreError::from)?;
        sqlx::query("vacuum into $1")
            .bind(format!("file:{}", encoded(begun.path())))
            .execute(&mut *reader)
            .await
            .map_err(StoreError::from)?;
        drop(reader);
        let events = read_through(begun.path()).await?;
        let size_bytes = begun.as_file().metadata().map_err(unwritable)?.len();
        begun.as_file().sync_all().map_err(unwritable)?;
        begun.persist_noclobber(file).map_err(|error| {
            if error.error.kind() == std::io::ErrorKind::AlreadyExists {
                return BackupError::Exists(file.to_path_buf());
            }
            unwritable(error.error)
        })?;
        // The name is on the disk when its folder is.
        std::fs::File::open(folder).and_then(|folder| folder.sync_all()).map_err(unwritable)?;
        Ok(Copied { size_bytes, events })
    }
}

/// Checks every page and every index of a copy; gives the number of events in it.
async fn read_through(file: &Path) -> Result<u64, BackupError> {
    let address = format!("sqlite://{}?immutable=1", encoded(file));
    let options = SqliteConnectOptions::from_str(&address).map_err(StoreError::from)?;
    let mut copy = options.read_only(true).connect().await.map_err(StoreError::from)?;
    let verdict: String = sqlx::query_scalar("pragma integrity_check(1)")
        .fetch_one(&mut copy)
        .await
        .map_err(StoreError::from)?;
    if verdict != "ok" {
        return Err(BackupError::Unsound(verdict));
    }
    let events: i64 = sqlx::query_scalar("select count(*) from events")
        .fetch_one(&mut copy)
        .await
        .map_err(StoreError::from)?;
    copy.close().await.map_err(StoreError::from)?;
    Ok(u64::try_from(events).unwrap_or(0))
}
