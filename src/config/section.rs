//! A source or a channel as configured: its kind, its name, and settings that only its own file reads.

use std::path::{Path, PathBuf};

use serde::de::DeserializeOwned;
use toml::Table;

use super::Fault;
use super::known::unknown;

/// One `[[source]]` or `[[channel]]`.
#[derive(Clone)]
pub struct Section {
    /// `source` or `channel`, for messages.
    pub table: &'static str,
    pub kind: String,
    pub name: String,
    /// The file it stands in, for messages.
    file: Option<PathBuf>,
    settings: Table,
}

impl std::fmt::Debug for Section {
    /// Without the settings, which may hold secrets.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "[[{}]] {} `{}`", self.table, self.kind, self.name)
    }
}

impl Section {
    /// Reads `kind` and `name`; all other keys stay unread.
    pub(super) fn read(
        table: &'static str,
        mut settings: Table,
        faults: &mut Vec<Fault>,
    ) -> Option<Self> {
        let mut text = |key: &str| match settings.remove(key) {
            Some(toml::Value::String(text)) if !text.trim().is_empty() => Some(text),
            Some(_) => {
                faults
                    .push(Fault(format!("[[{table}]]: `{key}` must be a text that is not empty")));
                None
            }
            None => {
                faults.push(Fault(format!("[[{table}]]: `{key}` is missing")));
                None
            }
        };
        let (kind, name) = (text("kind"), text("name"));
        Some(Self { table, kind: kind?, name: name?, file: None, settings })
    }

    /// A section made in code, for `demo` and tests.
    #[must_use]
    pub fn of(table: &'static str, kind: &str, name: &str, settings: Table) -> Self {
        Self { table, kind: kind.to_owned(), name: name.to_owned(), file: None, settings }
    }

    /// The settings as the type of the source or channel they are for.
    ///
    /// The type should carry `#[serde(deny_unknown_fields)]`, so that a misspelt key is a fault.
    pub fn settings<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        self.settings.clone().try_into().map_err(|error: toml::de::Error| self.fault(told(&error)))
    }

    /// A fault in this section; the sentence says which key and what to do.
    #[must_use]
    pub fn fault(&self, sentence: impl std::fmt::Display) -> Fault {
        let file =
            self.file.as_ref().map_or_else(String::new, |file| format!("{}: ", file.display()));
        Fault(format!("{file}[[{}]] `{}`: {sentence}", self.table, self.name))
    }

    /// The environment variable that sets a key of this section.
    #[must_use]
    pub fn variable(&self, key: &str) -> String {
        format!("SIGNINEL_{}_{}_{key}", self.table, self.name)
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' })
            .collect()
    }

    /// From now on its faults name the file.
    pub(super) fn stands_in(&mut self, file: &Path) {
        self.file = Some(file.to_path_buf());
    }

    /// Puts a value from the environment over the settings, typed as the text reads.
    pub(super) fn set(&mut self, key: &str, text: &str) {
        self.settings.insert(key.to_owned(), super::environment::value_of(key, text));
    }
}

/// What is wrong with a value: its key and what was expected, without the value, which may be a secret
/// that was written in a wrong way.
pub(super) fn told(error: &toml::de::Error) -> String {
    let message = error.message();
    if let Some((word, known)) = unknown_field(message) {
        return format!("`{word}` {}", unknown(word, "the keys are", &known));
    }
    let is_of_value =
        message.starts_with("invalid type: ") || message.starts_with("invalid value: ");
    let value = message.find(['`', '"']).zip(message.rfind(", expected "));
    let message = match value.filter(|(start, end)| is_of_value && start < end) {
        Some((start, end)) => format!("{}{}", message[..start].trim_end(), &message[end..]),
        None => message.to_owned(),
    };
    let whole = error.to_string();
    match whole.lines().find_map(|line| line.strip_prefix("in `")?.strip_suffix('`')) {
        Some(key) => format!("`{key}`: {message}"),
        None => message,
    }
}

/// The field that `serde` does not know, and those it knows.
fn unknown_field(message: &str) -> Option<(&str, Vec<&str>)> {
    let mut quoted = message.strip_prefix("unknown field `")?.split('`').step_by(2);
    Some((quoted.next()?, quoted.filter(|known| !known.is_empty()).collect()))
}
