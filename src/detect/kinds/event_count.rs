//! So many events in so long: Sigma's `event_count` over a sliding window of event time.

use serde::{Deserialize, Serialize};

use super::{Fold, Occurrence, Standing};
use super::absence::span;
use super::standing::up_to;
use super::window::{Condition, Windowed};
use crate::model::Draft;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventCount {
    /// Microseconds.
    pub timespan: i64,
    pub condition: Condition,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State(Windowed);

impl Fold for EventCount {
    type State = State;

    fn name(&self) -> &'static str {
        "event_count"
    }

    fn open(&self, state: &State) -> Vec<Draft> {
        state.0.open.as_deref().cloned().into_iter().collect()
    }

    fn enough(&self) -> String {
        format!("{} within {}", self.condition.least(), span(self.timespan))
    }

    fn standing(
        &self,
        (_, after): (&State, &State),
        _: &Occurrence<'_>,
        _: &[String],
    ) -> Standing {
        let count = after.0.marks.len() as u64;
        // No more are remembered than are enough.
        let is = up_to(count, self.condition.enough().unwrap_or(u64::MAX));
        Standing::of_window(self.timespan).needs(
            "events in the window",
            is,
            self.condition.words(),
            self.condition.holds(count),
        )
    }

    fn step(&self, state: &mut State, event: &Occurrence<'_>, closed: &mut Vec<Draft>) {
        let window = &mut state.0;
        window.advance(event, self.timespan, |_| ());
        // Where "enough" is known, that many of the latest events decide: the events between a
        // finding and the next window that meets the condition are always fewer.
        if let Some(enough) = self.condition.enough() {
            while window.marks.len() as u64 > enough.max(1) {
                window.marks.pop_front();
            }
        }
        let is_met = self.condition.holds(window.marks.len() as u64);
        window.judge(is_met, event.at, self.timespan, closed);
    }
}
