//! What people read says as much as is known, and in words that they know.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use signinel::clock::{Clock, SystemClock};

use crate::program::{Place, record};

fn ago(span: TimeDelta) -> DateTime<Utc> {
    SystemClock.now() - span
}

fn imported(records: &[Value]) -> Place {
    let place = Place::new();
    let lines: Vec<String> = records.iter().map(ToString::to_string).collect();
    place.write("all.ndjson", lines.join("\n"));
    place.run("import all.ndjson").says(0, &[]);
    place
}

/// The titles of all incidents.
fn titles(place: &Place) -> Vec<String> {
    let listed = place.json("incidents list");
    let titles = listed.as_array().unwrap().iter();
    titles.map(|incident| incident["title"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_title_says_how_many_there_are_where_that_is_known() {
    let attempts: Vec<Value> = (0..70)
        .map(|place| {
            let at = ago(TimeDelta::minutes(90))
                + TimeDelta::seconds(20) * i32::try_from(place).unwrap();
            let mut one = record("", place, at, 700_016);
            one["signInEventTypes"] = json!(["servicePrincipal"]);
            one["servicePrincipalId"] = json!("");
            one["appId"] = json!(format!("{place:08}-2f0a-4f1c-b7c5-1d6c3a2e9f41"));
            one["ipAddress"] = json!("203.0.113.7");
            one
        })
        .collect();
    let place = imported(&attempts);
    let titles = titles(&place);
    assert!(titles[0].ends_with(" and 69 others"), "{titles:?}");
    place.run("incidents show 1").says(0, &["and 65 other identities\n", "70 application ids"]);
}

#[test]
fn a_network_is_told_by_its_number_as_networks_are_written() {
    let records: Vec<Value> = (0..12)
        .map(|day| {
            let mut one = record("sp-mailer", day, ago(TimeDelta::days(12 - i64::from(day))), 0);
            one["signInEventTypes"] = json!(["servicePrincipal"]);
            one["ipAddress"] = json!("203.0.113.7");
            one["autonomousSystemNumber"] = json!(if day < 11 { 8_075 } else { 64_501 });
            one
        })
        .collect();
    let place = imported(&records);
    assert_eq!(titles(&place), ["Network never seen before: sp-mailer"]);
    for command in ["incidents show 1", "timeline 1"] {
        place.run(command).says(0, &["new `AS64501`"]);
    }
    place.run("incidents show 1").says(0, &["because addresses come and go, the network behind"]);
}

#[test]
fn what_entra_left_blank_is_told_by_the_meaning_of_the_code() {
    let records: Vec<Value> = (0..12)
        .map(|place| {
            let at = ago(TimeDelta::minutes(30))
                + TimeDelta::seconds(30) * i32::try_from(place).unwrap();
            let mut one = record("func-orders-prod", place, at, 700_016);
            one["status"]["failureReason"] =
                json!("Application with identifier '{appIdentifier}' was not found.");
            one
        })
        .collect();
    let ran = imported(&records).run("timeline 1");
    ran.says(0, &["the tenant knows no application with this client id"]);
    assert!(!ran.out.contains("appIdentifier"), "{}", ran.out);
}

#[test]
fn of_users_it_is_said_that_users_were_refused_and_of_workloads_that_they_were() {
    let refused = |kind: &str| -> Vec<Value> {
        (0..12)
            .map(|place| {
                let at = ago(TimeDelta::minutes(30))
                    + TimeDelta::minutes(1) * i32::try_from(place).unwrap();
                let mut one = record("Track & Trace", place, at, 50_020);
                one["signInEventTypes"] = json!([kind]);
                one["userPrincipalName"] = json!("ada@example.org");
                one
            })
            .collect()
    };
    let of_users = imported(&refused("nonInteractiveUser"));
    of_users.run("incidents show 1").says(
        0,
        &[
            "Accounts of another tenant refused, many times: Track & Trace",
            "Users were refused a token for `Azure Key Vault` in the application `Track & Trace` 12",
        ],
    );
    let of_workloads = imported(&refused("servicePrincipal"));
    let ran = of_workloads.run("incidents show 1");
    ran.says(0, &["The identity `Track & Trace` was refused a token for `Azure Key Vault` 12"]);
    assert!(!ran.out.contains("Users "), "{}", ran.out);
}
