//! The scenarios: what breaks, what is abused, and what only looks like it.

mod abused;
mod benign;
mod broken;
mod credentials;

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::Settings;
use super::chance::Chance;
use super::fleet::{Fleet, Identity, Proof, SignIn};
use super::labels::Label;
use super::names::{ARM, GRAPH, KEY_VAULT, Service};
/// What the scenarios make happen.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) labels: Vec<Label>,
    pub(super) sign_ins: Vec<SignIn>,
}

/// One of each family for so many identities.
const IDENTITIES_OF_A_ROUND: u32 = 200;

/// Habits are learnt for a week; a shorter story has no room for what breaks them.
const DAYS_TO_KNOW_HABITS: u32 = 10;

pub(super) fn script(settings: &Settings, fleet: &mut Fleet) -> Script {
    let mut stage = Stage {
        end: settings.end,
        seed: settings.seed,
        round: 0,
        fleet,
        chance: Chance::of(settings.seed, &[3]),
        taken: BTreeSet::new(),
        script: Script::default(),
    };
    for round in 0..settings.identities.div_ceil(IDENTITIES_OF_A_ROUND) {
        stage.round = round;
        stage.broken();
        stage.credentials();
        if settings.days >= DAYS_TO_KNOW_HABITS {
            stage.abused();
        }
        stage.benign();
    }
    let mut script = stage.script;
    script.sign_ins.sort_by_key(|sign_in| sign_in.at);
    script
}

struct Stage<'a> {
    end: DateTime<Utc>,
    seed: u64,
    round: u32,
    fleet: &'a mut Fleet,
    chance: Chance,
    taken: BTreeSet<usize>,
    script: Script,
}

/// What one scenario does.
struct Act {
    family: &'static str,
    rules: &'static [&'static str],
    identity: usize,
    code: i64,
    resource: Service,
    times: Vec<DateTime<Utc>>,
    recovered_at: Option<DateTime<Utc>>,
}

impl Stage<'_> {
    /// So many hours before the end; each round a little earlier.
    fn before_end(&mut self, hours: i64) -> DateTime<Utc> {
        self.end - TimeDelta::hours(hours) - TimeDelta::minutes(i64::from(self.round % 40) * 97)
            + self.chance.span(TimeDelta::minutes(20))
    }

    /// An identity that no scenario has yet, known since the beginning, whose habits would show.
    fn take(&mut self, proof: Proof, has_power: Option<bool>) -> Option<usize> {
        let fits = |identity: &Identity| {
            let asks_for_power =
                identity.asks.iter().any(|(service, _)| [ARM, KEY_VAULT, GRAPH].contains(service));
            identity.proof == proof && has_power.is_none_or(|wanted| wanted == asks_for_power)
        };
        let place = (0..self.fleet.identities.len())
            .find(|place| !self.taken.contains(place) && fits(&self.fleet.identities[*place]))?;
        self.taken.insert(place);
        Some(place)
    }

    fn resource(&self, identity: usize) -> Service {
        self.fleet.identities[identity].asks[0].0
    }

    fn sign_in(&self, identity: usize, at: DateTime<Utc>, resource: Service, code: i64) -> SignIn {
        SignIn {
            at,
            identity,
            kind: self.fleet.identities[identity].sign_in_type(),
            resource,
            code,
            app_id: None,
            ip_address: None,
            country: "NL",
            credential_key_id: None,
            user: None,
        }
    }

    /// A time that comes again and again, a little unevenly.
    fn again(&mut self, from: DateTime<Utc>, every: TimeDelta, count: i32) -> Vec<DateTime<Utc>> {
        (0..count).map(|turn| from + every * turn + self.chance.span(every / 4)).collect()
    }

    /// Plays a scenario of one identity: what it does by itself stops meanwhile.
    fn play(&mut self, act: &Act) {
        let (Some(first), Some(last)) = (act.times.first().copied(), act.times.last().copied())
        else {
            return;
        };
        for at in &act.times {
            let sign_in = self.sign_in(act.identity, *at, act.resource, act.code);
            self.script.sign_ins.push(sign_in);
        }
        if let Some(at) = act.recovered_at {
            let good = self.sign_in(act.identity, at, act.resource, 0);
            self.script.sign_ins.push(good);
        }
        let until = act.recovered_at.unwrap_or(self.end);
        self.fleet.identities[act.identity].scripted.push((first - TimeDelta::seconds(1), until));
        self.label(
            act.family,
            act.rules,
            act.identity,
            (first, last),
            act.recovered_at,
            (&[act.code], act.times.len()),
        );
    }

    fn label(
        &mut self,
        family: &'static str,
        rules: &'static [&'static str],
        identity: usize,
        (started_at, ended_at): (DateTime<Utc>, DateTime<Utc>),
        recovered_at: Option<DateTime<Utc>>,
        (codes, sign_ins): (&[i64], usize),
    ) {
        let identity = &self.fleet.identities[identity];
        self.script.labels.push(Label {
            family,
            is_benign: false,
            rules,
            service_principal_id: identity.service_principal_id.to_string(),
            app_id: identity.app_id.to_string(),
            name: identity.name.clone(),
            started_at,
            ended_at,
            recovered_at,
            error_codes: codes.to_vec(),
            sign_ins: sign_ins as u64,
        });
    }
}
