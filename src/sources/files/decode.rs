//! Undoes what a file was wrapped in: gzip, and the marks of UTF-8 and UTF-16.

use std::io;
use std::io::{BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;

/// What is read at once.
const CHUNK: usize = 64 << 10;
/// Bytes that are looked at first.
const PEEKED: usize = 8;

/// The content as UTF-8 without a mark, whatever it was wrapped in.
pub(super) fn open(input: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let (start, input) = peek(input)?;
    if !start.starts_with(&[0x1f, 0x8b]) {
        return unmark(&start, input);
    }
    let unpacked = MultiGzDecoder::new(BufReader::with_capacity(CHUNK, input));
    let (start, unpacked) = peek(Box::new(unpacked))?;
    unmark(&start, unpacked)
}

/// The first bytes, and the input as if they had not been read.
fn peek(mut input: Box<dyn Read + Send>) -> io::Result<(Vec<u8>, Box<dyn Read + Send>)> {
    let mut start = Vec::with_capacity(PEEKED);
    input.by_ref().take(PEEKED as u64).read_to_end(&mut start)?;
    Ok((start.clone(), Box::new(Cursor::new(start).chain(input))))
}

fn unmark(start: &[u8], mut input: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let mut mark = [0; 3];
    match start {
        [0xef, 0xbb, 0xbf, ..] => input.read_exact(&mut mark)?,
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => {
            input.read_exact(&mut mark[..2])?;
            return Ok(utf_16(input, start[0] == 0xff));
        }
        // Without a mark it shows itself by a zero beside each of the signs that records begin with.
        _ if has_zeros(start, 1) => return Ok(utf_16(input, true)),
        _ if has_zeros(start, 0) => return Ok(utf_16(input, false)),
        _ => {}
    }
    Ok(input)
}

/// Whether every second byte is zero, and the others are signs of ASCII.
fn has_zeros(start: &[u8], odd: usize) -> bool {
    let is_sign = |byte: &u8| byte.is_ascii_graphic() || byte.is_ascii_whitespace();
    start.len() == PEEKED
        && start.iter().enumerate().all(
            |(at, byte)| {
                if at % 2 == odd { *byte == 0 } else { is_sign(byte) }
            },
        )
}

fn utf_16(input: Box<dyn Read + Send>, is_little: bool) -> Box<dyn Read + Send> {
    let read_unit = if is_little { u16::from_le_bytes } else { u16::from_be_bytes };
    Box::new(Utf16 { input, read_unit, units: Vec::new(), odd: None, text: Cursor::default() })
}

/// UTF-16 as UTF-8.
struct Utf16 {
    input: Box<dyn Read + Send>,
    read_unit: fn([u8; 2]) -> u16,
    /// The first half of a pair whose other half has not come.
    units: Vec<u16>,
    odd: Option<u8>,
    text: Cursor<Vec<u8>>,
}

impl Utf16 {
    /// Reads and converts the next piece; whether there was one.
    fn refill(&mut self) -> io::Result<bool> {
        let mut chunk = vec![0; CHUNK];
        let kept = self.odd.take().map_or(0, |byte| {
            chunk[0] = byte;
            1
        });
        let count = kept + self.input.read(&mut chunk[kept..])?;
        let is_end = count == kept;
        let (pairs, odd) = chunk[..count].as_chunks::<2>();
        self.odd = if is_end { None } else { odd.first().copied() };
        self.units.extend(pairs.iter().map(|pair| (self.read_unit)(*pair)));
        let half =
            self.units.last().copied().filter(|unit| !is_end && (0xd800..0xdc00).contains(unit));
        if half.is_some() {
            self.units.pop();
        }
        let text: String = char::decode_utf16(self.units.drain(..))
            .map(|sign| sign.unwrap_or(char::REPLACEMENT_CHARACTER))
            .collect();
        self.units.extend(half);
        self.text = Cursor::new(text.into_bytes());
        Ok(!is_end)
    }
}

impl Read for Utf16 {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let count = self.text.read(buffer)?;
            if count > 0 || buffer.is_empty() {
                return Ok(count);
            }
            if !self.refill()? && self.text.get_ref().is_empty() {
                return Ok(0);
            }
        }
    }
}
