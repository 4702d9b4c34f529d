//! Reads exported files into the store: one thread cuts and reads records while the database writes
//! those before them.

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{Provenance, fetched};
use crate::sources::files::{Input, More, RecordBatch, Records, inputs};
use crate::store::{Fetched, Store, StoreError, Tally};

/// The name and the kind of the source that files are counted under.
const SOURCE: (&str, &str) = ("import", "import");

/// Batches that wait for the database: some are read while it writes, or evaluates, those before them.
const WAITING: usize = 2;

/// Records that are no earlier than so long before the latest come in the order of time.
const PLAY: TimeDelta = TimeDelta::hours(1);

/// What an import came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Imported {
    pub tally: Tally,
    pub files: u64,
    /// Files that could not be opened or read to their end, a sentence each.
    pub unreadable: Vec<String>,
    /// The first records that were set aside, as `origin:place: reason`.
    pub rejected: Vec<String>,
    /// What the records of other logs are, and how many of each.
    pub others: BTreeMap<&'static str, u64>,
    pub is_stopped: bool,
}

/// As many rejected records are named; the rest are counted, and all are kept in the database.
const NAMED: usize = 10;

enum Read {
    Batch(Box<Fetched>),
    File,
    Unreadable(String),
}

/// What an import works with.
pub struct Import<'a> {
    pub store: &'a Store,
    /// Whose logs these are where the records do not say; empty where nobody knows.
    pub tenant_id: String,
    pub now: DateTime<Utc>,
    pub stop: &'a CancellationToken,
    /// Told how far it is.
    pub on_batch: &'a (dyn Fn(&Progress) + Send + Sync),
}

/// How far an import is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    pub tally: Tally,
    /// Whether a batch had records from long before the latest of those before it.
    pub is_out_of_order: bool,
    latest: Option<DateTime<Utc>>,
}

impl Progress {
    fn takes(&mut self, tally: Tally, span: Option<(DateTime<Utc>, DateTime<Utc>)>) {
        self.tally += tally;
        if let Some((earliest, latest)) = span {
            self.is_out_of_order |= self.latest.is_some_and(|before| earliest < before - PLAY);
            self.latest = self.latest.max(Some(latest));
        }
    }
}

/// Imports what the paths name, `-` being standard input.
pub async fn import(paths: Vec<PathBuf>, with: Import<'_>) -> Result<Imported, StoreError> {
    let Import { store, tenant_id, now, stop, on_batch } = with;
    let (sender, mut receiver) = mpsc::channel(WAITING);
    let reading = tokio::task::spawn_blocking(move || read_all(paths, &tenant_id, &sender));
    let (mut imported, mut progress) = (Imported::default(), Progress::default());
    loop {
        let read = tokio::select! {
            biased;
            () = stop.cancelled() => {
                imported.is_stopped = true;
                break;
            }
            read = receiver.recv() => read,
        };
        match read {
            None => break,
            Some(Read::File) => imported.files += 1,
            Some(Read::Unreadable(sentence)) => imported.unreadable.push(sentence),
            Some(Read::Batch(fetched)) => {
                for reject in
                    fetched.rejects.iter().take(NAMED - imported.rejected.len().min(NAMED))
                {
                    imported
                        .rejected
                        .push(format!("{}:{}: {}", reject.origin, reject.place, reject.reason));
                }
                for (log, count) in &fetched.others {
                    *imported.others.entry(log).or_default() += count;
                }
                let span = fetched.batch.span();
                progress.takes(store.add(SOURCE, *fetched, None, now).await?, span);
                imported.tally = progress.tally;
                on_batch(&progress);
            }
        }
    }
    // The reader ends when it finds nobody listening.
    drop(receiver);
    if reading.await.is_err() {
        imported.unreadable.push(
            "reading stopped before the end: a fault of this program, please report it".to_owned(),
        );
    }
    store.settle().await?;
    Ok(imported)
}

/// Reads every file to its end, or until nobody listens.
fn read_all(paths: Vec<PathBuf>, tenant_id: &str, sender: &mpsc::Sender<Read>) {
    let mut batch = RecordBatch::default();
    for input in inputs(paths) {
        let gone = match input {
            Err(error) => sender.blocking_send(Read::Unreadable(error.to_string())).is_err(),
            Ok(input) => read_file(input, tenant_id, &mut batch, sender).is_none(),
        };
        if gone {
            return;
        }
    }
}

/// `None` when nobody listens.
fn read_file(
    input: Input,
    tenant_id: &str,
    batch: &mut RecordBatch,
    sender: &mpsc::Sender<Read>,
) -> Option<()> {
    let Input { origin, reader } = input;
    let mut records = match Records::open(reader) {
        Ok(records) => records,
        Err(error) => return sender.blocking_send(Read::Unreadable(unread(&origin, &error))).ok(),
    };
    sender.blocking_send(Read::File).ok()?;
    loop {
        let filled = records.fill(batch);
        if !batch.is_empty() {
            let fetched = fetched(std::mem::take(batch), &Provenance::of(&origin, tenant_id));
            sender.blocking_send(Read::Batch(Box::new(fetched))).ok()?;
        }
        match filled {
            Ok(More::Yes) => {}
            Ok(More::No) => return Some(()),
            Err(error) => {
                return sender.blocking_send(Read::Unreadable(unread(&origin, &error))).ok();
            }
        }
    }
}

fn unread(origin: &str, error: &std::io::Error) -> String {
    format!("`{origin}` cannot be read to its end: {error}; what came before it was taken")
}
