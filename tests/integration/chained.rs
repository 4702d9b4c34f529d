//! Correlations of correlations: what they find stands in incidents in place of what they count, and changes
//! when rules do.

use std::path::PathBuf;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use signinel::clock::{Clock, SystemClock};
use signinel::detect::{CodeClasses, Detector, Matcher, Rulebook, try_rules};
use signinel::store::{Fetched, Store};

use crate::oracle::Small;
use crate::program::{Place, record};

const FAILED: &str = "title: Refused\nlogsource: {product: azure, service: signinlogs}\ndetection:\n  it:\n    \
                      outcome: failure\n  condition: it\nsigninel: {category: building_block}\n";

fn correlation(title: &str, of: &str, by: &str, count: u32, more: &str) -> String {
    format!(
        "title: {title}\nlevel: high\ncorrelation:\n  type: event_count\n  rules: [{of}]\n  group-by: [{by}]\n  \
         timespan: 10m\n  condition: {{gte: {count}}}\n  {more}\nsigninel:\n  category: spike\n"
    )
}

fn files(inner: u32, outer: Option<&str>) -> Vec<(PathBuf, String)> {
    let mut files = vec![
        ("failed", FAILED.to_owned()),
        ("inner", correlation("One resource", "failed", "identity, resource", inner, "")),
    ];
    files.extend(
        outer.map(|more| ("outer", correlation("Several resources", "inner", "identity", 2, more))),
    );
    files.into_iter().map(|(name, text)| (PathBuf::from(format!("{name}.yml")), text)).collect()
}

/// Three failures for each of two resources.
fn records(now: DateTime<Utc>) -> String {
    let records: Vec<Value> = (0..6_u32)
        .map(|place| {
            let at = now - TimeDelta::minutes(30) + TimeDelta::seconds(20 * i64::from(place));
            let mut record = record("id-payroll", place, at, 700_016);
            record["resourceId"] =
                json!(format!("0000000{}-0000-4000-8000-000000000001", place % 2));
            record
        })
        .collect();
    json!({"value": records}).to_string()
}

fn titles(place: &Place) -> Vec<String> {
    let listed = place.json("--rules r incidents list");
    let listed = listed.as_array().unwrap().iter();
    listed.map(|row| row["title"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn only_the_outer_rule_is_told_unless_it_says_otherwise() {
    for (outer, rules) in [
        (None, vec!["inner"]),
        (Some(""), vec!["outer"]),
        (Some("generate: true"), vec!["inner", "outer"]),
    ] {
        let place = Place::new();
        for (file, text) in files(3, outer) {
            place.write(&format!("r/{}", file.display()), text);
        }
        place.write("all.json", records(SystemClock.now()));
        place.run("--rules r import all.json").says(0, &[]);
        assert_eq!(titles(&place).len(), 1, "{outer:?}");
        let told = place.json("--rules r timeline 1").to_string();
        for rule in ["inner", "outer"] {
            assert_eq!(
                told.contains(&format!("Rule `{rule}` was met")),
                rules.contains(&rule),
                "{told}"
            );
        }
        place.run("--rules r incidents show 1").says(0, &["id-payroll"]);
    }
}

#[test]
fn a_rule_of_findings_is_explained_by_those_that_it_counts() {
    let place = Place::new();
    for (file, text) in files(3, Some("")) {
        place.write(&format!("r/{}", file.display()), text);
    }
    place.write("all.json", records(SystemClock.now()));
    place.run("--rules r import all.json").says(0, &[]);
    place
        .run("--rules r rules explain outer 00000000-0000-4000-8000-000000000001")
        .says(0, &["The rule counts what others find, not sign-ins; ask of `inner`."]);
}

/// What stands by rule, after each of the rulebooks came to a database in turn.
async fn in_turn(books: &[Vec<(PathBuf, String)>]) -> Vec<(usize, usize)> {
    let folder = tempfile::tempdir().unwrap();
    let store =
        Store::open(&format!("sqlite://{}", folder.path().join("t.db").display())).await.unwrap();
    let now = DateTime::<Utc>::from_timestamp(1_800_000_000, 0).unwrap();
    let mut fetched = Fetched::default();
    for id in 0..6 {
        let event =
            Small { minute: i64::from(id), id, identity: 0, resource: id % 2, failed: true };
        fetched.batch.push(&event.event(), 0..0);
    }
    store.add(("test", "test"), fetched, None, now).await.unwrap();
    let mut counts = Vec::new();
    for files in books {
        let book = Rulebook::read(files).unwrap();
        let mut detector = Detector::new(Matcher::new(&book, CodeClasses::new()).unwrap());
        detector.run(&store, now, |_| ()).await.unwrap();
        let found = store.findings_in_force().await.unwrap();
        let of = |rule: &str| found.iter().filter(|finding| finding.rule == rule).count();
        counts.push((of("inner"), of("outer")));
    }
    store.close().await;
    counts
}

#[tokio::test]
async fn what_is_found_follows_the_rules_that_are_in_force() {
    let books = [
        files(3, None),
        files(3, Some("")),
        // Nothing meets the inner rule any more.
        files(4, Some("")),
        files(2, Some("")),
        files(2, None),
    ];
    assert_eq!(in_turn(&books).await, [(2, 0), (2, 1), (0, 0), (2, 1), (2, 0)]);
}

#[tokio::test]
async fn rules_of_findings_are_tried_with_those_that_they_count() {
    let tests = "  tests:\n    - name: two\n      finds: 1\n      events:\n        \
                 - {at: 0m, repeat: 2, status.errorCode: 1, servicePrincipalId: a, resourceId: x}\n        \
                 - {at: 1m, repeat: 2, status.errorCode: 1, servicePrincipalId: a, resourceId: y}\n    \
                 - name: one\n      finds: 0\n      events:\n        \
                 - {at: 0m, repeat: 4, status.errorCode: 1, servicePrincipalId: a, resourceId: x}\n";
    let mut files = files(2, Some(""));
    files[2].1 += tests;
    let book = Rulebook::read(&files).unwrap();
    let (ran, faults) = try_rules(&book, &CodeClasses::new(), Some("outer")).await.unwrap();
    assert_eq!((ran, faults), (2, Vec::new()));
}
