//! Rows of Log Analytics and of portal exports: names of columns, and values without names.

use std::borrow::Cow;

use serde::Deserialize;
use serde::de::DeserializeSeed;
use serde_json::value::RawValue;

use crate::model::Rejected;

use super::fields::Fields;
use super::json;
use super::json::{Member, Part};
use super::key::Key;

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
    fields.is_row = true;
    for (column, cell) in columns.iter().zip(row) {
        let key = Key::of_column(column);
        let mut cell = serde_json::Deserializer::from_str(cell.get());
        Member { fields: &mut fields, part: Part::Top, key }.deserialize(&mut cell)?;
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
    let mut fields = Fields::at(0);
    fields.is_row = true;
    for (column, cell) in columns.iter().zip(&row) {
        if !cell.is_empty() {
            let cell = Cow::Owned(cell.to_owned());
            json::put(&mut fields, Part::Top, Key::of_column(column), cell);
        }
    }
    Ok(fields)
}

/// The sign that separates most columns: spreadsheets write semicolons in half of Europe.
fn delimiter(header: &str) -> u8 {
    let count = |sign: u8| header.bytes().filter(|byte| *byte == sign).count();
    [b',', b';', b'\t'].into_iter().rev().max_by_key(|sign| count(*sign)).unwrap_or(b',')
}
