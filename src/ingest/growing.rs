//! Reads files that grow: each from the byte where it stopped to its last whole line, the place kept in
//! one transaction with the records before it.

use std::ops::Range;

use chrono::{DateTime, TimeDelta, Utc};
use serde::de::IgnoredAny;

use super::attempts::Attempts;
use super::ends::{Ends, KNOWN_BY};
use super::poll::{HeadRead, Poll, delta};
use super::settled::{self, Manner};
use super::{Provenance, fetched};
use crate::model::Interval;
use crate::sources::files::{RecordBatch, cut_page};
use crate::sources::{FetchError, GrowingFile, GrowingFiles};
use crate::store::{Head, Mark, Reading, ReadingKind, StoreError, Tally, WindowDone};

/// Bytes of a file that are read and stored at once. A line longer than this is set aside in pieces:
/// nothing that Entra writes comes near.
const AT_ONCE: u64 = 4 << 20;

/// One file that cannot be read holds up no other; so many mean that none can.
const BROKEN_AT_MOST: usize = 3;

/// Why a file is not read further for now.
pub(super) enum Halt {
    /// It was deleted, or made anew, since it was listed; the next listing tells.
    Gone,
    Stopped,
    Failed(FetchError),
    Store(StoreError),
}

impl From<StoreError> for Halt {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A reading of the files of one head.
pub(super) struct Growth<'a> {
    pub(super) poll: &'a Poll<'a>,
    pub(super) files: &'a dyn GrowingFiles,
    pub(super) head: Head,
    pub(super) tally: Tally,
    pub(super) attempts: Attempts<'a>,
}

impl<'a> Growth<'a> {
    pub(super) fn of(poll: &'a Poll<'a>, files: &'a dyn GrowingFiles, head: Head) -> Self {
        let attempts = Attempts::of(poll, &head);
        Self { poll, files, head, tally: Tally::default(), attempts }
    }

    /// Reads all files that hold records since `from` and grew since they were last read, oldest first.
    pub(super) async fn run(
        mut self,
        from: DateTime<Utc>,
    ) -> Result<(Tally, HeadRead), StoreError> {
        let Poll { store, source, now, .. } = *self.poll;
        let (files, head) = (self.files, self.head.name.clone());
        let mut listed = match self.attempts.tried(&head, || files.list(&head, from, now)).await {
            Ok(Some(listed)) => listed,
            Ok(None) => return Ok((self.tally, HeadRead::Stopped)),
            Err(error) => {
                return Ok((self.tally, self.attempts.failed(&self.head, &error).await?));
            }
        };
        listed.sort_by(|a, b| (a.hour, &a.name).cmp(&(b.hour, &b.name)));
        let mut marks = store.marks(source.name(), &head).await?;
        let mut broken = Vec::new();
        for file in &listed {
            let mark = marks.remove(&file.name);
            match self.file(file, mark).await {
                Ok(()) | Err(Halt::Gone) => {}
                Err(Halt::Stopped) => return Ok((self.tally, HeadRead::Stopped)),
                Err(Halt::Store(error)) => return Err(error),
                Err(Halt::Failed(error)) => {
                    let is_of_all = matches!(error, FetchError::Transient { .. });
                    broken.push(error);
                    if is_of_all || broken.len() == BROKEN_AT_MOST {
                        break;
                    }
                }
            }
        }
        let read = match broken.last() {
            Some(error) => self.attempts.failed(&self.head, error).await?,
            None => self.done(from).await?,
        };
        Ok((self.tally, read))
    }

    /// All files were read: the head moves, and the ledger says so.
    async fn done(&mut self, from: DateTime<Utc>) -> Result<HeadRead, StoreError> {
        let Poll { store, source, now, .. } = *self.poll;
        let done = WindowDone {
            head: Head {
                read_to: self.head.read_to.max(now),
                failures: 0,
                next_attempt_at: Some(now + delta(source.plan().interval)),
                ..self.head.clone()
            },
            window: Interval { from: if self.files.is_whole() { from } else { now }, to: now },
            kind: ReadingKind::Head,
            began_at: now,
            ages: source.plan().sweeps.clone(),
            tally: self.tally,
        };
        let (requests, failed_requests) = self.attempts.taken();
        let reading = Reading {
            head: &self.head.name,
            measured_from: None,
            requests,
            failed_requests,
            done: Some(&done),
        };
        // The hour that `from` lies in is still looked at.
        let before = from.checked_sub_signed(TimeDelta::hours(1)).unwrap_or(from);
        store.files_read((source.name(), source.kind()), &reading, before, now).await?;
        Ok(HeadRead::CaughtUp)
    }

    /// Reads what was added to a file, piece by piece, or all of it where it is not the one that was read.
    async fn file(&mut self, file: &GrowingFile, known: Option<Mark>) -> Result<(), Halt> {
        let Some(mut mark) = resumed(file, known) else { return Ok(()) };
        let mut ends = self.ends(file, &mut mark).await?;
        loop {
            let from = mark.taken;
            let to = file.size.min(from + AT_ONCE);
            let bytes = self.piece(file, from..to).await?;
            let is_last = to == file.size;
            if !self.files.only_grow() && settled::manner(&bytes, from, is_last) == Manner::Whole {
                return self.settled(file, mark).await;
            }
            let whole = whole_lines(&bytes, is_last);
            mark.taken += whole as u64;
            ends.takes(&bytes[..whole]);
            mark.ends = ends.digest();
            if is_last {
                mark.etag.clone_from(&file.etag);
            }
            self.store_piece(bytes, whole, (&mark, from)).await?;
            self.tell(file);
            if is_last {
                return Ok(());
            }
        }
    }

    /// What stands at both ends of what was taken. Where that is not what the mark has, the file was
    /// rewritten in its place, and the mark goes back to the first byte.
    async fn ends(&mut self, file: &GrowingFile, mark: &mut Mark) -> Result<Ends, Halt> {
        if mark.taken == 0 || self.files.only_grow() {
            return Ok(Ends::default());
        }
        let length = mark.taken.min(KNOWN_BY);
        let first = self.piece(file, 0..length).await?;
        let last = self.piece(file, mark.taken - length..mark.taken).await?;
        let ends = Ends::of(first, last);
        if ends.digest() == mark.ends {
            return Ok(ends);
        }
        (mark.taken, mark.ends) = (0, String::new());
        Ok(Ends::default())
    }

    async fn piece(&mut self, file: &GrowingFile, piece: Range<u64>) -> Result<Vec<u8>, Halt> {
        if piece.is_empty() {
            return Ok(Vec::new());
        }
        let (files, head) = (self.files, self.head.name.clone());
        let length = piece.end - piece.start;
        match self.attempts.tried(&head, || files.read(&head, &file.name, piece.clone())).await {
            Ok(Some(Some(bytes))) if bytes.len() as u64 == length => Ok(bytes),
            Ok(Some(_)) => Err(Halt::Gone),
            Ok(None) => Err(Halt::Stopped),
            Err(error) => Err(Halt::Failed(error)),
        }
    }

    pub(super) fn tell(&self, file: &GrowingFile) {
        let on_page = self.poll.on_page;
        let until = file.hour + TimeDelta::hours(1);
        on_page(self.poll.source.name(), &self.head.name, file.hour, until);
    }

    async fn store_piece(
        &mut self,
        mut bytes: Vec<u8>,
        whole: usize,
        (mark, from): (&Mark, u64),
    ) -> Result<(), StoreError> {
        bytes.truncate(whole);
        let origin = format!(
            "{} {}/{} from byte {from}",
            self.poll.source.name(),
            self.head.name,
            mark.name
        );
        self.store_records(cut_page(bytes), &origin, mark).await
    }

    pub(super) async fn store_records(
        &mut self,
        records: RecordBatch,
        origin: &str,
        mark: &Mark,
    ) -> Result<(), StoreError> {
        let Poll { store, source, now, .. } = *self.poll;
        let (tenant_id, keep) = (source.tenant_id(), source.plan().keep);
        let piece = fetched(records, &Provenance { origin, tenant_id, keep });
        let (source, head) = ((source.name(), source.kind()), self.head.name.as_str());
        self.tally += store.add_piece(source, piece, (head, mark), now).await?;
        Ok(())
    }
}

/// Where to read on in a file; `None` when nothing was added to it.
fn resumed(file: &GrowingFile, known: Option<Mark>) -> Option<Mark> {
    // One that was made anew, or grew shorter, is read from its first byte.
    let known = known.filter(|mark| mark.made_at == file.made_at && mark.taken <= file.size);
    match known {
        Some(mark) if mark.etag == file.etag => None,
        Some(mark) => Some(Mark { etag: String::new(), ..mark }),
        None if file.size == 0 => None,
        None => Some(Mark {
            name: file.name.clone(),
            hour: file.hour,
            made_at: file.made_at,
            taken: 0,
            etag: String::new(),
            ends: String::new(),
            looked: String::new(),
        }),
    }
}

/// How many of the bytes are whole lines. An object that is complete is a line, whether or not its line
/// end is there yet: the last one of a file may never get one.
fn whole_lines(bytes: &[u8], is_last: bool) -> usize {
    let lines = memchr::memrchr(b'\n', bytes).map_or(0, |end| end + 1);
    let rest = &bytes[lines..];
    if is_last {
        let is_object = rest.trim_ascii_start().first() == Some(&b'{');
        let is_whole = is_object && serde_json::from_slice::<IgnoredAny>(rest).is_ok();
        if is_whole { bytes.len() } else { lines }
    } else if lines == 0 {
        bytes.len()
    } else {
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Mutex;
    use std::time::Duration;

    use async_trait::async_trait;
    use tokio_util::sync::CancellationToken;

    use crate::clock::FixedClock;
    use crate::sources::{Access, Keep, Plan, Source};
    use crate::store::Store;

    /// Files in memory; those whose name ends in `!` cannot be read.
    struct Shelf {
        plan: Plan,
        files: Mutex<Vec<(GrowingFile, String)>>,
        asked: Mutex<Vec<(String, Range<u64>)>>,
    }

    impl Shelf {
        fn new() -> Self {
            let plan = Plan {
                heads: vec!["logs".to_owned()],
                interval: Duration::from_mins(1),
                backfill: Duration::from_hours(24),
                overlap: Some(Duration::from_hours(24)),
                sweeps: Vec::new(),
                stale_after: Duration::from_mins(30),
                keep: Keep::All,
                reconcile: false,
                window: Duration::from_hours(1),
                retry_wait: Duration::ZERO,
                reach: None,
            };
            Self { plan, files: Mutex::default(), asked: Mutex::default() }
        }

        /// Puts a file in the place of the one of its name.
        fn put(&self, name: &str, made_at: i64, text: &str) {
            let file = GrowingFile {
                name: name.to_owned(),
                hour: now() - TimeDelta::hours(1),
                made_at: DateTime::from_timestamp(made_at, 0).unwrap(),
                size: text.len() as u64,
                etag: format!("{made_at}-{}", text.len()),
            };
            let mut files = self.files.lock().unwrap();
            files.retain(|(other, _)| other.name != name);
            files.push((file, text.to_owned()));
        }

        async fn read(&self, store: &Store) -> (Tally, HeadRead) {
            let stop = CancellationToken::new();
            let on_page = |_: &str, _: &str, _: DateTime<Utc>, _: DateTime<Utc>| ();
            let (now, on_page) = (now(), &on_page);
            let (clock, stop) = (&FixedClock::at(now), &stop);
            let poll = Poll { store, source: self, now, clock, is_eager: true, stop, on_page };
            let mut polled = poll.run().await.unwrap();
            (polled.tally, polled.heads.remove(0).1)
        }

        fn asked(&self) -> Vec<(String, Range<u64>)> {
            std::mem::take(&mut self.asked.lock().unwrap())
        }
    }

    #[async_trait]
    impl Source for Shelf {
        fn name(&self) -> &'static str {
            "shelf"
        }

        fn kind(&self) -> &'static str {
            "shelf"
        }

        fn plan(&self) -> &Plan {
            &self.plan
        }

        fn tenant_id(&self) -> &'static str {
            ""
        }

        fn access(&self) -> Access<'_> {
            Access::Files(self)
        }

        async fn check(&self, _: DateTime<Utc>) -> Result<String, FetchError> {
            Ok(String::new())
        }
    }

    #[async_trait]
    impl GrowingFiles for Shelf {
        async fn list(
            &self,
            _: &str,
            _: DateTime<Utc>,
            _: DateTime<Utc>,
        ) -> Result<Vec<GrowingFile>, FetchError> {
            Ok(self.files.lock().unwrap().iter().map(|(file, _)| file.clone()).collect())
        }

        async fn read(
            &self,
            _: &str,
            name: &str,
            piece: Range<u64>,
        ) -> Result<Option<Vec<u8>>, FetchError> {
            self.asked.lock().unwrap().push((name.to_owned(), piece.clone()));
            if name.ends_with('!') {
                return Err(FetchError::Permanent { sentence: format!("{name} is closed") });
            }
            let files = self.files.lock().unwrap();
            let (_, text) = files.iter().find(|(file, _)| file.name == name).unwrap();
            let piece = usize::try_from(piece.start).unwrap()..usize::try_from(piece.end).unwrap();
            Ok(text.as_bytes().get(piece).map(<[u8]>::to_vec))
        }
    }

    fn now() -> DateTime<Utc> {
        "2026-07-16T14:30:00Z".parse().unwrap()
    }

    fn line(number: u32, filler: usize) -> String {
        let filler = "x".repeat(filler);
        format!(
            "{{\"id\":\"{number:08x}-0000-4000-8000-000000000000\",\"createdDateTime\":\
             \"2026-07-16T13:30:00Z\",\"servicePrincipalName\":\"a\",\"filler\":\"{filler}\",\
             \"signInEventTypes\":[\"managedIdentity\"]}}\r\n"
        )
    }

    fn lines(numbers: Range<u32>) -> String {
        numbers.map(|number| line(number, 0)).collect()
    }

    async fn store(folder: &tempfile::TempDir) -> Store {
        let path = folder.path().join("test.db");
        Store::open(&format!("sqlite://{}", path.display())).await.unwrap()
    }

    #[test]
    fn an_object_that_is_complete_is_a_line_and_half_of_one_is_not() {
        for (text, whole) in [
            ("", 0),
            ("{}\r\n{}\r\n", 8),
            ("{}\r\n{\"a\":", 4),
            ("{}\r\n{\"a\":1}", 11),
            ("{}\r\n{\"a\":1}\r", 12),
            ("{}\r\n12", 4),
            ("\r\n", 2),
            ("{\"a\":\"{}", 0),
        ] {
            assert_eq!(whole_lines(text.as_bytes(), true), whole, "{text:?}");
        }
        assert_eq!(whole_lines(b"{}\n{}", false), 3, "more of it follows");
        assert_eq!(whole_lines(b"{\"a\":", false), 5, "a line that no piece holds");
    }

    #[tokio::test]
    async fn only_what_was_added_is_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let (store, shelf) = (store(&folder).await, Shelf::new());
        let size = lines(0..1).len() as u64;
        shelf.put("a", 1, &lines(0..2));
        assert_eq!(shelf.read(&store).await.0.stored, 2);
        assert_eq!(shelf.asked(), [("a".to_owned(), 0..2 * size)]);
        shelf.read(&store).await;
        assert_eq!(shelf.asked(), []);
        shelf.put("a", 1, &lines(0..3));
        assert_eq!(shelf.read(&store).await.0.read, 1);
        assert_eq!(shelf.asked(), [("a".to_owned(), 2 * size..3 * size)]);
        // Made anew, and longer: no byte of the old one says anything of it.
        shelf.put("a", 2, &lines(10..20));
        assert_eq!(shelf.read(&store).await.0.stored, 10);
        assert_eq!(shelf.asked(), [("a".to_owned(), 0..10 * size)]);
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_read_holds_up_no_other_and_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let (store, shelf) = (store(&folder).await, Shelf::new());
        shelf.put("a!", 1, &lines(0..2));
        shelf.put("b", 1, &lines(2..5));
        let (tally, read) = shelf.read(&store).await;
        assert_eq!(tally.stored, 3);
        let HeadRead::Failed { sentence, is_permanent, .. } = read else { panic!("{read:?}") };
        assert_eq!((sentence.as_str(), is_permanent), ("a! is closed", true));
        assert_eq!(store.marks("shelf", "logs").await.unwrap().len(), 1);
    }

    #[tokio::test]
    async fn a_line_longer_than_a_piece_is_set_aside_and_those_behind_it_are_read() {
        let folder = tempfile::tempdir().unwrap();
        let (store, shelf) = (store(&folder).await, Shelf::new());
        let piece = usize::try_from(AT_ONCE).unwrap();
        shelf.put("a", 1, &format!("{}{}{}", lines(0..2), line(2, 2 * piece), lines(3..6)));
        let (tally, read) = shelf.read(&store).await;
        assert_eq!((tally.stored, read), (5, HeadRead::CaughtUp));
        assert!(tally.rejected > 0);
        assert_eq!(tally.read, tally.stored + tally.rejected);
    }
}
