//! One cause, one incident: what many share takes in what it caused, in whatever order it becomes known.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use signinel::clock::{Clock, SystemClock};

use crate::program::{Place, record};
use crate::world;

fn hours_ago(hours: i64) -> DateTime<Utc> {
    SystemClock.now() - TimeDelta::hours(hours)
}

/// A sign-in of the identity of this number.
fn sign_in(number: u32, id: u32, at: DateTime<Utc>, code: u32) -> Value {
    let mut one = record(&format!("func-{number:02}-prod"), id, at, code);
    one["servicePrincipalId"] = json!(format!("{number:08}-58c4-4d3b-9a55-3b0a6f3f2a10"));
    one["appId"] = json!(format!("{number:08}-2f0a-4f1c-b7c5-1d6c3a2e9f41"));
    one
}

/// Eight failures of one identity within thirty-five minutes.
fn streak(number: u32, first_id: u32, at: DateTime<Utc>, code: u32) -> Vec<Value> {
    (0..8)
        .map(|n| sign_in(number, first_id + n, at + TimeDelta::minutes(i64::from(n) * 5), code))
        .collect()
}

fn lines(records: &[Value]) -> String {
    records.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// Titles, rules and number of findings of what is open, and what became of the rest.
fn told(place: &Place) -> Vec<(String, Vec<String>)> {
    let listed = world::incidents(place);
    let rules = |incident: &Value| {
        incident["rules"]
            .as_array()
            .unwrap()
            .iter()
            .map(|rule| rule.as_str().unwrap().to_owned())
            .collect()
    };
    listed
        .iter()
        .map(|incident| (incident["title"].as_str().unwrap().to_owned(), rules(incident)))
        .collect()
}

#[test]
fn an_outage_takes_in_the_streaks_it_caused_whichever_is_known_first() {
    let at = hours_ago(5);
    let mut streaks = streak(1, 100, at, 90_033);
    streaks.extend(streak(2, 200, at + TimeDelta::minutes(2), 90_033));
    // The same at the same time, and another cause.
    let other = streak(9, 900, at, 53_003);
    let others: Vec<Value> = (3..9)
        .map(|number| sign_in(number, number * 100, at + TimeDelta::minutes(3), 90_033))
        .collect();
    let orders = [
        vec![streaks.clone(), other.clone(), others.clone()],
        vec![others.clone(), other.clone(), streaks.clone()],
        vec![[streaks.clone(), other.clone(), others.clone()].concat()],
    ];
    for parts in orders {
        let place = Place::new();
        for (number, part) in parts.iter().enumerate() {
            place.write(&format!("{number}.ndjson"), lines(part));
            place.run(&format!("import {number}.ndjson")).says(0, &["8 stored"].map(|_| "stored"));
        }
        let told = told(&place);
        assert_eq!(told.len(), 2, "{told:?}");
        let outage =
            told.iter().find(|(title, _)| title.starts_with("Entra refuses many")).unwrap();
        assert_eq!(outage.1, ["service_outage", "passing_failure_lasts"], "{told:?}");
        let listed = place.json("incidents list");
        let id = listed
            .as_array()
            .unwrap()
            .iter()
            .find(|it| it["title"].as_str().unwrap().starts_with("Entra refuses many"))
            .unwrap()["id"]
            .as_u64()
            .unwrap();
        let symptom = "Taken in as a symptom of `service_outage`: `passing_failure_lasts`, 2 findings of 2 identities";
        let told = place.json(&format!("timeline {id}")).to_string();
        assert!(told.contains(symptom), "{told}");
        let told = self::told(&place);
        assert!(told.iter().any(|(title, _)| title.contains("func-09-prod")), "{told:?}");
    }
}

#[test]
fn streaks_are_on_their_own_again_when_the_outage_is_taken_back() {
    let at = hours_ago(5);
    let place = Place::new();
    let mut records = streak(1, 100, at, 90_033);
    records.extend(
        (2..8).map(|number| sign_in(number, number * 100, at + TimeDelta::minutes(1), 90_033)),
    );
    place.write("all.ndjson", lines(&records));
    place.run("import all.ndjson").says(0, &["1 incident"]);
    // A rule set without the rule about outages.
    let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/sign_in");
    for name in ["passing_failure_lasts.yml", "passing_failure.yml", "sign_in_succeeded.yml"] {
        place.write(&format!("fewer/{name}"), std::fs::read(shipped.join(name)).unwrap());
    }
    place.write("none.ndjson", lines(&[sign_in(30, 3_000, hours_ago(1), 0)]));
    place.run("--rules fewer import none.ndjson").says(0, &["1 stored"]);
    let told: Vec<_> = told(&place);
    assert!(told.iter().any(|(_, rules)| *rules == ["passing_failure_lasts"]), "{told:?}");
}

#[test]
fn one_that_shows_its_client_id_alone_is_known_by_the_name_it_had() {
    let place = Place::new();
    let mut records: Vec<Value> = (0..9)
        .map(|day| sign_in(1, u32::try_from(day).unwrap(), hours_ago(24 * (12 - day)), 0))
        .collect();
    records.extend((0..12).map(|n| {
        let mut one =
            sign_in(1, 100 + n, hours_ago(60) + TimeDelta::seconds(i64::from(n) * 20), 700_016);
        one["servicePrincipalId"] = json!("");
        one["servicePrincipalName"] = json!("");
        one["appDisplayName"] = json!("");
        one
    }));
    // Somebody else goes on, so that the silence is one.
    records.extend((0..280).map(|n| sign_in(2, 1_000 + n, hours_ago(280 - i64::from(n)), 0)));
    place.write("all.ndjson", lines(&records));
    place.run("import all.ndjson").says(0, &["stored"]);
    let incidents = world::incidents(&place);
    assert_eq!(incidents.len(), 1, "{incidents:#?}");
    let incident = &incidents[0];
    assert_eq!(incident["title"], "Application not found, many times: func-01-prod");
    assert_eq!(
        incident["identities"][0]["service_principal_id"],
        "00000001-58c4-4d3b-9a55-3b0a6f3f2a10"
    );
    assert!(incident["rules"].as_array().unwrap().contains(&json!("identity_fell_silent")));
    // It began when it was refused, not when it was last well.
    let started: DateTime<Utc> = incident["started_at"].as_str().unwrap().parse().unwrap();
    assert!((started - hours_ago(60)).num_minutes().abs() < 5, "{started}");
}

#[test]
fn names_that_are_known_only_later_are_those_of_the_incident() {
    let place = Place::new();
    let refused: Vec<Value> = (0..12)
        .map(|n| {
            let mut one =
                sign_in(1, 100 + n, hours_ago(60) + TimeDelta::seconds(i64::from(n) * 20), 700_016);
            for key in [
                "servicePrincipalId",
                "servicePrincipalName",
                "appDisplayName",
                "resourceDisplayName",
            ] {
                one[key] = json!("");
            }
            one
        })
        .collect();
    let shown = |place: &Place| {
        let incidents = world::incidents(place);
        assert_eq!(incidents.len(), 1, "{incidents:#?}");
        (incidents[0]["title"].clone(), incidents[0]["resources"].clone())
    };
    place.write("refused.ndjson", lines(&refused));
    place.run("import refused.ndjson").says(0, &["stored"]);
    let (title, resources) = shown(&place);
    assert_eq!(title, "Application not found, many times: 00000001-2f0a-4f1c-b7c5-1d6c3a2e9f41");
    assert_eq!(resources, json!([refused[0]["resourceId"]]));
    // Its name, by a sign-in long before; that of the resource, by one of somebody else.
    let named = sign_in(1, 1, hours_ago(100), 0);
    place.write("identity.ndjson", lines(std::slice::from_ref(&named)));
    place.run("import identity.ndjson").says(0, &["stored"]);
    assert_eq!(shown(&place).0, "Application not found, many times: func-01-prod");
    let other = sign_in(2, 2, hours_ago(50), 0);
    place.write("resource.ndjson", lines(std::slice::from_ref(&other)));
    place.run("import resource.ndjson").says(0, &["stored"]);
    assert_eq!(shown(&place).1, json!([other["resourceDisplayName"]]));
}

#[test]
fn sprays_from_several_addresses_at_one_time_are_one_incident() {
    let place = Place::new();
    let spray = |address: &str, first: u32, at: DateTime<Utc>| -> Vec<Value> {
        (0..7)
            .map(|n| {
                let mut one = sign_in(
                    first + n,
                    first * 10 + n,
                    at + TimeDelta::minutes(i64::from(n)),
                    700_016,
                );
                one["signInEventTypes"] = json!(["servicePrincipal"]);
                one["servicePrincipalId"] = json!("");
                one["ipAddress"] = json!(address);
                one
            })
            .collect()
    };
    let mut records = spray("203.0.113.9", 10, hours_ago(20));
    records.extend(spray("198.51.100.7", 30, hours_ago(20) + TimeDelta::minutes(4)));
    // Another one, from elsewhere, on the same day.
    records.extend(spray("192.0.2.77", 50, hours_ago(6)));
    place.write("all.ndjson", lines(&records));
    place.run("import all.ndjson").says(0, &["2 incidents"]);
    let told = told(&place);
    assert!(told.iter().all(|(_, rules)| *rules == ["application_id_spray"]), "{told:?}");
}

#[test]
fn a_spray_is_told_by_the_address_where_one_stands_out_whichever_is_known_first() {
    let asked = |first: u32, addresses: u32| -> Vec<Value> {
        let of = |n: u32| {
            let at = hours_ago(9) + TimeDelta::minutes(i64::from(n));
            let mut one = sign_in(first + n, first * 10 + n, at, 700_016);
            one["signInEventTypes"] = json!(["servicePrincipal"]);
            one["servicePrincipalId"] = json!("");
            one["ipAddress"] = json!(format!("203.0.113.{}", n % addresses + 1));
            one
        };
        (0..16).map(of).collect()
    };
    // Whichever half comes first: of one address, seven are enough; of all, sixteen.
    for (addresses, rule) in [(2, "application_id_spray"), (16, "application_id_spray_spread")] {
        let records = asked(10, addresses);
        let orders: [Vec<Value>; 2] = [records.clone(), records.iter().rev().cloned().collect()];
        for order in orders {
            let place = Place::new();
            for (number, part) in order.chunks(8).enumerate() {
                place.write(&format!("{number}.ndjson"), lines(part));
                place.run(&format!("import {number}.ndjson")).says(0, &["stored"]);
            }
            let told = told(&place);
            assert_eq!(told.len(), 1, "{told:?}");
            assert_eq!(told[0].1[0], rule);
        }
    }
}

#[test]
fn one_that_was_made_anew_is_told_by_the_trouble_of_the_old_one_whichever_arrives_first() {
    let named = |number: u32, id: u32, at: DateTime<Utc>, code: u32| {
        let mut one = sign_in(number, id, at, code);
        one["servicePrincipalName"] = json!("func-anew-prod");
        one
    };
    let habit: Vec<Value> =
        (0..9_u32).map(|day| named(1, day, hours_ago(24 * (12 - i64::from(day))), 0)).collect();
    let refused: Vec<Value> = (0..12_u32)
        .map(|n| named(1, 100 + n, hours_ago(60) + TimeDelta::seconds(i64::from(n) * 20), 700_016))
        .collect();
    let anew: Vec<Value> = (0..4).map(|n| named(2, 200 + n, hours_ago(58), 0)).collect();
    let orders = [
        vec![habit.clone(), refused.clone(), anew.clone()],
        vec![anew.clone(), habit.clone(), refused],
        vec![habit, anew],
    ];
    for (parts, expected) in orders.iter().zip([
        vec!["application_not_found_spike"],
        vec!["application_not_found_spike"],
        vec!["recreated_identity"],
    ]) {
        let place = Place::new();
        for (number, part) in parts.iter().enumerate() {
            place.write(&format!("{number}.ndjson"), lines(part));
            place.run(&format!("import {number}.ndjson")).says(0, &["stored"]);
        }
        let open: Vec<(String, Vec<String>)> = told(&place);
        let first: Vec<&str> = open.iter().map(|(_, rules)| rules[0].as_str()).collect();
        assert_eq!(first, expected, "{open:?}");
    }
}

#[test]
fn one_that_took_over_from_another_that_is_silent_since_is_told_as_made_anew() {
    let named = |number: u32, id: u32, at: DateTime<Utc>| {
        let mut one = sign_in(number, id, at, 0);
        one["servicePrincipalName"] = json!("func-anew-prod");
        one
    };
    let daily = |number: u32, id: u32, from: i64, days: u32| -> Vec<Value> {
        (0..days).map(|n| named(number, id + n, hours_ago(from - 24 * i64::from(n)))).collect()
    };
    let old = daily(1, 0, 24 * 14, 9);
    let anew = daily(2, 200, 24 * 5, 5);
    // Others go on, so that the old one is known to be silent.
    let others: Vec<Value> =
        (0..60_u32).map(|n| sign_in(3, 300 + n, hours_ago(6 * (59 - i64::from(n))), 0)).collect();
    for parts in
        [vec![&old, &anew, &others], vec![&others, &anew, &old], vec![&others, &old, &anew]]
    {
        let place = Place::new();
        for (number, part) in parts.iter().enumerate() {
            place.write(&format!("{number}.ndjson"), lines(part));
            place.run(&format!("import {number}.ndjson")).says(0, &["stored"]);
        }
        let rules: Vec<Vec<String>> = told(&place).into_iter().map(|(_, rules)| rules).collect();
        assert_eq!(rules, [["recreated_identity"]]);
    }
}

#[test]
fn nobody_is_new_at_the_beginning_of_the_records() {
    let arm = |number: u32, id: u32, at: DateTime<Utc>| {
        let mut one = sign_in(number, id, at, 0);
        one["resourceId"] = json!("797f4846-ba00-4fd7-ba43-dac1f8f63013");
        one
    };
    let of = |number: u32, hours: i64| -> Vec<Value> {
        (0..4)
            .map(|n| {
                arm(number, number * 100 + n, hours_ago(hours) + TimeDelta::minutes(i64::from(n)))
            })
            .collect()
    };
    let days = [of(1, 24 * 12), of(2, 24 * 8), of(3, 24 * 2)];
    for order in [vec![0, 1, 2], vec![2, 1, 0], vec![2, 0, 1]] {
        let place = Place::new();
        for day in order {
            place.write("day.ndjson", lines(&days[day]));
            place.run("import day.ndjson").says(0, &["4 stored"]);
        }
        let told = told(&place);
        assert_eq!(told.len(), 1, "{told:?}");
        assert_eq!(told[0].1, ["new_identity_privileged"], "{told:?}");
        assert!(told[0].0.contains("func-03-prod"), "{told:?}");
    }
}

/// Whether an identity is told as new, of which another was there before: each with a name and an ARM resource, which
/// may be absent, and the old one with the days that it signed in.
fn is_told_as_new(old: (&str, &str), old_days: u32, anew: (&str, &str)) -> bool {
    let known_as = |mut one: Value, (name, arm): (&str, &str)| {
        one["servicePrincipalName"] = json!(name);
        one["managedServiceIdentity"] = json!({"associatedResourceId": arm});
        one["resourceId"] = json!("797f4846-ba00-4fd7-ba43-dac1f8f63013");
        one
    };
    let old: Vec<Value> = (0..old_days)
        .map(|day| known_as(sign_in(1, day, hours_ago(24 * (14 - i64::from(day))), 0), old))
        .collect();
    let first = hours_ago(24 * 5 - 1);
    let anew: Vec<Value> = (0..4_i64)
        .map(|n| {
            let at = first + TimeDelta::minutes(n);
            known_as(sign_in(2, 200 + u32::try_from(n).unwrap(), at, 0), anew)
        })
        .collect();
    let (early, late) = old.split_at(8);
    let mut answers: Vec<bool> = Vec::new();
    for order in
        [[early, late, &anew], [&anew, early, late], [early, &anew, late], [late, &anew, early]]
    {
        let place = Place::new();
        for part in order.into_iter().filter(|part| !part.is_empty()) {
            place.write("part.ndjson", lines(part));
            place.run("import part.ndjson").says(0, &["stored"]);
        }
        let told = told(&place);
        let is_of_new = |(_, rules): &(String, Vec<String>)| {
            rules.iter().any(|rule| rule == "new_identity_privileged")
        };
        answers.push(told.iter().any(is_of_new));
    }
    answers.dedup();
    assert_eq!(answers.len(), 1, "it depends on the order of arrival");
    answers[0]
}

#[test]
fn whoever_takes_the_place_of_another_is_not_new_and_whoever_copies_its_name_is() {
    let site = "/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/func-a";
    let upper = site.to_uppercase();
    let other = "/subscriptions/s/resourceGroups/h/providers/Microsoft.Web/sites/func-a";
    // The old one fell silent: by name and resource, or by name alone where one has no resource.
    assert!(!is_told_as_new(("func-a", site), 9, ("func-a", &upper)));
    assert!(!is_told_as_new(("func-a", site), 9, ("func-a", "")));
    // It goes on, or nothing says that it is the same, or the resource is another, or two identities are assigned to one machine.
    assert!(is_told_as_new(("func-a", site), 13, ("func-a", site)));
    assert!(is_told_as_new(("func-a", ""), 13, ("func-a", "")));
    assert!(is_told_as_new(("func-a", site), 9, ("", &upper)));
    assert!(is_told_as_new(("func-a", site), 9, ("func-a", other)));
    assert!(is_told_as_new(("id-one", site), 9, ("id-two", site)));
}

#[test]
fn what_works_only_sometimes_is_not_over_with_the_next_token() {
    let at = hours_ago(40);
    // One of three requests is refused, for a day, and then none.
    let records: Vec<Value> = (0..90)
        .map(|n| {
            let code = if n % 3 == 1 && n < 72 { 7_000_222 } else { 0 };
            sign_in(1, 100 + n, at + TimeDelta::minutes(i64::from(n) * 20), code)
        })
        .collect();
    let place = Place::new();
    place.write("half.ndjson", lines(&records));
    place.run("import half.ndjson").says(0, &["90 stored"]);
    let listed = world::incidents(&place);
    let share: Vec<&Value> = listed
        .iter()
        .filter(|incident| incident["rules"].as_array().unwrap().contains(&json!("failure_share")))
        .collect();
    assert_eq!(share.len(), 1, "{listed:#?}");
    // The last refusal is its last sign, and the tokens after it do not end it at once.
    let last_refused = at + TimeDelta::minutes(70 * 20);
    let resolved_at =
        share[0]["resolved_at"].as_str().map(|at| at.parse::<DateTime<Utc>>().unwrap());
    assert!(
        resolved_at.is_none_or(|resolved| resolved >= last_refused + TimeDelta::hours(1)),
        "{:#?}",
        share[0]
    );
}

#[test]
fn the_new_secret_that_mends_an_expired_one_ends_the_incident() {
    let with_key = |id: u32, at: DateTime<Utc>, code: u32, key: &str| {
        let mut one = sign_in(1, id, at, code);
        one["signInEventTypes"] = json!(["servicePrincipal"]);
        one["servicePrincipalCredentialKeyId"] = json!(key);
        one
    };
    let (old, new) =
        ("0d4a9a0f-4b0e-4c57-8a55-9f6b0b1c2d01", "0d4a9a0f-4b0e-4c57-8a55-9f6b0b1c2d02");
    let habit: Vec<Value> =
        (0..240).map(|n| with_key(n, hours_ago(254 - i64::from(n)), 0, old)).collect();
    let refused: Vec<Value> =
        (0..6).map(|n| with_key(1_000 + n, hours_ago(14 - i64::from(n)), 7_000_222, old)).collect();
    let mended_at = hours_ago(9) + TimeDelta::minutes(20);
    let mended: Vec<Value> = (0..4)
        .map(|n| with_key(2_000 + n, mended_at + TimeDelta::hours(i64::from(n)), 0, new))
        .collect();
    for parts in [
        vec![&habit, &refused, &mended],
        vec![&mended, &refused, &habit],
        vec![&habit, &mended, &refused],
    ] {
        let place = Place::new();
        for (number, part) in parts.iter().enumerate() {
            place.write(&format!("{number}.ndjson"), lines(part));
            place.run(&format!("import {number}.ndjson")).says(0, &["stored"]);
        }
        let listed = world::incidents(&place);
        assert_eq!(listed.len(), 1, "{listed:#?}");
        let rules = listed[0]["rules"].as_array().unwrap();
        assert!(rules.contains(&json!("first_seen_credential_key")), "{rules:?}");
        let resolved_at: DateTime<Utc> =
            listed[0]["resolved_at"].as_str().expect("it is over").parse().unwrap();
        assert!((resolved_at - mended_at).num_seconds().abs() < 2, "{resolved_at}");
        assert_eq!(listed[0]["resolved_by"], "recovered");
    }
}
