//! When a healthy identity asks for tokens, day by day.
//!
//! Managed identities keep a token for about a day, so most are seen once or twice a day and resource.
//! Every resource is asked for on every active day: nothing new turns up by chance.

use std::sync::Arc;

use super::draw::{Draw, Purpose};
use super::fleet::Identity;
use super::target::Target;
use super::tick;
use super::tick::{DAY, HOUR, MINUTE, SECOND};
use super::{Attempt, Mark};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cadence {
    /// Each of so many instances once a day.
    Daily(u64),
    /// The first resource each hour, the others as daily.
    Hourly,
    /// Every so many minutes, thinner at night.
    Minutes(i64),
    /// About so many times on working days, from 06 to 18 UTC.
    Business(u64),
    /// One run each night.
    Night,
    /// One run a week.
    Weekly,
    /// A few deployments on working days, each a handful of tokens within a minute.
    Deploys,
}

/// What bends the habits of all identities alike.
#[derive(Clone, Copy, Debug)]
pub(super) struct Climate {
    pub(super) seed: u64,
    /// Sign-ins per thousand of the usual number.
    pub(super) intensity: u64,
    /// Of a million sign-ins, how many meet a fault of Entra first. Faults come from the tenant's
    /// service as a whole, so a bigger fleet does not meet more of them.
    pub(super) transient: u64,
}

/// Of a million sign-ins, how many are throttled first.
const THROTTLED: u64 = 1_500;

/// One day of one identity.
pub(super) struct Day<'d> {
    climate: Climate,
    who: &'d Arc<Identity>,
    date: i64,
    start: i64,
    draw: Draw,
    attempts: &'d mut Vec<Attempt>,
}

impl<'d> Day<'d> {
    pub(super) fn new(
        climate: Climate,
        number: u64,
        who: &'d Arc<Identity>,
        day: i64,
        attempts: &'d mut Vec<Attempt>,
    ) -> Self {
        let draw = Draw::new(climate.seed, Purpose::Day, number, day);
        Self { climate, who, date: day, start: day * DAY, draw, attempts }
    }

    /// Adds the sign-ins of the day, in no order.
    pub(super) fn live(mut self) {
        let targets = self.who.targets;
        match self.who.cadence {
            Cadence::Daily(instances) => self.daily(targets, instances),
            Cadence::Hourly => {
                self.hourly(targets[0]);
                self.daily(&targets[1..], 1);
            }
            Cadence::Minutes(step) => self.minutes(step),
            Cadence::Business(times) => self.business(times),
            Cadence::Night => self.run(self.start + self.who.phase / 5),
            Cadence::Weekly => {
                if tick::weekday(self.date) == self.who.phase % 7 {
                    self.run(self.start + self.who.phase / 5);
                }
            }
            Cadence::Deploys => self.deploys(),
        }
    }

    /// So many times as usual, bent by the intensity, and at least once.
    fn scaled(&mut self, usual: u64) -> u64 {
        let thousandths = usual * self.climate.intensity;
        let rest = u64::from(self.draw.below(1_000) < thousandths % 1_000);
        (thousandths / 1_000 + rest).max(1)
    }

    fn daily(&mut self, targets: &'static [&'static Target], instances: u64) {
        for instance in 0..self.scaled(instances) {
            // A host starts once and keeps the hour; a restart asks for all tokens again.
            let shift = i64::try_from(instance % 1_000).expect("below 1,000") * 97 * MINUTE;
            let restart = self.draw.percent(10).then(|| self.working_time());
            for (order, target) in (0_i64..).zip(targets) {
                let habit = (self.who.phase + shift + order * 37 * SECOND).rem_euclid(DAY);
                let jitter = self.draw.between(0, 6 * MINUTE);
                self.ask(self.start + (habit + jitter).min(DAY - SECOND), target);
                if let Some(at) = restart {
                    let later = self.draw.between(0, 20 * SECOND);
                    self.ask(at + later, target);
                }
            }
        }
    }

    fn hourly(&mut self, target: &'static Target) {
        let times = self.scaled(24);
        let step = DAY / i64::try_from(times).expect("a small number");
        let mut at = self.start + self.who.phase % step;
        while at < self.start + DAY {
            let jitter = self.draw.between(0, (step / 20).max(1));
            self.ask((at + jitter).min(self.start + DAY - SECOND), target);
            at += step;
        }
    }

    fn minutes(&mut self, step: i64) {
        let thousandths = i64::try_from(self.climate.intensity.max(1)).unwrap_or(i64::MAX);
        let step = (step * MINUTE * 1_000 / thousandths).clamp(SECOND, DAY);
        let quiet = tick::is_weekend(self.date);
        let mut at = self.start + self.who.phase % step;
        let mut turn = 0;
        while at < self.start + DAY {
            let hour = (at - self.start) / HOUR;
            let working = !quiet && (6..18).contains(&hour);
            if working || turn < self.who.targets.len() || self.draw.percent(55) {
                let jitter = self.draw.between(0, step / 8);
                let target = self.who.targets[turn % self.who.targets.len()];
                self.ask((at + jitter).min(self.start + DAY - SECOND), target);
                turn += 1;
            }
            at += step;
        }
    }

    fn business(&mut self, times: u64) {
        if tick::is_weekend(self.date) {
            return;
        }
        let spread = self.draw.below(times / 2 + 1);
        let targets = self.who.targets;
        let least = u64::try_from(targets.len()).expect("a handful");
        for target in targets
            .iter()
            .cycle()
            .zip(0..self.scaled(times * 3 / 4 + spread).max(least))
            .map(|(target, _)| target)
        {
            let at = self.working_time();
            self.ask(at, target);
        }
    }

    /// A time in working hours, most likely around noon.
    fn working_time(&mut self) -> i64 {
        self.start + 6 * HOUR + self.draw.between(0, 6 * HOUR) + self.draw.between(0, 6 * HOUR)
    }

    fn run(&mut self, begin: i64) {
        let mut at = begin + self.draw.between(0, 4 * MINUTE);
        for target in self.who.targets {
            for _ in 0..=self.draw.below(2) {
                self.ask(at, target);
                at += self.draw.between(SECOND, 90 * SECOND);
            }
        }
    }

    fn deploys(&mut self) {
        let usual = if tick::is_weekend(self.date) { 0 } else { 1 + self.draw.below(4) };
        let times = if usual == 0 { 0 } else { self.scaled(usual) };
        for _ in 0..times {
            let mut at = self.working_time();
            for target in self.who.targets {
                for _ in 0..=self.draw.below(3) {
                    self.ask(at, target);
                    at += self.draw.between(SECOND, 15 * SECOND);
                }
            }
        }
    }

    /// A token is issued; now and then only the second or third attempt gets it.
    fn ask(&mut self, at: i64, target: &'static Target) {
        let troubled = self.draw.below(1_000_000);
        let code = if troubled < self.climate.transient {
            90_033
        } else if troubled < self.climate.transient + THROTTLED {
            *self.draw.pick(&[90_055, 50_196])
        } else {
            return self.push(at, target, 0);
        };
        let mut at = at;
        for _ in 0..=self.draw.below(2) {
            self.push(at, target, code);
            at += self.draw.between(2 * SECOND, 20 * SECOND);
        }
        self.push(at, target, 0);
    }

    /// A retry after midnight would be in no day's file, so it comes a little early.
    fn push(&mut self, at: i64, target: &'static Target, code: i64) {
        let at = at.min(self.start + DAY - SECOND) + self.draw.between(0, SECOND);
        let (id, correlation_id) = (self.draw.sign_in_id(), self.draw.guid());
        let who = Arc::clone(self.who);
        self.attempts.push(Attempt {
            at,
            id,
            correlation_id,
            who,
            target,
            code,
            mark: Mark::Ordinary,
        });
    }
}
