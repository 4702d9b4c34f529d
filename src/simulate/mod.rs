//! Makes sign-in records that look like a real tenant's, with troubles in them that are known.
//!
//! Everything follows from the [`Settings`]: the same settings give the same bytes on any machine.
//! Records are made a day at a time, so that a year needs no more memory than a week.

mod cadence;
mod draw;
mod fleet;
mod label;
mod place;
mod record;
mod scenarios;
mod target;
mod tick;
pub mod write;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::model::SignInType;
use cadence::{Climate, Day};
use fleet::{Fleet, Identity};
use scenarios::Stories;
use target::Target;

pub use label::{Label, LabelledIdentity};
pub use scenarios::{Family, Scenarios, UnknownScenario};

/// The tenant of all records: Harbourline Freight, which does not exist.
pub const TENANT_ID: &str = "7c1e5b0a-3d92-4f0e-9a41-5e8b6d20c3f7";
pub const TENANT_NAME: &str = "Harbourline Freight";

/// What is to be simulated.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// How many times 24 hours before `end` it begins.
    pub days: u32,
    pub identities: u32,
    pub seed: u64,
    /// No record is of this time or later.
    pub end: DateTime<Utc>,
    pub scenarios: Scenarios,
    /// Sign-ins in the ordinary run of things, as a multiple of the usual; from 0.001 to 100.
    pub intensity: f64,
}

/// One record, as Graph's beta `signIns` would give it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimulatedRecord {
    pub created_at: DateTime<Utc>,
    /// When Graph would first show it.
    pub arrived_at: DateTime<Utc>,
    pub sign_in_type: SignInType,
    pub json: String,
}

/// One sign-in before it is written down.
#[derive(Clone, Debug)]
struct Attempt {
    /// In ticks.
    at: i64,
    id: [u8; 16],
    correlation_id: Uuid,
    who: Arc<Identity>,
    target: &'static Target,
    code: i64,
    mark: Mark,
}

/// What an attempt means to a scenario.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    /// The ordinary run of things.
    Ordinary,
    /// What the label tells of.
    Told,
    /// The first token after the trouble.
    Recovered,
}

/// A simulated tenant over a stretch of time.
#[derive(Debug)]
pub struct Simulation {
    start: i64,
    end: i64,
    climate: Climate,
    fleet: Fleet,
    stories: Stories,
}

impl Simulation {
    #[must_use]
    pub fn new(settings: &Settings) -> Self {
        let end = tick::of(settings.end);
        let start = end - i64::from(settings.days) * tick::DAY;
        let fleet = Fleet::new(settings.seed, settings.identities);
        let stories = Stories::new(settings.seed, &settings.scenarios, &fleet, start..end);
        let climate = climate(settings);
        Self { start, end, climate, fleet, stories }
    }

    /// All records in the order of their time.
    pub fn records(&self) -> impl Iterator<Item = SimulatedRecord> + '_ {
        self.stretch(self.start, self.end)
    }

    /// The records from `since` up to, not including, `until`: the same as those of [`records`](Self::records), made
    /// without the rest.
    pub fn records_between(
        &self,
        since: DateTime<Utc>,
        until: DateTime<Utc>,
    ) -> impl Iterator<Item = SimulatedRecord> + '_ {
        self.stretch(tick::of(since).max(self.start), tick::of(until).min(self.end))
    }

    /// What was put into the records on purpose, in the order of beginning.
    #[must_use]
    pub fn labels(&self) -> Vec<Label> {
        self.stories.labels()
    }

    /// The time of the first possible record.
    #[must_use]
    pub fn start(&self) -> DateTime<Utc> {
        tick::to_time(self.start)
    }

    /// The time at which the records end.
    #[must_use]
    pub fn end(&self) -> DateTime<Utc> {
        tick::to_time(self.end)
    }

    fn stretch(&self, from: i64, until: i64) -> impl Iterator<Item = SimulatedRecord> + '_ {
        // An empty stretch has no day.
        let days =
            tick::day_of(from)..if from < until { tick::day_of(until - 1) + 1 } else { i64::MIN };
        days.flat_map(move |day| self.day(day))
            .skip_while(move |attempt| attempt.at < from)
            .take_while(move |attempt| attempt.at < until)
            .map(|attempt| written(&attempt))
    }

    /// All attempts of one day (UTC), in order.
    fn day(&self, day: i64) -> Vec<Attempt> {
        let mut attempts = Vec::new();
        for (number, who) in (0_u64..).zip(&self.fleet.0).chain(self.stories.newcomers()) {
            let from = attempts.len();
            Day::new(self.climate, number, who, day, &mut attempts).live();
            self.stories.bend(number, &mut attempts, from);
        }
        self.stories.play(day, &mut attempts);
        attempts.retain(|attempt| (self.start..self.end).contains(&attempt.at));
        attempts.sort_unstable_by_key(|attempt| (attempt.at, attempt.id));
        attempts
    }
}

/// The chance of a fault of Entra is such that five identities within a quarter of an hour, which
/// would be an outage, do not come about by chance, however many there are.
fn climate(settings: &Settings) -> Climate {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "it is between 1 and 100,000"
    )]
    let intensity = (settings.intensity.clamp(0.001, 100.0) * 1_000.0) as u64;
    let share = u64::from(settings.identities).max(1) * intensity.max(1_000) / 1_000;
    Climate { seed: settings.seed, intensity, transient: (100_000 / share).min(2_000) }
}

fn written(attempt: &Attempt) -> SimulatedRecord {
    let mut json = String::with_capacity(record::USUAL_LENGTH);
    record::write(&mut json, attempt);
    SimulatedRecord {
        created_at: tick::to_time(attempt.at),
        arrived_at: tick::to_time(attempt.at + lateness(attempt.id)),
        sign_in_type: attempt.who.kind,
        json,
    }
}

/// How long a record takes to show: straight lines between the marks that were measured (half within
/// two minutes, 95 of 100 within seven, the last of 100 up to six hours).
fn lateness(id: [u8; 16]) -> i64 {
    const MARKS: [(i64, i64); 5] =
        [(0, 35), (32_768, 120), (62_259, 420), (64_881, 900), (65_536, 6 * 3_600)];
    let share = i64::from(u16::from_be_bytes([id[2], id[3]]));
    let above = MARKS.partition_point(|(mark, _)| *mark <= share).min(MARKS.len() - 1);
    let ((low, least), (high, most)) = (MARKS[above - 1], MARKS[above]);
    let ticks = (most - least) * tick::SECOND * (share - low) / (high - low);
    least * tick::SECOND + ticks
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use serde_json::Value;

    use super::*;
    use crate::model::Severity;

    fn settings() -> Settings {
        Settings {
            days: 14,
            identities: 40,
            seed: 7,
            end: "2026-11-23T08:30:00Z".parse().unwrap(),
            scenarios: Scenarios::All,
            intensity: 1.0,
        }
    }

    fn seeds(count: u64) -> impl Iterator<Item = Simulation> {
        (0..count).map(|seed| Simulation::new(&Settings { seed, ..settings() }))
    }

    fn text<'v>(value: &'v Value, pointer: &str) -> &'v str {
        value.pointer(pointer).and_then(Value::as_str).unwrap_or_default()
    }

    fn parsed(simulation: &Simulation) -> Vec<(SimulatedRecord, Value)> {
        simulation
            .records()
            .map(|record| {
                let value = serde_json::from_str(&record.json).unwrap();
                (record, value)
            })
            .collect()
    }

    #[test]
    fn the_same_settings_give_the_same_records_and_labels() {
        let (one, two) = (Simulation::new(&settings()), Simulation::new(&settings()));
        assert!(one.records().eq(two.records()));
        assert_eq!(one.labels(), two.labels());
        // Held against another machine and another day: the bytes themselves.
        let mut all = ring::digest::Context::new(&ring::digest::SHA256);
        one.records().for_each(|record| all.update(record.json.as_bytes()));
        let digest = all.finish().as_ref().first_chunk().map(|head| u64::from_be_bytes(*head));
        assert_eq!(digest, Some(0x8c38_56cc_1fee_b8ae), "{digest:x?}");
    }

    #[test]
    fn another_seed_gives_other_records() {
        let other = Simulation::new(&Settings { seed: 8, ..settings() });
        let ids = |simulation: &Simulation| -> BTreeSet<String> {
            simulation.records().map(|record| record.json[..46].to_owned()).collect()
        };
        assert!(ids(&other).is_disjoint(&ids(&Simulation::new(&settings()))));
    }

    #[test]
    fn records_come_in_the_order_of_their_time_and_stay_in_the_stretch() {
        let simulation = Simulation::new(&settings());
        let times: Vec<_> = simulation.records().map(|record| record.created_at).collect();
        assert!(times.is_sorted());
        assert!(times[0] >= simulation.start() && *times.last().unwrap() < simulation.end());
        assert!((7_000..40_000).contains(&times.len()), "{} records", times.len());
    }

    #[test]
    fn a_stretch_alone_is_the_same_as_within_the_whole() {
        let simulation = Simulation::new(&settings());
        let (since, until) =
            ("2026-11-19T17:10:00Z".parse().unwrap(), "2026-11-21T03:00:00Z".parse().unwrap());
        let within: Vec<_> = simulation
            .records()
            .filter(|record| (since..until).contains(&record.created_at))
            .collect();
        assert!(within.len() > 500);
        assert!(simulation.records_between(since, until).eq(within));
        assert_eq!(simulation.records_between(until, since).count(), 0);
    }

    #[test]
    fn every_record_is_json_with_an_id_of_its_own_and_says_what_the_iterator_says() {
        let mut ids = BTreeSet::new();
        for (record, value) in parsed(&Simulation::new(&settings())) {
            let id = Uuid::try_parse(text(&value, "/id")).unwrap();
            assert!(ids.insert(id), "{id} is there twice");
            assert_eq!(text(&value, "/createdDateTime").parse(), Ok(record.created_at));
            assert_eq!(text(&value, "/signInEventTypes/0"), record.sign_in_type.as_str());
            assert_eq!(
                serde_json::to_string(&value).unwrap().len(),
                record.json.len(),
                "a key is there twice"
            );
        }
    }

    #[test]
    fn records_are_as_long_as_real_ones() {
        let simulation = Simulation::new(&settings());
        let lengths: Vec<usize> = simulation.records().map(|record| record.json.len()).collect();
        let mean = lengths.iter().sum::<usize>() / lengths.len();
        assert!((2_100..2_600).contains(&mean), "{mean} bytes");
    }

    #[test]
    fn managed_identities_have_no_address_and_service_principals_have_one() {
        for (record, value) in parsed(&Simulation::new(&settings())) {
            let managed = record.sign_in_type == SignInType::ManagedIdentity;
            assert_eq!(text(&value, "/ipAddress").is_empty(), managed, "{value}");
            assert_eq!(text(&value, "/location/countryOrRegion").is_empty(), managed, "{value}");
            assert_eq!(value["autonomousSystemNumber"].is_null(), managed, "{value}");
        }
    }

    #[test]
    fn records_arrive_late_as_measured() {
        let mut late: Vec<i64> = Simulation::new(&settings())
            .records()
            .map(|record| (record.arrived_at - record.created_at).num_seconds())
            .collect();
        late.sort_unstable();
        let at = |percent: usize| late[late.len() * percent / 100];
        assert!((110..130).contains(&at(50)), "{}", at(50));
        assert!((400..460).contains(&at(95)), "{}", at(95));
        assert!(at(99) >= 600 && *late.last().unwrap() <= 6 * 3_600, "{:?}", late.last());
    }

    #[test]
    fn every_family_is_played_whatever_the_seed() {
        for simulation in seeds(12) {
            let played: BTreeSet<_> =
                simulation.labels().iter().map(|label| label.family).collect();
            let missing: Vec<_> =
                Family::ALL.iter().filter(|family| !played.contains(family)).collect();
            assert_eq!(
                missing,
                [&Family::DormantAwakened, &Family::MonthlyBatch],
                "seed {}",
                simulation.climate.seed
            );
        }
    }

    #[test]
    fn what_takes_months_is_played_where_there_are_months() {
        let long = Simulation::new(&Settings { days: 70, identities: 5, ..settings() });
        let labels = long.labels();
        let label = |family| labels.iter().find(|label| label.family == family).unwrap();
        let dormant = label(Family::DormantAwakened);
        assert_eq!(dormant.rules, ["dormant_identity_awakes"]);
        let id = &dormant.identities[0].service_principal_id;
        let seen: Vec<_> = long
            .records()
            .filter(|record| record.json.contains(id))
            .map(|record| record.created_at)
            .collect();
        let gaps = seen.windows(2).map(|pair| pair[1] - pair[0]);
        assert_eq!(gaps.filter(|gap| *gap > chrono::TimeDelta::days(30)).count(), 1);
        assert!(seen.iter().filter(|at| **at < dormant.started_at).count() >= 5);
        assert_eq!(label(Family::MonthlyBatch).started_at.format("%F").to_string(), "2026-11-01");
        // What learns for a fortnight has learnt by now.
        assert_eq!(label(Family::OffHours).rules, ["off_rhythm"]);
    }

    #[test]
    fn what_an_identity_newly_shows_it_shows_in_no_other_record() {
        let cases = [
            (Family::ForeignIssuer, "/managedServiceIdentity/federatedTokenIssuer"),
            (Family::SecondFederatedCredential, "/federatedCredentialId"),
            (Family::OtherCredentialKind, "/clientCredentialType"),
            (Family::LeakedSecret, "/location/countryOrRegion"),
            (Family::LeakedSecret, "/location/city"),
            (Family::OtherNetwork, "/location/city"),
            (Family::ForeignAccess, "/crossTenantAccessType"),
            (Family::NewResource, "/resourceId"),
        ];
        let simulation = Simulation::new(&settings());
        let labels = simulation.labels();
        let records = parsed(&simulation);
        for (family, field) in cases {
            let label = labels.iter().find(|label| label.family == family).unwrap();
            let mut shown: BTreeMap<&str, u64> = BTreeMap::new();
            let id = &label.identities[0].service_principal_id;
            for (record, value) in
                records.iter().filter(|(_, value)| text(value, "/servicePrincipalId") == id)
            {
                let is_told = (label.started_at..=label.ended_at).contains(&record.created_at);
                *shown.entry(text(value, field)).or_default() += if is_told { 1 } else { 1_000 };
            }
            let new: Vec<_> = shown.iter().filter(|(_, count)| **count < 1_000).collect();
            assert!(new.len() == 1 && *new[0].1 == label.records, "{family}: {shown:?}");
        }
    }

    #[test]
    fn who_is_new_was_not_there_before() {
        let simulation = Simulation::new(&settings());
        let records: Vec<_> = simulation.records().collect();
        for label in simulation.labels() {
            if matches!(
                label.family,
                Family::NewIdentityWithPower
                    | Family::NewOrdinaryIdentity
                    | Family::ReplacedIdentity
            ) {
                let id = &label.identities[0].app_id;
                let first = records.iter().find(|record| record.json.contains(id)).unwrap();
                assert_eq!(first.created_at, label.started_at, "{label:?}");
            }
        }
    }

    #[test]
    fn whoever_is_refused_in_a_trouble_may_show_a_new_code() {
        for label in Simulation::new(&settings()).labels() {
            let of_either = label.rules.iter().chain(&label.tolerated_rules);
            let is_named = of_either.filter(|rule| *rule == "first_failure_code").count();
            let is_refused = !label.is_benign && label.error_codes.iter().any(|code| *code != 0);
            assert_eq!(is_named, usize::from(is_refused), "{label:?}");
        }
    }

    /// Families whose sign is that there are no records.
    fn is_silence(family: Family) -> bool {
        matches!(family, Family::SilentIdentity | Family::EstateSilent | Family::SteadySilence)
    }

    #[test]
    fn every_label_tells_of_records_that_are_there() {
        for simulation in seeds(3) {
            let mut by_identity: BTreeMap<String, Vec<(DateTime<Utc>, i64)>> = BTreeMap::new();
            for (record, value) in parsed(&simulation) {
                let key = match text(&value, "/servicePrincipalId") {
                    "" => text(&value, "/appId"),
                    id => id,
                };
                let code = value.pointer("/status/errorCode").unwrap().as_i64().unwrap();
                by_identity.entry(key.to_owned()).or_default().push((record.created_at, code));
            }
            for label in simulation.labels() {
                let there = label
                    .identities
                    .iter()
                    .flat_map(|who| by_identity.get(&who.identity).into_iter().flatten())
                    .filter(|(at, code)| {
                        (label.started_at..=label.ended_at).contains(at)
                            && label.error_codes.contains(code)
                    })
                    .count() as u64;
                assert!(there >= label.records, "{label:?}");
                assert!(is_silence(label.family) || label.records > 0, "{label:?}");
                if label.error_codes.iter().all(|code| *code > 100_000) && !label.is_benign {
                    assert_eq!(there, label.records, "{label:?}");
                }
                if let Some(successor) = &label.successor {
                    let back = by_identity[&successor.identity][0];
                    assert_eq!(Some(back), label.recovered_at.map(|at| (at, 0)), "{label:?}");
                }
            }
        }
    }

    #[test]
    fn a_silent_identity_is_seen_before_and_never_after() {
        let simulation = Simulation::new(&settings());
        let labels = simulation.labels();
        let label = labels.iter().find(|label| label.family == Family::SilentIdentity).unwrap();
        let id = &label.identities[0].service_principal_id;
        let seen: Vec<_> = simulation
            .records()
            .filter(|record| record.json.contains(id))
            .map(|record| record.created_at)
            .collect();
        assert!(seen.len() >= 9, "{}", seen.len());
        assert!(seen.iter().all(|at| *at < label.started_at));
    }

    #[test]
    fn incidents_begin_when_the_rules_have_learnt_and_two_are_of_the_last_night() {
        for simulation in seeds(12) {
            for label in simulation.labels().iter().filter(|label| !label.is_benign) {
                let left = simulation.end() - label.started_at;
                // Silence, and a job of the night, take days to be seen.
                let takes_days =
                    is_silence(label.family) || label.family == Family::NightlyJobFails;
                let most = if takes_days { 6 } else { 5 };
                assert!(left <= chrono::TimeDelta::days(most), "{label:?}");
                assert_eq!(
                    label.ended_at < simulation.end(),
                    label.family != Family::SilentIdentity
                );
                match label.family {
                    Family::RecreatedIdentity => {
                        assert_eq!(
                            label.started_at.format("%F %H:0").to_string(),
                            "2026-11-23 02:0"
                        );
                        let lasted = label.recovered_at.unwrap() - label.started_at;
                        assert!((37..=44).contains(&lasted.num_minutes()), "{label:?}");
                    }
                    Family::DeletedIdentity => {
                        assert!(simulation.end() - label.ended_at < chrono::TimeDelta::minutes(1));
                        assert_eq!(label.recovered_at, None);
                    }
                    _ => {}
                }
            }
        }
    }

    #[test]
    fn the_rules_that_labels_name_are_there_with_their_levels() {
        let rules = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/sign_in");
        for label in Simulation::new(&settings()).labels() {
            let mut gravest = Severity::Informational;
            for rule in label.rules.iter().chain(&label.tolerated_rules) {
                let yaml = std::fs::read_to_string(rules.join(format!("{rule}.yml"))).unwrap();
                let level = yaml.lines().find_map(|line| line.strip_prefix("level: ")).unwrap();
                if label.rules.contains(rule) {
                    gravest = gravest.max(level.parse().unwrap());
                }
            }
            assert_eq!(label.severity, gravest, "{label:?}");
        }
    }

    #[test]
    fn without_scenarios_nobody_is_refused_five_times_in_a_row() {
        let quiet = Simulation::new(&Settings { scenarios: Scenarios::None, ..settings() });
        assert!(quiet.labels().is_empty());
        let mut runs: BTreeMap<(String, String), u32> = BTreeMap::new();
        let mut refused = 0;
        for (_, value) in parsed(&quiet) {
            let group = (
                text(&value, "/servicePrincipalId").to_owned(),
                text(&value, "/resourceId").to_owned(),
            );
            let run = runs.entry(group).or_default();
            let failed = value.pointer("/status/errorCode") != Some(&Value::from(0));
            *run = if failed { *run + 1 } else { 0 };
            refused += u32::from(failed);
            assert!(*run < 5, "{value}");
        }
        assert!(refused > 10, "{refused} refused");
    }

    #[test]
    fn only_the_scenarios_asked_for_are_played() {
        let only = Scenarios::Only(vec![Family::WrongSecret]);
        let labels = Simulation::new(&Settings { scenarios: only, ..settings() }).labels();
        assert_eq!(labels.len(), 1);
        assert_eq!(labels[0].family, Family::WrongSecret);
    }

    #[test]
    fn odd_settings_are_no_reason_to_fall_over() {
        for (days, identities, intensity) in
            [(0, 40, 1.0), (1, 40, 1.0), (3, 5, 0.0), (1, 0, 9.0), (14, 1, f64::NAN), (1, 200, 1e9)]
        {
            let simulation =
                Simulation::new(&Settings { days, identities, intensity, ..settings() });
            assert!(simulation.records().is_sorted_by_key(|record| record.created_at));
            let labels = simulation.labels();
            assert!(labels.iter().all(|label| label.started_at <= label.ended_at), "{labels:?}");
        }
    }

    #[test]
    fn a_bigger_fleet_has_every_story_more_than_once_and_seven_of_ten_managed() {
        let simulation = Simulation::new(&Settings { identities: 400, ..settings() });
        let labels = simulation.labels();
        let stolen = labels.iter().filter(|label| label.family == Family::StolenToken).count();
        assert_eq!(stolen, 10);
        let managed = simulation.fleet.0.iter().filter(|who| who.is_managed()).count();
        assert_eq!(managed, 280);
    }
}
