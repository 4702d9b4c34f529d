//! So many different values in so long: Sigma's `value_count` over a sliding window of event time.

use std::collections::{BTreeMap, VecDeque};

use serde::{Deserialize, Serialize};

use super::{Fold, Occurrence, Standing};
use super::absence::span;
use super::first_seen::told;
use super::window::{Condition, WINDOW_AT_MOST, Windowed};
use crate::model::Draft;

/// Values that are named where people ask.
const SHOWN: usize = 10;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ValueCount {
    /// Microseconds.
    pub timespan: i64,
    pub condition: Condition,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    window: Windowed,
    /// The values of the window's events, in their order.
    values: VecDeque<String>,
    /// How often each value is in the window.
    counts: BTreeMap<String, u64>,
    evicted: u64,
}

impl State {
    fn let_go(values: &mut VecDeque<String>, counts: &mut BTreeMap<String, u64>) {
        let Some(value) = values.pop_front() else { return };
        if let Some(count) = counts.get_mut(&value) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&value);
            }
        }
    }
}

impl Fold for ValueCount {
    type State = State;

    fn name(&self) -> &'static str {
        "value_count"
    }

    fn open(&self, state: &State) -> Vec<Draft> {
        state.window.open.as_deref().cloned().into_iter().collect()
    }

    fn enough(&self) -> String {
        format!("{} different ones within {}", self.condition.least(), span(self.timespan))
    }

    fn standing(
        &self,
        (_, after): (&State, &State),
        event: &Occurrence<'_>,
        _: &[String],
    ) -> Standing {
        let standing = Standing::of_window(self.timespan);
        if event.value.is_empty() {
            return standing.needs("a value that counts", "none", "any", false);
        }
        let distinct = after.counts.len() as u64;
        let some: Vec<String> = after.counts.keys().take(SHOWN).map(|value| told(value)).collect();
        // Values that are several together have commas of their own.
        let between = if event.value.contains('\n') { "; " } else { ", " };
        let more = if after.counts.len() > SHOWN { format!("{between}…") } else { String::new() };
        standing
            .knows("events in the window", after.window.marks.len())
            .needs(
                "different values in the window",
                format!("{distinct} ({}{more})", some.join(between)),
                self.condition.words(),
                self.condition.holds(distinct),
            )
    }

    /// An event without the value is not of the rule: it says nothing of how many there are.
    fn step(&self, state: &mut State, event: &Occurrence<'_>, closed: &mut Vec<Draft>) {
        if event.value.is_empty() {
            return;
        }
        let State { window, values, counts, evicted } = state;
        window.advance(event, self.timespan, |_| State::let_go(values, counts));
        values.push_back(event.value.to_string());
        *counts.entry(event.value.to_string()).or_default() += 1;
        while window.marks.len() > WINDOW_AT_MOST {
            window.marks.pop_front();
            State::let_go(values, counts);
            *evicted += 1;
        }
        let distinct = counts.len() as u64;
        window.judge(self.condition.holds(distinct), event.at, self.timespan, closed);
        if let Some(open) = &mut window.open {
            let most =
                open.measures.get("distinct").and_then(|most| most.parse().ok()).unwrap_or(0);
            open.measures.insert("distinct".to_owned(), distinct.max(most).to_string());
            if *evicted > 0 {
                open.measures.insert("evicted".to_owned(), evicted.to_string());
            }
        }
    }
}
