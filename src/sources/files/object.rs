//! Walks through one object or row to its closing bracket, or to the list of records inside it.

use memchr::memchr;
use serde::Deserialize;

use super::brackets::Brackets;
use super::cut::RECORD_AT_MOST;

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
    /// It began a line, so a line that begins like a record may mean that this one was cut off.
    is_line: bool,
    /// The last byte walked over ended a line.
    behind_line: bool,
}

impl Object {
    pub(super) fn new(start: usize, is_line: bool) -> Self {
        let brackets = Brackets::default();
        Self {
            start,
            pos: start,
            depth: 0,
            brackets,
            sort: Sort::Whole,
            is_line,
            behind_line: false,
        }
    }

    /// What follows a list in its object.
    pub(super) fn tail(start: usize, depth: u64) -> Self {
        Self { depth, sort: Sort::Tail, ..Self::new(start, false) }
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
        if self.sort == Sort::Whole { self.start } else { self.pos }
    }

    pub(super) fn release(&mut self, count: usize) {
        self.start = self.start.saturating_sub(count);
        self.pos -= count;
    }

    /// Walks on as far as the window goes.
    pub(super) fn walk(
        &mut self,
        window: &[u8],
        at_end: bool,
        of_tables: bool,
        in_lines: bool,
    ) -> Walked {
        loop {
            if self.behind_line {
                match self.next_line_begins_record(window, at_end, in_lines) {
                    None => return Walked::More,
                    Some(true) => return Walked::End(self.pos - 1),
                    Some(false) => self.behind_line = false,
                }
            }
            let rest = &window[self.pos..];
            let line_end = if self.is_line { memchr(b'\n', rest) } else { None };
            let limit = self.pos + line_end.map_or(rest.len(), |end| end + 1);
            while self.pos < limit {
                if let Some(walked) = self.block(window, limit, of_tables) {
                    return walked;
                }
            }
            self.behind_line = line_end.is_some();
            if self.sort == Sort::Whole && self.pos - self.start > RECORD_AT_MOST {
                let head = window[self.start..self.start + HEAD_KEPT].to_vec();
                self.sort = Sort::TooLong(head);
            }
            if line_end.is_none() {
                return if at_end { Walked::CutOff } else { Walked::More };
            }
        }
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

    /// Whether the next line begins a record, so that this one was cut off: within a string, or
    /// where no object can stand.
    fn next_line_begins_record(&self, window: &[u8], at_end: bool, in_lines: bool) -> Option<bool> {
        let next = match &window[self.pos..] {
            [b'{', b' ', b'"', ..] | [b'{', b'"', ..] => true,
            [] | [b'{'] | [b'{', b' '] if !at_end => return None,
            _ => false,
        };
        let held = window.get(self.held_from()..self.pos).unwrap_or_default();
        let can_follow = matches!(held.trim_ascii_end().last(), Some(b',' | b'[' | b':'));
        Some(next && (in_lines || self.brackets.in_string() || !can_follow))
    }
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
        return is(b"rows").map(|_| List::Rows);
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
