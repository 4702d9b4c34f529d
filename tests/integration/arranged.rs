//! The arrangements in which records stand in files.

use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Map, Value, json};

/// How records stand in a file.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Arrangement {
    Lines,
    Array,
    Page,
    DiagnosticSettings,
    Table,
    Csv(char),
    Pretty,
    Twice,
}

/// The records in this arrangement; those that are no objects stand as they are where it can be.
pub(crate) fn arrange(arrangement: Arrangement, records: &[Vec<u8>]) -> Vec<u8> {
    let inner = records.join(&b",\n"[..]);
    let around =
        |before: &str, behind: &str| [before.as_bytes(), &inner, behind.as_bytes()].concat();
    match arrangement {
        Arrangement::Lines => records.join(&b'\n'),
        Arrangement::Array => around("[", "]"),
        Arrangement::Page => around(
            "{\"@odata.context\":\"x\",\"value\":[",
            "],\"@odata.nextLink\":\"https://x/y\"}",
        ),
        Arrangement::DiagnosticSettings => around("{\"records\": [", "]}\n"),
        Arrangement::Twice => {
            [around("{\"records\":[", "]}\n"), around("{\"value\":[", "]}")].concat()
        }
        Arrangement::Pretty => {
            let objects: Vec<Value> = objects(records).into_iter().map(Value::Object).collect();
            serde_json::to_vec_pretty(&objects).unwrap()
        }
        Arrangement::Table => table(&objects(records)).to_string().into_bytes(),
        Arrangement::Csv(sign) => csv(&objects(records), sign),
    }
}

fn objects(records: &[Vec<u8>]) -> Vec<Map<String, Value>> {
    records.iter().filter_map(|record| serde_json::from_slice(record).ok()).collect()
}

fn columns(objects: &[Map<String, Value>]) -> Vec<&String> {
    objects.iter().flat_map(Map::keys).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The answer of Log Analytics.
fn table(objects: &[Map<String, Value>]) -> Value {
    let names = columns(objects);
    let row = |object: &Map<String, Value>| -> Vec<Value> {
        names.iter().map(|name| object.get(*name).cloned().unwrap_or_default()).collect()
    };
    let columns: Vec<Value> =
        names.iter().map(|name| json!({"name": name, "type": "string"})).collect();
    let rows: Vec<Vec<Value>> = objects.iter().map(row).collect();
    let mut table = Map::new();
    // In this order: the names stand before the rows.
    table.insert("columns".to_owned(), columns.into());
    table.insert("name".to_owned(), "PrimaryResult".into());
    table.insert("rows".to_owned(), rows.into());
    json!({"tables": [table]})
}

fn csv(objects: &[Map<String, Value>], sign: char) -> Vec<u8> {
    let names = columns(objects);
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let cell = |value: Option<&Value>| match value {
        None | Some(Value::Null) => String::new(),
        Some(Value::String(text)) => quoted(text),
        Some(other) => quoted(&other.to_string()),
    };
    let line = |cells: Vec<String>| cells.join(&sign.to_string()) + "\r\n";
    let mut text = line(names.iter().map(|name| (*name).clone()).collect());
    for object in objects {
        text += &line(names.iter().map(|name| cell(object.get(*name))).collect());
    }
    text.into_bytes()
}

pub(crate) fn arrangement() -> impl Strategy<Value = Arrangement> {
    prop_oneof![
        3 => Just(Arrangement::Lines),
        1 => Just(Arrangement::Array),
        1 => Just(Arrangement::Page),
        1 => Just(Arrangement::DiagnosticSettings),
        1 => Just(Arrangement::Table),
        1 => prop::sample::select(vec![',', ';', '\t']).prop_map(Arrangement::Csv),
        1 => Just(Arrangement::Pretty),
        1 => Just(Arrangement::Twice),
    ]
}
