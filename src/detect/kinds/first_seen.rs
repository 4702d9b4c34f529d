//! A value that this group never showed before, once the group is known well enough to say so.

use std::collections::BTreeSet;

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::since::{Since, Whose, inherited};
use super::standing::up_to;
use super::window::{Mark, absorb, begin};
use super::{Fold, Occurrence, Role, Standing};
use crate::model::{Draft, span_in_words};

const DAY: i64 = 86_400_000_000;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstSeen {
    /// Microseconds for which events of a new value are its evidence.
    pub timespan: i64,
    /// Microseconds for which a group must have been known.
    pub learn_for: i64,
    /// Events that a group must have shown before.
    pub learn_events: u64,
    /// Values that it may have shown for another to be new.
    pub known_at_most: usize,
    /// Events with a new value, within the timespan, that make a finding.
    pub least: u64,
    /// Microseconds from the first to the last of them, or it is not one yet.
    pub at_least: i64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    since: Since,
    /// Events so far, counted no further than the rule asks.
    events: u64,
    known: BTreeSet<String>,
    open: Vec<(String, Draft)>,
}

impl Fold for FirstSeen {
    type State = State;

    fn name(&self) -> &'static str {
        "first_seen"
    }

    fn open(&self, state: &State) -> Vec<Draft> {
        let drafts = state.open.iter().map(|(_, draft)| draft);
        drafts.filter(|draft| self.suffices(draft)).cloned().collect()
    }

    fn enough(&self) -> String {
        let known = if self.learn_for == 0 {
            String::new()
        } else {
            format!(" after {}", span(self.learn_for))
        };
        match self.least {
            1 => format!("one that is new{known}"),
            least if self.at_least == 0 => {
                format!("{least} of a new one within {}{known}", span(self.timespan))
            }
            least => format!(
                "{least} of a new one over {} to {}{known}",
                span(self.at_least),
                span(self.timespan)
            ),
        }
    }

    fn standing(
        &self,
        (before, after): (&State, &State),
        event: &Occurrence<'_>,
        _: &[String],
    ) -> Standing {
        let known_for = event.at - before.since.first_or(event.at);
        let open = after.open.iter().find(|(value, _)| *value == event.value);
        let is_new = open.is_some()
            || !before.known.contains(&*event.value) && before.known.len() < FirstSeen::VALUES_AT_MOST;
        let value = if event.role != Role::Counted {
            "does not count".to_owned()
        } else if event.value.is_empty() {
            "none".to_owned()
        } else {
            format!("{} ({})", told(&event.value), if is_new { "new" } else { "seen before" })
        };
        let times = open.map_or(u64::from(is_new), |(_, draft)| draft.event_count);
        let lasted = open.map_or(0, |(_, draft)| draft.last_at - draft.started_at);
        let standing = Standing::default()
            .needs(
                "the value",
                value,
                "one that is new",
                is_new && event.role == Role::Counted && !event.value.is_empty(),
            )
            .needs(
                "the group is known for",
                span(known_for),
                span(self.learn_for),
                known_for >= self.learn_for,
            )
            .needs(
                "events that made it known",
                up_to(before.events, self.learn_events),
                format!("{} or more", self.learn_events),
                before.events >= self.learn_events,
            )
            .needs(
                format!("times within {}", span(self.timespan)),
                times,
                format!("{} or more", self.least),
                times >= self.least,
            )
            .knows("values known by now", up_to(after.known.len() as u64, Self::VALUES_AT_MOST as u64));
        let standing = if self.known_at_most == Self::VALUES_AT_MOST {
            standing
        } else {
            let (known, enough) = (before.known.len(), format!("{} or fewer", self.known_at_most));
            standing.needs("values known before", known, enough, known <= self.known_at_most)
        };
        if self.at_least == 0 {
            return standing;
        }
        let enough = format!("{} or more", span(self.at_least));
        standing.needs("time from first to last", span(lasted), enough, lasted >= self.at_least)
    }

    fn step(&self, state: &mut State, event: &Occurrence<'_>, closed: &mut Vec<Draft>) {
        if !state.open.is_empty() {
            let over = |draft: &Draft| draft.started_at.saturating_add(self.timespan) <= event.at;
            let ended = state.open.extract_if(.., |(_, draft)| over(draft)).map(|(_, draft)| draft);
            closed.extend(ended.filter(|draft| self.suffices(draft)));
        }
        let whose = state.since.take(event);
        if whose == Whose::Foreign {
            return;
        }
        if event.role == Role::Counted && !event.value.is_empty() {
            match whose {
                Whose::Inherited => state.learn(&event.value),
                _ => self.value(state, event, event.at - state.since.first_or(event.at)),
            }
        }
        state.events = (state.events + 1).min(self.learn_events);
    }
}

impl FirstSeen {
    /// Values of one group that are remembered. A group that shows more is new all the time: nothing is
    /// found in it any more.
    pub(in crate::detect) const VALUES_AT_MOST: usize = 1_000;

    fn suffices(&self, draft: &Draft) -> bool {
        draft.event_count >= self.least && draft.last_at - draft.started_at >= self.at_least
    }

    fn value(&self, state: &mut State, event: &Occurrence<'_>, known_for: i64) {
        if let Some((_, draft)) = state.open.iter_mut().find(|(value, _)| *value == event.value) {
            let was_enough = self.suffices(draft);
            absorb(draft, &Mark::from(event));
            if !was_enough && self.suffices(draft) {
                draft.detected_at = event.at;
                draft.detected_by = event.id;
            }
            return;
        }
        if state.known.len() >= FirstSeen::VALUES_AT_MOST || state.known.contains(&*event.value) {
            return;
        }
        let is_known_well = known_for >= self.learn_for
            && state.events >= self.learn_events
            && state.known.len() <= self.known_at_most;
        if is_known_well {
            let mut draft = begin([&Mark::from(event)]).expect("it has one mark");
            draft.measures.insert("value".to_owned(), told(&event.value));
            draft.measures.insert("known_values".to_owned(), state.known.len().to_string());
            draft.measures.insert("learned_days".to_owned(), (known_for / DAY).to_string());
            draft.measures.extend(inherited(&state.since));
            state.open.push((event.value.to_string(), draft));
        }
        state.learn(&event.value);
    }
}

impl State {
    fn learn(&mut self, value: &str) {
        if self.known.len() < FirstSeen::VALUES_AT_MOST && !self.known.contains(value) {
            self.known.insert(value.to_owned());
        }
    }
}

/// Several values together, as people read them.
pub(super) fn told(value: &str) -> String {
    value.replace('\n', ", ")
}

fn span(micros: i64) -> String {
    span_in_words(TimeDelta::microseconds(micros))
}
