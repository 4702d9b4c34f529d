//! Records that were read together, in one piece of memory.

use crate::model::{Form, RawRecord};

/// A batch is full at this many records …
pub(super) const RECORDS_AT_MOST: usize = 8_192;
/// … or at this many bytes.
pub(super) const BYTES_AT_MOST: usize = 24 << 20;
/// As much of a record that cannot be read is kept.
const EXCERPT_AT_MOST: usize = 64 << 10;

/// Where a record lies in its batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub start: usize,
    pub end: usize,
    pub place: u64,
    pub form: Form,
}

/// Something in the input that no record could be cut from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misread {
    /// The 1-based line, or the 1-based number of the record.
    pub place: u64,
    pub reason: String,
    /// Its first 64 KiB.
    pub excerpt: Vec<u8>,
}

impl Misread {
    pub(super) fn new(place: u64, reason: impl Into<String>, bytes: &[u8]) -> Self {
        let excerpt = bytes[..bytes.len().min(EXCERPT_AT_MOST)].to_vec();
        Self { place, reason: reason.into(), excerpt }
    }
}

/// Records one after another, and what could not be read between them.
#[derive(Clone, Debug, Default)]
pub struct RecordBatch {
    bytes: Vec<u8>,
    spans: Vec<Span>,
    misread: Vec<Misread>,
}

impl RecordBatch {
    /// One record alone.
    #[must_use]
    pub fn of(form: Form, place: u64, record: Vec<u8>) -> Self {
        let span = Span { start: 0, end: record.len(), place, form };
        Self { bytes: record, spans: vec![span], misread: Vec::new() }
    }

    #[must_use]
    pub fn records(&self) -> impl ExactSizeIterator<Item = RawRecord<'_>> {
        self.spans.iter().map(|span| RawRecord {
            form: span.form,
            bytes: &self.bytes[span.start..span.end],
            place: span.place,
        })
    }

    #[must_use]
    pub fn misread(&self) -> &[Misread] {
        &self.misread
    }

    /// The bytes that the spans point into, the spans, and what could not be read.
    #[must_use]
    pub fn into_parts(self) -> (Vec<u8>, Vec<Span>, Vec<Misread>) {
        (self.bytes, self.spans, self.misread)
    }

    /// The number of records.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is neither a record nor anything misread.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty() && self.misread.is_empty()
    }

    pub(super) fn is_full(&self) -> bool {
        self.spans.len() + self.misread.len() >= RECORDS_AT_MOST
            || self.bytes.len() >= BYTES_AT_MOST
    }

    /// Adds a record made of several pieces.
    pub(super) fn push(&mut self, form: Form, place: u64, pieces: [&[u8]; 3]) {
        let start = self.bytes.len();
        for piece in pieces {
            self.bytes.extend_from_slice(piece);
        }
        self.spans.push(Span { start, end: self.bytes.len(), place, form });
    }

    /// Adds a record that lies in the page that this batch holds.
    pub(super) fn push_span(&mut self, span: Span) {
        self.spans.push(span);
    }

    pub(super) fn push_misread(&mut self, misread: Misread) {
        self.misread.push(misread);
    }

    /// Keeps the page that the spans point into, and the rows that stand behind it.
    pub(super) fn hold_page(&mut self, page: Vec<u8>, rows: &[u8]) {
        self.bytes = page;
        self.bytes.extend_from_slice(rows);
    }
}
