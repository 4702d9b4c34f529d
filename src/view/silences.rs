//! Silences as a list.

use chrono::{DateTime, Utc};
use owo_colors::AnsiColors;
use serde::Serialize;

use super::phrase::moment;
use super::table::{ListRow, Shown};
use crate::model::Silence;

/// How a silence stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Waiting,
    Active,
    Ended,
}

/// A silence and how it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SilenceRow {
    #[serde(flatten)]
    silence: Silence,
    state: State,
}

impl SilenceRow {
    #[must_use]
    pub fn at(silence: Silence, now: DateTime<Utc>) -> Self {
        let state = if silence.is_active(now) {
            State::Active
        } else if silence.ends_at <= now {
            State::Ended
        } else {
            State::Waiting
        };
        Self { silence, state }
    }
}

impl ListRow for SilenceRow {
    const COLUMNS: &'static [&'static str] = &["ID", "STATE", "FROM", "UNTIL", "BY", "OF, WHY"];
    const GIVES_WAY: usize = 5;
    const NONE: &'static str = "no silences";

    fn columns(&self) -> Vec<Shown> {
        let silence = &self.silence;
        let state = match (self.state, &silence.ended_by) {
            (State::Waiting, _) => "waiting".into(),
            (State::Active, _) => Shown::coloured("active", AnsiColors::Yellow),
            (State::Ended, None) => "ended".into(),
            (State::Ended, Some(by)) => format!("ended by {by}").into(),
        };
        vec![
            silence.id.to_string().into(),
            state,
            moment(silence.begins_at).into(),
            moment(silence.ends_at).into(),
            silence.created_by.as_str().into(),
            format!("{}\n{}", silence.scope, silence.reason).into(),
        ]
    }
}
