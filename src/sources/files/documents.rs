//! Cuts the records out of JSON of any arrangement: lines, lists, pages, tables, documents one after
//! another with prose between.
//!
//! Only brackets and quotes are looked at, so that what stands in one record cannot spoil the next,
//! and each keeps the bytes it had.

use memchr::{memchr, memchr3, memmem};

use crate::model::Form;

use super::batch::Misread;
use super::cut::{Cut, Cutter, Lines};
use super::line::{Line, Starts};
use super::object::{Object, Walked};
use super::{line, object};

const PROSE: &str = "this is neither JSON nor CSV: export sign-ins as one of them; what stands before a record on its \
                     line may stay";
const PARTIAL: &str = "the answer says that it holds only a part of the rows (`PartialError`): ask again for a \
                       shorter time";

/// As much of the text between documents is shown.
const PROSE_SHOWN: usize = 200;

/// What the walk is inside of, outermost first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// A list of records, or of the tables of an answer.
    List { of_tables: bool },
    /// `rows` of a table.
    Rows,
    /// What follows the list in its object, so many brackets deep.
    Tail(u64),
    /// A text where an object was expected.
    Text,
}

#[derive(Debug)]
pub(super) struct Documents {
    /// The next byte to look at.
    at: usize,
    lines: Lines,
    /// Records so far.
    number: u64,
    levels: Vec<Level>,
    object: Option<Object>,
    /// Nothing but blanks since the line began.
    at_line_start: bool,
    /// A line before was a record.
    in_lines: bool,
    /// The bytes just passed are a record that began a line and has but one.
    behind_line: bool,
    starts: Starts,
    prose: Option<Prose>,
    /// `{"columns":[…],"row":`
    columns: Vec<u8>,
}

/// Text that is no record.
#[derive(Debug)]
struct Prose {
    misread: Misread,
    /// It may stand before a record on its line, as the time and the host that a log shipper adds do.
    /// A bracket that closes is the end of a record that was torn.
    is_prefix: bool,
}

impl Documents {
    pub(super) fn new() -> Self {
        Self {
            at: 0,
            lines: Lines::new(),
            number: 0,
            levels: Vec::new(),
            object: None,
            at_line_start: true,
            in_lines: false,
            behind_line: false,
            starts: Starts::default(),
            prose: None,
            columns: Vec::new(),
        }
    }

    /// One step at the outermost level; `None` to go on.
    fn outside(&mut self, window: &[u8], at_end: bool) -> Option<Cut> {
        self.skip_blanks(window);
        let Some(&byte) = window.get(self.at) else {
            return Some(match (at_end, self.prose.take()) {
                (false, prose) => {
                    self.prose = prose;
                    Cut::More
                }
                (true, Some(prose)) => Cut::Misread(prose.misread),
                (true, None) => Cut::End,
            });
        };
        if matches!(byte, b',' | b';' | 0x1e) {
            self.at += 1;
            return None;
        }
        if byte == 0xef && (window.len() - self.at >= 3 || at_end) {
            if window[self.at..].starts_with(b"\xef\xbb\xbf") {
                self.at += 3;
                return None;
            }
        } else if byte == 0xef {
            return Some(Cut::More);
        }
        match begins_document(&window[self.at..], at_end) {
            None => return Some(Cut::More),
            Some(false) => return self.prose(window, at_end),
            Some(true) => {}
        }
        if let Some(prose) = self.prose.take().filter(|prose| !prose.is_prefix) {
            return Some(Cut::Misread(prose.misread));
        }
        if byte == b'[' {
            self.at += 1;
            self.at_line_start = false;
            self.levels.push(Level::List { of_tables: false });
            return None;
        }
        if self.at_line_start {
            match line::at(&window[self.at..], at_end, self.in_lines) {
                Line::More => return Some(Cut::More),
                Line::Record(length) => {
                    self.in_lines = true;
                    let start = self.at;
                    self.at += length;
                    return Some(self.record(Form::Json, window, start, start + length));
                }
                Line::Other => {}
            }
        }
        self.object = Some(Object::new(self.at));
        None
    }

    fn skip_blanks(&mut self, window: &[u8]) {
        while let Some(byte) = window.get(self.at) {
            match byte {
                b'\n' => {
                    self.at_line_start = true;
                    if let Some(prose) = &mut self.prose {
                        prose.is_prefix = false;
                    }
                    self.in_lines |= std::mem::take(&mut self.behind_line);
                }
                b' ' | b'\t' | b'\r' => {}
                _ => {
                    self.behind_line = false;
                    break;
                }
            }
            self.at += 1;
        }
    }

    /// Passes text that is not JSON, to the end of its line or to where JSON may begin.
    fn prose(&mut self, window: &[u8], at_end: bool) -> Option<Cut> {
        let rest = &window[self.at..];
        if self.prose.is_none() {
            let shown = &rest[..rest.len().min(PROSE_SHOWN)];
            let line_end = memchr(b'\n', shown);
            if line_end.is_none() && shown.len() < PROSE_SHOWN && !at_end {
                return Some(Cut::More);
            }
            let shown = shown[..line_end.unwrap_or(shown.len())].trim_ascii_end();
            let place = self.lines.at(window, self.at);
            let misread = Misread::new(place, PROSE, shown);
            self.prose = Some(Prose { misread, is_prefix: true });
        }
        self.at_line_start = false;
        let from = self.at;
        self.at += 1;
        self.at = match memchr3(b'\n', b'{', b'[', &window[self.at..]) {
            Some(next) => self.at + next,
            None => window.len(),
        };
        if let Some(prose) = &mut self.prose {
            prose.is_prefix &= memchr(b'}', &window[from..self.at]).is_none();
        }
        None
    }

    /// One step inside a list.
    fn inside(&mut self, level: Level, window: &[u8], at_end: bool) -> Option<Cut> {
        if let Level::Tail(depth) = level {
            self.object = Some(Object::tail(self.at, depth));
            return None;
        }
        if level == Level::Text {
            return self.text(window, at_end);
        }
        let wanted = |byte: &u8| matches!(byte, b'{' | b'[' | b']' | b'"');
        let Some(next) = window[self.at..].iter().position(wanted) else {
            self.at = window.len();
            if !at_end {
                return Some(Cut::More);
            }
            self.levels.clear();
            self.number += 1;
            let reason = "the input ends inside a list of records: it may have been cut off";
            return Some(Cut::Misread(Misread::new(self.number, reason, b"")));
        };
        self.at += next;
        match (window[self.at], level) {
            (b']', _) => {
                self.levels.pop();
                self.at += 1;
            }
            (b'"', _) => match object::quoted(&window[self.at..], at_end) {
                Line::More => return Some(Cut::More),
                Line::Record(length) => {
                    let start = self.at;
                    self.at += length;
                    return Some(self.record(Form::Json, window, start, start + length));
                }
                Line::Other => {
                    self.levels.push(Level::Text);
                    self.at += 1;
                }
            },
            (b'[', Level::List { .. }) => {
                self.levels.push(Level::List { of_tables: false });
                self.at += 1;
            }
            _ => self.object = Some(Object::new(self.at)),
        }
        None
    }

    /// Passes a text to its closing quote, or to the end of its line, for no text is longer.
    fn text(&mut self, window: &[u8], at_end: bool) -> Option<Cut> {
        let rest = &window[self.at..];
        match memchr3(b'"', b'\\', b'\n', rest) {
            Some(at) if rest[at] != b'\\' => self.at += at + 1,
            Some(at) if at + 1 < rest.len() => {
                self.at += at + if rest[at + 1] == b'\n' { 1 } else { 2 };
                return None;
            }
            Some(at) if !at_end => {
                self.at += at;
                return Some(Cut::More);
            }
            None if !at_end => {
                self.at = window.len();
                return Some(Cut::More);
            }
            _ => self.at = window.len(),
        }
        self.levels.pop();
        self.number += 1;
        Some(Cut::Misread(Misread::new(self.number, "this is a text, not a record", b"")))
    }

    /// Goes on walking through the object that was begun.
    fn walk(&mut self, mut object: Object, window: &[u8], at_end: bool) -> Option<Cut> {
        let of_tables = self.levels.last() == Some(&Level::List { of_tables: true });
        let lines = (&mut self.starts, self.in_lines);
        let walked = object.walk(window, at_end, of_tables, lines);
        self.at = object.pos;
        match walked {
            Walked::More => {
                self.object = Some(object);
                Some(Cut::More)
            }
            Walked::Before(end) => {
                // From here on a line is a record, so that no line is walked over a third time.
                self.in_lines = true;
                self.starts.return_to(end);
                let cut = self.ended(object, window, end);
                self.at_line_start = true;
                cut
            }
            Walked::End(end) => self.ended(object, window, end),
            Walked::List { from, of_tables } => {
                (self.at, self.at_line_start) = (from, false);
                self.levels.extend([Level::Tail(1), Level::List { of_tables }]);
                None
            }
            Walked::Rows { from } => self.rows(window, object.start, from),
            Walked::CutOff => {
                self.at = window.len();
                self.levels.clear();
                if object.is_tail() {
                    return None;
                }
                let place = self.place(window, object.start);
                let held = window.get(object.start..).unwrap_or_default();
                let reason = "the input ends inside this record: it may have been cut off";
                Some(Cut::Misread(Misread::new(place, reason, held)))
            }
        }
    }

    /// The object ends before this byte.
    fn ended(&mut self, mut object: Object, window: &[u8], end: usize) -> Option<Cut> {
        self.at = end;
        let began_line = std::mem::take(&mut self.at_line_start);
        if object.is_tail() {
            self.levels.pop();
            let rest = window.get(object.start..end).unwrap_or_default();
            return memmem::find(rest, b"\"PartialError\"").map(|_| {
                self.number += 1;
                Cut::Misread(Misread::new(self.number, PARTIAL, rest))
            });
        }
        if let Some(head) = object.too_long(window, end) {
            let place = self.place(window, object.start);
            return Some(Cut::Misread(Misread::new(place, object::TOO_LONG, &head)));
        }
        let bytes = window[object.start..end].trim_ascii_end();
        self.behind_line = began_line && self.levels.is_empty() && memchr(b'\n', bytes).is_none();
        let is_row = self.levels.last() == Some(&Level::Rows) && bytes[0] == b'[';
        let form = if is_row { Form::Table } else { Form::Json };
        Some(self.record(form, window, object.start, object.start + bytes.len()))
    }

    /// Enters the rows of a table, whose columns were named before them.
    fn rows(&mut self, window: &[u8], start: usize, from: usize) -> Option<Cut> {
        (self.at, self.at_line_start) = (from, false);
        if let Some(columns) = object::columns(&window[start..from]) {
            self.columns = columns;
            self.levels.extend([Level::Tail(1), Level::Rows]);
            return None;
        }
        self.levels.push(Level::Tail(2));
        self.number += 1;
        let reason = "a table whose rows are not preceded by its `columns`";
        Some(Cut::Misread(Misread::new(self.number, reason, &window[start..from])))
    }

    fn record(&mut self, form: Form, window: &[u8], start: usize, end: usize) -> Cut {
        let place = self.place(window, start);
        Cut::Record { form, start, end, place }
    }

    /// The line of a document, the number of a record in a list.
    fn place(&mut self, window: &[u8], start: usize) -> u64 {
        self.number += 1;
        if self.levels.is_empty() && start <= window.len() {
            self.lines.at(window, start)
        } else {
            self.number
        }
    }
}

impl Cutter for Documents {
    fn next(&mut self, window: &[u8], at_end: bool) -> Cut {
        loop {
            let cut = match (self.object.take(), self.levels.last()) {
                (Some(object), _) => self.walk(object, window, at_end),
                (None, Some(level)) => self.inside(*level, window, at_end),
                (None, None) => self.outside(window, at_end),
            };
            if let Some(cut) = cut {
                return cut;
            }
        }
    }

    fn release(&mut self, window: &[u8]) -> usize {
        let done = self.object.as_ref().map_or(self.at, Object::held_from).min(window.len());
        self.lines.release(window, done);
        self.at -= done;
        self.starts.release(done);
        if let Some(object) = &mut self.object {
            object.release(done);
        }
        done
    }

    fn around(&self) -> (&[u8], &[u8]) {
        (&self.columns, b"}")
    }
}

/// Whether a document begins here: an object with a key, or a list of objects. `None` when that is
/// not there yet.
fn begins_document(rest: &[u8], at_end: bool) -> Option<bool> {
    let inner = match rest.first() {
        Some(b'{') => b"\"}".as_slice(),
        Some(b'[') => b"{[]",
        _ => return Some(false),
    };
    match rest[1..].trim_ascii_start() {
        [b'"', b'{', ..] => Some(true),
        [b'"'] if !at_end => None,
        [next, ..] => Some(inner.contains(next)),
        [] => at_end.then_some(false),
    }
}
