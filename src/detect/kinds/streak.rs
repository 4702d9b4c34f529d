//! So many in a row with none between that breaks the run, however slow.

use serde::{Deserialize, Serialize};

use super::window::{Mark, absorb, begin};
use super::{Fold, Occurrence, Role, Standing};
use crate::model::Draft;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streak {
    /// Events in a row that make a finding.
    pub length: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// The run so far, while it is shorter than a finding.
    run: Vec<Mark>,
    open: Option<Draft>,
}

impl Fold for Streak {
    type State = State;

    fn name(&self) -> &'static str {
        "streak"
    }

    fn open(&self, state: &State) -> Vec<Draft> {
        state.open.iter().cloned().collect()
    }

    fn can_be_broken(&self) -> bool {
        true
    }

    fn standing(
        &self,
        (before, after): (&State, &State),
        event: &Occurrence<'_>,
        _: &[String],
    ) -> Standing {
        let length = |state: &State| {
            state.open.as_ref().map_or(state.run.len() as u64, |open| open.event_count)
        };
        let enough = format!("{} or more", self.length);
        if event.role == Role::Breaks {
            let run = length(before);
            return Standing::default()
                .knows("this event", "breaks the run")
                .needs("the run that it ended", run, enough, run >= self.length);
        }
        let run = length(after);
        Standing::default().needs("events in a row", run, enough, run >= self.length)
    }

    fn step(&self, state: &mut State, event: &Occurrence<'_>, closed: &mut Vec<Draft>) {
        if event.role == Role::Breaks {
            state.run.clear();
            closed.extend(state.open.take());
            return;
        }
        let mark = Mark::from(event);
        if let Some(open) = &mut state.open {
            absorb(open, &mark);
        } else {
            state.run.push(mark);
            if state.run.len() as u64 >= self.length {
                state.open = begin(&state.run);
                state.run.clear();
            }
        }
    }
}
