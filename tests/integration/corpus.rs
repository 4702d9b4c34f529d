//! Published records, where they are at hand: each is stored, a duplicate, or set aside with a reason.

use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use signinel::ingest::import::{Import, Imported, import};
use signinel::store::Store;
use tokio_util::sync::CancellationToken;

/// The folder of published records: `../shared/corpus`, or where `SIGNINEL_CORPUS` says.
pub(crate) fn corpus() -> Option<PathBuf> {
    let beside = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus");
    let folder = std::env::var_os("SIGNINEL_CORPUS").map_or(beside, PathBuf::from);
    if !folder.is_dir() {
        println!("skipped: no published records at {}", folder.display());
        return None;
    }
    Some(folder)
}

fn now() -> DateTime<Utc> {
    "2026-11-23T00:00:00Z".parse().unwrap()
}

async fn imported(path: &Path) -> (Store, Imported, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let store =
        Store::open(&format!("sqlite://{}", folder.path().join("c.db").display())).await.unwrap();
    let imported = imported_into(&store, path).await;
    (store, imported, folder)
}

async fn imported_into(store: &Store, path: &Path) -> Imported {
    let with = Import {
        store,
        tenant_id: String::new(),
        now: now(),
        stop: &CancellationToken::new(),
        on_batch: &|_| (),
    };
    import(vec![path.to_owned()], with).await.unwrap()
}

pub(crate) fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// Folders that hold no records, and a document.
pub(crate) fn holds_records(path: &Path) -> bool {
    !path.components().any(|part| {
        ["sigma-azure", "schemas", "README.md"].iter().any(|name| part.as_os_str() == *name)
    })
}

#[tokio::test]
async fn every_record_is_accounted_for() {
    let Some(corpus) = corpus() else { return };
    let mut stored = 0;
    for file in files(&corpus).into_iter().filter(|file| holds_records(file)) {
        let (store, imported, _folder) = imported(&file).await;
        let tally = imported.tally;
        let shown = file.strip_prefix(&corpus).unwrap().display();
        assert!(imported.unreadable.is_empty(), "{shown}: {:?}", imported.unreadable);
        assert!(tally.read > 0, "{shown}: nothing was read");
        assert_eq!(
            tally.read,
            tally.stored + tally.duplicates + tally.rejected + tally.other,
            "{shown}"
        );
        assert_eq!(store.tallies().await.unwrap(), [("import".to_owned(), tally)], "{shown}");
        assert!(imported.rejected.is_empty(), "{shown}: {:#?}", imported.rejected);
        stored += tally.stored;
        records_come_back(&store, &file).await;
    }
    assert!(stored > 150, "{stored} sign-ins are few for so many files");
}

/// Every record is had back as it stood in its file.
async fn records_come_back(store: &Store, file: &Path) {
    let whole = std::fs::read(file).unwrap();
    for seq in 1..=store.last_seq().await.unwrap() {
        let record = store.record(seq).await.unwrap().unwrap();
        let row = match file.extension().and_then(|extension| extension.to_str()) {
            // The header stands before the row.
            Some("csv") => &record[record.iter().position(|byte| *byte == b'\n').unwrap() + 1..],
            _ => &record[..],
        };
        assert!(
            whole.windows(row.len()).any(|window| window == row),
            "{}: {}",
            file.display(),
            String::from_utf8_lossy(row)
        );
    }
}

#[tokio::test]
async fn a_record_that_comes_twice_is_one_event() {
    let Some(corpus) = corpus() else { return };
    let file = corpus.join("datadog-azure-log-forwarding");
    let (store, first, _folder) = imported(&file).await;
    let again = imported_into(&store, &file).await;
    assert_eq!(again.tally.stored, 0);
    assert_eq!(again.tally.duplicates, first.tally.stored + first.tally.duplicates);
}
