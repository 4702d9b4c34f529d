//! Rules in shadow are watched and never told.

use serde_json::Value;

use crate::program::{Place, spike};

/// The rules that the spike meets.
const RULE: &str = "application_not_found_spike";

/// A channel that nobody answers: what is planned for it stays to be seen.
const CHANNEL: &str = "
[[channel]]
kind = \"email\"
name = \"night\"
from = \"signinel@example.org\"
to = [\"night@example.org\"]
host = \"127.0.0.1\"
port = 9
security = \"none\"
";

fn imported(more: &str) -> Place {
    let place = Place::new();
    place.write("signinel.toml", format!("{CHANNEL}{more}"));
    place.write("spike.json", spike());
    place.run("import spike.json").says(0, &["1 incident"]);
    place
}

fn planned(place: &Place) -> usize {
    place.json("deliveries list").as_array().unwrap().len()
}

fn only_incident(place: &Place) -> Value {
    let incidents = place.json("incidents list");
    assert_eq!(incidents.as_array().unwrap().len(), 1, "{incidents}");
    incidents[0].clone()
}

#[test]
fn an_incident_of_rules_in_shadow_is_shown_and_never_told() {
    let place = imported(&format!("[rules]\nshadow = [\"{RULE}\", \"failure_streak\"]\n"));
    let incident = only_incident(&place);
    assert_eq!((&incident["shadow"], &incident["severity"]), (&true.into(), &"high".into()));
    assert_eq!(planned(&place), 0);
    place.run("incidents list").says(0, &["open, shadow"]);
    place.run("incidents show 1").says(0, &["in shadow: nobody is told"]);
    place.run("timeline 1").says(0, &[&format!("Rule `{RULE}` was met in shadow")]);
    let report = place.json("backtest");
    assert_eq!((&report["incidents"], &report["shadow_incidents"]), (&0.into(), &1.into()));
    assert_eq!((&report["findings"], &report["deliveries"]), (&0.into(), &0.into()));
    place.run("rules list").says(0, &["stable, shadow"]);
    // Out of the shadow, it is told.
    place.write("signinel.toml", CHANNEL);
    place.run("import spike.json").says(0, &[]);
    assert_eq!(only_incident(&place)["shadow"], false);
    assert_eq!(planned(&place), 1);
}

#[test]
fn what_was_over_while_its_rule_was_in_shadow_is_not_told_when_the_rule_goes_live() {
    let place = imported(&format!("[rules]\nshadow = [\"{RULE}\", \"failure_streak\"]\n"));
    place.run("incidents resolve 1 --by ada").says(0, &[]);
    place.run("import spike.json").says(0, &[]);
    place.write("signinel.toml", CHANNEL);
    place.run("import spike.json").says(0, &[]);
    assert_eq!(only_incident(&place)["shadow"], false);
    assert_eq!(planned(&place), 0);
}

#[test]
fn an_incident_of_both_is_told_on_the_ground_of_the_live_ones() {
    let (whole, both) = (imported(""), imported(&format!("[rules]\nshadow = [\"{RULE}\"]\n")));
    let (whole, incident) = (only_incident(&whole), only_incident(&both));
    assert_eq!(whole["severity"], "high");
    assert_eq!(incident["rules"], serde_json::json!(["failure_streak"]));
    assert_eq!(incident["shadow_rules"], serde_json::json!([RULE]));
    assert_eq!((&incident["severity"], &incident["shadow"]), (&"medium".into(), &false.into()));
    let told = both.json("deliveries list");
    assert_eq!(told.as_array().unwrap().len(), 1);
    assert_eq!(told[0]["severity"], "medium");
    both.run("incidents show 1").says(0, &[&format!("met beside it in shadow: {RULE}")]);
}

#[test]
fn an_experimental_rule_is_in_shadow_unless_the_configuration_says_that_it_is_live() {
    let place = Place::new();
    place.write_rules("mine");
    for rule in [RULE, "failure_streak"] {
        place.edit(&format!("mine/{rule}.yml"), "status: stable", "status: experimental");
    }
    place.write("signinel.toml", CHANNEL);
    place.write("spike.json", spike());
    place.run("import spike.json --rules mine").says(0, &[]);
    assert_eq!(only_incident(&place)["shadow"], true);
    assert_eq!(planned(&place), 0);
    place.write("signinel.toml", format!("{CHANNEL}[rules]\nlive = [\"{RULE}\"]\n"));
    place.run("import spike.json --rules mine").says(0, &[]);
    assert_eq!(only_incident(&place)["rules"], serde_json::json!([RULE]));
    assert_eq!(planned(&place), 1);
}

#[test]
fn the_rules_of_the_program_are_live() {
    let rules = Place::new().json("rules list");
    for rule in rules.as_array().unwrap() {
        assert_eq!(rule["shadow"], false, "{rule}");
    }
}

#[test]
fn a_name_that_is_no_rule_is_a_fault() {
    let place = Place::new();
    place.write("spike.json", spike());
    place.write("signinel.toml", "[rules]\nshadow = [\"failure_streek\"]\n");
    for args in ["import spike.json", "rules list", "backtest"] {
        place.run(args).says(2, &["`failure_streek` is no rule", "did you mean `failure_streak`?"]);
    }
    place.run("doctor --offline").says(1, &["did you mean `failure_streak`?"]);
    place.write("signinel.toml", "[rules]\nlive = [\"sign_in_failed\"]\n");
    place.run("import spike.json").says(2, &["`sign_in_failed` is not found by itself"]);
    place.write("signinel.toml", "[rules]\nlive = [\"a\"]\nshadow = [\"a\"]\n");
    place.run("rules list").says(2, &["`a` is in `shadow` and in `live`"]);
}
