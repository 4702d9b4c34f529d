//! Cuts the rows out of CSV: quoted cells may hold line ends.

use memchr::{memchr, memchr_iter, memchr2};

use crate::model::Form;

use super::batch::Misread;
use super::cut::{Cut, Cutter, Lines, RECORD_AT_MOST};

/// A first line longer than this is no header.
const HEADER_AT_MOST: usize = 64 << 10;

/// So many lines may stand before the header: a title, `sep=,`, `#TYPE …`, blanks.
const LINES_BEFORE: usize = 4;

/// Columns of which one tells a header of sign-ins from prose with commas.
const KNOWN: [&str; 18] = [
    "timegenerated",
    "createddatetime",
    "date",
    "timestamp",
    "request id",
    "requestid",
    "correlationid",
    "category",
    "operationname",
    "serviceprincipalid",
    "service principal id",
    "serviceprincipalname",
    "managed identity id",
    "resulttype",
    "tenantid",
    "appid",
    "type",
    "$table",
];

/// What the input begins with.
pub(super) enum Beginning {
    /// Its first lines are not there yet.
    More,
    Header(Layout),
    Other,
}

/// How a CSV is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Layout {
    /// Where its header begins.
    start: usize,
    /// The sign between cells.
    delimiter: u8,
    /// The last sign of a line: a line feed, or a carriage return alone.
    line_end: u8,
}

/// Whether the input begins with the header of a CSV, or has it behind a few other lines.
pub(super) fn beginning(window: &[u8], at_end: bool) -> Beginning {
    let head = &window[..window.len().min(HEADER_AT_MOST)];
    let is_whole = at_end || window.len() > HEADER_AT_MOST;
    let Some(line_end) = line_end(head, is_whole) else { return Beginning::More };
    let mut start = 0;
    for number in 0..=LINES_BEFORE {
        let rest = &head[start..];
        let line = match memchr(line_end, rest) {
            Some(end) => &rest[..end],
            None if is_whole => rest,
            None => return Beginning::More,
        };
        let Ok(text) = std::str::from_utf8(line) else { return Beginning::Other };
        let text = text.trim();
        if text.starts_with(['{', '[']) {
            return Beginning::Other;
        }
        if let Some(delimiter) = header(text, number == 0) {
            return Beginning::Header(Layout { start, delimiter, line_end });
        }
        start = (start + line.len() + 1).min(head.len());
    }
    Beginning::Other
}

/// The last sign of the lines; `None` when that is not there yet. A carriage return is it only where no
/// line feed is.
fn line_end(head: &[u8], is_whole: bool) -> Option<u8> {
    match (memchr(b'\n', head), memchr(b'\r', head)) {
        (Some(_), _) => Some(b'\n'),
        (None, Some(_)) => is_whole.then_some(b'\r'),
        (None, None) => is_whole.then_some(b'\n'),
    }
}

/// The sign between the cells of a line, if it is a header. The first line of an input may be one of
/// columns that we do not know.
fn header(line: &str, may_be_unknown: bool) -> Option<u8> {
    if line.starts_with('#') || line.starts_with("sep=") {
        return None;
    }
    let count = |sign: &u8| memchr_iter(*sign, line.as_bytes()).count();
    let sign = [b'|', b'\t', b';', b','].into_iter().max_by_key(count)?;
    let cells: Vec<&str> = line.split(char::from(sign)).map(name).collect();
    let are_names = cells
        .iter()
        .all(|cell| cell.len() < 100 && !cell.is_empty() && !cell.contains(['{', '}', ':', ' ']));
    let quotes = memchr_iter(b'"', line.as_bytes()).count();
    let is_header = quotes.is_multiple_of(2)
        && (cells.len() >= 2 && cells.iter().any(|cell| is_known(cell))
            || may_be_unknown && cells.len() >= 3 && are_names);
    is_header.then_some(sign)
}

fn name(cell: &str) -> &str {
    cell.trim().trim_matches('"').trim()
}

/// Whether a column is one of ours, whatever zone stands behind its name.
fn is_known(cell: &str) -> bool {
    let bare = cell.find(['[', '(']).map_or(cell, |at| cell[..at].trim_end());
    KNOWN.iter().any(|known| bare.eq_ignore_ascii_case(known))
}

/// Whether a row is the header of another CSV that was put behind this one: it begins with a name, and
/// holds no value.
fn is_header(row: &[u8], delimiter: u8) -> bool {
    let first = &row[..memchr(delimiter, row).unwrap_or(row.len())];
    if !std::str::from_utf8(first).is_ok_and(|cell| is_known(name(cell))) {
        return false;
    }
    let Ok(row) = std::str::from_utf8(row) else { return false };
    let is_name = |cell: &str| {
        let digits = cell.bytes().filter(u8::is_ascii_digit).count();
        digits < 5 && !cell.contains(['{', '@', '/'])
    };
    header(row, false) == Some(delimiter) && row.split(char::from(delimiter)).all(is_name)
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
    line_end: u8,
    header: Vec<u8>,
    lines: Lines,
    start: usize,
    pos: usize,
    inside: Inside,
    /// The beginning of a row that is too long, and its line.
    too_long: Option<Misread>,
}

impl Rows {
    pub(super) fn new(Layout { start, delimiter, line_end }: Layout) -> Self {
        Self {
            delimiter,
            line_end,
            header: Vec::new(),
            lines: Lines::ending(line_end),
            start,
            pos: start,
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
                Inside::Object => match memchr(self.line_end, rest) {
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
                Inside::Bare => match memchr2(self.delimiter, self.line_end, rest) {
                    Some(at) if rest[at] == self.line_end => {
                        return Some(self.ends_at(self.pos + at));
                    }
                    Some(at) => {
                        self.inside = Inside::CellStart;
                        at + 1
                    }
                    None => rest.len(),
                },
                Inside::Quoted => match memchr2(b'"', self.line_end, rest) {
                    Some(at) if rest[at] == self.line_end => {
                        match begins_object(&rest[at + 1..], at_end) {
                            None => {
                                self.pos += at;
                                return None;
                            }
                            Some(true) => {
                                self.unclosed(window, "a quoted cell of this row is not closed");
                                return Some(self.ends_at(self.pos + at));
                            }
                            Some(false) => at + 1,
                        }
                    }
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
        if row.starts_with(b"#TYPE ") || row.starts_with(b"sep=") {
            return None;
        }
        if self.header.is_empty() || is_header(row, self.delimiter) {
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
