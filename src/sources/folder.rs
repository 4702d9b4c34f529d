//! A folder of files that grow, such as a copy of the blobs that diagnostic settings write
//! (`…/y=2026/m=11/d=23/h=08/m=00/PT1H.json`), and of exports that are put there whole.

use std::collections::HashSet;
use std::fs::{self, File, Metadata};
use std::io::{self, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeZone, Utc};

use super::source::{Access, FetchError, GrowingFile, GrowingFiles, Keep, Plan, Source};

/// Its one head.
const HEAD: &str = "files";

/// What files of records are called; each also with `.gz` behind it.
const ENDINGS: [&str; 6] = ["json", "ndjson", "jsonl", "csv", "log", "txt"];

/// So many of the files that are left out are named.
const NAMED_AT_MOST: usize = 1000;

/// Folders within folders, at most: one that leads into itself ends somewhere.
const DEEP_AT_MOST: usize = 32;

/// A folder that is followed.
pub struct Folder {
    name: String,
    root: PathBuf,
    tenant_id: String,
    plan: Plan,
    /// What was said to be left out, so that it is said once.
    named: Mutex<HashSet<PathBuf>>,
}

impl Folder {
    /// Follows a folder, looking at it every so often. `tenant_id` is whose logs these are where the records do
    /// not say.
    pub fn new(root: &Path, tenant_id: String, every: Duration) -> io::Result<Self> {
        let root = root.canonicalize()?;
        if !root.is_dir() {
            return Err(io::Error::new(io::ErrorKind::NotADirectory, "it is no folder"));
        }
        let plan = Plan {
            heads: vec![HEAD.to_owned()],
            interval: every,
            backfill: Duration::MAX,
            // Every file may still grow, however old it is.
            overlap: Some(Duration::MAX),
            sweeps: Vec::new(),
            stale_after: Duration::MAX,
            keep: Keep::All,
            reconcile: false,
            window: Duration::from_hours(1),
            retry_wait: every,
            reach: None,
        };
        Ok(Self {
            name: format!("follow {}", root.display()),
            root,
            tenant_id,
            plan,
            named: Mutex::default(),
        })
    }

    /// The files of records below a folder; what cannot be looked at is said and left out.
    fn below(&self, folder: &Path, depth: usize, files: &mut Vec<GrowingFile>) {
        let entries = match fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) => return unseen(folder, &error),
        };
        for entry in entries {
            let (path, metadata) = match entry.map(|entry| entry.path()) {
                // A link is followed to what it means.
                Ok(path) => match fs::metadata(&path) {
                    Ok(metadata) => (path, metadata),
                    Err(error) => {
                        unseen(&path, &error);
                        continue;
                    }
                },
                Err(error) => {
                    unseen(folder, &error);
                    continue;
                }
            };
            // As an import does: a copy that is under way is often hidden.
            if path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".")) {
                continue;
            }
            if metadata.is_dir() && depth < DEEP_AT_MOST {
                self.below(&path, depth + 1, files);
            } else if let Some(file) = self.file(&path, &metadata) {
                files.push(file);
            } else {
                self.leave_out(&path);
            }
        }
    }

    /// Says once that something is not read.
    fn leave_out(&self, path: &Path) {
        let mut named = self.named.lock().expect("nothing panics with it");
        if named.len() < NAMED_AT_MOST && named.insert(path.to_owned()) {
            tracing::warn!(
                "`{}` is not followed: only files called .{} are, also with .gz; `signinel import` reads any",
                path.display(),
                ENDINGS.join(", .")
            );
        }
    }

    fn file(&self, path: &Path, metadata: &Metadata) -> Option<GrowingFile> {
        let name = path.strip_prefix(&self.root).ok()?.to_str()?.to_owned();
        if !metadata.is_file() || !is_of_records(&name) {
            return None;
        }
        let changed_at = metadata.modified().map_or(DateTime::UNIX_EPOCH, DateTime::<Utc>::from);
        // Where the file system does not know, a file made anew is known by being shorter.
        let made_at = metadata.created().map_or(DateTime::UNIX_EPOCH, DateTime::<Utc>::from);
        Some(GrowingFile {
            hour: hour(&name).unwrap_or(changed_at),
            // As exact as it is kept.
            made_at: DateTime::from_timestamp_micros(made_at.timestamp_micros())?,
            size: metadata.len(),
            etag: format!("{} {}", metadata.len(), changed_at.timestamp_nanos_opt().unwrap_or(0)),
            name,
        })
    }
}

/// Whether a file is called as files of records are.
fn is_of_records(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let ending = Path::new(name.strip_suffix(".gz").unwrap_or(&name)).extension();
    ending.and_then(|ending| ending.to_str()).is_some_and(|ending| ENDINGS.contains(&ending))
}

fn unseen(path: &Path, error: &io::Error) {
    tracing::warn!("`{}` cannot be looked at: {error}; the rest goes on", path.display());
}

/// The hour that the name of a blob tells, as diagnostic settings write it.
fn hour(name: &str) -> Option<DateTime<Utc>> {
    let mut parts = name.split('/').skip_while(|part| !part.starts_with("y="));
    let mut part = |key: &str| parts.next()?.strip_prefix(key)?.parse::<u32>().ok();
    let (year, month, day, hour) = (part("y=")?, part("m=")?, part("d=")?, part("h=")?);
    Utc.with_ymd_and_hms(i32::try_from(year).ok()?, month, day, hour, 0, 0).single()
}

/// A piece of a file; `None` where it is no longer there.
fn piece(path: &Path, piece: &Range<u64>) -> io::Result<Option<Vec<u8>>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        opened => opened?,
    };
    file.seek(SeekFrom::Start(piece.start))?;
    let mut bytes = Vec::new();
    file.take(piece.end - piece.start).read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 == piece.end - piece.start).then_some(bytes))
}

#[async_trait]
impl Source for Folder {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "import"
    }

    fn tenant_id(&self) -> &str {
        &self.tenant_id
    }

    fn plan(&self) -> &Plan {
        &self.plan
    }

    fn access(&self) -> Access<'_> {
        Access::Files(self)
    }

    async fn check(&self, _now: DateTime<Utc>) -> Result<String, FetchError> {
        let count = self.list(HEAD, DateTime::UNIX_EPOCH, DateTime::UNIX_EPOCH).await?.len();
        Ok(format!("`{}` has {count} files that may grow", self.root.display()))
    }
}

#[async_trait]
impl GrowingFiles for Folder {
    async fn list(
        &self,
        _head: &str,
        _from: DateTime<Utc>,
        _to: DateTime<Utc>,
    ) -> Result<Vec<GrowingFile>, FetchError> {
        let mut files = Vec::new();
        if !self.root.is_dir() {
            let root = self.root.display();
            return Err(FetchError::transient(format!(
                "the folder `{root}` is gone; bring it back"
            )));
        }
        self.below(&self.root, 0, &mut files);
        Ok(files)
    }

    /// Nobody knows how far a copy has come.
    fn is_whole(&self) -> bool {
        false
    }

    /// A copy may be made anew in its place, and may be of any form.
    fn only_grow(&self) -> bool {
        false
    }

    async fn open(
        &self,
        _head: &str,
        name: &str,
    ) -> Result<Option<Box<dyn Read + Send>>, FetchError> {
        let path = self.root.join(name);
        match File::open(&path) {
            Ok(file) => Ok(Some(Box::new(file))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(unreadable(&path, &error)),
        }
    }

    async fn read(
        &self,
        _head: &str,
        name: &str,
        wanted: Range<u64>,
    ) -> Result<Option<Vec<u8>>, FetchError> {
        let path = self.root.join(name);
        piece(&path, &wanted).map_err(|error| unreadable(&path, &error))
    }
}

fn unreadable(path: &Path, error: &io::Error) -> FetchError {
    let path = path.display();
    FetchError::permanent(format!("`{path}` cannot be read: {error}; let this program read it"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hour_is_read_from_the_name_of_a_blob() {
        let name = "tenantId=t/y=2026/m=07/d=16/h=13/m=00/PT1H.json";
        assert_eq!(hour(name), Some("2026-07-16T13:00:00Z".parse().unwrap()));
        assert_eq!(hour("y=2026/m=13/d=16/h=13/m=00/PT1H.json"), None);
        assert_eq!(hour("sign-ins.json"), None);
    }

    #[tokio::test]
    async fn files_of_records_are_found_wherever_they_lie() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["a.json", "deep/er/b.NDJSON", "c.tmp", "d.json.gz", "e.CSV", ".f.json"] {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "{}\n").unwrap();
        }
        let source = Folder::new(folder.path(), String::new(), Duration::from_secs(1)).unwrap();
        let now = DateTime::UNIX_EPOCH;
        let mut names: Vec<String> =
            source.list(HEAD, now, now).await.unwrap().into_iter().map(|file| file.name).collect();
        names.sort();
        assert_eq!(names, ["a.json", "d.json.gz", "deep/er/b.NDJSON", "e.CSV"]);
        let left_out: Vec<_> = source.named.lock().unwrap().iter().cloned().collect();
        assert_eq!(left_out, [source.root.join("c.tmp")]);
        assert_eq!(source.read(HEAD, "a.json", 0..3).await.unwrap(), Some(b"{}\n".to_vec()));
        assert_eq!(source.read(HEAD, "a.json", 2..9).await.unwrap(), None, "it is shorter");
        assert_eq!(source.read(HEAD, "gone.json", 0..3).await.unwrap(), None);
    }
}
