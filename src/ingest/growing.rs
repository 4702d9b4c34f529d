//! Reads files that grow: each from the byte where it stopped to its last whole line, the place kept in
//! one transaction with the records before it.

use chrono::{DateTime, TimeDelta, Utc};
use serde::de::IgnoredAny;

use super::fetched;
use super::poll::{HeadRead, Poll, delta};
use crate::sources::files::cut_page;
use crate::sources::{FetchError, GrowingFile, GrowingFiles};
use crate::store::{Head, Mark, StoreError, Tally};

/// Bytes of a file that are read and stored at once. A line longer than this is set aside in pieces:
/// nothing that Entra writes comes near.
const AT_ONCE: u64 = 4 << 20;

/// One file that cannot be read holds up no other; so many mean that none can.
const BROKEN_AT_MOST: usize = 3;

/// What became of one file.
enum FileRead {
    Done,
    Stopped,
}

impl Poll<'_> {
    /// Reads all files of a head that hold records since `from` and grew since they were last read,
    /// oldest first.
    pub(super) async fn files(
        &self,
        files: &dyn GrowingFiles,
        head: &Head,
        from: DateTime<Utc>,
    ) -> Result<(Tally, HeadRead), StoreError> {
        let mut tally = Tally::default();
        let mut listed =
            match self.tried(&head.name, || files.list(&head.name, from, self.now)).await {
                Ok(Some(listed)) => listed,
                Ok(None) => return Ok((tally, HeadRead::Stopped)),
                Err(error) => return Ok((tally, self.failed(head, &error).await?)),
            };
        listed.sort_by(|a, b| (a.hour, &a.name).cmp(&(b.hour, &b.name)));
        let mut marks = self.store.marks(self.source.name(), &head.name).await?;
        let mut broken = Vec::new();
        for file in &listed {
            let mark = marks.remove(&file.name);
            match self.file(files, &head.name, file, mark, &mut tally).await? {
                Ok(FileRead::Done) => {}
                Ok(FileRead::Stopped) => return Ok((tally, HeadRead::Stopped)),
                Err(error) => {
                    let is_of_all = matches!(error, FetchError::Transient { .. });
                    broken.push(error);
                    if is_of_all || broken.len() == BROKEN_AT_MOST {
                        break;
                    }
                }
            }
        }
        if let Some(error) = broken.last() {
            return Ok((tally, self.failed(head, error).await?));
        }
        let done = Head {
            read_to: head.read_to.max(self.now),
            failures: 0,
            next_attempt_at: Some(self.now + delta(self.source.plan().interval)),
            ..head.clone()
        };
        let source = (self.source.name(), self.source.kind());
        // The hour that `from` lies in is still looked at.
        let before = from.checked_sub_signed(TimeDelta::hours(1)).unwrap_or(from);
        self.store.files_read(source, &done, before, self.now).await?;
        Ok((tally, HeadRead::CaughtUp))
    }

    /// Reads what was added to a file, piece by piece.
    async fn file(
        &self,
        files: &dyn GrowingFiles,
        head: &str,
        file: &GrowingFile,
        known: Option<Mark>,
        tally: &mut Tally,
    ) -> Result<Result<FileRead, FetchError>, StoreError> {
        let Some(mut mark) = resumed(file, known) else { return Ok(Ok(FileRead::Done)) };
        loop {
            let from = mark.taken;
            let to = file.size.min(from + AT_ONCE);
            let bytes = if from < to {
                match self.tried(head, || files.read(head, &file.name, from..to)).await {
                    Ok(Some(Some(bytes))) if bytes.len() as u64 == to - from => bytes,
                    // It was deleted, or made anew, since it was listed; the next listing tells.
                    Ok(Some(_)) => return Ok(Ok(FileRead::Done)),
                    Ok(None) => return Ok(Ok(FileRead::Stopped)),
                    Err(error) => return Ok(Err(error)),
                }
            } else {
                Vec::new()
            };
            let is_last = to == file.size;
            let whole = whole_lines(&bytes, is_last);
            mark.taken += whole as u64;
            if is_last {
                mark.etag.clone_from(&file.etag);
            }
            *tally += self.store_piece(bytes, whole, head, (&mark, from)).await?;
            (self.on_page)(self.source.name(), head, file.hour, file.hour + TimeDelta::hours(1));
            if is_last {
                return Ok(Ok(FileRead::Done));
            }
        }
    }

    async fn store_piece(
        &self,
        mut bytes: Vec<u8>,
        whole: usize,
        head: &str,
        (mark, from): (&Mark, u64),
    ) -> Result<Tally, StoreError> {
        bytes.truncate(whole);
        let origin = format!("{} {head}/{} from byte {from}", self.source.name(), mark.name);
        let piece = fetched(cut_page(bytes), &origin);
        let source = (self.source.name(), self.source.kind());
        self.store.add_piece(source, piece, (head, mark), self.now).await
    }
}

/// Where to read on in a file; `None` when nothing was added to it.
fn resumed(file: &GrowingFile, known: Option<Mark>) -> Option<Mark> {
    // One that was made anew, or grew shorter, is read from its first byte.
    let known = known.filter(|mark| mark.made_at == file.made_at && mark.taken <= file.size);
    match known {
        Some(mark) if mark.etag == file.etag => None,
        Some(mark) => Some(Mark { etag: String::new(), ..mark }),
        None => Some(Mark {
            name: file.name.clone(),
            hour: file.hour,
            made_at: file.made_at,
            taken: 0,
            etag: String::new(),
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
