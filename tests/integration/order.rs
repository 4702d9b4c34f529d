//! Sixteen days with every rule at work: in whatever order, parts and repeats the records come, what is found and
//! told of is the same, byte for byte.

use chrono::{TimeDelta, Timelike};
use signinel::clock::{Clock, SystemClock};
use signinel::simulate::{Scenarios, Settings, SimulatedRecord, Simulation};

use crate::program::Place;
use crate::world;

/// Numbers that look random and are the same each time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound
    }

    fn shuffle<T>(&mut self, all: &mut [T]) {
        for place in (1..all.len()).rev() {
            all.swap(place, self.below(place + 1));
        }
    }
}

/// What is left of a database when its own numbers, and who was told, are left out.
#[derive(PartialEq)]
struct Told {
    incidents: String,
    findings: Vec<String>,
}

/// Imports files one after the other.
async fn told(files: &[Vec<&SimulatedRecord>]) -> Told {
    let place = Place::new();
    for (number, records) in files.iter().enumerate() {
        let name = format!("{number}.ndjson");
        place.write(&name, world::lines(records.iter().copied()));
        place.run(&format!("import {name} --no-notify")).says(0, &[]);
    }
    let incidents = serde_json::to_string_pretty(&world::incidents(&place)).unwrap();
    Told { incidents, findings: world::outcome(&place).await.findings }
}

#[tokio::test]
async fn whatever_the_order_the_parts_and_the_repeats_the_same_is_found_and_told() {
    let end = SystemClock.now().with_second(0).unwrap().with_nanosecond(0).unwrap();
    let settings = Settings {
        days: 16,
        identities: 12,
        seed: 3,
        end: end - TimeDelta::minutes(1),
        scenarios: Scenarios::All,
        intensity: 0.4,
    };
    let records: Vec<SimulatedRecord> = Simulation::new(&settings).records().collect();
    let expected = told(&[records.iter().collect()]).await;
    assert!(expected.findings.len() > 60, "{} findings show little", expected.findings.len());

    let mut dice = Dice(7);
    let mut shuffled: Vec<&SimulatedRecord> = records.iter().collect();
    dice.shuffle(&mut shuffled);
    let mut parts: Vec<Vec<&SimulatedRecord>> =
        shuffled.chunks(shuffled.len() / 4 + 1).map(<[_]>::to_vec).collect();
    for place in 1..parts.len() {
        let repeated: Vec<_> = parts[place - 1].iter().step_by(3).copied().collect();
        parts[place].extend(repeated);
    }

    let mut late: Vec<_> = records
        .iter()
        .map(|record| {
            let minutes = if dice.below(20) == 0 { dice.below(360) } else { 0 };
            (record.created_at + TimeDelta::minutes(i64::try_from(minutes).unwrap()), record)
        })
        .collect();
    late.sort_by_key(|(comes_at, _)| *comes_at);
    let late: Vec<&SimulatedRecord> = late.into_iter().map(|(_, record)| record).collect();
    let late: Vec<Vec<_>> = late.chunks(late.len() / 12 + 1).map(<[_]>::to_vec).collect();

    for (what, files) in [("shuffled, in parts, with repeats", parts), ("some hours late", late)] {
        let told = told(&files).await;
        let differs = |one: &str, other: &str| {
            let lines = one.lines().zip(other.lines());
            lines.enumerate().find(|(_, (one, other))| one != other).map(|it| format!("{it:?}"))
        };
        let other = told.findings.iter().find(|finding| !expected.findings.contains(finding));
        assert_eq!(other, None, "{what}: not found in order");
        assert_eq!(told.findings.len(), expected.findings.len(), "{what}");
        assert_eq!(differs(&told.incidents, &expected.incidents), None, "{what}");
        assert!(told == expected, "{what}");
    }
}
