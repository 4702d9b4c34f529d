//! Rows of Log Analytics and of portal exports: names of columns, and values without names.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::DeserializeSeed;
use serde_json::value::RawValue;

use crate::model::Rejected;

use super::fields::{Fields, Mark};
use super::json;
use super::json::{Member, Part};
use super::key::Key;
use super::spelling::{Column, Zone, column};
use super::time;

/// Why a row is not read whose times are in a zone that nobody can tell.
const UNTOLD: &str = "its times are in a zone that the head of the column does not tell as UTC: \
                      export it again with the portal's times set to UTC";

#[derive(Deserialize)]
struct Row<'a> {
    columns: Vec<String>,
    #[serde(borrow)]
    row: Vec<&'a RawValue>,
}

/// Reads `{"columns":[…],"row":[…]}`.
pub(super) fn of_table(text: &str) -> Result<Fields<'_>, serde_json::Error> {
    let Row { columns, row } = serde_json::from_str(text)?;
    let mut fields = Fields::at(0);
    fields.mark(Mark::Row);
    for (name, cell) in columns.iter().zip(row) {
        let Column { key, zone } = column(name);
        let mut cell = serde_json::Deserializer::from_str(cell.get());
        Member { fields: &mut fields, part: Part::Top, key }.deserialize(&mut cell)?;
        place_in_time(&mut fields, key, zone);
    }
    Ok(fields)
}

/// Reads two CSV records: the header and the row.
pub(super) fn of_csv(text: &str) -> Result<Fields<'_>, Rejected> {
    let header = text.lines().next().unwrap_or_default();
    let mut reader = csv::ReaderBuilder::new()
        .delimiter(delimiter(header))
        .flexible(true)
        .from_reader(text.as_bytes());
    let broken = |error: csv::Error| Rejected::Broken(format!("it is not CSV: {error}"));
    let columns = reader.headers().map_err(broken)?.clone();
    let mut row = csv::StringRecord::new();
    if !reader.read_record(&mut row).map_err(broken)? {
        return Err(Rejected::Broken("the row is empty".to_owned()));
    }
    let extra = row.iter().skip(columns.len()).any(|cell| !cell.trim().is_empty());
    if row.len() < columns.len() || extra {
        return Err(Rejected::Broken(format!(
            "the row has {} cells and the header {}: it was cut off, or a sign that separates cells stands \
             in one without quotes around it; export it again",
            row.len(),
            columns.len()
        )));
    }
    let mut fields = Fields::at(0);
    fields.mark(Mark::Row);
    for (name, cell) in columns.iter().zip(&row) {
        if !cell.is_empty() {
            let Column { key, zone } = column(name);
            json::put(&mut fields, Part::Top, key, Cow::Owned(cell.to_owned()));
            place_in_time(&mut fields, key, zone);
        }
    }
    Ok(fields)
}

/// Adds the zone that the head of the column tells to a time that has none of its own.
fn place_in_time(fields: &mut Fields<'_>, key: Key, zone: Zone) {
    if zone == Zone::Own || !key.is_time() || !fields.has(key) {
        return;
    }
    let Zone::Ahead(ahead) = zone else {
        fields.unread = Some(UNTOLD);
        return;
    };
    let sign = if ahead < 0 { '-' } else { '+' };
    let (hours, minutes) = (ahead.abs() / 60, ahead.abs() % 60);
    let text = format!("{} {sign}{hours:02}:{minutes:02}", fields.get(key));
    if time::read(&text).is_some() {
        fields.set(key, Cow::Owned(text));
    }
}

/// The sign that separates most columns: spreadsheets write semicolons in half of Europe.
fn delimiter(header: &str) -> u8 {
    let count = |sign: u8| header.bytes().filter(|byte| *byte == sign).count();
    [b',', b';', b'\t', b'|'].into_iter().rev().max_by_key(|sign| count(*sign)).unwrap_or(b',')
}
