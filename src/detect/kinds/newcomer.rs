//! What a group does in its first hours: a habit cannot be broken by one that has none yet.

use serde::{Deserialize, Serialize};

use super::absence::span;
use super::standing::Standing;
use super::window::{Mark, absorb, begin};
use super::{Fold, Occurrence, Role};
use crate::model::Draft;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Newcomer {
    /// Microseconds from the first event of a group for which it is new.
    pub timespan: i64,
    /// Events that count, from which on it is a finding.
    pub least: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    first_at: Option<i64>,
    /// The events that count so far.
    draft: Option<Box<Draft>>,
}

impl Newcomer {
    fn found<'d>(&self, draft: Option<&'d Draft>) -> Option<&'d Draft> {
        draft.filter(|draft| draft.event_count >= self.least)
    }
}

impl Fold for Newcomer {
    type State = State;

    fn name(&self) -> &'static str {
        "newcomer"
    }

    fn open(&self, state: &State) -> Vec<Draft> {
        self.found(state.draft.as_deref()).cloned().into_iter().collect()
    }

    fn enough(&self) -> String {
        format!("{} within its first {}", self.least, span(self.timespan))
    }

    fn standing(
        &self,
        (_, after): (&State, &State),
        event: &Occurrence<'_>,
        _: &[String],
    ) -> Standing {
        let age = event.at - after.first_at.unwrap_or(event.at);
        let count = after.draft.as_ref().map_or(0, |draft| draft.event_count);
        Standing::default()
            .needs(
                "the group is known for",
                span(age),
                format!("less than {}", span(self.timespan)),
                age < self.timespan,
            )
            .needs(
                "events that count",
                count,
                format!("{} or more", self.least),
                count >= self.least,
            )
    }

    fn step(&self, state: &mut State, event: &Occurrence<'_>, closed: &mut Vec<Draft>) {
        let first_at = *state.first_at.get_or_insert(event.at);
        if event.at - first_at >= self.timespan {
            closed.extend(self.found(state.draft.take().as_deref()).cloned());
            return;
        }
        if event.role != Role::Counted {
            return;
        }
        let mark = Mark::from(event);
        match &mut state.draft {
            Some(draft) => absorb(draft, &mark),
            None => state.draft = begin([&mark]).map(Box::new),
        }
        if let Some(draft) = state.draft.as_mut().filter(|draft| draft.event_count == self.least) {
            draft.detected_at = event.at;
            draft.detected_by = event.id;
            let minutes = (event.at - first_at) / 60_000_000;
            draft.measures.insert("known_for".to_owned(), format!("{minutes} min"));
        }
    }
}
