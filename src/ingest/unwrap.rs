//! Finds the records inside an object that is none itself: the answers of queries and searches, the
//! messages of queues, what log shippers put around a record.

use serde_json::Value;

use crate::model::{Form, RawRecord, Rejected};
use crate::normalise::normalise;

/// No wrapping that was seen is deeper.
const DEPTH_AT_MOST: u8 = 8;

/// The records inside, each as a text of its own; `None` when nothing in it is one.
pub(super) fn unwrap(record: &[u8]) -> Option<Vec<(Form, String)>> {
    let value: Value = serde_json::from_slice(record).ok()?;
    let mut found = Vec::new();
    let is_known = inside(&value, 0, &mut found);
    (is_known || !found.is_empty()).then_some(found)
}

/// Gathers the records of a value; whether it is a wrapping that we know, though nothing is in it.
fn inside(value: &Value, depth: u8, found: &mut Vec<(Form, String)>) -> bool {
    if depth > DEPTH_AT_MOST {
        return false;
    }
    match value {
        Value::Object(_) if depth > 0 && is_record(value) => {
            found.push((Form::Json, value.to_string()));
            true
        }
        Value::Object(object) => {
            if member(value, &["frametype"]).is_some() && !is_primary(value) {
                return true;
            }
            if let Some(rows) = table(value) {
                found.extend(rows.into_iter().map(|row| (Form::Table, row)));
                return true;
            }
            each(object.values(), depth + 1, found)
        }
        Value::Array(list) => each(list.iter(), depth + 1, found),
        Value::String(text) if text.trim_start().starts_with(['{', '[']) => {
            serde_json::from_str(text).is_ok_and(|inner| inside(&inner, depth + 1, found))
        }
        _ => false,
    }
}

fn each<'v>(
    values: impl Iterator<Item = &'v Value>,
    depth: u8,
    found: &mut Vec<(Form, String)>,
) -> bool {
    let mut is_known = false;
    for value in values {
        is_known |= inside(value, depth, found);
    }
    is_known
}

fn is_record(value: &Value) -> bool {
    let text = value.to_string();
    let raw = RawRecord { form: Form::Json, bytes: text.as_bytes(), place: 1 };
    !matches!(normalise(&raw), Err(Rejected::Unrecognised(_)))
}

/// Of the frames of a Kusto answer one holds the rows that were asked for.
fn is_primary(frame: &Value) -> bool {
    member(frame, &["tablekind"]).and_then(Value::as_str) == Some("PrimaryResult")
}

/// The value of the first of these keys, in any case.
fn member<'v>(value: &'v Value, names: &[&str]) -> Option<&'v Value> {
    value
        .as_object()?
        .iter()
        .find(|(key, _)| names.iter().any(|name| key.eq_ignore_ascii_case(name)))
        .map(|(_, value)| value)
}

/// The rows of an object of columns and rows, in whatever order these stand.
fn table(value: &Value) -> Option<Vec<String>> {
    let columns = member(value, &["columns"])?.as_array()?;
    let rows = member(value, &["rows"])?.as_array()?;
    let names: Vec<&str> = columns
        .iter()
        .map(|column| column.as_str().or_else(|| member(column, &["name", "columnname"])?.as_str()))
        .collect::<Option<_>>()?;
    let names = serde_json::to_string(&names).ok()?;
    let row = |row: &Value| row.is_array().then(|| format!(r#"{{"columns":{names},"row":{row}}}"#));
    Some(rows.iter().filter_map(row).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const RECORD: &str = r#"{"id":"a","createdDateTime":"2026-11-20T02:04:11Z","appId":"b","servicePrincipalId":"c","status":{"errorCode":700016}}"#;

    #[test]
    fn records_are_found_in_what_was_put_around_them() {
        let text = Value::String(RECORD.to_owned()).to_string();
        let page = Value::String(format!(r#"{{"records":[{RECORD}]}}"#)).to_string();
        for wrapped in [
            format!(r#"{{"Body":{{"records":[{RECORD}]}}}}"#),
            format!(r#"{{"Body":{page},"SequenceNumber":7}}"#),
            format!(
                r#"{{"took":3,"hits":{{"total":1,"hits":[{{"_index":"i","_source":{RECORD}}}]}}}}"#
            ),
            format!(r#"{{"responses":[{{"id":"1","status":200,"body":{{"value":[{RECORD}]}}}}]}}"#),
            format!(r#"{{"value":{RECORD}}}"#),
            format!(r#"{{"data":[{RECORD}]}}"#),
            format!(r#"{{"d":{{"results":[{RECORD}]}}}}"#),
            format!(r#"{{"id":"x","attributes":{{"attributes":{RECORD}}}}}"#),
            format!(r#"{{"preview":false,"result":{{"_raw":{text}}}}}"#),
            format!(r#"{{"log":{text}}}"#),
        ] {
            let found = unwrap(wrapped.as_bytes()).unwrap_or_default();
            assert_eq!(found.len(), 1, "{wrapped}");
            let raw = RawRecord { form: found[0].0, bytes: found[0].1.as_bytes(), place: 1 };
            assert_eq!(normalise(&raw).unwrap().error_code, 700_016, "{wrapped}");
        }
        assert_eq!(unwrap(br#"{"a":{"b":[1,2]}}"#), None);
    }

    #[test]
    fn tables_are_read_in_whatever_order_and_frames_without_rows_passed_over() {
        let table = r#""rows":[["a","2026-11-20T02:04:11Z","b","0"],["e","2026-11-20T02:04:11Z","b","0"]],
            "columns":[{"ColumnName":"Id"},{"ColumnName":"TimeGenerated"},{"ColumnName":"AppId"},{"ColumnName":"ResultType"}]"#;
        assert_eq!(unwrap(format!("{{{table}}}").as_bytes()).unwrap().len(), 2);
        let frame = format!(r#"{{"FrameType":"DataTable","TableKind":"PrimaryResult",{table}}}"#);
        assert_eq!(unwrap(frame.as_bytes()).unwrap().len(), 2);
        let frame = r#"{"FrameType":"DataTable","TableKind":"QueryProperties","Columns":[],"Rows":[["x"]]}"#;
        assert_eq!(unwrap(frame.as_bytes()), Some(Vec::new()));
    }
}
