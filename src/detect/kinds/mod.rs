//! The kinds of rules: each a fold over the events of one group in the order of time.
//!
//! A fold sees an event once and keeps a state. The state says all that later findings need to know of
//! earlier events, so that it can be put away and taken up again. Two folds over the same events give
//! the same findings, wherever they were put away in between.

mod event_count;
mod first_seen;
mod streak;
mod value_count;
mod window;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::model::{Draft, EventId};

pub(super) use event_count::EventCount;
pub(super) use first_seen::FirstSeen;
pub(super) use streak::Streak;
pub(super) use value_count::ValueCount;
pub(super) use window::Condition;

/// What an event is to a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It ends what was counted.
    Breaks,
    /// It tells what is usual, and is never itself found.
    Learns,
    Counted,
}

/// An event of a group, as much of it as a fold needs.
#[derive(Clone, Debug)]
pub struct Occurrence<'e> {
    pub at: i64,
    pub id: EventId,
    pub identity: i64,
    pub resource: i64,
    pub code: i64,
    /// The value of the rule's field, for kinds that have one; empty where absent.
    pub value: Cow<'e, str>,
    pub role: Role,
}

/// What a rule looks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    EventCount(EventCount),
    ValueCount(ValueCount),
    Streak(Streak),
    FirstSeen(FirstSeen),
}

/// How far a fold has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    EventCount(event_count::State),
    ValueCount(value_count::State),
    Streak(streak::State),
    FirstSeen(first_seen::State),
}

impl Kind {
    /// The state before any event.
    #[must_use]
    pub fn start(&self) -> State {
        match self {
            Self::EventCount(_) => State::EventCount(event_count::State::default()),
            Self::ValueCount(_) => State::ValueCount(value_count::State::default()),
            Self::Streak(_) => State::Streak(streak::State::default()),
            Self::FirstSeen(_) => State::FirstSeen(first_seen::State::default()),
        }
    }

    /// Takes the next event in. Findings that are over go to `closed`; those that may still grow stay
    /// in the state.
    pub fn step(&self, state: &mut State, event: &Occurrence<'_>, closed: &mut Vec<Draft>) {
        match (self, state) {
            (Self::EventCount(kind), State::EventCount(state)) => kind.step(state, event, closed),
            (Self::ValueCount(kind), State::ValueCount(state)) => kind.step(state, event, closed),
            (Self::Streak(kind), State::Streak(state)) => kind.step(state, event, closed),
            (Self::FirstSeen(kind), State::FirstSeen(state)) => kind.step(state, event, closed),
            // A state of another kind cannot be: a rule of another kind has another fingerprint, which
            // throws its states away.
            _ => {}
        }
    }

    /// Whether events can end what others began, so that they matter only where something has begun.
    #[must_use]
    pub fn can_be_broken(&self) -> bool {
        matches!(self, Self::Streak(_))
    }
}

impl State {
    /// The findings that may still grow.
    #[must_use]
    pub fn open(&self) -> Vec<&Draft> {
        match self {
            Self::EventCount(state) => state.open(),
            Self::ValueCount(state) => state.open(),
            Self::Streak(state) => state.open(),
            Self::FirstSeen(state) => state.open(),
        }
    }
}
