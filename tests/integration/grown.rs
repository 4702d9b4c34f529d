//! Files that grow in pieces of any length, of any content: nothing breaks, every record is accounted for, and whole
//! lines are stored once each.

use std::io::Write as _;

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::TestRunner;
use signinel::clock::FixedClock;
use signinel::ingest::poll::Poll;
use signinel::sources::Source;
use signinel::sources::folder::Folder;
use signinel::store::{Store, Tally};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use crate::garbled::{anything, graph, mutated};

/// A folder that is followed, and what was read of it.
struct Followed {
    folder: tempfile::TempDir,
    store: Store,
    source: Folder,
    now: DateTime<Utc>,
}

impl Followed {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let logs = folder.path().join("logs");
        std::fs::create_dir(&logs).unwrap();
        let address = format!("sqlite://{}", folder.path().join("grown.db").display());
        let store = Store::open(&address).await.unwrap();
        let source = Folder::new(&logs, String::new(), Duration::from_secs(5)).unwrap();
        Self { folder, store, source, now: "2026-11-23T00:00:00Z".parse().unwrap() }
    }

    fn append(&self, bytes: &[u8]) {
        let path = self.folder.path().join("logs/PT1H.json");
        let mut file = std::fs::File::options().create(true).append(true).open(path).unwrap();
        file.write_all(bytes).unwrap();
    }

    /// Looks at the folder once.
    async fn look(&mut self) {
        self.now += TimeDelta::seconds(10);
        let poll = Poll {
            store: &self.store,
            source: &self.source as &dyn Source,
            now: self.now,
            clock: &FixedClock::at(self.now),
            is_eager: true,
            stop: &CancellationToken::new(),
            on_page: &|_, _, _, _| (),
        };
        poll.run().await.unwrap();
    }

    async fn total(&self) -> Tally {
        let mut sum = Tally::default();
        for (_, tally) in self.store.tallies().await.unwrap() {
            sum += tally;
        }
        sum
    }
}

/// Grows a file piece by piece, with a look after each, and two more when it is whole.
async fn grown(bytes: &[u8], cuts: &[Index]) -> Result<Tally, TestCaseError> {
    let mut followed = Followed::new().await;
    let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
    places.extend([0, bytes.len()]);
    places.sort_unstable();
    for piece in places.windows(2) {
        followed.append(&bytes[piece[0]..piece[1]]);
        followed.look().await;
    }
    followed.look().await;
    followed.look().await;
    let tally = followed.total().await;
    prop_assert_eq!(tally.read, tally.stored + tally.duplicates + tally.rejected + tally.other);
    prop_assert_eq!(followed.store.unaccounted().await.unwrap(), Vec::<String>::new());
    Ok(tally)
}

/// Runs a property over many cases.
fn hold<S: Strategy>(
    cases: u32,
    strategy: S,
    property: impl Fn(&Runtime, S::Value) -> Result<(), TestCaseError>,
) {
    let runtime = Runtime::new().unwrap();
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    if let Err(failure) = TestRunner::new(config).run(&strategy, |value| property(&runtime, value))
    {
        panic!("{failure}");
    }
}

fn cuts() -> impl Strategy<Value = Vec<Index>> {
    prop::collection::vec(any::<Index>(), 0..5)
}

#[test]
fn whole_lines_that_come_in_any_pieces_are_stored_once_each() {
    hold(60, (1..12_u32, cuts(), any::<bool>()), |runtime, (count, cuts, is_ended)| {
        let mut lines: Vec<String> = (0..count).map(|it| graph(it).to_string()).collect();
        if is_ended {
            lines.push(String::new());
        }
        let bytes = lines.join("\n").into_bytes();
        let tally = runtime.block_on(grown(&bytes, &cuts))?;
        // A last line that is not ended may still grow.
        let whole = u64::from(if is_ended || count == 1 { count } else { count - 1 });
        prop_assert!((whole..=u64::from(count)).contains(&tally.stored), "{tally:?} of {whole}");
        prop_assert_eq!((tally.rejected, tally.other), (0, 0));
        Ok(())
    });
}

#[test]
fn records_changed_in_any_way_that_come_in_any_pieces_are_all_accounted_for() {
    hold(100, (mutated(), cuts()), |runtime, (file, cuts)| {
        runtime.block_on(grown(&file.bytes, &cuts)).map(drop)
    });
}

#[test]
fn bytes_of_any_kind_that_come_in_any_pieces_are_all_accounted_for() {
    hold(60, (anything(), cuts()), |runtime, (file, cuts)| {
        runtime.block_on(grown(&file.bytes, &cuts)).map(drop)
    });
}
