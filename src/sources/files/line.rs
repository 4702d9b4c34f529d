//! The quick way: a line that is a record, told by its ends and by what follows.

use memchr::{memchr, memmem};

/// A longer line may be a page; it is walked through.
const LINE_AT_MOST: usize = 32 << 10;

/// First keys of objects that hold lists of records.
const LISTS: [&[u8]; 8] =
    [b"@odata", b"odata", b"value", b"records", b"tables", b"nextlink", b"count", b"statistics"];

pub(super) enum Line {
    /// The line is not there yet.
    More,
    /// A record of this length.
    Record(usize),
    /// It takes a walk to tell.
    Other,
}

/// The line at the beginning of `rest`, which begins with `{`. A record of one line is followed by
/// another, so it needs no walk to know that it ends here, and a line that was cut off spoils no
/// other. At the end of the input that holds only if the lines before were records, too.
pub(super) fn at(rest: &[u8], at_end: bool, in_lines: bool) -> Line {
    let head = &rest[..rest.len().min(LINE_AT_MOST + 2)];
    let end = match memchr(b'\n', head) {
        Some(end) => match rest.get(end + 1) {
            Some(b'{') => end,
            None if !at_end => return Line::More,
            None if in_lines => end,
            _ => return Line::Other,
        },
        None if rest.len() > LINE_AT_MOST => return Line::Other,
        None if !at_end => return Line::More,
        None if in_lines => rest.len(),
        None => return Line::Other,
    };
    let line = rest[..end].trim_ascii_end();
    let goes_on = matches!(line.last(), None | Some(b',' | b'[' | b'{' | b':'));
    // Two files put together without a line end between.
    if line.len() > LINE_AT_MOST
        || goes_on
        || holds_list(line)
        || memmem::find(line, b"}{").is_some()
    {
        return Line::Other;
    }
    Line::Record(line.len())
}

/// Finds the lines that begin with a bracket, each byte being looked at once.
#[derive(Debug, Default)]
pub(super) struct Starts {
    /// No such line begins between the last place asked for and the one behind this byte.
    passed: usize,
}

impl Starts {
    /// The line end at or behind `from` that is followed by a bracket, or by what is not there yet.
    pub(super) fn next(&mut self, window: &[u8], from: usize) -> Option<usize> {
        self.passed = self.passed.max(from);
        while let Some(at) = memchr(b'\n', window.get(self.passed..)?) {
            self.passed += at;
            if matches!(window.get(self.passed + 1), None | Some(b'{')) {
                return Some(self.passed);
            }
            self.passed += 1;
        }
        self.passed = window.len();
        None
    }

    /// Looks from here again.
    pub(super) fn return_to(&mut self, place: usize) {
        self.passed = place;
    }

    /// Forgets the first bytes of the window.
    pub(super) fn release(&mut self, count: usize) {
        self.passed = self.passed.saturating_sub(count);
    }
}

fn holds_list(line: &[u8]) -> bool {
    let Some(key) = line[1..].trim_ascii_start().strip_prefix(b"\"") else { return true };
    LISTS.iter().any(|name| {
        key.split_at_checked(name.len()).is_some_and(|(start, _)| start.eq_ignore_ascii_case(name))
    })
}
