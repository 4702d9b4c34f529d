//! At an hour of the day that is far from any that this group ever showed.

use serde::{Deserialize, Serialize};

use super::absence::span;
use super::since::{Since, Whose, inherited};
use super::standing::{Standing, up_to};
use super::window::{Mark, absorb, begin};
use super::{Fold, Occurrence};
use crate::model::Draft;

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;

/// A group that is seen at more hours than these keeps none.
const HOURS_AT_MOST: u32 = 12;

/// Hours before and after one that was seen that are no surprise: summer time moves a job by one, and one that
/// takes its time by another.
const NEAR: u32 = 2;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rhythm {
    /// Microseconds for which events at such an hour belong together.
    pub timespan: i64,
    /// Events of it that make a finding.
    pub least: u64,
    /// Microseconds for which a group must have been known.
    pub learn_for: i64,
    /// Days (UTC) on which it must have been seen.
    pub learn_events: u64,
}

/// Hours of the day (UTC), a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Hours(u32);

impl Hours {
    fn one(at: i64) -> Self {
        Self(1 << (at.rem_euclid(DAY) / HOUR))
    }

    fn with(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether an hour is one of these or near one.
    fn is_near(self, hour: Self) -> bool {
        let place = hour.0.trailing_zeros();
        (24 - NEAR..=24 + NEAR).any(|shift| self.0 & 1 << ((place + shift) % 24) != 0)
    }

    /// As spans of the clock: `06:00 to 18:00`.
    fn said(self) -> String {
        if self.0.count_ones() == 24 {
            return "every hour of the day".to_owned();
        }
        let has = |hour: u32| self.0 & 1 << (hour % 24) != 0;
        let begins = (0..24).filter(|hour| has(*hour) && !has(hour + 23));
        let spans: Vec<String> = begins
            .map(|begin| {
                let end = (begin + 1..begin + 24).find(|hour| !has(*hour)).unwrap_or(begin) % 24;
                format!("{begin:02}:00 to {end:02}:00")
            })
            .collect();
        spans.join(", ")
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    since: Since,
    known: Hours,
    /// The last day with events, and how many days had some.
    day: i64,
    days: u64,
    /// Events at hours that were not known, and those hours.
    open: Option<(Box<Draft>, Hours)>,
}

impl Fold for Rhythm {
    type State = State;

    fn name(&self) -> &'static str {
        "rhythm"
    }

    fn open(&self, state: &State) -> Vec<Draft> {
        let drafts = state.open.iter().map(|(draft, _)| draft);
        drafts.filter(|draft| draft.event_count >= self.least).map(|draft| Draft::clone(draft)).collect()
    }

    fn enough(&self) -> String {
        format!(
            "{} within {}, more than {NEAR} hours away from any hour known",
            self.least,
            span(self.timespan)
        )
    }

    fn standing(
        &self,
        (before, after): (&State, &State),
        event: &Occurrence<'_>,
        _: &[String],
    ) -> Standing {
        let known_for = event.at - before.since.first_or(event.at);
        let is_odd = after.open.is_some() || !before.known.is_near(Hours::one(event.at));
        let hours = before.known.0.count_ones();
        let times = after.open.as_ref().map_or(u64::from(is_odd), |(draft, _)| draft.event_count);
        Standing::default()
            .needs(
                "the hour of the day",
                format!("{:02}:00 UTC", event.at.rem_euclid(DAY) / HOUR),
                match before.known.0 {
                    0 => "any, for no hour was known by then".to_owned(),
                    _ => format!("more than {NEAR} hours away from {}", before.known.said()),
                },
                is_odd,
            )
            .needs("hours known", hours, format!("{HOURS_AT_MOST} or fewer"), hours <= HOURS_AT_MOST)
            .needs(
                "the group is known for",
                span(known_for),
                span(self.learn_for),
                known_for >= self.learn_for,
            )
            .needs(
                "days on which it was seen",
                up_to(before.days, self.learn_events.max(1)),
                format!("{} or more", self.learn_events),
                before.days >= self.learn_events,
            )
            .needs(
                format!("times within {}", span(self.timespan)),
                times,
                format!("{} or more", self.least),
                times >= self.least,
            )
    }

    fn step(&self, state: &mut State, event: &Occurrence<'_>, closed: &mut Vec<Draft>) {
        let is_over = |(draft, _): &mut (Box<Draft>, Hours)| event.at - draft.started_at >= self.timespan;
        if let Some((draft, hours)) = state.open.take_if(is_over) {
            state.known = state.known.with(hours);
            closed.extend(Some(*draft).filter(|draft| draft.event_count >= self.least));
        }
        let whose = state.since.take(event);
        if whose == Whose::Foreign {
            return;
        }
        let first_at = state.since.first_or(event.at);
        let (hour, mark) = (Hours::one(event.at), Mark::from(event));
        let is_known_well = whose != Whose::Inherited
            && event.at - first_at >= self.learn_for
            && state.days >= self.learn_events
            && state.known.0.count_ones() <= HOURS_AT_MOST;
        if let Some((draft, hours)) = &mut state.open {
            absorb(draft, &mark);
            *hours = hours.with(hour);
        } else if is_known_well && !state.known.is_near(hour) {
            state.open = begin([&mark]).map(|draft| (Box::new(draft), hour));
        } else {
            state.known = state.known.with(hour);
        }
        if let Some((draft, _)) = state.open.as_mut().filter(|(draft, _)| draft.event_count == self.least)
        {
            draft.detected_at = event.at;
            draft.detected_by = event.id;
            for (name, text) in [
                ("expected", format!("between {} UTC", state.known.said())),
                ("learned_for", format!("{} days", (event.at - first_at) / DAY)),
            ] {
                draft.measures.insert(name.to_owned(), text);
            }
            draft.measures.extend(inherited(&state.since));
        }
        let day = event.at.div_euclid(DAY);
        if state.days == 0 || day != state.day {
            state.day = day;
            state.days = (state.days + 1).min(self.learn_events.max(1));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_near_around_midnight_too() {
        let hours = Hours::one(23 * HOUR).with(Hours::one(10 * HOUR));
        for (hour, is_near) in [(0, true), (1, true), (2, false), (20, false), (21, true), (12, true), (13, false)] {
            assert_eq!(hours.is_near(Hours::one(hour * HOUR)), is_near, "{hour}");
        }
    }

    #[test]
    fn hours_are_said_as_spans() {
        let hours = [22, 23, 0, 6, 7].iter().fold(Hours::default(), |all, hour| all.with(Hours::one(hour * HOUR)));
        assert_eq!(hours.said(), "06:00 to 08:00, 22:00 to 01:00");
        // One that begins and ends nowhere.
        assert_eq!(Hours((1 << 24) - 1).said(), "every hour of the day");
    }
}
