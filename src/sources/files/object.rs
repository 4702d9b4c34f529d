//! Walks through one object or row to its closing bracket, or to the list of records inside it.

use memchr::{memchr3, memmem};
use serde::Deserialize;

use super::brackets::Brackets;
use super::cut::RECORD_AT_MOST;
use super::line::{Line, Starts};

pub(super) const TOO_LONG: &str = "the record is longer than 16 MiB";

/// As much of a record that is too long is kept.
const HEAD_KEPT: usize = 64 << 10;

/// How a walk came out.
pub(super) enum Walked {
    More,
    /// It ends before this byte.
    End(usize),
    /// It is no record: a list of records begins here.
    List {
        from: usize,
        of_tables: bool,
    },
    /// It is a table, and its rows begin here.
    Rows {
        from: usize,
    },
    /// It was cut off before this byte: there a line begins that is like a record.
    Before(usize),
    /// The input ends inside.
    CutOff,
}

#[derive(Debug, PartialEq, Eq)]
enum Sort {
    Whole,
    /// The rest of an object that held a list.
    Tail,
    /// Too long to be kept; these bytes were its first.
    TooLong(Vec<u8>),
}

#[derive(Debug)]
pub(super) struct Object {
    pub(super) start: usize,
    pub(super) pos: usize,
    depth: u64,
    brackets: Brackets,
    sort: Sort,
    /// The last byte walked over ended a line, and a bracket may follow.
    behind_line: bool,
    /// The last byte walked over that is no blank.
    last: u8,
    /// The first line inside that begins like a record. If this object has no end, it is one.
    inner: Option<usize>,
}

impl Object {
    pub(super) fn new(start: usize) -> Self {
        Self {
            start,
            pos: start,
            depth: 0,
            brackets: Brackets::default(),
            sort: Sort::Whole,
            behind_line: false,
            last: 0,
            inner: None,
        }
    }

    /// What follows a list in its object.
    pub(super) fn tail(start: usize, depth: u64) -> Self {
        Self { depth, sort: Sort::Tail, ..Self::new(start) }
    }

    pub(super) fn is_tail(&self) -> bool {
        self.sort == Sort::Tail
    }

    /// The first bytes, if it is longer than a record may be.
    pub(super) fn too_long(&mut self, window: &[u8], end: usize) -> Option<Vec<u8>> {
        match &mut self.sort {
            Sort::TooLong(head) => Some(std::mem::take(head)),
            Sort::Whole if end - self.start > RECORD_AT_MOST => {
                Some(window[self.start..self.start + HEAD_KEPT].to_vec())
            }
            _ => None,
        }
    }

    /// The first byte that is still needed.
    pub(super) fn held_from(&self) -> usize {
        if self.sort == Sort::Whole { self.start } else { self.inner.unwrap_or(self.pos) }
    }

    pub(super) fn release(&mut self, count: usize) {
        self.start = self.start.saturating_sub(count);
        self.pos -= count;
        self.inner = self.inner.map(|inner| inner - count);
    }

    /// Walks on as far as the window goes.
    pub(super) fn walk(
        &mut self,
        window: &[u8],
        at_end: bool,
        of_tables: bool,
        (starts, in_lines): (&mut Starts, bool),
    ) -> Walked {
        loop {
            if self.behind_line {
                match self.next_line_begins_record(window, at_end) {
                    None => return Walked::More,
                    Some(true) if in_lines || self.is_cut_off() => {
                        return Walked::Before(self.inner.unwrap_or(self.pos));
                    }
                    Some(true) => _ = self.inner.get_or_insert(self.pos),
                    Some(false) => {}
                }
                self.behind_line = false;
            }
            let line_end = starts.next(window, self.pos);
            let limit = line_end.map_or(window.len(), |end| end + 1);
            let from = self.pos;
            while self.pos < limit {
                if let Some(walked) = self.block(window, limit, of_tables) {
                    return walked;
                }
            }
            // A text ends with a quote, which is then the last.
            if !self.brackets.in_string() {
                self.last = *window[from..limit].trim_ascii_end().last().unwrap_or(&self.last);
            }
            self.behind_line = line_end.is_some();
            if let Some(walked) = self.limited(window) {
                return walked;
            }
            if line_end.is_none() {
                let ended = self.inner.map_or(Walked::CutOff, Walked::Before);
                return if at_end { ended } else { Walked::More };
            }
        }
    }

    /// Keeps no more than a record may be long.
    fn limited(&mut self, window: &[u8]) -> Option<Walked> {
        if self.pos - self.held_from() <= RECORD_AT_MOST {
            return None;
        }
        if let Some(inner) = self.inner {
            return Some(Walked::Before(inner));
        }
        let head = window[self.start..self.start + HEAD_KEPT].to_vec();
        self.sort = Sort::TooLong(head);
        None
    }

    /// Walks over the next 64 bytes.
    fn block(&mut self, window: &[u8], limit: usize, of_tables: bool) -> Option<Walked> {
        let block = &window[self.pos..limit.min(self.pos + 64)];
        let found = self.brackets.step(block);
        let closing = u64::from(found.close.count_ones());
        let opening = u64::from(found.open.count_ones());
        let from = self.pos;
        self.pos += block.len();
        // Nothing ends and no list of records begins this deep.
        if self.depth > closing + 1 {
            self.depth = self.depth + opening - closing;
            return None;
        }
        let mut both = found.open | found.close;
        while both != 0 {
            let bit = both.trailing_zeros() as usize;
            both &= both - 1;
            let at = from + bit;
            if found.close >> bit & 1 == 1 {
                self.depth -= 1;
                if self.depth == 0 {
                    self.pos = at + 1;
                    return Some(Walked::End(at + 1));
                }
                continue;
            }
            if self.depth == 1 && window[at] == b'[' && self.sort == Sort::Whole {
                let list = list_at(&window[self.start..at], of_tables);
                if let Some(list) = list {
                    self.pos = at + 1;
                    return Some(match list {
                        List::Rows => Walked::Rows { from: at + 1 },
                        List::Records { of_tables } => Walked::List { from: at + 1, of_tables },
                    });
                }
            }
            self.depth += 1;
        }
        None
    }

    /// Whether the line that begins here begins like a record.
    fn next_line_begins_record(&self, window: &[u8], at_end: bool) -> Option<bool> {
        match &window[self.pos..] {
            [b'{', b' ', b'"', ..] | [b'{', b'"', ..] => Some(true),
            [] | [b'{'] | [b'{', b' '] if !at_end => None,
            _ => Some(false),
        }
    }

    /// Whether a record that follows now means that this one was cut off: within a string, or where
    /// no object can stand.
    fn is_cut_off(&self) -> bool {
        let can_follow = matches!(self.last, b',' | b'[' | b':');
        self.brackets.in_string() || !can_follow || matches!(self.sort, Sort::TooLong(_))
    }
}

/// A text that may hold a record, with its quotes.
pub(super) fn quoted(rest: &[u8], at_end: bool) -> Line {
    if rest.len() < 2 && !at_end {
        return Line::More;
    }
    if !rest.starts_with(b"\"{") {
        return Line::Other;
    }
    let mut at = 1;
    while let Some(next) = memchr3(b'"', b'\\', b'\n', &rest[at..]) {
        at += next;
        match rest[at] {
            b'"' => return Line::Record(at + 1),
            b'\\' if at + 1 < rest.len() => at += 2,
            b'\\' => break,
            _ => return Line::Other,
        }
    }
    if at_end || rest.len() >= RECORD_AT_MOST { Line::Other } else { Line::More }
}

enum List {
    Records { of_tables: bool },
    Rows,
}

/// What list the key before a bracket announces.
fn list_at(before: &[u8], of_tables: bool) -> Option<List> {
    let before = before.trim_ascii_end().strip_suffix(b":")?;
    let before = before.trim_ascii_end().strip_suffix(b"\"")?;
    let is = |name: &[u8]| {
        before
            .split_at_checked(before.len().checked_sub(name.len())?)
            .filter(|(rest, key)| key.eq_ignore_ascii_case(name) && rest.ends_with(b"\""))
    };
    if of_tables {
        // Without the names of the columns they are of no use yet: the table is then kept whole.
        return is(b"rows")
            .filter(|(rest, _)| memmem::find(rest, b"olumns").is_some())
            .map(|_| List::Rows);
    }
    if is(b"tables").is_some() {
        return Some(List::Records { of_tables: true });
    }
    (is(b"value").is_some() || is(b"records").is_some())
        .then_some(List::Records { of_tables: false })
}

#[derive(Deserialize)]
struct Table {
    #[serde(alias = "Columns")]
    columns: Vec<Column>,
}

#[derive(Deserialize)]
struct Column {
    #[serde(alias = "ColumnName", alias = "Name")]
    name: String,
}

/// The names of a table's columns, as the beginning of the records that its rows become.
/// `before` is the table up to and with the bracket of its rows.
pub(super) fn columns(before: &[u8]) -> Option<Vec<u8>> {
    let mut table = before.to_vec();
    table.extend_from_slice(b"]}");
    let table: Table = serde_json::from_slice(&table).ok()?;
    let names: Vec<String> = table.columns.into_iter().map(|column| column.name).collect();
    let names = serde_json::to_string(&names).ok()?;
    Some(format!(r#"{{"columns":{names},"row":"#).into_bytes())
}
