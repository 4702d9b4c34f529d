//! Settings from the environment, put over those of the file.
//!
//! `SIGNINEL_INCIDENTS_GATHER_FOR` is `gather_for` of `[incidents]`; `SIGNINEL_CHANNEL_ONCALL_PASSWORD`
//! is `password` of the `[[channel]]` named `oncall`.

use toml::{Table, Value};

use super::section::Section;

/// Tables that hold one set of settings.
const TABLES: [&str; 4] = ["incidents", "retention", "notify", "rules"];

/// Whether a key holds a secret, which is text whatever it looks like: a password may be all digits.
fn is_secret(key: &str) -> bool {
    ["password", "secret", "url"].iter().any(|end| key.ends_with(end))
}

/// The value of a key of a source or channel.
pub(super) fn value_of(key: &str, text: &str) -> Value {
    if is_secret(key) { Value::String(text.to_owned()) } else { value(text) }
}

/// A value as the text reads: a whole number, true or false, an array or table in TOML, else text.
fn value(text: &str) -> Value {
    let is_typed = text.parse::<i64>().is_ok()
        || matches!(text, "true" | "false")
        || text.starts_with(['[', '{']);
    let parsed = is_typed.then(|| format!("value = {text}").parse::<Table>().ok()).flatten();
    parsed
        .and_then(|mut table| table.remove("value"))
        .unwrap_or_else(|| Value::String(text.to_owned()))
}

/// Puts variables over the plain tables.
pub(super) fn overlay(file: &mut Table, variables: &[(String, String)]) {
    for (name, text) in variables {
        let Some(rest) = name.strip_prefix("SIGNINEL_").map(str::to_lowercase) else { continue };
        for table in TABLES {
            let Some(key) = rest.strip_prefix(table).and_then(|rest| rest.strip_prefix('_')) else {
                continue;
            };
            let entry = file.entry(table).or_insert_with(|| Value::Table(Table::new()));
            if let Some(entry) = entry.as_table_mut() {
                entry.insert(key.to_owned(), value(text));
            }
        }
    }
}

/// Puts variables over one source or channel.
pub(super) fn overlay_section(section: &mut Section, variables: &[(String, String)]) {
    let prefix = section.variable("");
    for (variable, text) in variables {
        if let Some(key) = variable.strip_prefix(&prefix) {
            section.set(&key.to_lowercase(), text);
        }
    }
}
