//! `rules explain` says why, in text and JSON, and never says otherwise than the detector.

use std::io::Write as _;
use std::process::Stdio;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use signinel::clock::{Clock, SystemClock};
use signinel::detect::{CodeClasses, Detector, Matcher, explain};
use signinel::model::Finding;
use signinel::store::{Fetched, Store};

use crate::detect::rulebook;
use crate::oracle::Small;
use crate::program::{Place, record, spike};

const NAME: &str = "application_not_found_spike";

/// The id of a record of the spike.
fn id(place: u32) -> String {
    format!("00000000-0000-4000-8000-{place:012}")
}

fn hours_ago(hours: i64) -> DateTime<Utc> {
    SystemClock.now() - TimeDelta::hours(hours)
}

fn imported() -> Place {
    let place = Place::new();
    place.write("spike.json", spike());
    place.run("import spike.json").says(0, &[]);
    place
}

fn explained(place: &Place, rule: &str, event: &str) -> Value {
    place.json(&format!("rules explain {rule} {event}"))
}

#[test]
fn a_correlation_tells_its_window_and_how_many_would_be_enough() {
    let place = imported();
    // The first record stands at place 0, so at place 8 there are nine.
    place.run(&format!("rules explain {NAME} {}", id(8))).says(
        0,
        &[
            "application_not_found_spike (event_count, high): Application not found",
            "This sign-in counts for the rule.",
            "application_not_found (counts): matched",
            "  yes  missing\n    yes  status.errorCode: 700016, 700011; the event has 700016",
            "Group: tenantId = no value, identity = 2f6c1f8e-58c4-4d3b-9a55-3b0a6f3f2a10",
            ": 9 that count\n",
            "Sign-ins taken in: 9 of the group by then, this one with them",
            "  no   events in the window: 9; enough is 10 or more",
            "Nothing was found by then.",
        ],
    );
    place.run(&format!("rules explain {NAME} {}", id(11))).says(
        0,
        &[
            ": 12 that count\n",
            "  yes  events in the window: at least 10; enough is 10 or more",
            "A finding since ",
            ", 12 sign-ins up to ",
        ],
    );
}

#[test]
fn json_holds_the_same_for_programs() {
    let told = explained(&imported(), NAME, &id(9));
    assert_eq!(told["rule"], NAME);
    assert_eq!(told["counts"], true);
    assert_eq!(told["is_one_record"], false);
    assert_eq!(told["event"], id(9));
    let item = &told["detections"][0]["conditions"][0]["parts"][0];
    assert_eq!(item["item"]["field"], "status.errorCode");
    assert_eq!(item["item"]["wants"], json!(["700016", "700011"]));
    assert_eq!(item["item"]["value"], "700016");
    assert_eq!(item["matched"], true);
    let fold = &told["groups"][0]["fold"];
    assert_eq!(told["groups"][0]["by"][1]["value"], "2f6c1f8e-58c4-4d3b-9a55-3b0a6f3f2a10");
    assert_eq!((&fold["events"], &fold["in_window"]), (&json!(10), &json!(10)));
    assert_eq!(fold["measures"][0]["met"], true);
    assert_eq!(fold["findings"][0]["events"], 10);
    assert_eq!(fold["findings"][0]["detected_at"], told["at"]);
    assert_eq!(fold["is_evidence"], true);
}

#[test]
fn a_rule_that_did_not_match_tells_which_field_it_was() {
    let place = imported();
    place.run(&format!("rules explain blocked_by_conditional_access {}", id(3))).says(
        0,
        &[
            "This sign-in is nothing to the rule.",
            "  no   and\n    yes  workload\n      yes  signInType: managedIdentity, servicePrincipal; the event has managedIdentity",
            "    no   blocked\n      no   status.errorCode: 53003, 530032",
        ],
    );
    let told = explained(&place, "blocked_by_conditional_access", &id(3));
    assert_eq!(told["counts"], false);
    assert_eq!(told["groups"][0]["role"], Value::Null);
    assert_eq!(told["groups"][0]["fold"], Value::Null);
    // A field without a value, and a group that there is none of for want of one.
    place.run(&format!("rules explain application_id_spray {}", id(3))).says(
        0,
        &[
            "no   ipAddress|re: .+; the event has no value in `address`",
            "Group: address = no value",
        ],
    );
    // A building block is asked as well, and finds nothing by itself.
    let ran = place.run(&format!("rules explain application_not_found {}", id(3)));
    ran.says(
        0,
        &[
            "This sign-in is what the building block looks for.",
            "application_not_found (counts): matched",
            "A building block finds nothing by itself; ask of the rules that are made of it: `application_not_found_spike`, `",
        ],
    );
    assert!(!ran.out.contains("A finding since") && !ran.out.contains("Group:"), "{}", ran.out);
    place
        .run(&format!("rules explain conditional_access_blocks {}", id(3)))
        .says(1, &["is not known here; did you mean `blocked_by_conditional_access`"]);
    let ran = place.run(&format!("rules explain zebra {}", id(3)));
    ran.says(1, &["the rule `zebra` is not known here; `signinel rules list` shows the names"]);
    assert!(!ran.err.contains("failure_streak"), "{}", ran.err);
}

#[test]
fn our_kinds_tell_what_they_had_seen() {
    let place = imported();
    place.run(&format!("rules explain failure_streak {}", id(3))).says(
        0,
        &[
            "lasting_failure (counts): matched",
            "sign_in_succeeded (breaks): not matched",
            "      no   outcome: success; the event has failure",
            "  no   events in a row: 4; enough is 5 or more",
        ],
    );
    place.run(&format!("rules explain failure_share {}", id(3))).says(
        0,
        &[
            "  no   events that count in the window: 4; enough is 8 or more",
            "  yes  their share: 100 % of 4; enough is 15 %",
            "  no   of them right after one that does not count: 0; enough is ",
        ],
    );
    place.run(&format!("rules explain identity_fell_silent {}", id(3))).says(
        0,
        &[
            "the silence before it: 1 min; enough is nothing could be said then",
            "  no   gaps known: 3; enough is 7 or more",
            "  no   how it ended: refused; enough is a token: what is refused has not stopped",
        ],
    );
}

#[test]
fn what_is_counted_no_further_is_said_to_be_at_least_that() {
    let place = Place::new();
    let at = hours_ago(12 * 24);
    let steady: Vec<Value> = (0..12 * 24)
        .map(|hour| record("id-payroll", hour, at + TimeDelta::hours(hour.into()), 0))
        .collect();
    let lines: Vec<String> = steady.iter().map(ToString::to_string).collect();
    place.write("steady.ndjson", lines.join("\n"));
    place.run("import steady.ndjson").says(0, &[]);
    // 250 sign-ins on eleven days; no more are counted than are asked for.
    place.run(&format!("rules explain off_rhythm {}", id(250))).says(
        0,
        &[
            "days on which it was seen: at least ",
            "enough is more than 2 hours away from every hour of the day\n",
        ],
    );
    place
        .run(&format!("rules explain off_rhythm {}", id(0)))
        .says(0, &["the hour of the day: ", "enough is any, for no hour was known by then\n"]);
    place
        .run(&format!("rules explain first_seen_resource {}", id(250)))
        .says(0, &["events that made it known: at least "]);
    place
        .run(&format!("rules explain dormant_identity_awakes {}", id(250)))
        .says(0, &["events before it: at least "]);
}

#[test]
fn values_of_several_fields_are_told_as_one() {
    let place = imported();
    let rule = |kind: &str, ours: &str| {
        format!(
            "title: Pairs\nlevel: low\ncorrelation:\n  type: value_count\n  rules: [failed]\n  group-by: [identity]\n  \
             timespan: 1h\n  condition: {{field: [resourceDisplayName, status.errorCode], gte: {kind}}}\n\
             signinel: {{category: test{ours}}}\n"
        )
    };
    place.write(
        "p/failed.yml",
        "title: Failed\nlogsource: {product: azure, service: signinlogs}\ndetection:\n  it:\n    \
         outcome: failure\n  condition: it\nlevel: low\nsigninel: {category: building_block}\n",
    );
    place.write("p/pairs.yml", rule("2", ""));
    place.write("p/new_pair.yml", rule("1", ", kind: first_seen, learn_for: 1m, learn_events: 1"));
    place
        .run(&format!("--rules p rules explain pairs {}", id(3)))
        .says(0, &["different values in the window: 1 (Azure Key Vault, 700016); enough is 2"]);
    place
        .run(&format!("--rules p rules explain new_pair {}", id(3)))
        .says(0, &["the value: Azure Key Vault, 700016 (seen before); enough is one that is new"]);
}

#[test]
fn a_record_from_a_file_is_explained_alone() {
    let place = Place::new();
    let at: DateTime<Utc> = "2026-11-02T08:00:00Z".parse().unwrap();
    let one = record("id-payroll", 1, at, 700_016).to_string();
    place.write("one.json", &one);
    place.run(&format!("rules explain {NAME} one.json")).says(
        0,
        &[
            "2026-11-02 08:00:00 UTC  id-payroll  ",
            "no other sign-in is known beside a record from a file",
            "  no   events in the window: 1; enough is 10 or more",
        ],
    );
    assert_eq!(explained(&place, NAME, "one.json")["is_one_record"], true);
    assert!(!place.path("signinel.db").exists(), "nothing is stored for a question");

    let mut command = place.command(&format!("rules explain {NAME} -"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(one.as_bytes()).unwrap();
    let said = String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap();
    assert!(said.contains("This sign-in counts for the rule."), "{said}");

    let two = format!("{one}\n{}", record("id-payroll", 2, at + TimeDelta::seconds(1), 0));
    place.write("two.json", two);
    place.run(&format!("rules explain {NAME} two.json")).says(1, &["holds 2 sign-ins: one is"]);
    place.write("none.json", "{\"some\": \"thing\"}");
    let ran = place.run(&format!("rules explain {NAME} none.json"));
    assert_eq!(ran.code, 1, "{ran:?}");
}

#[test]
fn what_is_not_known_is_a_sentence() {
    let place = imported();
    place.run(&format!("rules explain application_not_found_spik {}", id(1))).says(
        1,
        &["the rule `application_not_found_spik` is not known here; did you mean `application_not_found_spike`?"],
    );
    place
        .run(&format!("rules explain {NAME} nothing.json"))
        .says(1, &["there is no sign-in with the id nothing.json, nor a file nothing.json"]);
    place.run(&format!("rules explain {NAME}")).says(2, &["<EVENT>"]);
}

#[test]
fn filters_are_told_with_what_they_took_away() {
    let place = imported();
    place.write(
        "r/missing.yml",
        "title: Missing\nlogsource: {product: azure, service: signinlogs}\ndetection:\n  it:\n    \
         ResultType: 700016\n    AppDisplayName|startswith|cased: ID\n  condition: it\n",
    );
    place.write(
        "r/trusted.yml",
        "title: Known and borne\nlogsource: {product: azure}\nfilter:\n  rules: [missing]\n  borne:\n    \
         resourceDisplayName: Azure Key Vault\n  condition: not borne\n",
    );
    place.write(
        "r/audited.yml",
        "title: Audited\nlogsource: {product: azure, service: auditlogs}\ndetection:\n  it:\n    a: b\n  condition: it\n",
    );
    place.run(&format!("--rules r rules explain missing {}", id(1))).says(
        0,
        &[
            "  no   and\n    no   it\n      yes  ResultType: 700016; the event has 700016 in `status.errorCode`",
            "no   AppDisplayName|startswith|cased: ID; the event has ",
            "    no   not\n      yes  borne (filter \"Known and borne\")\n        yes  resourceDisplayName: Azure Key Vault",
            "  filtered by: Known and borne",
        ],
    );
    place
        .run(&format!("--rules r rules explain audited {}", id(1)))
        .says(0, &["The rule is without data and was not asked: the directory's audit log"]);
}

/// The small world, one identity's trouble after another.
fn world() -> Vec<Small> {
    let mut state = 7_u32;
    let mut draw = |below: u8| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        u8::try_from((state >> 8) % u32::from(below)).unwrap()
    };
    (0..150)
        .map(|id| Small {
            minute: i64::from(draw(60)) + i64::from(draw(12)) * 7 * 24 * 60 / 2,
            id,
            identity: draw(2),
            resource: draw(4),
            failed: draw(10) < 7,
        })
        .collect()
}

async fn evaluated(store: &Store) -> Vec<Finding> {
    let now = DateTime::<Utc>::from_timestamp(1_800_000_000, 0).unwrap();
    let mut fetched = Fetched::default();
    for event in world() {
        fetched.batch.push(&event.event(), 0..0);
    }
    store.add(("test", "test"), fetched, None, now).await.unwrap();
    let mut detector = Detector::new(Matcher::new(&rulebook(), CodeClasses::new()).unwrap());
    detector.run(store, now, |_| ()).await.unwrap();
    store.findings_in_force().await.unwrap()
}

#[tokio::test]
async fn every_finding_is_explained_by_the_event_that_it_was_detected_at() {
    let folder = tempfile::tempdir().unwrap();
    let store =
        Store::open(&format!("sqlite://{}", folder.path().join("t.db").display())).await.unwrap();
    let found = evaluated(&store).await;
    let rules: std::collections::BTreeSet<&str> =
        found.iter().map(|finding| finding.rule.as_str()).collect();
    assert!(rules.len() > 12, "only {rules:?} were met");
    let (book, codes) = (rulebook(), CodeClasses::new());
    for Finding { rule, draft, .. } in &found {
        let row = store.event(draft.detected_by).await.unwrap().unwrap();
        let told = explain((&book, &codes), rule, (&store, &row)).await.unwrap();
        let folds = || told.groups.iter().filter_map(|group| group.fold.as_ref());
        let detected = DateTime::from_timestamp_micros(draft.detected_at).unwrap();
        if book.rules[rule].depth > 0 {
            assert_eq!(told.counts_findings_of, book.rules[rule].counted);
            continue;
        }
        if rule == "silence" {
            // It is found where nothing comes; the event before says until when.
            assert!(folds().any(|fold| fold.due_at == Some(detected)), "{rule} {draft:?}");
            continue;
        }
        let is_it = folds().any(|fold| {
            let finding = fold.findings.iter().any(|it| it.detected_at == detected && !it.is_over);
            finding && fold.is_evidence && fold.standing.measures.iter().all(|it| it.met)
        });
        assert!(is_it, "{rule} {draft:?}: {told:#?}");
    }
}

#[tokio::test]
async fn where_all_is_enough_there_is_a_finding() {
    let folder = tempfile::tempdir().unwrap();
    let store =
        Store::open(&format!("sqlite://{}", folder.path().join("t.db").display())).await.unwrap();
    let found = evaluated(&store).await;
    let (book, codes) = (rulebook(), CodeClasses::new());
    let mut nothing = 0;
    for event in world() {
        let row = store.event(event.event().id).await.unwrap().unwrap();
        for rule in book.rules.keys().filter(|rule| *rule != "silence") {
            let told = explain((&book, &codes), rule, (&store, &row)).await.unwrap();
            // What breaks a run comes after its last event.
            let breaks = told.groups.iter().any(|group| group.role == Some("breaks"));
            let is_of = |finding: &&Finding| {
                let (begin, end) = (finding.draft.started_at, finding.draft.last_at);
                let is_after = begin <= row.created_at;
                finding.rule == *rule && is_after && (breaks || row.created_at <= end)
            };
            let folds = told.groups.iter().filter_map(|group| group.fold.as_ref());
            let (enough, too_little): (Vec<_>, Vec<_>) =
                folds.partition(|fold| fold.standing.measures.iter().all(|it| it.met));
            nothing += too_little.len();
            assert!(enough.is_empty() || found.iter().any(|it| is_of(&it)), "{rule}: {told:#?}");
        }
    }
    assert!(nothing > 100, "only {nothing} were not enough");
}
