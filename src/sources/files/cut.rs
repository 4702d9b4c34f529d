//! What the cutters of all forms share: what they find, and how they count.

use crate::model::Form;

use super::batch::Misread;

/// A longer record is set aside: nothing that Entra writes comes near.
pub(super) const RECORD_AT_MOST: usize = 16 << 20;

/// The next thing in the input.
#[derive(Debug)]
pub(super) enum Cut {
    /// What is there does not tell; more input is needed.
    More,
    /// A record at these bytes. A row stands between the cutter's `around`.
    Record {
        form: Form,
        start: usize,
        end: usize,
        place: u64,
    },
    Misread(Misread),
    End,
}

/// Cuts records out of a window that moves over the input.
pub(super) trait Cutter: Send {
    /// The next thing in the window. `at_end` says that nothing follows the window.
    fn next(&mut self, window: &[u8], at_end: bool) -> Cut;

    /// How many bytes of the window are done with; they will be gone at the next call.
    fn release(&mut self, window: &[u8]) -> usize;

    /// What stands before and behind a row to make it a record of its own.
    fn around(&self) -> (&[u8], &[u8]);
}

/// Counts lines up to a place in the window.
#[derive(Debug)]
pub(super) struct Lines {
    line: u64,
    counted: usize,
    /// The last sign of a line.
    end: u8,
}

impl Lines {
    pub(super) fn new() -> Self {
        Self::ending(b'\n')
    }

    pub(super) fn ending(end: u8) -> Self {
        Self { line: 1, counted: 0, end }
    }

    /// The 1-based line of a place that is not before the last one asked for.
    pub(super) fn at(&mut self, window: &[u8], place: usize) -> u64 {
        if place > self.counted {
            let passed = memchr::memchr_iter(self.end, &window[self.counted..place]).count();
            self.line += u64::try_from(passed).unwrap_or(u64::MAX);
            self.counted = place;
        }
        self.line
    }

    /// Forgets the first bytes of the window.
    pub(super) fn release(&mut self, window: &[u8], count: usize) {
        self.at(window, count);
        self.counted -= count;
    }
}
