//! Input that holds no records as text: archives and other forms, told by their first bytes.

use super::batch::Misread;
use super::cut::{Cut, Cutter};

/// The first bytes of what cannot be read, and what to do.
const FORMS: [(&[u8], &str); 8] = [
    (b"PK\x03\x04", "this is a zip archive: unpack it and import what is in it"),
    (b"BZh", "this is packed with bzip2: unpack it and import what is in it"),
    (b"\xfd7zXZ", "this is packed with xz: unpack it and import what is in it"),
    (b"\x28\xb5\x2f\xfd", "this is packed with zstd: unpack it and import what is in it"),
    (b"7z\xbc\xaf", "this is a 7-Zip archive: unpack it and import what is in it"),
    (b"PAR1", "this is Parquet: write it as JSON, one object a line, and import that"),
    (b"Obj\x01", "this is Avro: write it as JSON, one object a line, and import that"),
    (b"<?xml", "this is XML: export sign-ins as JSON or CSV"),
];

/// As much of it is shown.
const SHOWN: usize = 200;

/// Sets the whole input aside with one sentence.
#[derive(Debug)]
pub(super) struct Foreign(Option<&'static str>);

impl Foreign {
    pub(super) fn of(window: &[u8]) -> Option<Self> {
        let start = window.trim_ascii_start();
        FORMS
            .iter()
            .find(|(first, _)| start.starts_with(first))
            .map(|(_, reason)| Self(Some(reason)))
    }
}

impl Cutter for Foreign {
    fn next(&mut self, window: &[u8], at_end: bool) -> Cut {
        match self.0.take() {
            Some(reason) => {
                Cut::Misread(Misread::new(1, reason, &window[..window.len().min(SHOWN)]))
            }
            None if at_end => Cut::End,
            None => Cut::More,
        }
    }

    fn release(&mut self, window: &[u8]) -> usize {
        window.len()
    }

    fn around(&self) -> (&[u8], &[u8]) {
        (b"", b"")
    }
}
