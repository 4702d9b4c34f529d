//! Events of several rules within so long of each other, in any order: Sigma's `temporal`.

use serde::{Deserialize, Serialize};

use super::absence::span;
use super::window::{WINDOW_AT_MOST, Windowed};
use super::{Fold, Occurrence, Standing};
use crate::model::Draft;

/// Which of the rules must have been met; a rule is its place in `correlation.rules`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Needs {
    Rule(usize),
    All(Vec<Needs>),
    Any(Vec<Needs>),
    Not(Box<Needs>),
}

impl Needs {
    fn are_met(&self, is_met: &impl Fn(usize) -> bool) -> bool {
        match self {
            Self::Rule(place) => is_met(*place),
            Self::All(needs) => needs.iter().all(|needs| needs.are_met(is_met)),
            Self::Any(needs) => needs.iter().any(|needs| needs.are_met(is_met)),
            Self::Not(needs) => !needs.are_met(is_met),
        }
    }

    /// In the words of a condition.
    fn words<'n>(&self, name: &impl Fn(usize) -> &'n str) -> String {
        let joined = |needs: &[Self], word: &str| {
            let words: Vec<String> = needs
                .iter()
                .map(|needs| match needs {
                    Self::Rule(place) => name(*place).to_owned(),
                    other => format!("({})", other.words(name)),
                })
                .collect();
            words.join(word)
        };
        match self {
            Self::Rule(place) => name(*place).to_owned(),
            Self::All(needs) => joined(needs, " and "),
            Self::Any(needs) => joined(needs, " or "),
            Self::Not(needs) => format!("not {}", joined(std::slice::from_ref(needs), "")),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Temporal {
    /// Microseconds.
    pub timespan: i64,
    pub needs: Needs,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    window: Windowed,
    /// When each rule was last met.
    met_at: Vec<Option<i64>>,
    evicted: u64,
}

impl Fold for Temporal {
    type State = State;

    fn name(&self) -> &'static str {
        "temporal"
    }

    fn open(&self, state: &State) -> Vec<Draft> {
        state.window.open.as_deref().cloned().into_iter().collect()
    }

    fn enough(&self) -> String {
        format!("all that the rule asks for within {}", span(self.timespan))
    }

    fn standing(
        &self,
        (_, after): (&State, &State),
        _: &Occurrence<'_>,
        counted: &[String],
    ) -> Standing {
        let name = |place: usize| counted.get(place).map_or("", String::as_str);
        let is_met = |place: usize| after.met_at.get(place).is_some_and(Option::is_some);
        let met: Vec<&str> = (0..counted.len()).filter(|place| is_met(*place)).map(name).collect();
        Standing::of_window(self.timespan)
            .knows("events in the window", after.window.marks.len())
            .needs(
                "rules met in the window",
                if met.is_empty() { "none".to_owned() } else { met.join(", ") },
                self.needs.words(&name),
                self.needs.are_met(&is_met),
            )
    }

    fn step(&self, state: &mut State, event: &Occurrence<'_>, closed: &mut Vec<Draft>) {
        let begin = event.at.saturating_sub(self.timespan);
        for place in event.which.places() {
            if state.met_at.len() <= place {
                state.met_at.resize(place + 1, None);
            }
            state.met_at[place] = Some(event.at);
        }
        // What left the window is as if it had never been.
        for met_at in &mut state.met_at {
            met_at.take_if(|at| *at <= begin);
        }
        state.window.advance(event, self.timespan, |_| ());
        state.evicted += state.window.bound(WINDOW_AT_MOST);
        let is_met = |place: usize| state.met_at.get(place).is_some_and(Option::is_some);
        let is_met = self.needs.are_met(&is_met);
        state.window.judge(is_met, event.at, self.timespan, closed);
        state.window.tell_evicted(state.evicted);
    }
}
