//! Files of records that were changed in every way in which files go wrong.

use std::io::{Cursor, Write};
use std::sync::LazyLock;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;
use proptest::sample::Index;
use serde_json::{Value, json};
use signinel::sources::files::{More, RecordBatch, Records};

use crate::arranged::{arrange, arrangement};
use crate::corpus;

/// A change of a value that leaves JSON behind.
#[derive(Clone, Debug)]
enum ValueEdit {
    Replace(Index, Value),
    Upper(Index),
    Lower(Index),
    /// A value becomes the text of it.
    Text(Index),
}

/// A change of bytes.
#[derive(Clone, Debug)]
enum ByteEdit {
    Flip(Index, u8),
    Truncate(Index),
    Duplicate(Index, Index, Index),
    /// Takes away one of the signs that hold JSON and CSV together.
    Drop(Index),
    Insert(Index, Vec<u8>),
    SwapLines(Index, Index),
    Crlf,
    Utf16 {
        is_little: bool,
    },
}

#[derive(Clone, Debug)]
pub(crate) enum Wrapping {
    None,
    Gzip,
    Torn(Index),
    Flipped(Vec<(Index, u8)>),
    /// Two members, and something behind.
    Members(Vec<u8>),
}

/// A file as it is put together.
#[derive(Clone, Debug)]
pub(crate) struct Made {
    pub(crate) bytes: Vec<u8>,
    pub(crate) is_wrapped: bool,
}

pub(crate) fn graph(number: u32) -> Value {
    json!({
        "id": format!("00000000-0000-4000-8000-{number:012}"),
        "createdDateTime": "2026-11-20T02:04:11.1234567Z",
        "signInEventTypes": ["managedIdentity"],
        "servicePrincipalId": "2f6c1f8e-58c4-4d3b-9a55-3b0a6f3f2a10",
        "servicePrincipalName": "func-orders-prod",
        "appId": "8d0b7c1e-2f0a-4f1c-b7c5-1d6c3a2e9f41",
        "resourceDisplayName": "Azure Key Vault",
        "ipAddress": "",
        "status": {"errorCode": 700_016, "failureReason": "Application \"x\" was not found,\nsee ü"},
        "location": {"city": "", "countryOrRegion": "NL", "geoCoordinates": {"latitude": 0.0}},
    })
}

/// Records of our own, one of each form.
fn own() -> [Value; 4] {
    [
        graph(1),
        json!({
            "time": "2026-11-20T02:10:11Z", "category": "ServicePrincipalSignInLogs", "Level": 4,
            "operationName": "Sign-in activity", "resultType": "7000222",
            "resourceId": "/tenants/5f3b1a2c-0000-4000-8000-000000000009/providers/Microsoft.aadiam",
            "properties": graph(2),
        }),
        json!({
            "TenantId": "workspace", "TimeGenerated": "11/20/2026 2:04:11 AM",
            "Category": "ManagedIdentitySignInLogs", "Id": "la-1", "ResultType": "0",
            "ServicePrincipalName": "func", "Status": "{\"errorCode\": 0}", "Type": "AADManagedIdentitySignInLogs",
        }),
        json!({
            "time": "2026-11-20T02:10:11Z", "category": "AuditLogs",
            "properties": {"activityDisplayName": "Add owner", "targetResources": []},
        }),
    ]
}

/// Our own records, and published ones where they are at hand; of these only what a test has time for.
static RECORDS: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let mut records: Vec<Vec<u8>> =
        own().iter().map(|record| record.to_string().into_bytes()).collect();
    for file in corpus::corpus().iter().flat_map(|folder| corpus::files(folder)) {
        if !corpus::holds_records(&file) {
            continue;
        }
        let mut batch = RecordBatch::default();
        let mut read = Records::open(Cursor::new(std::fs::read(&file).unwrap())).unwrap();
        while read.fill(&mut batch).unwrap() == More::Yes {}
        let small = batch.records().filter(|record| record.bytes.len() < 6_000);
        records.extend(small.take(4).map(|record| record.bytes.to_vec()));
    }
    records
});

/// The nth value inside, itself among them.
fn nth(value: &mut Value, left: &mut usize, edit: &mut dyn FnMut(&mut Value)) -> bool {
    if *left == 0 {
        edit(value);
        return true;
    }
    *left -= 1;
    match value {
        Value::Array(list) => list.iter_mut().any(|inner| nth(inner, left, edit)),
        Value::Object(map) => map.values_mut().any(|inner| nth(inner, left, edit)),
        _ => false,
    }
}

fn size(value: &Value) -> usize {
    1 + match value {
        Value::Array(list) => list.iter().map(size).sum(),
        Value::Object(map) => map.values().map(size).sum(),
        _ => 0,
    }
}

fn recase(value: &mut Value, case: fn(&str) -> String) {
    if let Value::Object(map) = value {
        *map = std::mem::take(map).into_iter().map(|(key, value)| (case(&key), value)).collect();
    }
}

impl ValueEdit {
    fn apply(&self, value: &mut Value) {
        let (Self::Replace(at, _) | Self::Upper(at) | Self::Lower(at) | Self::Text(at)) = self;
        let mut left = at.index(size(value));
        nth(value, &mut left, &mut |found| match self {
            Self::Replace(_, other) => *found = other.clone(),
            Self::Upper(_) => recase(found, str::to_uppercase),
            Self::Lower(_) => recase(found, str::to_lowercase),
            Self::Text(_) => *found = Value::String(found.to_string()),
        });
    }
}

impl ByteEdit {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let length = bytes.len();
        match self {
            Self::Flip(at, mask) => bytes[at.index(length)] ^= mask,
            Self::Truncate(at) => bytes.truncate(at.index(length)),
            Self::Duplicate(from, to, at) => {
                let (from, to) = (from.index(length), to.index(length));
                let piece = bytes[from.min(to)..from.max(to)].to_vec();
                let at = at.index(length);
                bytes.splice(at..at, piece);
            }
            Self::Drop(at) => {
                let signs =
                    bytes.iter().enumerate().filter(|(_, byte)| b"{}[],:\"\\\n".contains(byte));
                let places: Vec<usize> = signs.map(|(place, _)| place).collect();
                if !places.is_empty() {
                    bytes.remove(places[at.index(places.len())]);
                }
            }
            Self::Insert(at, piece) => {
                let at = at.index(length + 1);
                bytes.splice(at..at, piece.iter().copied());
            }
            Self::SwapLines(one, other) => {
                let mut lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
                let count = lines.len();
                lines.swap(one.index(count), other.index(count));
                *bytes = lines.join(&b'\n');
            }
            Self::Crlf => {
                let lines: Vec<&[u8]> = bytes.split(|byte| *byte == b'\n').collect();
                *bytes = lines.join(&b"\r\n"[..]);
            }
            Self::Utf16 { is_little } => {
                let text = format!("\u{feff}{}", String::from_utf8_lossy(bytes));
                let to_bytes = if *is_little { u16::to_le_bytes } else { u16::to_be_bytes };
                *bytes = text.encode_utf16().flat_map(to_bytes).collect();
            }
        }
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(bytes).unwrap();
    gzip.finish().unwrap()
}

impl Wrapping {
    pub(crate) fn wrap(&self, bytes: &[u8]) -> Vec<u8> {
        let mut whole = gzip(bytes);
        match self {
            Self::None => return bytes.to_vec(),
            Self::Gzip => {}
            Self::Torn(at) => whole.truncate(at.index(whole.len())),
            Self::Flipped(flips) => {
                for (at, mask) in flips {
                    let at = at.index(whole.len());
                    whole[at] ^= mask;
                }
            }
            Self::Members(behind) => {
                whole.extend(gzip(bytes));
                whole.extend(behind);
            }
        }
        whole
    }
}

/// Values that stand where others are expected.
fn odd_values() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        Value::Null,
        json!(true),
        json!(-1),
        json!(u64::MAX),
        json!(1e300),
        json!([]),
        json!({}),
        json!([[{"a": [null]}]]),
        json!("\u{0}\u{feff}\u{202e}"),
        json!("{\"properties\":\"{\\\"properties\\\":\\\"{}\\\"}\"}"),
        json!("99999999999999999999999999"),
        json!("0001-01-01T00:00:00Z"),
        json!("0000-01-01T00:00:00+18:00"),
        json!("9999-12-31T23:59:59.9999999-18:00"),
        json!("13/13/2026 25:61:61 PM"),
        json!("x".repeat(3_000)),
    ])
}

/// What may get in between.
fn odd_bytes() -> impl Strategy<Value = Vec<u8>> {
    let deep =
        |sign: &'static str| (1..5_000_usize).prop_map(|depth| sign.repeat(depth).into_bytes());
    let known = prop::sample::select(vec![
        "\u{feff}",
        "\0",
        "\0\0\0\0",
        "\r",
        "\n",
        "\n\n",
        "\r\n",
        "\"",
        "'",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\\",
        "\\u",
        "\\ud800",
        "1e999999",
        "-",
        "123456789012345678901234567890123456789012345678901234567890",
        "{\"value\":[",
        "{\"records\":[",
        "{\"tables\":[{\"columns\":[],\"rows\":[[",
        "TimeGenerated,Id\n1,2\n",
        "\u{1e}",
    ]);
    prop_oneof![
        4 => known.prop_map(|text: &str| text.as_bytes().to_vec()),
        1 => deep("["),
        1 => deep("{\"a\":"),
        1 => deep("\\"),
        1 => prop::collection::vec(any::<u8>(), 1..12),
    ]
}

fn value_edit() -> impl Strategy<Value = ValueEdit> {
    prop_oneof![
        4 => (any::<Index>(), odd_values()).prop_map(|(at, value)| ValueEdit::Replace(at, value)),
        1 => any::<Index>().prop_map(ValueEdit::Upper),
        1 => any::<Index>().prop_map(ValueEdit::Lower),
        2 => any::<Index>().prop_map(ValueEdit::Text),
    ]
}

fn byte_edit() -> impl Strategy<Value = ByteEdit> {
    let at = any::<Index>;
    prop_oneof![
        3 => (at(), 1..=u8::MAX).prop_map(|(at, mask)| ByteEdit::Flip(at, mask)),
        1 => at().prop_map(ByteEdit::Truncate),
        2 => (at(), at(), at()).prop_map(|(from, to, at)| ByteEdit::Duplicate(from, to, at)),
        4 => at().prop_map(ByteEdit::Drop),
        4 => (at(), odd_bytes()).prop_map(|(at, piece)| ByteEdit::Insert(at, piece)),
        1 => (at(), at()).prop_map(|(one, other)| ByteEdit::SwapLines(one, other)),
        1 => Just(ByteEdit::Crlf),
        1 => any::<bool>().prop_map(|is_little| ByteEdit::Utf16 { is_little }),
    ]
}

pub(crate) fn wrapping() -> impl Strategy<Value = Wrapping> {
    let flips = prop::collection::vec((any::<Index>(), 1..=u8::MAX), 1..4);
    prop_oneof![
        4 => Just(Wrapping::None),
        1 => Just(Wrapping::Gzip),
        1 => any::<Index>().prop_map(Wrapping::Torn),
        1 => flips.prop_map(Wrapping::Flipped),
        1 => prop::collection::vec(any::<u8>(), 0..4).prop_map(Wrapping::Members),
    ]
}

/// A file of a few records, changed here and there.
pub(crate) fn mutated() -> impl Strategy<Value = Made> {
    let record = (
        any::<Index>(),
        prop::collection::vec(value_edit(), 0..3),
        prop::collection::vec(byte_edit(), 0..2),
    );
    let records = prop::collection::vec(record, 1..6);
    let edits = prop::collection::vec(byte_edit(), 0..4);
    (arrangement(), records, edits, wrapping()).prop_map(
        |(arrangement, records, edits, wrapping)| {
            let records: Vec<Vec<u8>> =
                records.iter().map(|(of, values, bytes)| changed(*of, values, bytes)).collect();
            let mut bytes = arrange(arrangement, &records);
            for edit in &edits {
                edit.apply(&mut bytes);
            }
            Made { is_wrapped: !matches!(wrapping, Wrapping::None), bytes: wrapping.wrap(&bytes) }
        },
    )
}

fn changed(of: Index, values: &[ValueEdit], edits: &[ByteEdit]) -> Vec<u8> {
    let mut bytes = of.get(&RECORDS).clone();
    if let Ok(mut value) = serde_json::from_slice(&bytes)
        && !values.is_empty()
    {
        for edit in values {
            edit.apply(&mut value);
        }
        bytes = value.to_string().into_bytes();
    }
    for edit in edits {
        edit.apply(&mut bytes);
    }
    bytes
}

/// A file of anything at all.
pub(crate) fn anything() -> impl Strategy<Value = Made> {
    (prop::collection::vec(any::<u8>(), 0..600), wrapping()).prop_map(|(bytes, wrapping)| Made {
        is_wrapped: !matches!(wrapping, Wrapping::None) || bytes.starts_with(&[0x1f, 0x8b]),
        bytes: wrapping.wrap(&bytes),
    })
}

/// A line that is no record.
pub(crate) fn rubbish() -> impl Strategy<Value = Vec<u8>> {
    let cut_off = any::<Index>().prop_map(|at| {
        let mut whole = graph(0).to_string().into_bytes();
        whole.truncate(at.index(whole.len()));
        whole
    });
    let pieces = prop::sample::select(vec![
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "\"",
        "\\",
        "a",
        " ",
        "1",
        "null",
        "\"a\"",
        "{\"a\":",
        "{\"a\":1}",
        "\u{feff}",
        "\0",
        ";",
        "Id",
        "TimeGenerated",
    ]);
    let put_together =
        prop::collection::vec(pieces, 0..8).prop_map(|pieces| pieces.concat().into_bytes());
    let arbitrary =
        prop::collection::vec(any::<u8>().prop_filter("a line end", |it| *it != b'\n'), 0..40);
    prop_oneof![
        2 => cut_off,
        3 => put_together,
        1 => arbitrary,
        1 => odd_bytes().prop_map(|mut bytes| {
            bytes.retain(|byte| *byte != b'\n');
            bytes
        }),
    ]
}
