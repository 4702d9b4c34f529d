//! Reads files of a followed folder that are not one record a line: each whole, as an import does, once two
//! looks in a row saw the same.

use serde::de::IgnoredAny;

use super::growing::{Growth, Halt};
use crate::sources::files::{More, RecordBatch, Records};
use crate::sources::{FetchError, GrowingFile};
use crate::store::Mark;

/// How a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Manner {
    /// A record a line, each as soon as it is there.
    Lines,
    /// All of it at once, when it changes no more.
    Whole,
}

/// How a file is read that has these bytes at `from`. Only one whose first line is an object, or may yet become
/// one, has a record a line: a list, a page over many lines, a table, and what is packed have not.
pub(super) fn manner(bytes: &[u8], from: u64, is_last: bool) -> Manner {
    let end = memchr::memchr(b'\n', bytes);
    if end.is_none() && !is_last {
        // No piece holds this line.
        return Manner::Whole;
    }
    if from > 0 {
        return Manner::Lines;
    }
    let text = bytes.trim_ascii_start();
    let Some(b'{') = text.first() else {
        return if text.is_empty() { Manner::Lines } else { Manner::Whole };
    };
    match memchr::memchr(b'\n', text) {
        Some(end) if !is_object(&text[..end]) => Manner::Whole,
        _ => Manner::Lines,
    }
}

/// Whether a line is an object, if perhaps a broken one.
fn is_object(line: &[u8]) -> bool {
    let count = |sign| memchr::memchr_iter(sign, line).count();
    let is_closed = line.trim_ascii_end().ends_with(b"}") && count(b'{') == count(b'}');
    is_closed || serde_json::from_slice::<IgnoredAny>(line).is_ok()
}

impl Growth<'_> {
    /// Reads a file whole if it is what it was at the last look.
    pub(super) async fn settled(&mut self, file: &GrowingFile, mark: Mark) -> Result<(), Halt> {
        let origin = format!("{} {}/{}", self.poll.source.name(), self.head.name, file.name);
        let is_settled = mark.looked == file.etag;
        let looked = file.etag.clone();
        let mut mark = Mark { taken: 0, ends: String::new(), etag: String::new(), looked, ..mark };
        if !is_settled {
            self.store_records(RecordBatch::default(), &origin, &mark).await?;
            return Ok(());
        }
        let (files, head) = (self.files, self.head.name.clone());
        let opened = match self.attempts.tried(&head, || files.open(&head, &file.name)).await {
            Ok(Some(Some(opened))) => opened,
            Ok(Some(None)) => return Err(Halt::Gone),
            Ok(None) => return Err(Halt::Stopped),
            Err(error) => return Err(Halt::Failed(error)),
        };
        let mut reading = beside(move || Records::open(opened)).await?;
        loop {
            let (records, batch, filled) = match reading {
                Ok(mut records) => {
                    beside(move || {
                        let mut batch = RecordBatch::default();
                        let filled = records.fill(&mut batch);
                        (Some(records), batch, filled)
                    })
                    .await?
                }
                Err(error) => (None, RecordBatch::default(), Err(error)),
            };
            if let Err(error) = &filled {
                tracing::warn!(
                    "`{origin}` cannot be read to its end: {error}; what came before it was taken, and it is \
                     read again when it changes"
                );
            }
            let (Ok(More::Yes), Some(records)) = (filled, records) else {
                (mark.etag, mark.taken) = (file.etag.clone(), 0);
                self.store_records(batch, &origin, &mark).await?;
                self.tell(file);
                return Ok(());
            };
            self.store_records(batch, &origin, &mark).await?;
            if self.poll.stop.is_cancelled() {
                return Err(Halt::Stopped);
            }
            reading = Ok(records);
        }
    }
}

/// Works on another thread: reading waits for the disk.
async fn beside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Halt> {
    tokio::task::spawn_blocking(work).await.map_err(|_| {
        Halt::Failed(FetchError::Permanent {
            sentence: "reading stopped before the end: a fault of this program, please report it"
                .to_owned(),
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_an_object_in_its_first_line_has_a_record_a_line() {
        for text in ["", "\r\n", "{}\n", "{\"a\":{\"b\":1}}\r\n{\n", "{\"a\":1,}\n", "{\"a\":", "{"]
        {
            assert_eq!(manner(text.as_bytes(), 0, true), Manner::Lines, "{text:?}");
        }
        for text in [
            "[{}]",
            "{\n\"a\":1}",
            "{\"value\":[\n{}]}",
            "{\"value\":[{}\n,{}]}",
            "id,time\n",
            "\u{feff}{}\n",
            "\u{1f}\u{8b}",
        ] {
            assert_eq!(manner(text.as_bytes(), 0, true), Manner::Whole, "{text:?}");
        }
        assert_eq!(manner(b"{\"a\":", 0, false), Manner::Whole, "no piece holds its line");
        assert_eq!(manner(b"{\"a\":", 9, false), Manner::Whole, "nor this one");
        assert_eq!(manner(b"[]", 9, true), Manner::Lines, "it began with lines");
    }
}
