//! The kinds of rules: each a fold over the events of one group in the order of time.
//!
//! A fold sees an event once and keeps a state. The state says all that later findings need to know of
//! earlier events, so that it can be put away and taken up again. Two folds over the same events give
//! the same findings, wherever they were put away in between.

mod since;
mod standing;
mod window;

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::model::{Draft, EventId};
use crate::store::EventRow;

pub use standing::{Measure, Standing};

pub(super) use baseline::WEEK;
pub(super) use temporal::Needs;
pub(super) use value_statistic::Statistic;
pub(super) use window::Condition;

/// What an event is to a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// It ends what was counted.
    Breaks,
    /// It tells what is usual, and is never itself found.
    Learns,
    /// It is of the whole that those that count are a share of.
    Compares,
    Counted,
}

/// Which of the counted rules an event is of, by their places in the correlation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Which(u32);

impl Which {
    /// Rules that a set can tell apart; all from there on are one.
    pub const AT_MOST: usize = u32::BITS as usize;

    #[must_use]
    pub fn one(place: usize) -> Self {
        Self(1 << place.min(Self::AT_MOST - 1))
    }

    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    #[must_use]
    pub fn has(self, place: usize) -> bool {
        place < Self::AT_MOST && self.0 & 1 << place != 0
    }

    /// In ascending order.
    pub fn places(self) -> impl Iterator<Item = usize> {
        (0..Self::AT_MOST).filter(move |place| self.has(*place))
    }
}

/// An event of a group, as much of it as a fold needs.
#[derive(Clone, Debug)]
pub struct Occurrence<'e> {
    pub at: i64,
    pub id: EventId,
    pub identity: i64,
    pub resource: i64,
    pub code: i64,
    /// The value of the rule's field, for kinds that have one; empty where absent. For kinds with
    /// deadlines, the feed that the event came by.
    pub value: Cow<'e, str>,
    pub role: Role,
    /// Whether it is of another identity, of whose name the group's is: such events only tell what is usual.
    pub is_inherited: bool,
    /// Which of several rules it was counted for.
    pub which: Which,
}

impl Occurrence<'_> {
    /// An event of the group's own, before it is said what it means to the rule.
    pub(super) fn of(row: &EventRow) -> Self {
        Self {
            at: row.created_at,
            id: row.id,
            identity: row.identity_id,
            resource: row.resource_id,
            code: row.error_code,
            value: Cow::Borrowed(""),
            role: Role::Counted,
            is_inherited: false,
            which: Which::default(),
        }
    }
}

/// An instant by the events of one feed: what comes from elsewhere says nothing of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deadline<'s> {
    pub at: i64,
    pub feed: &'s str,
}

/// What a kind of rule is: how it takes the next event in.
trait Fold {
    type State: Default;

    /// The kind in the word that `rules/README.md` has for it.
    fn name(&self) -> &'static str;

    /// Takes the next event in. Findings that are over go to `closed`; those that may still grow stay
    /// in the state.
    fn step(&self, state: &mut Self::State, event: &Occurrence<'_>, closed: &mut Vec<Draft>);

    /// The findings that may still grow.
    fn open(&self, state: &Self::State) -> Vec<Draft>;

    /// What is enough for a finding, in words: "10 within 10 min".
    fn enough(&self) -> String;

    /// How near it is to a finding at an event, by the states before and after it. Rules go by their
    /// names in `counted`.
    fn standing(
        &self,
        states: (&Self::State, &Self::State),
        event: &Occurrence<'_>,
        counted: &[String],
    ) -> Standing;

    /// Until when the next event must come, for kinds that find where none does.
    fn deadline<'s>(&self, _state: &'s Self::State) -> Option<Deadline<'s>> {
        None
    }

    /// The last event, for kinds with deadlines: it tells others how much time has passed.
    fn last_of_feed<'s>(&self, _state: &'s Self::State) -> Option<Deadline<'s>> {
        None
    }

    /// Whether events can end what others began, so that they matter only where something has begun.
    fn can_be_broken(&self) -> bool {
        false
    }
}

macro_rules! kinds {
    ($($module:ident::$kind:ident;)+) => {
        $(mod $module;)+
        $(pub(super) use $module::$kind;)+

        /// What a rule looks for.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum Kind {
            $($kind($kind),)+
        }

        /// How far a fold has come.
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        pub enum State {
            $($kind($module::State),)+
        }

        impl Kind {
            /// The kind in the word that `rules/README.md` has for it.
            #[must_use]
            pub fn name(&self) -> &'static str {
                match self {
                    $(Self::$kind(kind) => kind.name(),)+
                }
            }

            /// What is enough for a finding, in words: "10 within 10 min".
            #[must_use]
            pub fn enough(&self) -> String {
                match self {
                    $(Self::$kind(kind) => kind.enough(),)+
                }
            }

            /// The state before any event.
            #[must_use]
            pub fn start(&self) -> State {
                match self {
                    $(Self::$kind(_) => State::$kind($module::State::default()),)+
                }
            }

            /// Takes the next event in. Findings that are over go to `closed`; those that may still grow
            /// stay in the state.
            pub fn step(
                &self,
                state: &mut State,
                event: &Occurrence<'_>,
                closed: &mut Vec<Draft>,
            ) {
                match (self, state) {
                    $((Self::$kind(kind), State::$kind(state)) => kind.step(state, event, closed),)+
                    // A state of another kind cannot be: a rule of another kind has another fingerprint,
                    // which throws its states away.
                    _ => {}
                }
            }

            /// The findings that may still grow.
            #[must_use]
            pub fn open(&self, state: &State) -> Vec<Draft> {
                match (self, state) {
                    $((Self::$kind(kind), State::$kind(state)) => kind.open(state),)+
                    _ => Vec::new(),
                }
            }

            /// How near it is to a finding at an event, by the states before and after it.
            #[must_use]
            pub fn standing(
                &self,
                states: (&State, &State),
                event: &Occurrence<'_>,
                counted: &[String],
            ) -> Standing {
                match (self, states) {
                    $((Self::$kind(kind), (State::$kind(before), State::$kind(after))) => {
                        kind.standing((before, after), event, counted)
                    })+
                    _ => Standing::default(),
                }
            }

            /// Until when the next event must come, for kinds that find where none does.
            #[must_use]
            pub fn deadline<'s>(&self, state: &'s State) -> Option<Deadline<'s>> {
                match (self, state) {
                    $((Self::$kind(kind), State::$kind(state)) => kind.deadline(state),)+
                    _ => None,
                }
            }

            /// The last event, for kinds with deadlines.
            #[must_use]
            pub fn last_of_feed<'s>(&self, state: &'s State) -> Option<Deadline<'s>> {
                match (self, state) {
                    $((Self::$kind(kind), State::$kind(state)) => kind.last_of_feed(state),)+
                    _ => None,
                }
            }

            /// Whether events can end what others began, so that they matter only where something has
            /// begun.
            #[must_use]
            pub fn can_be_broken(&self) -> bool {
                match self {
                    $(Self::$kind(kind) => kind.can_be_broken(),)+
                }
            }
        }

    };
}

// States are put away by their place in this list, so a new kind comes last.
kinds! {
    event_count::EventCount;
    value_count::ValueCount;
    streak::Streak;
    first_seen::FirstSeen;
    value_statistic::ValueStatistic;
    temporal::Temporal;
    temporal_ordered::TemporalOrdered;
    ratio::Ratio;
    absence::Absence;
    baseline::Baseline;
    newcomer::Newcomer;
    awakening::Awakening;
    rhythm::Rhythm;
}
