//! The troubles, and what only looks like trouble: which there are, whom they befall, and when.

mod act;
mod confusers;
mod credentials;
mod family;
mod habits;
mod harmless;
mod lives;
mod misuse;
mod newcomers;
mod plot;
mod plots;
mod refusals;
mod volumes;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use act::{Act, Change};
use newcomers::OF_NEWCOMERS;
use plot::{Cast, NEW_CODE, Plot, When};
use plots::OF_THE_FLEET;

use super::draw::{Draw, Purpose};
use super::fleet;
use super::fleet::{Fleet, Identity};
use super::label::{Label, LabelledIdentity};
use super::tick;
use super::tick::{DAY, HOUR, MINUTE};
use super::{Attempt, Mark};
use crate::model::Severity;

pub use family::{Family, Scenarios, UnknownScenario};

/// One story for so many identities.
const IDENTITIES_EACH: usize = 40;
/// Most rules that learn know nobody before a week is over; one day to spare.
const LEARNING: i64 = 8 * DAY;
/// Silence after which even a workload that asks once a day is missed.
const PATIENCE: i64 = 4 * DAY;

/// Newcomers are numbered from here, a story's behind those of the one before: no fleet reaches it.
const NEWCOMERS: u64 = 1 << 32;
/// The stories of newcomers are numbered from here, so that they move none of the others.
const STORIES_OF_NEWCOMERS: usize = 1 << 20;

/// A plot with its cast and its hour.
#[derive(Debug)]
struct Story {
    plot: &'static Plot,
    number: u64,
    at: i64,
    cast: Vec<(u64, Arc<Identity>)>,
    /// First and last day with an attempt.
    days: Range<i64>,
}

/// All that is played in one simulation.
#[derive(Debug)]
pub(super) struct Stories {
    seed: u64,
    stretch: Range<i64>,
    all: Vec<Story>,
    newcomers: Vec<(u64, Arc<Identity>)>,
    changes: BTreeMap<u64, Vec<Change>>,
}

impl Stories {
    pub(super) fn new(
        seed: u64,
        scenarios: &Scenarios,
        fleet: &Fleet,
        stretch: Range<i64>,
    ) -> Self {
        let mut stories = Self {
            seed,
            stretch,
            all: Vec::new(),
            newcomers: Vec::new(),
            changes: BTreeMap::new(),
        };
        if stories.stretch.is_empty() {
            return stories;
        }
        let mut free: Vec<usize> = (0..fleet.0.len()).collect();
        let copies = (fleet.0.len() / IDENTITIES_EACH).max(1);
        let of_each = |is_crowd: bool| {
            let plots = move || OF_THE_FLEET.iter().enumerate();
            let is_meant = move |plot: &Plot| matches!(plot.cast, Cast::Crowd) == is_crowd;
            (0..copies).flat_map(move |copy| {
                plots()
                    .filter(move |(_, plot)| is_meant(plot))
                    .map(move |(order, plot)| (copy, order, plot))
            })
        };
        // A crowd is of those whom nothing else befalls: one who is gone meets no outage.
        for (copy, order, plot) in of_each(false).chain(of_each(true)) {
            if (copy == 0 || plot.repeats) && scenarios.has(plot.family) {
                stories.cast(plot, copy * OF_THE_FLEET.len() + order, copy, fleet, &mut free);
            }
        }
        let days = (stories.stretch.end - stories.stretch.start) / DAY;
        for copy in 0..copies {
            for (order, plot) in OF_NEWCOMERS.iter().enumerate() {
                let is_meant = (copy == 0 || plot.repeats) && days >= plot.least_days;
                if is_meant && scenarios.has(plot.family) {
                    let number = STORIES_OF_NEWCOMERS + copy * OF_NEWCOMERS.len() + order;
                    stories.cast(plot, number, copy, fleet, &mut free);
                }
            }
        }
        stories
    }

    /// Who lives in the tenant besides the fleet.
    pub(super) fn newcomers(&self) -> impl Iterator<Item = (u64, &Arc<Identity>)> {
        self.newcomers.iter().map(|(number, who)| (*number, who))
    }

    /// Adds a story, if somebody is left to be in it.
    fn cast(
        &mut self,
        plot: &'static Plot,
        number: usize,
        copy: usize,
        fleet: &Fleet,
        free: &mut Vec<usize>,
    ) {
        let number = u64::try_from(number).expect("fewer stories than identities");
        let mut draw = Draw::new(self.seed, Purpose::Placing, number, 0);
        let cast = match plot.cast {
            Cast::Newcomers(sorts) => self.arrived(sorts, number, copy),
            cast => chosen(cast, fleet, free, &mut draw),
        };
        let Some(cast) = cast else { return };
        let at = placed(plot.when, number, copy, &self.stretch, &mut draw);
        let mut story = Story { plot, number, at, cast, days: 0..0 };
        let act = self.played(&story);
        for (member, change) in act.changes {
            self.changes.entry(story.cast[member].0).or_default().push(change);
        }
        let days = || act.attempts.iter().map(|attempt| tick::day_of(attempt.at));
        if let (Some(first), Some(last)) = (days().min(), days().max()) {
            story.days = first..last + 1;
        }
        self.all.push(story);
    }

    /// Brings along one of each sort, to live like those of the fleet.
    fn arrived(
        &mut self,
        sorts: &'static [fleet::Sort],
        story: u64,
        copy: usize,
    ) -> Option<Vec<(u64, Arc<Identity>)>> {
        let first = NEWCOMERS + story * 256;
        let round = u32::try_from(copy).ok()?;
        let cast: Vec<_> = (first..)
            .zip(sorts)
            .map(|(number, sort)| {
                let mut draw = Draw::new(self.seed, Purpose::Identity, number, 0);
                (number, Arc::new(fleet::made(sort, round, &mut draw)))
            })
            .collect();
        self.newcomers.extend(cast.iter().cloned());
        Some(cast)
    }

    /// Plays a story from beginning to end. It is played again for each day, and not kept.
    fn played(&self, story: &Story) -> Act {
        let draw = Draw::new(self.seed, Purpose::Story, story.number, 0);
        let cast = story.cast.iter().map(|(_, who)| Arc::clone(who)).collect();
        let mut act = Act::new(draw, story.at, self.stretch.clone(), cast);
        (story.plot.play)(&mut act);
        act.attempts.retain(|attempt| self.stretch.contains(&attempt.at));
        act
    }

    /// Adds what the stories bring to a day.
    pub(super) fn play(&self, day: i64, attempts: &mut Vec<Attempt>) {
        for story in self.all.iter().filter(|story| story.days.contains(&day)) {
            let of_today = |attempt: &Attempt| tick::day_of(attempt.at) == day;
            attempts.extend(self.played(story).attempts.into_iter().filter(of_today));
        }
    }

    /// Takes away or rewrites what identity `number` would have done (the attempts behind `from`)
    /// while it is in a story.
    pub(super) fn bend(&self, number: u64, attempts: &mut Vec<Attempt>, from: usize) {
        for change in self.changes.get(&number).into_iter().flatten() {
            let mut place = from;
            while place < attempts.len() {
                if !change.span.contains(&attempts[place].at) {
                    place += 1;
                } else if let Some(instead) = &change.instead {
                    attempts[place].who = Arc::clone(instead);
                    place += 1;
                } else {
                    attempts.swap_remove(place);
                }
            }
        }
    }

    pub(super) fn labels(&self) -> Vec<Label> {
        let mut labels: Vec<Label> =
            self.all.iter().filter_map(|story| self.label(story)).collect();
        labels.sort_by_key(|label| (label.started_at, label.family));
        labels
    }

    /// `None` where the stretch is too short for anything of the story to be seen.
    fn label(&self, story: &Story) -> Option<Label> {
        let act = self.played(story);
        let told = || act.attempts.iter().filter(|attempt| attempt.mark == Mark::Told);
        let plot = story.plot;
        if told().next().is_none() && !plot.is_silent {
            return None;
        }
        let mut identities = Vec::new();
        for who in
            told().map(|attempt| &attempt.who).chain(act.cast.iter().filter(|_| plot.is_silent))
        {
            let labelled = LabelledIdentity::of(who);
            if !identities.contains(&labelled) {
                identities.push(labelled);
            }
        }
        let mut error_codes: Vec<i64> = told().map(|attempt| attempt.code).collect();
        error_codes.sort_unstable();
        error_codes.dedup();
        let known_for = (story.at - self.stretch.start) / DAY;
        let is_seen = !plot.is_silent || self.stretch.end - story.at >= PATIENCE;
        let expected = || plot.rules.iter().filter(|rule| is_seen && known_for >= rule.learns);
        let recovered = act.attempts.iter().filter(|attempt| attempt.mark == Mark::Recovered);
        let recovered_at = recovered.map(|attempt| attempt.at).min();
        let quiet_to = recovered_at.unwrap_or(self.stretch.end);
        let last = if plot.is_silent { quiet_to } else { story.at };
        Some(Label {
            family: plot.family,
            is_benign: plot.is_benign,
            rules: expected().map(|rule| rule.name.to_owned()).collect(),
            tolerated_rules: tolerated(plot, &error_codes),
            severity: expected().map(|rule| rule.severity).max().unwrap_or(Severity::Informational),
            identities,
            successor: act.successor.as_deref().map(LabelledIdentity::of),
            error_codes,
            records: told().map(|_| 1).sum(),
            started_at: tick::to_time(told().map(|attempt| attempt.at).min().unwrap_or(story.at)),
            ended_at: tick::to_time(told().map(|attempt| attempt.at).max().unwrap_or(last)),
            recovered_at: recovered_at.map(tick::to_time),
        })
    }
}

/// Whoever is refused for a new reason shows a new code, whatever else the trouble is.
fn tolerated(plot: &Plot, error_codes: &[i64]) -> Vec<String> {
    let is_refused = !plot.is_benign && error_codes.iter().any(|code| *code != 0);
    let is_expected = plot.rules.iter().any(|rule| rule.name == NEW_CODE.name);
    let new_code = (is_refused && !is_expected).then_some(NEW_CODE.name);
    plot.tolerated.iter().copied().chain(new_code).map(str::to_owned).collect()
}

/// Takes the cast from those who are in no other story.
fn chosen(
    cast: Cast,
    fleet: &Fleet,
    free: &mut Vec<usize>,
    draw: &mut Draw,
) -> Option<Vec<(u64, Arc<Identity>)>> {
    let member =
        |place: usize| (u64::try_from(place).expect("an index fits"), Arc::clone(&fleet.0[place]));
    match cast {
        Cast::Nobody | Cast::Newcomers(_) => Some(Vec::new()),
        Cast::One(fits) => {
            let fitting: Vec<usize> =
                (0..free.len()).filter(|&place| fits(&fleet.0[free[place]])).collect();
            let place = *fitting.get(draw.index(fitting.len()))?;
            Some(vec![member(free.swap_remove(place))])
        }
        // They are only touched in passing, so they stay free.
        Cast::Crowd => {
            let mut crowd = free.clone();
            while crowd.len() > 60 || crowd.len() > 12 && draw.percent(40) {
                crowd.swap_remove(draw.index(crowd.len()));
            }
            (crowd.len() >= 8).then(|| crowd.into_iter().map(member).collect())
        }
    }
}

/// When a story begins: late enough for the rules to have learnt, early enough to be over at the end.
fn placed(when: When, number: u64, copy: usize, stretch: &Range<i64>, draw: &mut Draw) -> i64 {
    let last_quiet_day = tick::day_of(stretch.end - 36 * HOUR);
    let first_day = tick::day_of(stretch.start + LEARNING + DAY) + 1;
    let hour_of_day =
        |draw: &mut Draw, hours: Range<i64>| draw.between(hours.start * HOUR, hours.end * HOUR);
    let at = match when {
        When::LastNight if copy == 0 => {
            let at = tick::day_of(stretch.end) * DAY + 2 * HOUR + draw.between(MINUTE, 9 * MINUTE);
            if at + 50 * MINUTE <= stretch.end { at } else { at - DAY }
        }
        When::AtTheEnd if copy == 0 => stretch.end - draw.between(30 * MINUTE, 50 * MINUTE),
        When::FromTheStart => return stretch.start,
        When::DaysBeforeTheEnd(days) => stretch.end - days * DAY - draw.between(0, 12 * HOUR),
        When::LastNight | When::AtTheEnd | When::Hours(..)
            if copy > 0 && first_day < last_quiet_day =>
        {
            let hours = if let When::Hours(from, until) = when { from..until } else { 0..22 };
            draw.between(first_day, last_quiet_day + 1) * DAY + hour_of_day(draw, hours)
        }
        When::Hours(from, until) => {
            let back = i64::try_from(number % 3).expect("0 to 2");
            (last_quiet_day - back) * DAY + hour_of_day(draw, from..until)
        }
        When::LastNight | When::AtTheEnd => last_quiet_day * DAY + hour_of_day(draw, 0..22),
    };
    if at >= stretch.start {
        return at;
    }
    stretch.start + draw.between(0, (stretch.end - stretch.start) * 6 / 10)
}
