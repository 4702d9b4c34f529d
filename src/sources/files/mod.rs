//! Exported files: which form they have is recognised, and their records are cut out where they
//! stand.
//!
//! A file is streamed: memory holds one window of it and the batch that is being filled, however
//! long the file is. Nothing is parsed here; see `normalise`.

mod batch;
mod brackets;
mod cut;
mod decode;
mod documents;
mod foreign;
mod inputs;
mod line;
mod object;
mod rows;

use std::io;
use std::io::Read;

use crate::model::Form;

use cut::{Cut, Cutter};
use documents::Documents;
use foreign::Foreign;
use rows::{Beginning, Rows};

pub use batch::{Misread, RecordBatch, Span};
pub use inputs::{Input, Unreadable, inputs};

/// The window at first; it grows to the longest record.
const WINDOW: usize = 256 << 10;

/// Whether a batch was the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum More {
    Yes,
    No,
}

/// The records of one input.
pub struct Records {
    input: Box<dyn Read + Send>,
    cutter: Option<Box<dyn Cutter>>,
    /// Bytes that were read and not yet done with: the first `filled`.
    window: Vec<u8>,
    filled: usize,
    at_end: bool,
    /// Why the input ended before its end.
    failed: Option<io::Error>,
}

impl std::fmt::Debug for Records {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Records").field("at_end", &self.at_end).finish_non_exhaustive()
    }
}

impl Records {
    /// Begins to read. Gzip, UTF-16 and the mark of UTF-8 are recognised by the first bytes.
    pub fn open(input: impl Read + Send + 'static) -> io::Result<Self> {
        let input = decode::open(Box::new(input))?;
        Ok(Self {
            input,
            cutter: None,
            window: vec![0; WINDOW],
            filled: 0,
            at_end: false,
            failed: None,
        })
    }

    /// Adds records until the batch is full or the input ends. An error comes after all that was read
    /// before it.
    pub fn fill(&mut self, batch: &mut RecordBatch) -> io::Result<More> {
        while !batch.is_full() {
            let window = &self.window[..self.filled];
            let cut = match &mut self.cutter {
                Some(cutter) => cutter.next(window, self.at_end),
                None => match cutter_for(window, self.at_end) {
                    Some(cutter) => {
                        self.cutter = Some(cutter);
                        continue;
                    }
                    None => Cut::More,
                },
            };
            match cut {
                Cut::Record { form: Form::Json, start, end, place } => {
                    batch.push(Form::Json, place, [&window[start..end], b"", b""]);
                }
                Cut::Record { form, start, end, place } => {
                    let (before, behind) =
                        self.cutter.as_ref().map_or((&[][..], &[][..]), |cutter| cutter.around());
                    batch.push(form, place, [before, &window[start..end], behind]);
                }
                Cut::Misread(misread) => batch.push_misread(misread),
                Cut::End => return self.failed.take().map_or(Ok(More::No), Err),
                Cut::More => self.read_on(),
            }
        }
        Ok(More::Yes)
    }

    /// Drops what is done with and reads more behind the rest.
    fn read_on(&mut self) {
        if let Some(cutter) = &mut self.cutter {
            let done = cutter.release(&self.window[..self.filled]);
            self.window.copy_within(done..self.filled, 0);
            self.filled -= done;
        }
        if self.filled == self.window.len() {
            self.window.resize(2 * self.window.len(), 0);
        }
        loop {
            match self.input.read(&mut self.window[self.filled..]) {
                Ok(0) => self.at_end = true,
                Ok(count) => self.filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                // What was read before is still cut.
                Err(error) => (self.at_end, self.failed) = (true, Some(error)),
            }
            return;
        }
    }
}

/// The cutter for the form that the input begins with; `None` when that is not there yet.
fn cutter_for(window: &[u8], at_end: bool) -> Option<Box<dyn Cutter>> {
    match window.trim_ascii_start().first() {
        None if !at_end => None,
        None | Some(b'{' | b'[') => Some(Box::new(Documents::new())),
        // The first bytes of the longest sign are enough.
        Some(_) if window.len() < 8 && !at_end => None,
        Some(_) => match rows::beginning(window, at_end) {
            _ if let Some(foreign) = Foreign::of(window) => Some(Box::new(foreign)),
            Beginning::More => None,
            Beginning::Header(layout) => Some(Box::new(Rows::new(layout))),
            Beginning::Other => Some(Box::new(Documents::new())),
        },
    }
}

/// Cuts the records out of the body of an answer where they stand: the batch keeps the body, and its
/// spans point into it.
#[must_use]
pub fn cut_page(body: Vec<u8>) -> RecordBatch {
    let mut batch = RecordBatch::default();
    let mut cutter = Documents::new();
    let mut rows = Vec::new();
    loop {
        match cutter.next(&body, true) {
            Cut::Record { form: Form::Json, start, end, place } => {
                batch.push_span(Span { start, end, place, form: Form::Json });
            }
            Cut::Record { form, start, end, place } => {
                // A row is no record where it stands; it is put together behind the body.
                let (before, behind) = cutter.around();
                let from = body.len() + rows.len();
                for piece in [before, &body[start..end], behind] {
                    rows.extend_from_slice(piece);
                }
                batch.push_span(Span { start: from, end: body.len() + rows.len(), place, form });
            }
            Cut::Misread(misread) => batch.push_misread(misread),
            Cut::More | Cut::End => break,
        }
    }
    batch.hold_page(body, &rows);
    batch
}

#[cfg(test)]
mod tests;
