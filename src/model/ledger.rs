//! Which intervals of event time a head of a source was read over to the end, and how long after.
//!
//! Sign-in logs show records hours late, so "read" alone says little. An interval has *settled* as far as
//! the time between its end and its last reading: what was read a day later lacks only what came later
//! still. Thinning sweeps read intervals again at ages such as 2 h, 24 h and 72 h.

use std::time::Duration;

use chrono::{DateTime, SubsecRound, TimeDelta, Utc};

/// A half-open interval of event time, `from <= t < to`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Interval {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

/// An interval that was read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Covered {
    #[serde(flatten)]
    pub interval: Interval,
    /// The age of sweep that this reading was as good as; zero for one that was none.
    #[serde(serialize_with = "seconds")]
    pub settled: Duration,
    /// When the latest of the readings began.
    pub read_at: DateTime<Utc>,
}

fn seconds<S: serde::Serializer>(span: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u64(span.as_secs())
}

/// What is covered of one head: intervals in the order of time that do not overlap.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ledger(Vec<Covered>);

/// Sweeps of this age or more wait for whole days, the others for whole hours: a reading costs requests.
const BY_DAY: Duration = Duration::from_hours(24);

impl Ledger {
    /// Takes intervals as they were kept.
    #[must_use]
    pub fn of(mut covered: Vec<Covered>) -> Self {
        covered.sort_by_key(|one| one.interval.from);
        Self(covered)
    }

    #[must_use]
    pub fn covered(&self) -> &[Covered] {
        &self.0
    }

    /// Notes that an interval was read to its end by a reading that began at `read_at`. What was known of
    /// it before gives way, for a later reading lacks nothing that an earlier one had.
    ///
    /// Rows hold whole microseconds. Windows that were halved, clocks and ages may lie between two: all are cut to
    /// them, so that where one piece ends the next begins, and none is too short for a row.
    pub fn note(&mut self, read: Interval, read_at: DateTime<Utc>, ages: &[Duration]) {
        let whole = |at: DateTime<Utc>| at.trunc_subsecs(6);
        let read = Interval { from: whole(read.from), to: whole(read.to) };
        let mut pieces = Vec::with_capacity(self.0.len() + 4);
        for old in &self.0 {
            let before = Interval { to: old.interval.to.min(read.from), ..old.interval };
            let after = Interval { from: old.interval.from.max(read.to), ..old.interval };
            pieces.extend([before, after].map(|interval| Covered { interval, ..*old }));
        }
        // Older parts of one window were read later after they happened than younger ones.
        let mut ages = ages.to_vec();
        ages.sort_unstable();
        let mut to = read.to;
        for (place, age) in std::iter::once(Duration::ZERO).chain(ages.iter().copied()).enumerate()
        {
            let next = ages.get(place).map(|age| whole(before(read_at, *age)));
            let from = next.unwrap_or(read.from).clamp(read.from, to);
            pieces.push(Covered { interval: Interval { from, to }, settled: age, read_at });
            to = from;
        }
        pieces.retain(|piece| piece.interval.from < piece.interval.to);
        pieces.sort_by_key(|piece| piece.interval.from);
        self.0 = joined(pieces);
    }

    /// Intervals that an age of sweep has come for since they were read, oldest first.
    #[must_use]
    pub fn due(&self, now: DateTime<Utc>, ages: &[Duration]) -> Vec<Interval> {
        let mut due: Vec<Interval> = Vec::new();
        for covered in &self.0 {
            let reached = ages
                .iter()
                .filter(|age| covered.settled < **age)
                .map(|age| unit_before(before(now, *age), *age))
                .max();
            let Some(to) = reached.map(|reached| reached.min(covered.interval.to)) else {
                continue;
            };
            let from = covered.interval.from;
            match due.last_mut() {
                _ if from >= to => {}
                Some(last) if last.to == from => last.to = to,
                _ => due.push(Interval { from, to }),
            }
        }
        due
    }

    /// The parts of an interval that no reading came to the end of.
    #[must_use]
    pub fn holes(&self, within: Interval) -> Vec<Interval> {
        let mut holes = Vec::new();
        let mut from = within.from;
        for covered in self.0.iter().map(|covered| covered.interval) {
            if covered.from > from {
                holes.push(Interval { from, to: covered.from.min(within.to) });
            }
            from = from.max(covered.to);
        }
        holes.push(Interval { from, to: within.to });
        holes.retain(|hole| hole.from < hole.to);
        holes
    }

    /// Up to when nothing is missing since the first reading.
    #[must_use]
    pub fn complete_to(&self) -> Option<DateTime<Utc>> {
        let mut to = self.0.first()?.interval.to;
        for covered in &self.0[1..] {
            if covered.interval.from > to {
                break;
            }
            to = covered.interval.to;
        }
        Some(to)
    }
}

/// Joins neighbours that are alike.
fn joined(pieces: Vec<Covered>) -> Vec<Covered> {
    let mut all: Vec<Covered> = Vec::with_capacity(pieces.len());
    for piece in pieces {
        match all.last_mut() {
            Some(last)
                if last.interval.to == piece.interval.from && last.settled == piece.settled =>
            {
                last.interval.to = piece.interval.to;
                last.read_at = last.read_at.max(piece.read_at);
            }
            _ => all.push(piece),
        }
    }
    all
}

/// The last whole hour or day that ended by then.
fn unit_before(at: DateTime<Utc>, age: Duration) -> DateTime<Utc> {
    let unit = if age < BY_DAY { 3_600 } else { 86_400 };
    let seconds = at.timestamp();
    DateTime::from_timestamp(seconds - seconds.rem_euclid(unit), 0).unwrap_or(at)
}

/// A time so long before another; the earliest there is where the span is longer than all of time.
fn before(at: DateTime<Utc>, span: Duration) -> DateTime<Utc> {
    at.checked_sub_signed(delta(span)).unwrap_or(DateTime::<Utc>::MIN_UTC)
}

fn delta(span: Duration) -> TimeDelta {
    TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const AGES: [Duration; 3] =
        [Duration::from_hours(2), Duration::from_hours(24), Duration::from_hours(72)];

    /// Minutes since some midnight.
    fn at(minutes: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_700_006_400 + minutes * 60, 0).unwrap()
    }

    fn interval(from: i64, to: i64) -> Interval {
        Interval { from: at(from), to: at(to) }
    }

    fn hours(hours: i64) -> i64 {
        hours * 60
    }

    #[test]
    fn a_backfill_has_settled_as_far_as_each_part_is_old() {
        let mut ledger = Ledger::default();
        ledger.note(interval(0, hours(96)), at(hours(96)), &AGES);
        let parts: Vec<(Interval, u64)> =
            ledger.covered().iter().map(|it| (it.interval, it.settled.as_secs() / 3600)).collect();
        assert_eq!(
            parts,
            [
                (interval(0, hours(24)), 72),
                (interval(hours(24), hours(72)), 24),
                (interval(hours(72), hours(94)), 2),
                (interval(hours(94), hours(96)), 0),
            ]
        );
        assert_eq!(ledger.complete_to(), Some(at(hours(96))));
        assert_eq!(ledger.due(at(hours(96)), &AGES), [], "each part was read late enough");
    }

    #[test]
    fn sweeps_wait_for_whole_hours_and_days_and_come_once() {
        let mut ledger = Ledger::default();
        for minute in 0..hours(4) {
            ledger.note(interval(minute, minute + 1), at(minute + 1), &AGES);
        }
        assert_eq!(ledger.due(at(hours(2) + 59), &AGES), [], "no hour is two hours old");
        let due = ledger.due(at(hours(4) + 10), &AGES);
        assert_eq!(due, [interval(0, hours(2))]);
        ledger.note(due[0], at(hours(4) + 10), &AGES);
        assert_eq!(ledger.due(at(hours(4) + 20), &AGES), []);
        assert_eq!(
            ledger.due(at(hours(47)), &AGES),
            [interval(hours(2), hours(4))],
            "no day is a day old"
        );
        assert_eq!(ledger.due(at(hours(48)), &AGES), [interval(0, hours(4))]);
    }

    #[test]
    fn no_piece_is_too_short_for_a_row() {
        // A backfill as long as an age, or nearly, by a clock that counts nanoseconds.
        for nanoseconds in [0, 1, 500, 999, 1_001] {
            for age in AGES {
                let now = at(hours(96)) + TimeDelta::nanoseconds(nanoseconds);
                let from = at(hours(96)) - delta(age);
                let mut ledger = Ledger::default();
                ledger.note(Interval { from, to: now }, now, &AGES);
                let ends = |it: &Covered| [it.interval.from, it.interval.to];
                let all = ledger.covered().iter().flat_map(ends);
                assert!(all.clone().all(|end| end == end.trunc_subsecs(6)), "{ledger:?}");
                assert!(all.is_sorted(), "{ledger:?}");
                let first = ledger.covered()[0].interval;
                assert_eq!(first.from, from);
                assert!(first.to - first.from >= TimeDelta::microseconds(1), "{first:?}");
            }
        }
    }

    #[test]
    fn what_was_not_read_is_a_hole() {
        let mut ledger = Ledger::default();
        ledger.note(interval(0, 10), at(10), &AGES);
        ledger.note(interval(30, 40), at(40), &AGES);
        assert_eq!(ledger.holes(interval(0, 50)), [interval(10, 30), interval(40, 50)]);
        assert_eq!(ledger.complete_to(), Some(at(10)));
        ledger.note(interval(10, 30), at(60), &AGES);
        assert_eq!(ledger.holes(interval(0, 40)), []);
        assert_eq!(ledger.complete_to(), Some(at(40)));
    }

    proptest! {
        #[test]
        fn a_minute_is_covered_just_when_it_was_read_and_by_the_last_reading_of_it(
            reads in prop::collection::vec((0_i64..300, 1_i64..200, 0_i64..60), 0..12),
        ) {
            let mut ledger = Ledger::default();
            let mut latest = std::collections::BTreeMap::new();
            let mut now = 0;
            for (from, length, wait) in reads {
                now = (now + wait).max(from + length);
                ledger.note(interval(from, from + length), at(now), &AGES);
                for minute in from..from + length {
                    latest.insert(minute, now - minute - 1);
                }
            }
            for minute in 0..500 {
                let covered = ledger.covered().iter().find(|it| {
                    it.interval.from <= at(minute) && at(minute) < it.interval.to
                });
                prop_assert_eq!(covered.is_some(), latest.contains_key(&minute));
                if let (Some(covered), Some(lag)) = (covered, latest.get(&minute)) {
                    prop_assert_eq!(covered.settled.as_secs() / 60 <= u64::try_from(*lag).unwrap() + 1, true);
                    prop_assert_eq!(covered.settled >= AGES[0], *lag + 1 > hours(2));
                }
            }
            let ends: Vec<_> = ledger.covered().windows(2).map(|pair| {
                pair[0].interval.to < pair[1].interval.from
                    || (pair[0].interval.to == pair[1].interval.from && pair[0].settled != pair[1].settled)
            }).collect();
            prop_assert!(ends.iter().all(|is_apart| *is_apart));
        }
    }
}
