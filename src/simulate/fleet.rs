//! The identities: what they are called, what they sign in with, and how often they do what.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::Settings;
use super::chance::Chance;
use super::names::{
    ARM, EVERYDAY, GRAPH, HOME_NETS, HOSTS, KEY_VAULT, REGIONS, STAGES, Service, USER_ASSIGNED,
    WORK,
};
use crate::model::SignInType;

/// How often a token is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cadence {
    /// About once in so many hours: the token is kept that long.
    Every { hours: u32 },
    /// Every few minutes: the token is not kept at all.
    Restless { minutes: u32 },
    /// A job at this hour of the night.
    Nightly { hour: u32 },
    /// A batch on one day of the week (0 is Monday), with many tasks at once.
    Weekly { weekday: u32, hour: u32, tasks: u32 },
}

/// What it proves itself with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    ManagedIdentity,
    Secret,
    Certificate,
    Federation,
}

#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) name: String,
    pub(super) service_principal_id: Uuid,
    pub(super) app_id: Uuid,
    pub(super) proof: Proof,
    /// Empty for service principals.
    pub(super) arm_resource_id: String,
    pub(super) is_user_assigned: bool,
    /// Empty for managed identities: Entra blanks it.
    pub(super) ip_address: String,
    pub(super) credential_key_id: Uuid,
    pub(super) asks: Vec<(Service, Cadence)>,
    /// Faults of everyday life, each cured by the next try: so many in a thousand sign-ins.
    pub(super) flaky: u64,
    /// When it begins and stops to sign in by itself.
    pub(super) lives: (DateTime<Utc>, DateTime<Utc>),
    /// Stretches in which it does nothing by itself, for the script says what it does.
    pub(super) scripted: Vec<(DateTime<Utc>, DateTime<Utc>)>,
}

impl Identity {
    pub(super) fn sign_in_type(&self) -> SignInType {
        if self.proof == Proof::ManagedIdentity {
            SignInType::ManagedIdentity
        } else {
            SignInType::ServicePrincipal
        }
    }

    pub(super) fn is_at_work(&self, at: DateTime<Utc>) -> bool {
        (self.lives.0..self.lives.1).contains(&at)
            && !self.scripted.iter().any(|(from, to)| (*from..*to).contains(&at))
    }
}

/// One sign-in before it is a record.
#[derive(Clone, Debug)]
pub(super) struct SignIn {
    pub(super) at: DateTime<Utc>,
    /// Place in the fleet.
    pub(super) identity: usize,
    pub(super) kind: SignInType,
    pub(super) resource: Service,
    pub(super) code: i64,
    /// Over what the identity has.
    pub(super) app_id: Option<Uuid>,
    pub(super) ip_address: Option<String>,
    pub(super) country: &'static str,
    pub(super) credential_key_id: Option<Uuid>,
    pub(super) user: Option<String>,
}

#[derive(Debug)]
pub(super) struct Fleet {
    pub(super) tenant_id: Uuid,
    pub(super) subscription_id: Uuid,
    pub(super) identities: Vec<Identity>,
}

impl Fleet {
    pub(super) fn new(settings: &Settings) -> Self {
        let mut chance = Chance::of(settings.seed, &[0]);
        let (tenant_id, subscription_id) = (chance.guid(), chance.guid());
        let start = settings.end - TimeDelta::days(i64::from(settings.days));
        let mut fleet = Self { tenant_id, subscription_id, identities: Vec::new() };
        for place in 0..settings.identities {
            let mut chance = Chance::of(settings.seed, &[0, u64::from(place)]);
            let identity = fleet.identity(place, (start, settings.end), &mut chance);
            fleet.identities.push(identity);
        }
        fleet
    }

    fn identity(
        &self,
        place: u32,
        lives: (DateTime<Utc>, DateTime<Utc>),
        chance: &mut Chance,
    ) -> Identity {
        let round = place as usize / WORK.len();
        let work = WORK[place as usize % WORK.len()];
        let is_managed = place % 10 < 7;
        let stage = if round == 0 { "prod" } else { STAGES[round % STAGES.len()] };
        let region = chance.pick(&REGIONS);
        let nth = if round < 3 { String::new() } else { format!("-{:03}", round - 2) };
        let (name, arm_resource_id, is_user_assigned) = if is_managed {
            let host = chance.pick(&HOSTS);
            let is_user_assigned = chance.per_mille(300);
            let prefix = if is_user_assigned { "id" } else { host.prefix };
            let name = format!("{prefix}-{work}-{stage}-{region}{nth}");
            let provider = if is_user_assigned { USER_ASSIGNED } else { host.provider };
            let arm = format!(
                "/subscriptions/{}/resourcegroups/rg-{work}-{stage}/providers/{provider}/{name}",
                self.subscription_id
            );
            (name, arm, is_user_assigned)
        } else {
            (format!("sp-{work}-{stage}{nth}"), String::new(), false)
        };
        let proof = match (is_managed, place % 10) {
            (true, _) => Proof::ManagedIdentity,
            (false, 7) => Proof::Secret,
            (false, 8) => Proof::Certificate,
            (false, _) => Proof::Federation,
        };
        Identity {
            name,
            service_principal_id: chance.guid(),
            app_id: chance.guid(),
            proof,
            arm_resource_id,
            is_user_assigned,
            ip_address: if is_managed {
                String::new()
            } else {
                format!("{}.{}", chance.pick(&HOME_NETS), 1 + chance.below(254))
            },
            credential_key_id: chance.guid(),
            asks: asks(is_managed, chance),
            flaky: if chance.per_mille(150) { 8 } else { 1 },
            lives,
            scripted: Vec::new(),
        }
    }

    /// Adds an identity that the script needs; gives its place.
    pub(super) fn add(&mut self, identity: Identity) -> usize {
        self.identities.push(identity);
        self.identities.len() - 1
    }
}

/// What an identity asks for: one or two services, and now and then one that has power over others.
fn asks(is_managed: bool, chance: &mut Chance) -> Vec<(Service, Cadence)> {
    let mut asks = vec![(*chance.pick(&EVERYDAY), cadence(is_managed, chance))];
    if chance.per_mille(500) {
        let other = *chance.pick(&EVERYDAY);
        if other != asks[0].0 {
            asks.push((other, cadence(is_managed, chance)));
        }
    }
    if chance.per_mille(350) {
        let service = *chance.pick(&[ARM, KEY_VAULT, GRAPH]);
        asks.push((service, Cadence::Every { hours: if is_managed { 24 } else { 1 } }));
    }
    asks
}

fn cadence(is_managed: bool, chance: &mut Chance) -> Cadence {
    let hour = u32::try_from(chance.below(6)).unwrap_or(0);
    match (chance.below(100), is_managed) {
        (0..=59, true) => Cadence::Every { hours: 24 },
        (60..=84, true) => Cadence::Every { hours: 8 },
        (0..=54, false) => Cadence::Every { hours: 1 },
        (55..=69, false) => Cadence::Restless { minutes: 10 },
        (85..=92, _) => Cadence::Nightly { hour },
        (93..=96, _) => Cadence::Weekly {
            weekday: u32::try_from(chance.below(7)).unwrap_or(0),
            hour,
            tasks: 12 + u32::try_from(chance.below(20)).unwrap_or(0),
        },
        (97..=99, _) => Cadence::Restless { minutes: 30 },
        _ => Cadence::Every { hours: 4 },
    }
}
