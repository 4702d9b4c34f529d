//! A source or a channel as configured: its kind, its name, and settings that only its own file reads.

use serde::de::DeserializeOwned;
use toml::Table;

use super::Fault;

/// One `[[source]]` or `[[channel]]`.
#[derive(Clone)]
pub struct Section {
    /// `source` or `channel`, for messages.
    pub table: &'static str,
    pub kind: String,
    pub name: String,
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
        Some(Self { table, kind: kind?, name: name?, settings })
    }

    /// A section made in code, for `demo` and tests.
    #[must_use]
    pub fn of(table: &'static str, kind: &str, name: &str, settings: Table) -> Self {
        Self { table, kind: kind.to_owned(), name: name.to_owned(), settings }
    }

    /// The settings as the type of the source or channel they are for.
    ///
    /// The type should carry `#[serde(deny_unknown_fields)]`, so that a misspelt key is a fault.
    pub fn settings<T: DeserializeOwned>(&self) -> Result<T, Fault> {
        self.settings
            .clone()
            .try_into()
            .map_err(|error: toml::de::Error| self.fault(error.message()))
    }

    /// A fault in this section; the sentence says which key and what to do.
    #[must_use]
    pub fn fault(&self, sentence: impl std::fmt::Display) -> Fault {
        Fault(format!("[[{}]] `{}`: {sentence}", self.table, self.name))
    }

    /// Puts a value from the environment over the settings, typed as the text reads.
    pub(super) fn set(&mut self, key: &str, text: &str) {
        self.settings.insert(key.to_owned(), super::environment::value(text));
    }
}
