//! So large a share of all that a group did in so long, once there is enough of it to be a share.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::absence::span;
use super::standing::up_to;
use super::window::{Condition, Mark, WINDOW_AT_MOST, Windowed};
use super::{Fold, Occurrence, Role, Standing};
use crate::model::Draft;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ratio {
    /// Microseconds.
    pub timespan: i64,
    /// What the number of those that count must be, so that few are no share.
    pub condition: Condition,
    /// Of a hundred of all, so many that count.
    pub percent: u64,
    /// So many of them came right after one that does not count: where all fail from some time on, there
    /// is one such turn and no share.
    pub turns: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    window: Windowed,
    /// When the others of the window were.
    others: VecDeque<i64>,
    /// When one that counts came right after one that does not.
    turns: VecDeque<i64>,
    /// Whether the last event does not count.
    was_other: bool,
    evicted: u64,
}

impl Fold for Ratio {
    type State = State;

    fn name(&self) -> &'static str {
        "ratio"
    }

    fn open(&self, state: &State) -> Vec<Draft> {
        state.window.open.as_deref().cloned().into_iter().collect()
    }

    fn enough(&self) -> String {
        format!(
            "{} within {}, if they are {} % of all",
            self.condition.least(),
            span(self.timespan),
            self.percent
        )
    }

    fn standing(
        &self,
        (_, after): (&State, &State),
        event: &Occurrence<'_>,
        _: &[String],
    ) -> Standing {
        let standing = Standing::of_window(self.timespan);
        if event.role != Role::Counted {
            return standing.needs("an event that counts", "one of the others", "only there it is judged", false);
        }
        let counted = after.window.marks.len() as u64;
        let all = (counted + after.others.len() as u64).max(1);
        let turns = after.turns.len() as u64;
        standing
            .needs(
                "events that count in the window",
                counted,
                self.condition.words(),
                self.condition.holds(counted),
            )
            .needs(
                "their share",
                format!("{} % of {all}", counted * 100 / all),
                format!("{} %", self.percent),
                counted * 100 >= self.percent * all,
            )
            .needs(
                "of them right after one that does not count",
                up_to(turns, self.turns),
                format!("{} or more", self.turns),
                turns >= self.turns,
            )
    }

    /// Only an event that counts can make the share larger by coming, so only there it is judged.
    fn step(&self, state: &mut State, event: &Occurrence<'_>, closed: &mut Vec<Draft>) {
        let begin = event.at.saturating_sub(self.timespan);
        while state.others.pop_front_if(|at| *at <= begin).is_some() {}
        while state.turns.pop_front_if(|at| *at <= begin).is_some() {}
        let is_turn = event.role == Role::Counted && state.was_other;
        state.was_other = event.role != Role::Counted;
        if is_turn {
            state.turns.push_back(event.at);
            // More of them are not asked for.
            while state.turns.len() as u64 > self.turns {
                state.turns.pop_front();
            }
        }
        if event.role == Role::Counted {
            state.window.advance(event, self.timespan, |_| ());
        } else {
            state.others.push_back(event.at);
        }
        // The oldest goes, whichever it is: the share of those that stay is a share of a shorter time.
        while state.window.marks.len() + state.others.len() > WINDOW_AT_MOST {
            let oldest_other = state.others.front().copied().unwrap_or(i64::MAX);
            if state.window.marks.pop_front_if(|mark: &mut Mark| mark.at <= oldest_other).is_none() {
                state.others.pop_front();
            }
            state.evicted += 1;
        }
        if event.role != Role::Counted {
            return;
        }
        let counted = state.window.marks.len() as u64;
        let all = counted + state.others.len() as u64;
        let is_met = self.condition.holds(counted)
            && counted * 100 >= self.percent * all
            && state.turns.len() as u64 >= self.turns;
        state.window.judge(is_met, event.at, self.timespan, closed);
        state.window.tell_evicted(state.evicted);
        if let Some(open) = state.window.open.as_mut().filter(|_| is_met) {
            let measures = &mut open.measures;
            measures.entry("seen".to_owned()).or_insert_with(|| {
                format!("{counted} of {all} ({} %)", counted * 100 / all)
            });
        }
    }
}
