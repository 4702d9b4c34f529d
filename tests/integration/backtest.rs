//! The stored history under other rules: what would have been found and told, and nothing is touched.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use signinel::standin::graph::Options;

use crate::program::Place;
use crate::world;

/// Two channels that nobody listens to; a backtest asks for neither their addresses nor their secrets.
const CHANNELS: &str = "
[[channel]]
kind = \"email\"
name = \"night\"
[[channel]]
kind = \"webhook\"
name = \"everything\"
[[route]]
channels = [\"night\"]
min_severity = \"high\"
[[route]]
channels = [\"everything\"]
";

fn watched(seed: u64) -> Place {
    let place = Place::new();
    place.write("all.ndjson", world::lines(&world::tenant(14, seed)));
    place.run("import all.ndjson --no-notify").says(0, &[]);
    place
}

fn sum(list: &Value, key: &str) -> u64 {
    list.as_array().unwrap().iter().map(|it| it[key].as_u64().unwrap()).sum()
}

#[test]
fn it_finds_what_the_path_found_and_touches_nothing() {
    let place = watched(31);
    let before = std::fs::read(place.path("signinel.db")).unwrap();
    let incidents = place.json("incidents list");
    let report = place.json("backtest");
    assert_eq!(report["incidents"], incidents.as_array().unwrap().len());
    assert!(report["findings"].as_u64().unwrap() >= report["incidents"].as_u64().unwrap());
    assert_eq!(sum(&report["rules"], "findings"), report["findings"]);
    // Of every incident its beginning is told, of most its end.
    assert!(report["deliveries"].as_u64() >= report["incidents"].as_u64(), "{report}");
    assert_eq!(report["channels"][0]["channel"], "any");
    assert_eq!(place.json("incidents list"), incidents);
    assert_eq!(place.json("deliveries list"), Value::Array(Vec::new()));
    assert!(std::fs::read(place.path("signinel.db")).unwrap() == before, "the file changed");
}

#[test]
fn deliveries_are_counted_by_channel_and_day_after_the_routes() {
    let place = watched(32);
    place.write("signinel.toml", CHANNELS);
    let report = place.json("backtest");
    let (night, everything) = (&report["channels"][0], &report["channels"][1]);
    assert_eq!(
        (&night["channel"], &everything["channel"]),
        (&"night".into(), &"everything".into())
    );
    let deliveries = |channel: &Value| channel["deliveries"].as_u64().unwrap();
    assert!(0 < deliveries(night) && deliveries(night) < deliveries(everything), "{report}");
    for channel in [night, everything] {
        assert_eq!(sum(&channel["by_day"], "deliveries"), deliveries(channel));
        let days = channel["by_day"].as_array().unwrap();
        assert!(days.len() > 1, "simulated days, not the day of the test: {channel}");
        let busiest = channel["busiest"]["deliveries"].as_u64().unwrap();
        assert!(days.iter().all(|day| day["deliveries"].as_u64().unwrap() <= busiest));
    }
    let loudest = report["loudest"].as_array().unwrap();
    let noise: Vec<u64> = loudest.iter().map(|it| it["deliveries"].as_u64().unwrap()).collect();
    assert!(noise.is_sorted_by(|one, other| one >= other), "{noise:?}");
    let (told, named) = (report["deliveries"].as_u64().unwrap(), noise.iter().sum::<u64>());
    // The twenty loudest are named; where there are more keys, some of what is told is of those.
    assert!(if noise.len() < 20 { named == told } else { named <= told }, "{report}");
    let said = place.run("backtest");
    said.says(0, &["night", "everything", "Loudest", "BUSIEST DAY", "Told, by day"]);
    // Each day that JSON has is a line, with what each channel was told on it.
    let on = |channel: &Value, day: &Value| {
        let days = channel["by_day"].as_array().unwrap();
        days.iter().find(|it| it["day"] == *day).map(|it| it["deliveries"].to_string())
    };
    for day in everything["by_day"].as_array().unwrap() {
        let line = said.out.lines().find(|it| it.starts_with(day["day"].as_str().unwrap()));
        let line = line.unwrap_or_else(|| panic!("{day} is not told:\n{}", said.out));
        assert!(line.ends_with(&format!("everything {}", day["deliveries"])), "{line}");
        match on(night, &day["day"]) {
            Some(told) => assert!(line.contains(&format!("night {told}, ")), "{line}"),
            None => assert!(!line.contains("night"), "{line}"),
        }
    }
}

#[test]
fn it_ends_with_the_last_sign_in_and_an_empty_span_is_a_sentence() {
    let place = watched(36);
    let until: DateTime<Utc> = place.json("backtest")["until"].as_str().unwrap().parse().unwrap();
    let lines = std::fs::read_to_string(place.path("all.ndjson")).unwrap();
    let times = lines.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let times = times.map(|it| it["createdDateTime"].as_str().unwrap().parse::<DateTime<Utc>>());
    let last = times.map(Result::unwrap).max().unwrap();
    assert_eq!(until, last + TimeDelta::microseconds(1));
    place
        .run("backtest --since 2031-01-01")
        .says(0, &["no sign-in from 2031-01-01 00:00:00 UTC on is stored", "earlier `--since`"]);
    place
        .run("backtest --until 2001-01-01")
        .says(0, &["no sign-in before 2001-01-01 00:00:00 UTC"]);
    let empty = Place::new();
    empty.write("none.ndjson", "");
    empty.run("import none.ndjson");
    empty.run("backtest").says(0, &["nothing to find", "`signinel import FILE`"]);
    assert_eq!(empty.json("backtest")["counted_events"], 0);
}

#[test]
fn what_was_before_is_learnt_from_and_not_counted() {
    let place = watched(33);
    let whole = place.json("backtest");
    let rules = whole["rules"].as_array().unwrap();
    let since = place.json("incidents list")[0]["detected_at"].as_str().unwrap().to_owned();
    let late = place.json(&format!("backtest --since {since}"));
    assert_eq!(late["events"], whole["events"]);
    assert!(late["findings"].as_u64().unwrap() >= 1, "{late}");
    assert!(late["findings"].as_u64().unwrap() < whole["findings"].as_u64().unwrap());
    // Without what was before, each first sign-in of an identity would be the first ever seen.
    for rule in late["rules"].as_array().unwrap() {
        let of_whole = rules.iter().find(|it| it["rule"] == rule["rule"]).unwrap();
        assert!(rule["findings"].as_u64() <= of_whole["findings"].as_u64(), "{rule}");
    }
    let until = place.json(&format!("backtest --until {since}"));
    assert_eq!(
        until["findings"].as_u64().unwrap() + late["findings"].as_u64().unwrap(),
        whole["findings"].as_u64().unwrap()
    );
    place.run("backtest --since 2026-11-23 --until 2026-11-22").says(2, &["--since", "not before"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_goes_on_beside_a_run() {
    let records = world::tenant(12, 35);
    let graph = world::graph(&records, Options::default(), |_, _| None);
    let place = Place::new();
    place.write("signinel.toml", world::polling(&graph, ""));
    let mut command = place.command("run");
    command.envs(world::identity(&graph)).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(said.any(|line| line.unwrap().contains("records read")));
    let report = place.json("backtest");
    assert!(report["events"].as_u64().unwrap() > 0);
    let stopped = std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(stopped.success());
    assert!(said.any(|line| line.unwrap().contains("stopped")));
    assert!(child.wait().unwrap().success());
    place.run("doctor --offline").says(0, &["every record read is accounted for"]);
}

#[test]
fn two_sets_of_rules_are_compared() {
    let place = watched(34);
    place.write_rules("mine");
    std::fs::remove_file(place.path("mine/failure_streak.yml")).unwrap();
    place.edit("mine/application_not_found_spike.yml", "level: high", "level: critical");
    let report = place.json("backtest --rules mine --against shipped");
    let difference = &report["against"]["difference"];
    let streak = report["against"]["report"]["rules"]
        .as_array()
        .unwrap()
        .iter()
        .find(|rule| rule["rule"] == "failure_streak")
        .unwrap();
    assert_eq!(
        difference["findings"],
        serde_json::json!([{
            "rule": "failure_streak", "new": 0, "gone": streak["findings"], "changed": 0
        }])
    );
    let all = |sort: &str| difference[sort].as_array().unwrap().clone();
    assert_eq!(all("new"), Vec::<Value>::new());
    let only_streak = serde_json::json!(["failure_streak"]);
    assert!(!all("gone").is_empty());
    assert!(all("gone").iter().all(|gone| gone["rules"] == only_streak), "{difference}");
    let says = |words: &str| {
        all("changed").iter().any(|it| it["changes"].as_array().unwrap().contains(&words.into()))
    };
    assert!(says("severity: high → critical"), "{difference}");
    let count = |report: &Value| report["incidents"].as_i64().unwrap();
    let fewer = i64::try_from(all("gone").len()).unwrap();
    assert_eq!(count(&report), count(&report["against"]["report"]) - fewer);
    place.run("backtest --rules mine --against shipped").says(
        0,
        &[
            "Incidents that are gone",
            "severity: high → critical",
            "fewer than",
            "Of whom more or less is told",
        ],
    );
    let keys = all("keys");
    assert!(!keys.is_empty() && keys.iter().all(|key| key["deliveries"] != key["against"]));
    let same = place.json("backtest --against shipped");
    assert_eq!(same["against"]["difference"]["findings"], serde_json::json!([]));
    assert_eq!(same["against"]["difference"]["same"], same["incidents"]);
    place.run("backtest --against nowhere").says(2, &["nowhere", "cannot be read"]);
}
