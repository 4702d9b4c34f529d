//! Sixteen days with every rule at work: in whatever order, parts and repeats the records come, what is found and
//! told of is the same, byte for byte.

use chrono::{TimeDelta, Timelike};
use serde_json::{Value, json};
use signinel::clock::{Clock, SystemClock};
use signinel::simulate::{Scenarios, Settings, SimulatedRecord, Simulation};

use crate::program::Place;
use crate::world;

/// A tenant of so many days and identities that ends with the minute before this one.
fn tenant((days, identities): (u32, u32), seed: u64, intensity: f64) -> Settings {
    let this_minute = SystemClock.now().with_second(0).unwrap().with_nanosecond(0).unwrap();
    Settings {
        days,
        identities,
        seed,
        end: this_minute - TimeDelta::minutes(1),
        scenarios: Scenarios::All,
        intensity,
    }
}

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
    let settings = tenant((16, 12), 3, 0.4);
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

/// A record of the same sign-in that lacks something, or says something else.
fn other_record(record: &SimulatedRecord, kind: usize) -> String {
    let mut other: Value = serde_json::from_str(&record.json).unwrap();
    let fields = other.as_object_mut().unwrap();
    let lacks: &[&str] = match kind {
        0 => &["servicePrincipalCredentialKeyId", "resourceDisplayName", "clientCredentialType"],
        1 => &["servicePrincipalId", "managedServiceIdentity"],
        2 => &["resourceId", "ipAddress", "location"],
        _ => &[],
    };
    fields.retain(|key, _| !lacks.contains(&key.as_str()));
    match kind {
        3 => {
            fields.insert("clientCredentialType".to_owned(), json!("clientSecret"));
        }
        4 => {
            let at = record.created_at.with_nanosecond(0).unwrap();
            fields.insert("createdDateTime".to_owned(), json!(at.to_rfc3339()));
        }
        5 => {
            fields.insert("status".to_owned(), json!({"errorCode": 0}));
        }
        6 => {
            fields.insert("status".to_owned(), json!({"errorCode": 7_000_215}));
        }
        _ => {}
    }
    other.to_string()
}

#[tokio::test]
async fn of_records_of_one_sign_in_that_differ_it_does_not_matter_which_comes_first() {
    let settings = tenant((4, 6), 5, 0.2);
    let records: Vec<SimulatedRecord> = Simulation::new(&settings).records().collect();
    // Every ninth sign-in has two records, and what each lacks or says is another thing each time.
    let others: Vec<SimulatedRecord> = records
        .iter()
        .enumerate()
        .filter(|(place, _)| place % 9 == 4)
        .map(|(place, record)| SimulatedRecord {
            json: other_record(record, place / 9 % 7),
            ..record.clone()
        })
        .collect();
    let whole: Vec<&SimulatedRecord> = records.iter().chain(&others).collect();
    let expected = told(std::slice::from_ref(&whole)).await;
    assert!(expected.findings.len() > 20, "{} findings show little", expected.findings.len());
    let alone = told(&[records.iter().collect()]).await;
    assert!(alone != expected, "the other records make no difference");

    let mut dice = Dice(11);
    let mut shuffled = whole.clone();
    dice.shuffle(&mut shuffled);
    let parts: Vec<Vec<_>> = shuffled.chunks(shuffled.len() / 3 + 1).map(<[_]>::to_vec).collect();
    let mut days: Vec<Vec<&SimulatedRecord>> = Vec::new();
    for record in &whole {
        let day = usize::try_from((settings.end - record.created_at).num_days()).unwrap();
        days.resize_with(days.len().max(day + 1), Vec::new);
        days[day].push(record);
    }
    let usual: Vec<_> = records.iter().collect();
    let others: Vec<_> = others.iter().collect();
    for (what, files) in [
        ("the others last", vec![usual.clone(), others.clone()]),
        ("the others first", vec![others, usual]),
        ("shuffled, in parts", parts),
        ("day by day, the latest first", days),
    ] {
        let told = told(&files).await;
        let other = told.findings.iter().find(|finding| !expected.findings.contains(finding));
        assert_eq!(other, None, "{what}: not found at once");
        let other = expected.findings.iter().find(|finding| !told.findings.contains(finding));
        assert_eq!(other, None, "{what}: only found at once");
        let differs = told.incidents.lines().zip(expected.incidents.lines()).find(|(a, b)| a != b);
        assert_eq!(differs, None, "{what}");
        assert!(told == expected, "{what}");
    }
}
