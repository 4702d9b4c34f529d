//! What each source gave is counted, shown, and adds up; and where it does not, it is said.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use chrono::{DateTime, TimeDelta, Utc};
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use serde_json::{Value, json};
use signinel::ingest::poll::HeadRead;
use signinel::sources::FetchError;
use signinel::standin::graph::{Faults, GraphStandin, Options, Shown};

use crate::moody::{HEAD, World, midnight, records, records_of};
use crate::program::{Place, spike};
use crate::world;

#[tokio::test]
async fn coverage_shows_what_is_complete_what_is_missing_and_why_how_late_and_at_what_cost() {
    let tenant = "00000000-0000-4000-8000-0000000005a1";
    let other = "servicePrincipal";
    // Of the one, most show after a minute and one in a hundred after three hours; the other is never read.
    let late = |place: i64| if place % 100 == 99 { 180 } else { 1 };
    let mut shown = records(24 * 12 * 4, 15, late);
    shown.extend(records_of(other, 24, 60, |_| 1));
    let more = format!(
        "sign_in_types = [\"{HEAD}\", \"{other}\"]\nreach = \"3d\"\nsweeps = []\noverlap = \"4h\"\ninterval = \"5m\""
    );
    let world = World::new(tenant, shown, Faults::default(), &more).await;
    let no =
        FetchError::Permanent { sentence: "the application lacks `AuditLog.Read.All`".to_owned() };
    world.fail(Some(other), no, TimeDelta::zero());
    world.pass().await;
    world.pass_until(midnight() + TimeDelta::hours(30), TimeDelta::minutes(5)).await;
    // A day away, then five, of which the source keeps three.
    world.clock.advance(TimeDelta::hours(24));
    world.pass().await;
    world.clock.advance(TimeDelta::days(5));
    world.pass().await;

    let shown = world.place.run("coverage");
    let text: Vec<&str> = shown.out.lines().map(str::trim_end).collect();
    insta::assert_snapshot!(text.join("\n"), @r"
    SOURCE, HEAD      COMPLETE TO              LATE: HALF, 99 %, MOST         REQUESTS  FAILED
    contoso           2026-03-04 06:00:00 UTC  5 min, 3 h 13 min, 3 h 13 min  371       0
    managedIdentity
    contoso           -                        -, -, -                        107       107
    servicePrincipal  failed 107 in a row

    GAP               FROM                     TO                       STATE   WHY
    contoso           2026-03-06 06:00:00 UTC  2026-03-09 06:00:00 UTC  filled  not running
    managedIdentity
    contoso           2026-03-06 06:00:00 UTC  -                        open    the application lacks `AuditLog.Read.All`
    servicePrincipal
    contoso           2026-03-04 06:00:00 UTC  2026-03-06 06:00:00 UTC  lost    not running
    managedIdentity
    contoso           2026-03-03 06:00:00 UTC  2026-03-04 06:00:00 UTC  filled  not running
    managedIdentity
    contoso           2026-03-01 00:00:00 UTC  2026-03-06 06:00:00 UTC  lost    the application lacks `AuditLog.Read.All`
    servicePrincipal
    ");

    assert_json(&world, other).await;
}

/// The same for programs: what the tables show, to the second.
async fn assert_json(world: &World, other: &str) {
    let shown = world.place.json("coverage");
    let heads = &shown["heads"];
    assert_eq!((&heads[0]["source"], &heads[0]["head"]), (&json!("contoso"), &json!(HEAD)));
    assert_eq!(
        heads[0]["complete_to"], "2026-03-04T06:00:00Z",
        "nothing is complete beyond a loss"
    );
    assert_eq!(heads[0]["begins"], "2026-03-01T00:00:00Z");
    let intervals = heads[0]["intervals"].as_array().unwrap();
    assert_eq!(intervals.last().unwrap()["to"], at(world).as_str());
    let coverage = world.store.coverage().await.unwrap();
    assert_eq!(heads[0]["requests"], coverage[0].requests);
    let requests: u64 =
        heads.as_array().unwrap().iter().map(|it| it["requests"].as_u64().unwrap()).sum();
    let refused = heads[1]["failed_requests"].as_u64().unwrap();
    assert_eq!(usize::try_from(requests - refused).unwrap(), world.graph.requests());
    assert_eq!((&heads[1]["complete_to"], &heads[1]["requests"]), (&Value::Null, &json!(refused)));
    let gaps: Vec<[&str; 3]> = shown["gaps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|gap| ["head", "state", "reason"].map(|key| gap[key].as_str().unwrap()))
        .collect();
    let why = "the application lacks `AuditLog.Read.All`";
    assert_eq!(
        gaps,
        [
            [HEAD, "filled", ""],
            [other, "open", why],
            [HEAD, "lost", ""],
            [HEAD, "filled", ""],
            [other, "lost", why]
        ]
    );
    let lateness = &heads[0]["lateness"];
    let late =
        ["p50_seconds", "p99_seconds", "most_seconds"].map(|key| lateness[key].as_u64().unwrap());
    assert!(late[0] <= 10 * 60 && late[2] >= 3 * 3600 && late.is_sorted(), "{lateness}");
}

/// The time of a world, as JSON has it.
fn at(world: &World) -> String {
    let now: DateTime<Utc> = signinel::clock::Clock::now(&*world.clock);
    now.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true)
}

/// Every counter, by its name and its labels.
#[derive(Default)]
struct Counters(Mutex<BTreeMap<String, Arc<AtomicU64>>>);

impl Counters {
    fn count(&self, name: &str) -> u64 {
        self.0.lock().unwrap().get(name).map_or(0, |count| count.load(Ordering::Relaxed))
    }

    /// Over all heads.
    fn sum(&self, name: &str) -> u64 {
        let counts = self.0.lock().unwrap();
        let of_it = counts.iter().filter(|(key, _)| key.starts_with(&format!("{name} ")));
        of_it.map(|(_, count)| count.load(Ordering::Relaxed)).sum()
    }
}

impl Recorder for Counters {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        let labels: Vec<&str> = key.labels().map(metrics::Label::value).collect();
        let name = format!("{} {}", key.name(), labels.join(" "));
        Counter::from_arc(Arc::clone(self.0.lock().unwrap().entry(name).or_default()))
    }
    fn register_gauge(&self, _: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }
    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

#[tokio::test]
async fn whoever_collects_metrics_counts_what_the_database_counts() {
    let tenant = "00000000-0000-4000-8000-0000000005a2";
    let people = "interactiveUser";
    let mut shown = records(48, 60, |_| 0);
    shown.extend(records_of(people, 10, 60, |_| 0));
    let broken = json!({
        "id": "broken", "createdDateTime": midnight() - TimeDelta::hours(5), "signInEventTypes": [HEAD],
        "properties": "cut off {",
    });
    shown.push(Shown::from(broken));
    let more =
        format!("sign_in_types = [\"{HEAD}\", \"{people}\"]\nkeep = \"failures\"\nsweeps = []");
    let faults = Faults { failed: 0.2, html: 0.2, ..Faults::default() };
    let world = World::new(tenant, shown, faults, &more).await;
    let counters = Counters::default();
    let recording = metrics::set_default_local_recorder(&counters);
    let mut polled = world.pass().await;
    for _ in 0..100 {
        world.clock.advance(TimeDelta::minutes(20));
        polled = world.pass().await;
    }
    while polled.heads.iter().any(|(_, read)| *read != HeadRead::CaughtUp) {
        world.clock.advance(TimeDelta::minutes(20));
        polled = world.pass().await;
    }
    drop(recording);

    let tally = world.store.tallies().await.unwrap()[0].1;
    let of = |outcome: &str| counters.count(&format!("signinel_records_total contoso {outcome}"));
    assert_eq!(
        [of("stored"), of("duplicate"), of("rejected"), of("other")],
        [tally.stored, tally.duplicates, tally.rejected, tally.other]
    );
    assert!([of("stored"), of("duplicate"), of("rejected"), of("other")].iter().all(|it| *it > 0));
    assert_eq!(counters.sum("signinel_records_total"), tally.read);
    let (requests, failed) = (world.graph.requests() as u64, world.graph.mishaps() as u64);
    assert!(failed > 10, "{failed} of {requests}");
    assert_eq!(counters.sum("signinel_requests_total"), requests);
    assert_eq!(counters.sum("signinel_requests_failed_total"), failed);
    assert_eq!(
        counters.sum("signinel_retries_total"),
        failed,
        "each was asked for again, and no other"
    );
    let coverage = world.store.coverage().await.unwrap();
    assert_eq!(coverage.iter().map(|head| head.requests).sum::<u64>(), requests);
    for head in &coverage {
        let name = format!("signinel_requests_total contoso {}", head.head);
        assert_eq!(counters.count(&name), head.requests, "{}", head.head);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn records_that_do_not_add_up_are_told_by_every_command_that_reads() {
    let graph = GraphStandin::start(Vec::new(), Options::default()).unwrap();
    let place = Place::new();
    place.write("signinel.toml", world::polling(&graph, ""));
    place.write("spike.json", spike());
    place.run("import spike.json").says(0, &["12 stored"]);
    let variables = world::identity(&graph);
    let variables = variables.each_ref().map(|(name, it)| (*name, it.as_str()));
    let fault = "of `import` 12 records were read and 13 are accounted for";
    let places = "13 records were stored and 12 events have had a place";
    let say_it = |is_wrong: bool| {
        for (command, code) in
            [("doctor --offline", i32::from(is_wrong)), ("import spike.json", 0), ("run --once", 0)]
        {
            let ran = place.run_with(command, &variables);
            ran.says(code, &[]);
            for words in
                ["of `import` ", "are accounted for", "13 records were stored", "keep the database"]
            {
                let said = format!("{}{}", ran.out, ran.err);
                assert_eq!(said.contains(words), is_wrong, "{command}, `{words}`: {ran:?}");
            }
        }
    };
    say_it(false);
    let pool = sqlx::SqlitePool::connect(&db(&place)).await.unwrap();
    let change =
        "update sources set stored = stored + 1, duplicates = 0, read = 12 where name = 'import'";
    sqlx::query(change).execute(&pool).await.unwrap();
    let ran = place.run("doctor --offline");
    ran.says(1, &[fault, places, "conservation"]);
    let checks = place.run("doctor --offline --format json");
    let checks: Value = serde_json::from_str(&checks.out).unwrap();
    let wrong: Vec<&Value> =
        checks.as_array().unwrap().iter().filter(|check| check["is_well"] == false).collect();
    assert!(wrong.len() == 2 && wrong.iter().all(|it| it["what"] == "conservation"), "{wrong:?}");
    say_it(true);
    pool.close().await;
}

/// The categories of some logs that are exported beside sign-ins.
fn others() -> String {
    let record = |category: &str| {
        json!({"time": midnight(), "category": category, "properties": {"id": "x"}}).to_string()
            + "\n"
    };
    [
        "AuditLogs",
        "AuditLogs",
        "AuditLogs",
        "RiskyUsers",
        "ProvisioningLogs",
        "MicrosoftGraphActivityLogs",
    ]
    .map(record)
    .concat()
}

#[tokio::test]
async fn what_records_of_other_logs_are_is_kept_for_each_source_and_shown() {
    let tenant = "00000000-0000-4000-8000-0000000005a3";
    let people = "interactiveUser";
    let more = format!("sign_in_types = [\"{people}\"]\nkeep = \"failures\"\nsweeps = []");
    let shown = records_of(people, 10, 60, |_| 0);
    let world = World::new(tenant, shown, Faults::default(), &more).await;
    world.pass().await;
    let place = &world.place;
    place.write("others.ndjson", others());
    for _ in 0..2 {
        place.run("import others.ndjson").says(0, &["6 of other logs", "3 directory audit"]);
    }
    let sources = place.json("sources list");
    let of = |place: usize| {
        (&sources[place]["name"], &sources[place]["other"], &sources[place]["others"])
    };
    assert_eq!(of(0), (&json!("contoso"), &json!(10), &json!({"unwanted": 10})));
    let counts = json!({"directory audit": 6, "risk": 2, "provisioning": 2, "Graph activity": 2});
    assert_eq!(of(1), (&json!("import"), &json!(12), &counts));
    let told = ["10 unwanted", "6 directory audit", "2 risk", "2 provisioning", "2 Graph activity"];
    place.run("sources list").says(0, &told);
    let told = ["12 left out (2 Graph activity, 6 directory audit, 2 provisioning, 2 risk)"];
    place.run("doctor --offline").says(0, &told);

    let pool = sqlx::SqlitePool::connect(&db(place)).await.unwrap();
    sqlx::query("update others set count = 5 where log = 'directory audit'")
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    let fault = "of `import` 12 records were left out and of 11 it is known what they are";
    place.run("doctor --offline").says(1, &[fault]);
}

fn db(place: &Place) -> String {
    format!("sqlite://{}", place.path("signinel.db").display())
}
