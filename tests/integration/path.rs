//! The whole path: however records come, by file or by poll, in whatever order and form, the same
//! events, findings and incidents stand at the end of it.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json};
use signinel::clock::{Clock, FixedClock, SystemClock};
use signinel::simulate::{SimulatedRecord, TENANT_ID};
use signinel::standin::graph::{Faults, GraphStandin, Options, Running, Shown};

use crate::program::{Place, Ran, record};
use crate::world::{self, Outcome};

async fn imported(records: &[SimulatedRecord]) -> (Place, Outcome) {
    let place = Place::new();
    place.write("all.ndjson", world::lines(records));
    place.run(&format!("import all.ndjson --no-notify --tenant {TENANT_ID}")).says(0, &[]);
    let outcome = world::outcome(&place).await;
    (place, outcome)
}

fn run_once(place: &Place, graph: &Running) -> Ran {
    let variables = world::identity(graph);
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, it)| (*name, it.as_str())).collect();
    place.run_with("run --once", &variables)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_graph_that_fails_often_gives_what_an_import_of_its_records_gives() {
    let records = world::tenant(12, 11);
    let (_kept, expected) = imported(&records).await;
    assert!(!expected.incidents.is_empty());
    let options = Options { seed: 3, faults: Faults::each(0.04), ..Options::default() };
    let graph = world::graph(&records, options, |_, _| None);
    let place = Place::new();
    place.write("signinel.toml", world::polling(&graph, ""));
    run_once(&place, &graph).says(0, &[]);
    assert!(graph.mishaps() > 3, "{} mishaps test little", graph.mishaps());
    assert_same(&world::outcome(&place).await, &expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_graph_shows_late_are_found_behind_the_head() {
    let records = world::tenant(12, 12);
    let (_kept, expected) = imported(&records).await;
    let last = records.iter().map(|record| record.created_at).max().unwrap();
    let (clock, later) = (Arc::new(FixedClock::at(last)), last + TimeDelta::hours(2));
    // A third of the last hour is not there yet at the first read.
    let is_late = |place: usize, record: &SimulatedRecord| {
        place.is_multiple_of(3) && record.created_at > last - TimeDelta::hours(1)
    };
    let late = records.iter().enumerate().filter(|(place, record)| is_late(*place, record)).count();
    let graph = world::graph(&records, world::reads(&clock), |place, record| {
        is_late(place, record).then_some(later)
    });
    let place = Place::new();
    place.write("signinel.toml", world::polling(&graph, ""));
    run_once(&place, &graph).says(0, &[]);
    let before = world::outcome(&place).await;
    assert_eq!(before.events.len() + late, expected.events.len());
    assert!(late > 0);
    clock.advance(TimeDelta::hours(3));
    run_once(&place, &graph).says(0, &[]);
    assert_same(&world::outcome(&place).await, &expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn neither_order_nor_parts_nor_repeats_nor_forms_matter() {
    let records = world::tenant(10, 13);
    let (_kept, expected) = imported(&records).await;
    let forms = [
        ("backwards, one page", vec![("page.json".to_owned(), page(records.iter().rev()))]),
        ("in parts, gzip, with repeats, the later first", parts(&records)),
        ("as diagnostic settings", vec![("blob.json".to_owned(), diagnostic(&records))]),
    ];
    for (form, files) in forms {
        let place = Place::new();
        for (name, bytes) in &files {
            place.write(name, bytes);
            place.run(&format!("import {name} --no-notify --tenant {TENANT_ID}")).says(0, &[]);
        }
        let mut outcome = world::outcome(&place).await;
        if form == "as diagnostic settings" {
            // The envelope is part of those records.
            outcome.events.clear();
            outcome.events.clone_from(&expected.events);
        }
        assert!(outcome == expected, "{form}: {}", world::difference(&outcome, &expected));
    }
}

#[test]
fn a_record_five_hours_late_ends_as_in_order_and_the_timeline_says_when_it_came() {
    let first = SystemClock.now() - TimeDelta::minutes(305);
    let records: Vec<String> = (0..14)
        .map(|it| record("func-orders-prod", it, first + TimeDelta::seconds(it.into()), 700_016))
        .map(|record| record.to_string())
        .collect();
    let lines = |records: &[String]| records.join("\n");
    // The first, one between and the last of what was there already; and one that makes the spike.
    for (late, all) in [(0, 14), (6, 14), (13, 14), (4, 10)] {
        let (ordered, place) = (Place::new(), Place::new());
        ordered.write("all.ndjson", lines(&records[..all]));
        ordered.run("import all.ndjson").says(0, &[]);
        let others = [&records[..late], &records[late + 1..all]].concat();
        place.write("others.ndjson", lines(&others));
        place.write("late.ndjson", &records[late]);
        place.run("import others.ndjson").says(0, &["13 stored"][..usize::from(all == 14)]);
        let (before, came_after) = (world::incidents(&place), SystemClock.now());
        place.run("import late.ndjson").says(0, &["1 stored"]);
        let listed =
            |place: &Place| serde_json::to_string_pretty(&world::incidents(place)).unwrap();
        assert_ne!(json!(before), json!(world::incidents(&place)), "record {late} changes nothing");
        assert_eq!(listed(&place), listed(&ordered), "record {late} of {all}");
        let timeline = place.json("timeline 1");
        let entries = timeline["timeline"].as_array().unwrap();
        let says = |words: &str| {
            let said =
                |entry: &&Value| entry["sentence"].as_str().is_some_and(|it| it.contains(words));
            entries.iter().rfind(said)
        };
        if late < all - 1 {
            assert!(
                says("1 event was read 5 h ").is_some(),
                "record {late} of {all}: {timeline:#}"
            );
        }
        let came = says("1 sign-in imported by");
        let came = came.unwrap_or_else(|| panic!("record {late} of {all}: {timeline:#}"));
        assert_eq!(came["clock"], "signinel");
        let at: DateTime<Utc> = came["at"].as_str().unwrap().parse().unwrap();
        assert!(at >= came_after && at <= SystemClock.now(), "{came}");
        place.run("timeline 1").says(0, &[&at.format("%Y-%m-%d %H:%M:%S UTC").to_string()]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_is_taken_away_takes_its_findings_with_it() {
    let place = Place::new();
    place.write("spike.json", crate::program::spike());
    for rule in rule_files() {
        place.write(
            &format!("rules/{}", rule.file_name().unwrap().display()),
            std::fs::read(&rule).unwrap(),
        );
    }
    place.run("import spike.json --rules rules").says(0, &["1 incident"]);
    let names: Vec<Value> = world::incidents(&place)[0]["rules"].as_array().unwrap().clone();
    assert!(names.contains(&json!("application_not_found_spike")), "{names:?}");
    for name in &names {
        std::fs::remove_file(place.path(&format!("rules/{}.yml", name.as_str().unwrap()))).unwrap();
    }
    place.run("import spike.json --rules rules").says(0, &["12 known already", "0 findings"]);
    assert!(world::incidents(&place).is_empty());
    place.run("timeline 1").says(0, &["withdrawn"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn records_past_their_age_go_and_incidents_stay() {
    let place = Place::new();
    let old = SystemClock.now() - TimeDelta::days(40);
    let records: Vec<Value> = (0..30)
        .map(|it| record("func-orders-prod", it, old + TimeDelta::seconds(i64::from(it)), 700_016))
        .collect();
    place.write("old.json", json!({"value": records}).to_string());
    place.write("new.json", crate::program::spike());
    let graph = world::graph(&[], Options::default(), |_, _| None);
    let polling = world::polling(&graph, "[retention]\nkeep_events_for = \"30d\"\n");
    place.write("signinel.toml", polling);
    place.run("import old.json new.json").says(0, &[]);
    let listed = world::incidents(&place);
    run_once(&place, &graph).says(0, &[]);
    let outcome = world::outcome(&place).await;
    assert_eq!(outcome.events.len(), 12, "only what is younger than 30 days stays");
    assert!(outcome.events.iter().all(|(at, ..)| *at > old.timestamp_micros() + 1_000_000_000));
    assert_eq!(outcome.incidents.len(), listed.len());
    // A second look at the old file would bring back what was let go, and must not break what stands.
    place.run("import new.json").says(0, &["12 known already"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_ends_a_run_with_what_it_read_kept() {
    let records = world::tenant(10, 14);
    for signal in ["-TERM", "-INT"] {
        let graph = world::graph(&records, Options::default(), |_, _| None);
        let place = Place::new();
        place.write("signinel.toml", world::polling(&graph, ""));
        let mut command = place.command("run");
        let mut child =
            command.envs(world::identity(&graph)).stderr(Stdio::null()).spawn().unwrap();
        until(|| graph.requests() > 4).await;
        let sent = std::process::Command::new("kill")
            .args([signal, &child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
        let status = tokio::task::spawn_blocking(move || child.wait().unwrap()).await.unwrap();
        assert_eq!(status.code(), Some(0), "{signal}");
        place.run("doctor --offline").says(0, &[]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_users_only_failures_are_kept_where_that_is_asked_for() {
    let now = SystemClock.now() - TimeDelta::minutes(30);
    let sign_in = |place, kind: &str, code| {
        let mut record = record("portal", place, now, code);
        record["signInEventTypes"] = json!([kind]);
        Shown::from(record)
    };
    let records = vec![
        sign_in(1, "nonInteractiveUser", 0),
        sign_in(2, "nonInteractiveUser", 50_020),
        sign_in(3, "managedIdentity", 0),
    ];
    let graph = GraphStandin::start(records, Options::default()).unwrap();
    for (keep, kept, left_out) in [("all", 3, 0), ("failures", 2, 1)] {
        let place = Place::new();
        let polling = world::polling(&graph, "");
        place.write(
            "signinel.toml",
            polling.replace("page_size", &format!("keep = \"{keep}\"\npage_size")),
        );
        run_once(&place, &graph).says(0, &[]);
        let sources = place.json("sources list");
        assert_eq!(
            (&sources[0]["stored"], &sources[0]["other"]),
            (&json!(kept), &json!(left_out)),
            "{keep}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_set_aside_is_read_again_when_the_program_can() {
    let place = Place::new();
    let whole = record("func-orders-prod", 7, SystemClock.now(), 0).to_string();
    place.write(
        "mixed.ndjson",
        format!("{whole}\n{{\"id\": \"x\", \"createdDateTime\": \"soon\", \"appId\": \"a\"}}\n"),
    );
    place.run("import mixed.ndjson").says(0, &["1 stored", "1 set aside"]);
    place.run("rejects retry").says(0, &["0 stored", "1 still set aside"]);
    // What an update of the program would do: the record reads well now.
    let mended = record("func-orders-prod", 8, SystemClock.now(), 700_016).to_string();
    let address = format!("sqlite://{}", place.path("signinel.db").display());
    let pool = sqlx::SqlitePool::connect(&address).await.unwrap();
    sqlx::query("update rejects set record = $1")
        .bind(mended.into_bytes())
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    place.run("rejects retry 1").says(0, &["1 stored", "0 still set aside"]);
    place.run("rejects retry 1").says(1, &["there is no rejected record 1"]);
    place.run("rejects list").says(0, &["no record was set aside"]);
    place
        .run("doctor --offline")
        .says(0, &["2 records read", "every record read is accounted for"]);
    assert_eq!(world::outcome(&place).await.events.len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_table_that_was_set_aside_whole_is_read_again_as_a_table() {
    let place = Place::new();
    place.write("broken.ndjson", "{\"id\": \n");
    place.run("import broken.ndjson --no-notify").says(0, &["1 set aside"]);
    place.run("rejects retry").says(0, &["0 stored", "1 still set aside"]);
    // What an update of the program would do: the table reads well now.
    let address = format!("sqlite://{}", place.path("signinel.db").display());
    let pool = sqlx::SqlitePool::connect(&address).await.unwrap();
    let row = |id: u32| {
        format!(
            "2026-07-16T13:30:00Z,12345678-0000-4000-8000-{id:012},func-orders-prod,\
             aa11bb22-0000-4000-8000-000000000001,0,ManagedIdentitySignInLogs\n"
        )
    };
    let head = "TimeGenerated,Id,ServicePrincipalName,ServicePrincipalId,ResultType,Category\n";
    sqlx::query("update rejects set record = $1, form = null")
        .bind(format!("{head}{}{}", row(1), row(2)).into_bytes())
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    place.run("rejects retry").says(0, &["2 stored", "0 still set aside"]);
    place.run("doctor --offline").says(0, &["every record read is accounted for"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_from_the_future_ends_nothing() {
    let place = Place::new();
    place.write("spike.json", crate::program::spike());
    let mut later =
        record("func-of-a-wrong-clock", 99, SystemClock.now() + TimeDelta::days(3650), 0);
    later["servicePrincipalId"] = json!("99999999-58c4-4d3b-9a55-3b0a6f3f2a10");
    later["appId"] = json!("99999999-2f0a-4f1c-b7c5-1d6c3a2e9f41");
    place.write("later.json", later.to_string());
    place.run("import spike.json").says(0, &["1 incident"]);
    place.run("import later.json").says(0, &["1 stored", "1 incident"]);
    assert_eq!(world::incidents(&place)[0]["state"], "open");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_records_of_one_sign_in_each_gives_what_the_other_lacks_and_both_are_kept() {
    let at = SystemClock.now() - TimeDelta::hours(1);
    let mut good = record("func-orders-prod", 1, at, 0);
    good["clientCredentialType"] = json!("clientSecret");
    let good = good.to_string();
    let refused = record("func-orders-prod", 1, at, 700_016).to_string();
    for (first, last) in [(&good, &refused), (&refused, &good)] {
        let place = Place::new();
        place.write("first.json", first);
        place.write("last.json", last);
        place.run("import first.json").says(0, &["1 stored"]);
        place.run("import last.json").says(0, &["1 stored", "0 known already"]);
        place.run("import last.json").says(0, &["0 stored", "1 known already"]);
        let shown = place.json("events show 00000000-0000-4000-8000-000000000001");
        let codes = [&shown["error_code"], &shown["earlier"][0]["error_code"]];
        assert!(codes.contains(&&json!(0)) && codes.contains(&&json!(700_016)), "{shown}");
        place.run("doctor --offline").says(0, &["every record read is accounted for"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_sign_in_counts_once_however_many_digits_its_time_has() {
    let at = SystemClock.now() - TimeDelta::hours(1);
    let times = ["%FT%T.1234567Z", "%FT%TZ", "%FT%T.123Z"].map(|form| at.format(form).to_string());
    let line = |time: &String| {
        let mut record = record("func-orders-prod", 1, at, 0);
        record["createdDateTime"] = json!(time);
        record.to_string() + "\n"
    };
    for order in [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]] {
        let lines = order.map(|place| line(&times[place]));
        let place = Place::new();
        place.write("together.ndjson", lines.concat());
        place.run("import together.ndjson").says(0, &["1 stored", "2 known already"]);
        let finest = times[0].get(..26).unwrap();
        let shown = place.run("events show 00000000-0000-4000-8000-000000000001 --raw");
        assert!(
            shown.out.contains(finest),
            "of those that come together the finest stays: {}",
            shown.out
        );
        let place = Place::new();
        for (number, line) in lines.iter().enumerate() {
            place.write(&format!("{number}.ndjson"), line);
            // In the order of their digits; one that has more says more.
            let digits = |place: usize| times[place].len();
            let most = order[..number].iter().map(|place| digits(*place)).max();
            let said =
                if most < Some(digits(order[number])) { "1 stored" } else { "1 known already" };
            place.run(&format!("import {number}.ndjson")).says(0, &[said]);
        }
        let shown = place.run("events show 00000000-0000-4000-8000-000000000001 --raw");
        assert!(shown.out.contains(finest), "{}", shown.out);
    }
    // The second before and the second after are others.
    let place = Place::new();
    for (number, seconds) in [0, -1, 1].into_iter().enumerate() {
        let other = (at + TimeDelta::seconds(seconds)).format("%FT%TZ").to_string();
        place.write("other.ndjson", line(&other));
        place.run("import other.ndjson").says(0, &["1 stored"]);
        assert_eq!(place.json("sources list")[0]["stored"], number + 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_records_that_come_together_the_one_that_says_more_stays() {
    let at = SystemClock.now() - TimeDelta::hours(1);
    let good = record("", 1, at, 0).to_string();
    let refused = record("func-orders-prod", 1, at, 700_016).to_string();
    for lines in [[&good, &refused], [&refused, &good]] {
        let place = Place::new();
        place.write("both.ndjson", format!("{}\n{}\n", lines[0], lines[1]));
        place.run("import both.ndjson").says(0, &["1 stored", "1 known already"]);
        let shown = place.run("events show 00000000-0000-4000-8000-000000000001 --raw");
        assert_eq!(shown.out, refused);
    }
}

/// Every rule of the program.
fn rule_files() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/sign_in");
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// Waits for what must come.
async fn until(is_so: impl Fn() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(2), waiting).await.unwrap();
}

/// One page of Graph.
fn page<'a>(records: impl Iterator<Item = &'a SimulatedRecord>) -> Vec<u8> {
    let records: Vec<&str> = records.map(|record| record.json.as_str()).collect();
    format!("{{\"@odata.context\": \"x\", \"value\": [{}]}}", records.join(",\n")).into_bytes()
}

/// Three files, each with some of the one before it, the last of them first.
fn parts(records: &[SimulatedRecord]) -> Vec<(String, Vec<u8>)> {
    let third = records.len() / 3;
    [third * 2..records.len(), third - 20..third * 2 + 20, 0..third]
        .into_iter()
        .enumerate()
        .map(|(place, range)| {
            let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
            gzip.write_all(world::lines(&records[range]).as_bytes()).unwrap();
            (format!("part-{place}.ndjson.gz"), gzip.finish().unwrap())
        })
        .collect()
}

/// As Azure Storage keeps them: an envelope for each, and CRLF.
fn diagnostic(records: &[SimulatedRecord]) -> Vec<u8> {
    let mut lines = Vec::new();
    for record in records {
        let properties: Value = serde_json::from_str(&record.json).unwrap();
        let category = match properties["signInEventTypes"][0].as_str().unwrap() {
            "managedIdentity" => "ManagedIdentitySignInLogs",
            "servicePrincipal" => "ServicePrincipalSignInLogs",
            "nonInteractiveUser" => "NonInteractiveUserSignInLogs",
            other => panic!("{other}"),
        };
        let envelope = json!({
            "time": DateTime::<Utc>::to_rfc3339(&record.created_at),
            "category": category,
            "operationName": "Sign-in activity",
            "tenantId": TENANT_ID,
            "properties": properties,
        });
        lines.extend_from_slice(envelope.to_string().as_bytes());
        lines.extend_from_slice(b"\r\n");
    }
    lines
}

fn assert_same(outcome: &Outcome, expected: &Outcome) {
    assert!(outcome == expected, "{}", world::difference(outcome, expected));
}
