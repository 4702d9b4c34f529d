//! A group that was regular has stopped. Its cadence is learnt from the gaps between its own events, and
//! how late it is by now is told by the events of others: no clock says so.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::window::{Mark, absorb, begin};
use super::{Deadline, Fold, Occurrence, Standing};
use crate::model::Draft;

/// Parts that the reach is cut into; a whole one is forgotten at once.
const PARTS: i64 = 28;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Absence {
    /// The reach: microseconds back to where gaps are learnt from.
    pub timespan: i64,
    /// Silence of so many times the usual gap is too long.
    pub factor: i64,
    /// No shorter silence is ever too long.
    pub at_least: i64,
    /// A group that would have to be silent longer than this is not regular.
    pub at_most: i64,
    /// Microseconds for which a group must have been known.
    pub learn_for: i64,
    /// Gaps that must have been seen within the reach.
    pub learn_events: u64,
}

/// The gaps that ended in one part of time.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Part {
    number: i64,
    gaps: u64,
    /// The two longest, the longest first.
    longest: [i64; 2],
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    first_at: i64,
    last: Option<Mark>,
    /// Where the last event came from: others from there tell how much time has passed.
    feed: String,
    parts: VecDeque<Part>,
}

impl Fold for Absence {
    type State = State;

    fn name(&self) -> &'static str {
        "absence"
    }

    /// The silence after the last event, if it was one already: it counts from its deadline on.
    fn open(&self, state: &State) -> Vec<Draft> {
        self.silence(state).into_iter().collect()
    }

    fn deadline<'s>(&self, state: &'s State) -> Option<Deadline<'s>> {
        let at = state.last.as_ref()?.at.saturating_add(self.patience(state)?);
        Some(Deadline { at, feed: &state.feed })
    }

    fn last_of_feed<'s>(&self, state: &'s State) -> Option<Deadline<'s>> {
        Some(Deadline { at: state.last.as_ref()?.at, feed: &state.feed })
    }

    fn enough(&self) -> String {
        format!("{} times the usual gap, and {}", self.factor, span(self.at_least))
    }

    fn standing(
        &self,
        (before, after): (&State, &State),
        event: &Occurrence<'_>,
        _: &[String],
    ) -> Standing {
        let gaps: u64 = after.parts.iter().map(|part| part.gaps).sum();
        let known_for = event.at - after.first_at;
        let enough = self.learn_events.max(2);
        let mut standing = Standing::default();
        if let Some(last) = &before.last {
            let gap = event.at - last.at;
            let patience = self.patience(before);
            standing = standing.needs(
                "the silence before it",
                span(gap),
                patience.map_or_else(
                    || "nothing could be said then".to_owned(),
                    |patience| format!("more than {}", span(patience)),
                ),
                patience.is_some_and(|patience| gap > patience),
            );
        }
        standing
            .needs("the group is known for", span(known_for), span(self.learn_for), known_for >= self.learn_for)
            .needs("gaps known", gaps, format!("{enough} or more"), gaps >= enough)
            .needs(
                "how it ended",
                if event.code == 0 { "a token" } else { "refused" },
                "a token: what is refused has not stopped",
                event.code == 0,
            )
            .knows("the usual gap", span(self.usual(after)))
            .needs(
                "from here it may be silent for",
                self.patience(after).map_or_else(|| "nothing is said".to_owned(), span),
                format!("{} at most, to be regular", span(self.at_most)),
                self.patience(after).is_some(),
            )
    }

    fn step(&self, state: &mut State, event: &Occurrence<'_>, closed: &mut Vec<Draft>) {
        let mark = Mark::from(event);
        match &state.last {
            None => state.first_at = event.at,
            Some(last) => {
                let gap = event.at - last.at;
                if gap > self.at_least
                    && let Some(mut silence) = self.silence(state)
                    && silence.detected_at < event.at
                {
                    absorb(&mut silence, &mark);
                    silence.measures.insert("seen".to_owned(), format!("nothing for {}", span(gap)));
                    closed.push(silence);
                }
                self.learn(state, event.at, gap);
            }
        }
        if state.feed != event.value {
            state.feed = event.value.to_string();
        }
        state.last = Some(mark);
    }
}

impl Absence {
    fn learn(&self, state: &mut State, at: i64, gap: i64) {
        let number = at.div_euclid((self.timespan / PARTS).max(1));
        while state.parts.pop_front_if(|part| part.number <= number - PARTS).is_some() {}
        if state.parts.back().is_none_or(|part| part.number != number) {
            state.parts.push_back(Part { number, gaps: 0, longest: [0; 2] });
        }
        if let Some(part) = state.parts.back_mut() {
            part.gaps += 1;
            add(&mut part.longest, gap);
        }
    }

    /// The longest gap within the reach. Once twice the learning time is known, the longest but one: what was
    /// out of the ordinary once teaches nothing, and what comes with every week came twice.
    fn usual(&self, state: &State) -> i64 {
        let mut longest = [0; 2];
        for gap in state.parts.iter().flat_map(|part| part.longest) {
            add(&mut longest, gap);
        }
        let known_for = state.last.as_ref().map_or(0, |last| last.at - state.first_at);
        longest[usize::from(known_for >= self.learn_for.saturating_mul(2))]
    }

    /// How long the group may be silent after its last event; `None` where nothing can be said. One that was
    /// refused last has not stopped: it is kept from going on, and other rules tell of that.
    fn patience(&self, state: &State) -> Option<i64> {
        let last = state.last.as_ref().filter(|last| last.code == 0)?;
        let known_for = last.at - state.first_at;
        let gaps: u64 = state.parts.iter().map(|part| part.gaps).sum();
        let patience = self.usual(state).saturating_mul(self.factor).max(self.at_least);
        let is_regular = known_for >= self.learn_for
            && gaps >= self.learn_events.max(2)
            && patience <= self.at_most;
        is_regular.then_some(patience)
    }

    fn silence(&self, state: &State) -> Option<Draft> {
        let patience = self.patience(state)?;
        let last = state.last.as_ref()?;
        let mut draft = begin([last])?;
        draft.detected_at = last.at.saturating_add(patience);
        draft.last_at = draft.detected_at;
        let known_for = (last.at - state.first_at).min(self.timespan);
        for (name, text) in [
            ("expected", format!("a sign-in every {} or sooner", span(self.usual(state)))),
            ("seen", format!("nothing for {}", span(patience))),
            ("learned_for", span(known_for)),
        ] {
            draft.measures.insert(name.to_owned(), text);
        }
        Some(draft)
    }
}

fn add(longest: &mut [i64; 2], gap: i64) {
    if gap > longest[0] {
        *longest = [gap, longest[0]];
    } else if gap > longest[1] {
        longest[1] = gap;
    }
}

/// A span in words, to the minute, or to the hour where that is fine enough.
pub(super) fn span(micros: i64) -> String {
    let minutes = (micros / 60_000_000).max(1);
    let parts = if minutes < 48 * 60 {
        [(minutes / 60, "h"), (minutes % 60, "min")]
    } else {
        [(minutes / 1_440, "days"), (minutes % 1_440 / 60, "h")]
    };
    let said = parts.iter().filter(|(number, _)| *number > 0);
    said.map(|(number, unit)| format!("{number} {unit}")).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::span;

    #[test]
    fn spans_are_told_as_finely_as_matters() {
        const MINUTE: i64 = 60_000_000;
        assert_eq!(span(0), "1 min");
        assert_eq!(span(62 * MINUTE), "1 h 2 min");
        assert_eq!(span(24 * 60 * MINUTE), "24 h");
        assert_eq!(span((76 * 60 + 7) * MINUTE), "3 days 4 h");
    }
}
