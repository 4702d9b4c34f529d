//! A group that was silent for longer than ever before is heard again.

use serde::{Deserialize, Serialize};

use super::absence::span;
use super::standing::{Standing, up_to};
use super::window::{Mark, absorb, begin};
use super::{Fold, Occurrence};
use crate::model::Draft;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Awakening {
    /// Microseconds after it is heard again for which events are evidence.
    pub timespan: i64,
    /// The shortest silence that is one.
    pub at_least: i64,
    /// So many times as long as any gap before.
    pub factor: i64,
    /// Events before the silence, so that there was something to fall silent.
    pub learn_events: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    last_at: Option<i64>,
    /// Events so far, counted no further than the rule asks.
    events: u64,
    /// The longest gap so far.
    longest: i64,
    open: Option<Box<Draft>>,
}

impl Fold for Awakening {
    type State = State;

    fn name(&self) -> &'static str {
        "awakening"
    }

    fn open(&self, state: &State) -> Vec<Draft> {
        state.open.as_deref().cloned().into_iter().collect()
    }

    fn enough(&self) -> String {
        format!("{} of silence, if it is {} times the longest before", span(self.at_least), self.factor)
    }

    fn standing(
        &self,
        (before, _): (&State, &State),
        event: &Occurrence<'_>,
        _: &[String],
    ) -> Standing {
        let gap = before.last_at.map_or(0, |last| event.at - last);
        let long = before.longest.saturating_mul(self.factor);
        Standing::default()
            .needs("the silence before it", span(gap), span(self.at_least), gap >= self.at_least)
            .needs(
                format!("{} times the longest before", self.factor),
                span(gap),
                span(long),
                gap >= long,
            )
            .needs(
                "events before it",
                up_to(before.events, self.learn_events),
                format!("{} or more", self.learn_events),
                before.events >= self.learn_events,
            )
    }

    fn step(&self, state: &mut State, event: &Occurrence<'_>, closed: &mut Vec<Draft>) {
        let is_over = |open: &mut Box<Draft>| event.at - open.started_at >= self.timespan;
        closed.extend(state.open.take_if(is_over).map(|open| *open));
        let mark = Mark::from(event);
        let gap = state.last_at.map_or(0, |last| event.at - last);
        if let Some(open) = &mut state.open {
            absorb(open, &mark);
        } else if gap >= self.at_least
            && state.events >= self.learn_events
            && gap >= state.longest.saturating_mul(self.factor)
        {
            state.open = begin([&mark]).map(|mut draft| {
                for (name, text) in [
                    ("seen", format!("nothing for {}", span(gap))),
                    ("expected", format!("never silent for more than {}", span(state.longest))),
                ] {
                    draft.measures.insert(name.to_owned(), text);
                }
                Box::new(draft)
            });
        }
        state.longest = state.longest.max(gap);
        state.last_at = Some(event.at);
        state.events = (state.events + 1).min(self.learn_events);
    }
}
