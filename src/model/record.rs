//! A record as its source gave it, and what is said when it cannot be read.

use serde::{Deserialize, Serialize};

/// How the bytes of one record are to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// One JSON object: a Graph `signIn`, a diagnostic-settings envelope, or a Log Analytics row as
    /// an object. Which of them, its keys tell.
    Json,
    /// Two CSV records: the header of the file, a line feed, and the row as it stood.
    Csv,
    /// `{"columns":[…names…],"row":[…values…]}`, one row of a Log Analytics `tables` answer.
    Table,
}

impl Form {
    /// As the database keeps it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Csv => "csv",
            Self::Table => "table",
        }
    }

    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        [Self::Json, Self::Csv, Self::Table].into_iter().find(|form| form.as_str() == text)
    }
}

/// One record, with the bytes it had and the place it was read from.
#[derive(Clone, Debug)]
pub struct RawRecord<'a> {
    pub form: Form,
    pub bytes: &'a [u8],
    /// The 1-based line, or the 1-based number of the record where lines mean nothing.
    pub place: u64,
}

/// Why a record did not become an event. The sentence says what is wrong and, where it helps, what
/// to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejected {
    /// A record of another log (audit, activity, risk, …): read, recognised, and not ours.
    #[error("a {0} record, not a sign-in")]
    Other(&'static str),
    /// Nothing says that it is a sign-in. It may hold some: what passes records on wraps them.
    #[error("{0}")]
    Unrecognised(String),
    /// The record should have been a sign-in and cannot be read as one.
    #[error("{0}")]
    Broken(String),
}
