//! Since when a group is known, and since when by its own events.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::Occurrence;
use crate::model::span_in_words;

/// A rule that inherits also learns from what others of the same name did before: until the group's own first
/// event, for from then on it speaks for itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Since {
    first_at: Option<i64>,
    own_at: Option<i64>,
}

/// What an event is to a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// The first that is its own.
    FirstOwn,
    Own,
    /// Of one that it took the place of.
    Inherited,
    /// Of another that lives beside it.
    Foreign,
}

impl Since {
    pub(super) fn take(&mut self, event: &Occurrence<'_>) -> Whose {
        let whose = match (event.is_inherited, self.own_at) {
            (true, Some(_)) => return Whose::Foreign,
            (true, None) => Whose::Inherited,
            (false, Some(_)) => Whose::Own,
            (false, None) => {
                self.own_at = Some(event.at);
                Whose::FirstOwn
            }
        };
        self.first_at.get_or_insert(event.at);
        whose
    }

    /// The first event, or `at` where there is none yet.
    pub(super) fn first_or(&self, at: i64) -> i64 {
        self.first_at.unwrap_or(at)
    }
}

/// The measure that says for how long others were known before the group's own first event, where any were.
pub(super) fn inherited(since: &Since) -> Option<(String, String)> {
    let (own, first) = since.own_at.zip(since.first_at)?;
    let span = span_in_words(TimeDelta::microseconds(own - first));
    (own > first).then(|| ("inherited".to_owned(), span))
}
