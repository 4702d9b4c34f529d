//! So many in a row with none between that breaks the run, however slow.

use serde::{Deserialize, Serialize};

use super::absence::span;
use super::window::{Mark, absorb, begin};
use super::{Fold, Occurrence, Role, Standing};
use crate::model::Draft;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Streak {
    /// Events in a row that make a finding.
    pub length: u64,
    /// Milliseconds from the first to the last of them, or it is not one yet.
    pub at_least: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    run: Option<Box<Draft>>,
    /// Whether the run is long enough to be a finding.
    found: bool,
}

impl Streak {
    fn suffices(&self, run: &Draft) -> bool {
        run.event_count >= self.length && lasted(run) >= self.at_least
    }
}

fn lasted(run: &Draft) -> i64 {
    run.last_at - run.started_at
}

impl Fold for Streak {
    type State = State;

    fn name(&self) -> &'static str {
        "streak"
    }

    fn open(&self, state: &State) -> Vec<Draft> {
        state.run.as_deref().filter(|_| state.found).cloned().into_iter().collect()
    }

    fn can_be_broken(&self) -> bool {
        true
    }

    fn enough(&self) -> String {
        match self.at_least {
            0 => format!("{} in a row", self.length),
            long => format!("{} in a row over {} or longer", self.length, span(long)),
        }
    }

    fn standing(
        &self,
        (before, after): (&State, &State),
        event: &Occurrence<'_>,
        _: &[String],
    ) -> Standing {
        let breaks = event.role == Role::Breaks;
        let run = if breaks { &before.run } else { &after.run };
        let length = run.as_ref().map_or(0, |run| run.event_count);
        let time = run.as_deref().map_or(0, lasted);
        let (what, standing) = if breaks {
            let standing = Standing::default().knows("this event", "breaks the run");
            ("the run that it ended", standing)
        } else {
            ("events in a row", Standing::default())
        };
        let enough = format!("{} or more", self.length);
        let standing = standing.needs(what, length, enough, length >= self.length);
        if self.at_least == 0 {
            return standing;
        }
        let enough = format!("{} or more", span(self.at_least));
        standing.needs("time from first to last", span(time), enough, time >= self.at_least)
    }

    fn step(&self, state: &mut State, event: &Occurrence<'_>, closed: &mut Vec<Draft>) {
        if event.role == Role::Breaks {
            closed.extend(state.run.take().filter(|_| state.found).map(|run| *run));
            state.found = false;
            return;
        }
        let mark = Mark::from(event);
        match &mut state.run {
            Some(run) => absorb(run, &mark),
            none => *none = begin([&mark]).map(Box::new),
        }
        if let Some(run) = state.run.as_mut().filter(|run| !state.found && self.suffices(run)) {
            (run.detected_at, run.detected_by) = (mark.at, mark.id);
            state.found = true;
        }
    }
}
