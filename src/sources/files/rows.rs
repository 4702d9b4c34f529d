//! Cuts the rows out of CSV: quoted cells may hold line ends.

use memchr::{memchr, memchr_iter, memchr2, memchr3};

use crate::model::Form;

use super::batch::Misread;
use super::cut::{Cut, Cutter, Lines, RECORD_AT_MOST};

/// A first line longer than this is no header.
const HEADER_AT_MOST: usize = 64 << 10;

/// Columns of which one tells a header of sign-ins from prose with commas.
const KNOWN: [&str; 10] = [
    "timegenerated",
    "createddatetime",
    "date (utc)",
    "request id",
    "correlationid",
    "category",
    "operationname",
    "serviceprincipalid",
    "tenantid",
    "type",
];

/// What the input begins with.
pub(super) enum Beginning {
    /// Its first line is not there yet.
    More,
    /// The header of a CSV, with the sign between its columns.
    Header(u8),
    Other,
}

/// Whether the input begins with the header of a CSV.
pub(super) fn beginning(window: &[u8], at_end: bool) -> Beginning {
    let line = match memchr(b'\n', window) {
        Some(end) => &window[..end],
        None if at_end || window.len() > HEADER_AT_MOST => window,
        None => return Beginning::More,
    };
    let Ok(line) = std::str::from_utf8(line) else { return Beginning::Other };
    let line = line.trim();
    let sign = [b'\t', b';', b',']
        .into_iter()
        .max_by_key(|sign| memchr_iter(*sign, line.as_bytes()).count());
    let sign = sign.unwrap_or(b',');
    let cells: Vec<&str> =
        line.split(char::from(sign)).map(|cell| cell.trim().trim_matches('"')).collect();
    let is_known = |cell: &&str| {
        let cell = cell.to_ascii_lowercase();
        KNOWN.iter().any(|known| cell == *known || cell.strip_suffix(" [utc]") == Some(known))
    };
    let are_names = cells
        .iter()
        .all(|cell| cell.len() < 100 && !cell.is_empty() && !cell.contains(['{', '}', ':', ' ']));
    let quotes = memchr_iter(b'"', line.as_bytes()).count();
    let is_header = line.len() <= HEADER_AT_MOST
        && quotes.is_multiple_of(2)
        && (cells.len() >= 2 && cells.iter().any(is_known) || cells.len() >= 3 && are_names)
        && !line.starts_with(['{', '[']);
    if is_header { Beginning::Header(sign) } else { Beginning::Other }
}

/// Where the walk through a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Inside {
    /// An object here is a record of its own: no cell begins with a bracket and a bare quote.
    RowStart,
    Object,
    /// A quote here opens a quoted cell.
    CellStart,
    Bare,
    Quoted,
    /// Behind a quote in a quoted cell: its end, or the first of two.
    Quote,
}

/// Whether an object begins a line here, as nothing in a quoted cell does: there a quote stands twice.
/// `None` when that is not there yet.
fn begins_object(rest: &[u8], at_end: bool) -> Option<bool> {
    match rest {
        [b'{', b'"', first, ..] => Some(first.is_ascii_alphanumeric()),
        [] | [b'{'] | [b'{', b'"'] if !at_end => None,
        _ => Some(false),
    }
}

#[derive(Debug)]
pub(super) struct Rows {
    delimiter: u8,
    header: Vec<u8>,
    lines: Lines,
    start: usize,
    pos: usize,
    inside: Inside,
    /// The beginning of a row that is too long, and its line.
    too_long: Option<Misread>,
}

impl Rows {
    pub(super) fn new(delimiter: u8) -> Self {
        Self {
            delimiter,
            header: Vec::new(),
            lines: Lines::new(),
            start: 0,
            pos: 0,
            inside: Inside::RowStart,
            too_long: None,
        }
    }

    /// The end of the row that begins at `start`: the place of its line feed.
    fn row_end(&mut self, window: &[u8], at_end: bool) -> Option<usize> {
        while let Some(rest) = window.get(self.pos..).filter(|rest| !rest.is_empty()) {
            let step = match self.inside {
                Inside::RowStart if rest == b"{" && !at_end => return None,
                Inside::RowStart => {
                    let is_object = rest.starts_with(b"{\"") && !self.header.is_empty();
                    self.inside = if is_object { Inside::Object } else { Inside::CellStart };
                    0
                }
                Inside::Object => match memchr(b'\n', rest) {
                    Some(at) => return Some(self.ends_at(self.pos + at)),
                    None => rest.len(),
                },
                // A quote opens a quoted cell, and is the second of two inside one.
                Inside::CellStart | Inside::Quote if rest[0] == b'"' => {
                    self.inside = Inside::Quoted;
                    1
                }
                Inside::CellStart | Inside::Quote => {
                    self.inside = Inside::Bare;
                    0
                }
                Inside::Bare => match memchr3(self.delimiter, b'\n', b'\n', rest) {
                    Some(at) if rest[at] == b'\n' => return Some(self.ends_at(self.pos + at)),
                    Some(at) => {
                        self.inside = Inside::CellStart;
                        at + 1
                    }
                    None => rest.len(),
                },
                Inside::Quoted => match memchr2(b'"', b'\n', rest) {
                    Some(at) if rest[at] == b'\n' => match begins_object(&rest[at + 1..], at_end) {
                        None => {
                            self.pos += at;
                            return None;
                        }
                        Some(true) => {
                            self.unclosed(window, "a quoted cell of this row is not closed");
                            return Some(self.ends_at(self.pos + at));
                        }
                        Some(false) => at + 1,
                    },
                    Some(at) => {
                        self.inside = Inside::Quote;
                        at + 1
                    }
                    None => rest.len(),
                },
            };
            self.pos += step;
        }
        None
    }

    /// The row ends with the line feed there.
    fn ends_at(&mut self, line_feed: usize) -> usize {
        self.pos = line_feed + 1;
        self.inside = Inside::RowStart;
        line_feed
    }

    /// Sets the row aside that is being walked over.
    fn unclosed(&mut self, window: &[u8], reason: &str) {
        if self.too_long.is_none() {
            let place = self.lines.at(window, self.start);
            self.too_long = Some(Misread::new(place, reason, &window[self.start..self.pos]));
        }
    }

    /// A whole row: the header, a record, or nothing when it is blank or the header again.
    fn row(&mut self, window: &[u8], end: usize) -> Option<Cut> {
        let start = std::mem::replace(&mut self.start, self.pos);
        if let Some(misread) = self.too_long.take() {
            return Some(Cut::Misread(misread));
        }
        let row = window[start..end].trim_ascii_end();
        if row.is_empty() || row == self.header {
            return None;
        }
        if self.header.is_empty() {
            self.header = row.to_vec();
            self.header.push(b'\n');
            return None;
        }
        if row == self.header.trim_ascii_end() {
            return None;
        }
        let place = self.lines.at(window, start);
        let form = if row.starts_with(b"{\"") { Form::Json } else { Form::Csv };
        Some(Cut::Record { form, start, end: start + row.len(), place })
    }
}

impl Cutter for Rows {
    fn next(&mut self, window: &[u8], at_end: bool) -> Cut {
        loop {
            if let Some(end) = self.row_end(window, at_end) {
                match self.row(window, end) {
                    Some(cut) => return cut,
                    None => continue,
                }
            }
            if self.pos - self.start > RECORD_AT_MOST {
                let reason = "the row is longer than 16 MiB: a quote in it is not closed";
                self.unclosed(window, reason);
            }
            if !at_end {
                return Cut::More;
            }
            if self.start == window.len() && self.too_long.is_none() {
                return Cut::End;
            }
            self.pos = window.len();
            if self.inside == Inside::Quoted {
                self.unclosed(window, "the file ends inside a quoted cell of this row");
            }
            self.inside = Inside::RowStart;
            if let Some(cut) = self.row(window, window.len()) {
                return cut;
            }
        }
    }

    fn release(&mut self, window: &[u8]) -> usize {
        if self.too_long.is_some() {
            self.start = self.pos;
        }
        let done = self.start;
        self.lines.release(window, done);
        self.start = 0;
        self.pos -= done;
        done
    }

    fn around(&self) -> (&[u8], &[u8]) {
        (&self.header, b"")
    }
}
