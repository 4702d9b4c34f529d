//! More in an hour than this group ever shows at this hour of the week, or nearly ever at any.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::since::{Since, Whose, inherited};
use super::window::{Mark, absorb, begin, begin_again, join};
use super::{Fold, Occurrence, Standing};
use crate::model::Draft;

const HOUR: i64 = 3_600_000_000;
/// Hours of a week.
pub(in crate::detect) const WEEK: i64 = 168;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Baseline {
    /// Weeks back to where hours are compared with.
    pub weeks: i64,
    /// Events of an hour below which nothing is too many.
    pub minimum: u64,
    /// More than so many times the usual is too many.
    pub factor: u64,
    /// At most one in so many hours has shown as much.
    pub rare: u64,
    /// Microseconds for which a group must have been known: a week at least.
    pub learn_for: i64,
}

/// Hours that were too busy, one after the other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Busy {
    draft: Draft,
    usual: Usual,
    /// The most that one of the hours has.
    most: u64,
}

/// What can be said of an hour before it comes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Usual {
    /// Hours like it, and the one in the middle of their counts and the highest but one.
    compared: u64,
    middle: u64,
    high: u64,
    /// Hours known at all, at any time of the week, and as many events as few of them had.
    known: u64,
    rare: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    since: Since,
    /// The hours of the reach that had events, without the running one.
    #[serde(with = "steps")]
    hours: VecDeque<(i64, u64)>,
    hour: i64,
    /// Events of the running hour.
    count: u64,
    /// They, until they are too many; those of the hour before where there are none yet.
    quiet: Option<Box<Draft>>,
    /// From so many on they are too many, once that was asked.
    limit: Option<u64>,
    is_busy: bool,
    open: Option<Box<Busy>>,
}

/// Hours put away as steps from one to the next, most of which are of one byte.
mod steps {
    use std::collections::VecDeque;

    use serde::{Deserialize, Deserializer, Serializer};

    type Hours = VecDeque<(i64, u64)>;

    pub(super) fn serialize<S: Serializer>(hours: &Hours, to: S) -> Result<S::Ok, S::Error> {
        let mut last = 0;
        to.collect_seq(hours.iter().map(|(hour, count)| {
            let step = hour - last;
            last = *hour;
            (step, *count)
        }))
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Hours, D::Error> {
        let mut hours = Hours::deserialize(from)?;
        let mut last = 0_i64;
        for (hour, _) in &mut hours {
            last = last.saturating_add(*hour);
            *hour = last;
        }
        Ok(hours)
    }
}

impl Fold for Baseline {
    type State = State;

    fn name(&self) -> &'static str {
        "baseline"
    }

    fn open(&self, state: &State) -> Vec<Draft> {
        state.open.iter().map(|busy| told(busy, state, self.limit(&busy.usual))).collect()
    }

    fn enough(&self) -> String {
        format!("{} in an hour, and more than {} times the usual", self.minimum, self.factor)
    }

    fn standing(
        &self,
        (_, after): (&State, &State),
        event: &Occurrence<'_>,
        _: &[String],
    ) -> Standing {
        let first_at = after.since.first_or(event.at);
        let known_for = after.hour * HOUR - first_at;
        let usual = self.usual(after, first_at);
        let limit = self.limit(&usual);
        Standing::default()
            .needs("events in this hour so far", after.count, format!("{limit} or more"), after.count >= limit)
            .needs(
                "the group is known for",
                format!("{} h", known_for.max(0) / HOUR),
                format!("{} h", self.learn_for / HOUR),
                known_for >= self.learn_for,
            )
            .knows("at least", self.minimum)
            .knows(
                "hours like it",
                format!("{}; {} in the middle, {} the highest but one", usual.compared, usual.middle, usual.high),
            )
            .knows(
                format!("one in {} hours had more than", self.rare),
                format!("{} ({} hours known)", usual.rare, usual.known),
            )
    }

    fn step(&self, state: &mut State, event: &Occurrence<'_>, closed: &mut Vec<Draft>) {
        let hour = event.at.div_euclid(HOUR);
        let whose = state.since.take(event);
        match whose {
            Whose::Foreign => return,
            // The hour in which it took over is its own.
            Whose::FirstOwn => state.count = 0,
            Whose::Own | Whose::Inherited => {}
        }
        let first_at = state.since.first_or(event.at);
        if hour != state.hour || state.count == 0 {
            self.turn(state, hour, closed);
        }
        state.count += 1;
        if whose == Whose::Inherited {
            return;
        }
        let mark = Mark::from(event);
        if state.is_busy {
            if let Some(busy) = &mut state.open {
                absorb(&mut busy.draft, &mark);
                busy.most = busy.most.max(state.count);
            }
            return;
        }
        match &mut state.quiet {
            Some(quiet) if state.count > 1 => absorb(quiet, &mark),
            Some(quiet) => begin_again(quiet, &mark),
            None => state.quiet = begin([&mark]).map(Box::new),
        }
        if state.count < self.minimum || hour * HOUR - first_at < self.learn_for {
            return;
        }
        let limit = match state.limit {
            Some(limit) => limit,
            None => *state.limit.insert(self.limit(&self.usual(state, first_at))),
        };
        if state.count >= limit {
            self.fire(state, first_at);
        }
    }
}

impl Baseline {
    /// Ends the running hour and begins another.
    fn turn(&self, state: &mut State, hour: i64, closed: &mut Vec<Draft>) {
        let goes_on = state.is_busy && hour == state.hour + 1;
        if !goes_on && let Some(busy) = state.open.take() {
            closed.push(told(&busy, state, self.limit(&busy.usual)));
        }
        if state.count > 0 {
            state.hours.push_back((state.hour, state.count));
        }
        let begin = hour - self.weeks * WEEK - 1;
        while state.hours.pop_front_if(|(hour, _)| *hour < begin).is_some() {}
        state.hour = hour;
        state.count = 0;
        state.limit = None;
        state.is_busy = false;
    }

    fn fire(&self, state: &mut State, first_at: i64) {
        let Some(mut draft) = state.quiet.take() else { return };
        draft.detected_at = draft.last_at;
        draft.detected_by = draft.last_event;
        let most = state.count;
        if let Some(busy) = &mut state.open {
            join(&mut busy.draft, &draft);
            busy.most = busy.most.max(most);
        } else {
            let usual = self.usual(state, first_at);
            state.open = Some(Box::new(Busy { draft: *draft, usual, most }));
        }
        state.is_busy = true;
    }

    fn limit(&self, usual: &Usual) -> u64 {
        let high = usual.high.saturating_mul(self.factor);
        self.minimum.max(high.saturating_add(1)).max(usual.rare.saturating_add(1))
    }

    /// Compares the running hour with the same hour of the weeks before and those beside it (a job that
    /// slips, a summer time that ends), and with all hours.
    fn usual(&self, state: &State, first_at: i64) -> Usual {
        let first_hour = first_at.div_euclid(HOUR);
        let count_of = |hour: i64| {
            let place = state.hours.binary_search_by_key(&hour, |(hour, _)| *hour);
            place.map_or(0, |place| state.hours[place].1)
        };
        let mut alike: Vec<u64> = (1..=self.weeks)
            .flat_map(|week| (-1..=1).map(move |beside| state.hour - week * WEEK + beside))
            .filter(|hour| *hour >= first_hour)
            .map(count_of)
            .collect();
        alike.sort_unstable_by(|one, other| other.cmp(one));
        let begin = first_hour.max(state.hour - self.weeks * WEEK);
        let known = u64::try_from(state.hour - begin).unwrap_or(0);
        let mut counts: Vec<u64> =
            state.hours.iter().filter(|(hour, _)| *hour >= begin).map(|(_, count)| *count).collect();
        counts.sort_unstable_by(|one, other| other.cmp(one));
        let place = usize::try_from(known / self.rare.max(1)).unwrap_or(usize::MAX);
        Usual {
            compared: alike.len() as u64,
            middle: alike.get(alike.len() / 2).copied().unwrap_or(0),
            high: alike.get(1).copied().unwrap_or(0),
            known,
            rare: counts.get(place).copied().unwrap_or(0),
        }
    }
}

/// The finding with its numbers.
fn told(busy: &Busy, state: &State, enough: u64) -> Draft {
    let mut draft = busy.draft.clone();
    let Usual { compared, middle, high, known, .. } = busy.usual;
    let as_much = state
        .hours
        .iter()
        .filter(|(hour, count)| {
            *hour < busy.draft.started_at.div_euclid(HOUR) && *count >= busy.most
        })
        .count();
    let days = known / 24;
    for (name, text) in [
        ("expected", format!("{middle} in such an hour, seldom more than {high} ({compared} compared)")),
        ("seen", format!("{} in an hour", busy.most)),
        ("rarity", format!("{as_much} of {known} hours had as many")),
        ("learned_for", format!("{days} days")),
        ("enough", format!("{enough} in that hour")),
    ] {
        draft.measures.insert(name.to_owned(), text);
    }
    draft.measures.extend(inherited(&state.since));
    draft
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_come_back_as_they_were_put_away() {
        let hours: VecDeque<(i64, u64)> = [(-3, 2), (0, 1), (490_000, 70_000), (490_001, 1)].into();
        let state = State { hours, ..State::default() };
        let bytes = postcard::to_stdvec(&state).unwrap();
        assert_eq!(postcard::from_bytes::<State>(&bytes).unwrap(), state);
    }
}
