//! Makes up a fleet of workload identities and what they do: realistic Graph records with labelled
//! scenarios, the same for the same seed on every machine.

mod chance;
mod fleet;
mod labels;
mod names;
mod record;
mod routine;
mod scenarios;
mod write;

use chrono::{DateTime, TimeDelta, Utc};

use crate::model::SignInType;

use chance::Chance;
use fleet::Fleet;
use scenarios::Script;

pub use labels::Label;
pub use write::{Written, write};

/// What to make up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub days: u32,
    pub identities: u32,
    pub seed: u64,
    /// The last moment; the first is so many days before.
    pub end: DateTime<Utc>,
    /// Without scenarios, only everyday life with its small faults.
    pub has_scenarios: bool,
}

/// One record with when it happened and when it can first be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Simulated {
    pub created_at: DateTime<Utc>,
    pub arrived_at: DateTime<Utc>,
    pub sign_in_type: SignInType,
    /// A Graph beta `signIn`, on one line.
    pub json: String,
}

/// A fleet and its story. Records are made a day at a time, so that memory does not grow with the days.
#[derive(Debug)]
pub struct Simulation {
    settings: Settings,
    fleet: Fleet,
    script: Script,
}

impl Simulation {
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let mut fleet = Fleet::new(&settings);
        let script = if settings.has_scenarios {
            scenarios::script(&settings, &mut fleet)
        } else {
            Script::default()
        };
        Self { settings, fleet, script }
    }

    /// What happened that a person would want to know, and what only looks like it.
    #[must_use]
    pub fn labels(&self) -> &[Label] {
        &self.script.labels
    }

    #[must_use]
    pub fn start(&self) -> DateTime<Utc> {
        self.settings.end - TimeDelta::days(i64::from(self.settings.days))
    }

    /// The records of one day, from 0, in the order of time.
    #[must_use]
    pub fn day(&self, day: u32) -> Vec<Simulated> {
        let from = self.start() + TimeDelta::days(i64::from(day));
        let to = from + TimeDelta::days(1);
        let mut sign_ins = Vec::new();
        for (place, identity) in self.fleet.identities.iter().enumerate() {
            let mut chance = Chance::of(self.settings.seed, &[1, place as u64, u64::from(day)]);
            routine::day((place, identity), (from, to), &mut chance, &mut sign_ins);
        }
        let scripted = self.script.sign_ins.iter();
        sign_ins.extend(scripted.filter(|it| (from..to).contains(&it.at)).cloned());
        let mut chance = Chance::of(self.settings.seed, &[2, u64::from(day)]);
        let mut records: Vec<Simulated> = sign_ins
            .iter()
            .map(|sign_in| Simulated {
                created_at: sign_in.at,
                arrived_at: sign_in.at + chance.lateness(),
                sign_in_type: sign_in.kind,
                json: record::json(&self.fleet, sign_in, &mut chance),
            })
            .collect();
        records.sort_by(|one, other| {
            (one.created_at, &one.json).cmp(&(other.created_at, &other.json))
        });
        records
    }

    /// All records in the order of time.
    pub fn records(&self) -> impl Iterator<Item = Simulated> {
        (0..self.settings.days).flat_map(|day| self.day(day))
    }
}

#[cfg(test)]
mod tests;
