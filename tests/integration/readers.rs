//! Whatever bytes come, in whatever form: nothing breaks, every record is accounted for, and what
//! is whole is stored.

use std::path::Path;

use chrono::{DateTime, Utc};
use proptest::prelude::*;
use signinel::ingest::import::{Import, Imported, import};
use signinel::ingest::{Provenance, fetched};
use signinel::sources::files::cut_page;
use signinel::store::{Store, Tally};
use tokio_util::sync::CancellationToken;

use crate::arranged::{Arrangement, arrange, arrangement};
use crate::garbled::{Made, Wrapping, anything, graph, mutated, rubbish, wrapping};

fn now() -> DateTime<Utc> {
    "2026-11-23T00:00:00Z".parse().unwrap()
}

/// A database for the cases of a test, and a folder for their files.
struct Bench {
    folder: tempfile::TempDir,
    store: Store,
    runtime: tokio::runtime::Runtime,
}

impl Bench {
    fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let address = format!("sqlite://{}", folder.path().join("readers.db").display());
        let store = runtime.block_on(Store::open(&address)).unwrap();
        Self { folder, store, runtime }
    }

    fn import(&self, path: &Path) -> Imported {
        let with = Import {
            store: &self.store,
            tenant_id: String::new(),
            now: now(),
            stop: &CancellationToken::new(),
            on_batch: &|_| (),
        };
        self.runtime.block_on(import(vec![path.to_owned()], with)).unwrap()
    }

    /// Imports a file twice, and holds the database to what both came to.
    fn twice(&self, name: &str, file: &Made) -> Result<Tally, TestCaseError> {
        let path = self.folder.path().join(name);
        std::fs::write(&path, &file.bytes).unwrap();
        let before = self.total();
        let first = self.import(&path);
        prop_assert!(first.unreadable.len() <= usize::from(file.is_wrapped), "{first:?}");
        prop_assert!(!first.unreadable.iter().any(|it| it.contains("a fault")), "{first:?}");
        let tally = first.tally;
        prop_assert_eq!(tally.read, tally.stored + tally.duplicates + tally.rejected + tally.other);
        let set_aside = self.set_aside(&path, tally.rejected)?;
        let second = self.import(&path);
        let expected = Tally { stored: 0, duplicates: tally.stored + tally.duplicates, ..tally };
        prop_assert_eq!(second.tally, expected, "the same bytes again");
        prop_assert_eq!(self.set_aside(&path, tally.rejected)?, set_aside);
        let mut sum = before;
        sum += tally;
        sum += second.tally;
        prop_assert_eq!(self.total(), sum, "what the database counts");
        prop_assert_eq!(
            self.runtime.block_on(self.store.unaccounted()).unwrap(),
            Vec::<String>::new()
        );
        Ok(tally)
    }

    fn total(&self) -> Tally {
        let mut sum = Tally::default();
        for (_, tally) in self.runtime.block_on(self.store.tallies()).unwrap() {
            sum += tally;
        }
        sum
    }

    /// The number of records of a file that were set aside, each with where and why.
    fn set_aside(&self, path: &Path, rejected: u64) -> Result<usize, TestCaseError> {
        let all = self
            .runtime
            .block_on(self.store.reject_overviews(u32::try_from(rejected).unwrap() + 1))
            .unwrap();
        let of_file: Vec<_> = all.iter().filter(|it| Path::new(&it.origin) == path).collect();
        for reject in &of_file {
            prop_assert!(reject.place >= 1 && !reject.reason.trim().is_empty(), "{reject:?}");
        }
        // Of two that are the same in every byte and stand in one place, one is kept.
        let count = of_file.len() as u64;
        prop_assert!(count <= rejected && (count > 0) == (rejected > 0), "{count} of {rejected}");
        Ok(of_file.len())
    }
}

/// Runs a property over many cases with one database.
fn hold<S: Strategy>(
    cases: u32,
    strategy: S,
    property: impl Fn(&Bench, &str, S::Value) -> Result<(), TestCaseError>,
) {
    let bench = Bench::new();
    let number = std::cell::Cell::new(0);
    let config = ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() };
    let mut runner = proptest::test_runner::TestRunner::new(config);
    let outcome = runner.run(&strategy, |value| {
        number.set(number.get() + 1);
        property(&bench, &format!("{}.json", number.get()), value)
    });
    if let Err(failure) = outcome {
        panic!("{failure}");
    }
}

#[test]
fn records_changed_in_any_way_are_all_accounted_for() {
    hold(400, mutated(), |bench, name, file| bench.twice(name, &file).map(drop));
}

/// A page of Graph goes another way than a file: it is cut where it stands.
#[test]
fn pages_changed_in_any_way_are_all_accounted_for() {
    hold(300, mutated(), |bench, name, page| {
        let cut = cut_page(page.bytes.clone());
        let in_page = (cut.len() + cut.misread().len()) as u64;
        let add = || {
            let fetched = fetched(cut_page(page.bytes.clone()), &Provenance::of(name, "tenant"));
            let others: u64 = fetched.others.values().sum();
            assert_eq!(others, fetched.other, "each of another log has a name");
            bench
                .runtime
                .block_on(bench.store.add(("page", "graph"), fetched, None, now()))
                .unwrap()
        };
        let (first, second) = (add(), add());
        // What is wrapped may hold several.
        prop_assert!(first.read >= in_page, "{first:?} of {in_page}");
        prop_assert_eq!(first.read, first.stored + first.duplicates + first.rejected + first.other);
        let expected = Tally { stored: 0, duplicates: first.stored + first.duplicates, ..first };
        prop_assert_eq!(second, expected, "the same page again");
        let unaccounted = bench.runtime.block_on(bench.store.unaccounted()).unwrap();
        prop_assert_eq!(unaccounted, Vec::<String>::new());
        Ok(())
    });
}

#[test]
fn bytes_of_any_kind_are_all_accounted_for() {
    hold(150, anything(), |bench, name, file| bench.twice(name, &file).map(drop));
}

#[test]
fn records_that_are_whole_are_stored_in_every_arrangement() {
    let arrangements = (arrangement(), wrapping(), 1..5_u32);
    let number = std::cell::Cell::new(100_u32);
    hold(60, arrangements, |bench, name, (arrangement, wrapping, count)| {
        let first = number.replace(number.get() + count);
        let records: Vec<Vec<u8>> =
            (first..first + count).map(|it| graph(it).to_string().into_bytes()).collect();
        let bytes = arrange(arrangement, &records);
        let is_whole = !matches!(wrapping, Wrapping::Torn(_) | Wrapping::Flipped(_));
        let file =
            Made { bytes: wrapping.wrap(&bytes), is_wrapped: !matches!(wrapping, Wrapping::None) };
        let tally = bench.twice(name, &file)?;
        if is_whole {
            let times = if matches!(wrapping, Wrapping::Members(_)) { 2 } else { 1 };
            let times = if matches!(arrangement, Arrangement::Twice) { 2 * times } else { times };
            prop_assert_eq!(tally.stored, u64::from(count));
            prop_assert!(tally.stored + tally.duplicates <= u64::from(times * count));
        }
        Ok(())
    });
}

#[test]
fn lines_that_are_whole_are_stored_whatever_stands_between_them() {
    // A line that is torn and one that closes it may make one object of what stands between them; so the
    // file shows by its first line what it is, or has rubbish there only.
    let line = || prop_oneof![rubbish().prop_map(Some), Just(None)];
    let behind = prop::collection::vec(line(), 0..8).prop_map(|mut lines| {
        lines.insert(0, None);
        lines
    });
    let before = (rubbish(), 1..4_usize).prop_map(|(first, whole)| {
        std::iter::once(Some(first)).chain(std::iter::repeat_n(None, whole)).collect()
    });
    let lines = prop_oneof![3 => behind, 1 => before];
    let number = std::cell::Cell::new(10_000_u32);
    hold(600, (lines, any::<bool>()), |bench, name, (lines, is_ended)| {
        let mut whole = 0;
        let lines: Vec<Vec<u8>> = lines
            .into_iter()
            .map(|line| {
                line.unwrap_or_else(|| {
                    whole += 1;
                    graph(number.replace(number.get() + 1)).to_string().into_bytes()
                })
            })
            .collect();
        let mut bytes = lines.join(&b'\n');
        if is_ended {
            bytes.push(b'\n');
        }
        // A rubbish beginning may by chance be that of gzip or UTF-16.
        prop_assume!(
            !bytes.starts_with(&[0x1f, 0x8b])
                && !bytes.starts_with(&[0xff, 0xfe])
                && !bytes.starts_with(&[0xfe, 0xff])
        );
        let shown = String::from_utf8_lossy(&bytes).into_owned();
        let tally = bench.twice(name, &Made { bytes, is_wrapped: false })?;
        prop_assert_eq!(tally.stored, whole, "{}", shown);
        Ok(())
    });
}
