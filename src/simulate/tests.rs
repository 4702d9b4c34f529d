//! What is made up is the same each time, is what Graph would give, and holds what its labels say.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::*;

fn simulation(seed: u64, identities: u32) -> Simulation {
    let end = "2026-11-23T08:00:00Z".parse().unwrap();
    Simulation::new(Settings { days: 14, identities, seed, end, has_scenarios: true })
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_others() {
    let first: Vec<Simulated> = simulation(7, 20).records().collect();
    assert_eq!(first, simulation(7, 20).records().collect::<Vec<_>>());
    assert_ne!(first[0], simulation(8, 20).records().next().unwrap());
}

#[test]
fn records_are_those_of_graph_in_the_order_of_time() {
    let mut ids = BTreeSet::new();
    let mut bytes = 0;
    let mut last = None;
    for record in simulation(1, 40).records() {
        assert!(last.is_none_or(|last| last <= record.created_at));
        assert!(record.arrived_at > record.created_at);
        last = Some(record.created_at);
        let value: Value = serde_json::from_str(&record.json).unwrap();
        assert!(ids.insert(value["id"].as_str().unwrap().parse::<uuid::Uuid>().unwrap()));
        assert_eq!(value["signInEventTypes"][0], record.sign_in_type.as_str());
        let is_managed = record.sign_in_type == SignInType::ManagedIdentity;
        assert_eq!(value["ipAddress"] == "", is_managed, "{value}");
        assert_eq!(value["managedServiceIdentity"]["msiType"] != "none", is_managed, "{value}");
        bytes += record.json.len();
    }
    let average = bytes / ids.len();
    assert!((2_100..2_700).contains(&average), "{average} bytes a record");
    assert!((3_000..60_000).contains(&ids.len()), "{} records", ids.len());
}

#[test]
fn every_family_is_there_and_does_what_its_label_says() {
    let simulation = simulation(3, 40);
    let families: BTreeSet<&str> = simulation.labels().iter().map(|label| label.family).collect();
    for family in [
        "recreated",
        "deleted",
        "gone_silent",
        "resource_not_found",
        "unknown_code",
        "outage",
        "cross_tenant",
        "secret_expired",
        "wrong_secret",
        "certificate_expired",
        "federation_changed",
        "disabled",
        "blocked",
        "stolen_token",
        "token_burst",
        "added_key",
        "spray",
        "deploy",
        "retries",
        "autoscale",
    ] {
        assert!(families.contains(family), "{family} is missing");
    }
    let mut failures: BTreeMap<(String, i64), u64> = BTreeMap::new();
    for record in simulation.records() {
        let value: Value = serde_json::from_str(&record.json).unwrap();
        let code = value["status"]["errorCode"].as_i64().unwrap();
        let app = value["appId"].as_str().unwrap().to_owned();
        *failures.entry((app, code)).or_default() += 1;
    }
    for label in simulation.labels() {
        let of_one = !label.app_id.is_empty() && label.family != "outage";
        for code in label.error_codes.iter().filter(|code| of_one && **code != 0) {
            let seen = failures.get(&(label.app_id.clone(), *code)).copied().unwrap_or(0);
            assert!(seen >= label.sign_ins, "{}: {seen} of {}", label.family, label.sign_ins);
        }
        assert!(label.started_at <= label.ended_at);
    }
}

#[test]
fn without_scenarios_there_are_only_small_faults() {
    let end = "2026-11-23T08:00:00Z".parse().unwrap();
    let quiet =
        Simulation::new(Settings { days: 7, identities: 40, seed: 1, end, has_scenarios: false });
    let (mut all, mut failed) = (0, 0);
    for record in quiet.records() {
        all += 1;
        failed += u32::from(!record.json.contains(r#""errorCode":0,"#));
    }
    assert!(quiet.labels().is_empty());
    assert!(failed * 50 < all, "{failed} of {all} failed");
}
