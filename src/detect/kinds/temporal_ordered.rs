//! Events of several rules within so long of each other, in the order of the rules: Sigma's
//! `temporal_ordered`.

use serde::{Deserialize, Serialize};

use super::absence::span;
use super::window::{WINDOW_AT_MOST, Windowed};
use super::{Fold, Occurrence, Standing};
use crate::model::Draft;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TemporalOrdered {
    /// Microseconds.
    pub timespan: i64,
    /// How many rules there are.
    pub length: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    window: Windowed,
    /// For the first rule, the first two, and so on: when the latest beginning of their sequence was.
    /// The latest one leaves the window last, so that none other need be remembered.
    begun_at: Vec<Option<i64>>,
    evicted: u64,
}

impl Fold for TemporalOrdered {
    type State = State;

    fn name(&self) -> &'static str {
        "temporal_ordered"
    }

    fn open(&self, state: &State) -> Vec<Draft> {
        state.window.open.as_deref().cloned().into_iter().collect()
    }

    fn enough(&self) -> String {
        format!("one of each of {} rules in their order within {}", self.length, span(self.timespan))
    }

    fn standing(
        &self,
        (_, after): (&State, &State),
        _: &Occurrence<'_>,
        counted: &[String],
    ) -> Standing {
        let steps = after.begun_at.iter().take_while(|at| at.is_some()).count();
        let done = counted.iter().take(steps).map(String::as_str).collect::<Vec<_>>().join(", ");
        Standing::of_window(self.timespan)
            .knows("events in the window", after.window.marks.len())
            .needs(
                "rules met in their order",
                if steps == 0 { "none".to_owned() } else { done },
                counted.join(", "),
                steps == self.length,
            )
    }

    fn step(&self, state: &mut State, event: &Occurrence<'_>, closed: &mut Vec<Draft>) {
        let begin = event.at.saturating_sub(self.timespan);
        state.begun_at.resize(self.length, None);
        for begun_at in &mut state.begun_at {
            begun_at.take_if(|at| *at <= begin);
        }
        // From the last rule to the first, so that one event is not two members of a sequence.
        for place in (0..self.length).rev() {
            if event.which.has(place) {
                let before = match place.checked_sub(1) {
                    None => Some(event.at),
                    Some(before) => state.begun_at[before],
                };
                state.begun_at[place] = state.begun_at[place].max(before);
            }
        }
        state.window.advance(event, self.timespan, |_| ());
        state.evicted += state.window.bound(WINDOW_AT_MOST);
        let is_met = state.begun_at.last().is_some_and(Option::is_some);
        state.window.judge(is_met, event.at, self.timespan, closed);
        state.window.tell_evicted(state.evicted);
    }
}
