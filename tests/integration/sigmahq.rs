//! SigmaHQ's rules for Azure load as they are; those over sign-ins find, the others say what they lack.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use signinel::detect::{CodeClasses, Detector, Matcher, Rulebook, try_rules};
use signinel::ingest::import::{Import, import};
use signinel::model::Finding;
use signinel::store::Store;
use tokio_util::sync::CancellationToken;

use crate::program::Place;

/// The rules as their project publishes them, where they are at hand.
fn published() -> Option<PathBuf> {
    let corpus = std::env::var_os("SIGNINEL_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"),
        PathBuf::from,
    );
    let folder = corpus.join("sigma-azure");
    if !folder.is_dir() {
        println!("skipped: no published rules at ../shared/corpus nor where SIGNINEL_CORPUS says");
        return None;
    }
    Some(folder)
}

/// A user's sign-in that failed with a code for a reason, with other values over it.
fn sign_in(code: i64, reason: &str, more: &Value) -> Value {
    let mut record = json!({
        "id": "0e8b1f6a-2c4e-4f73-9b0a-6e1d7c3f8a00",
        "createdDateTime": "2026-11-02T08:00:00Z",
        "signInEventTypes": ["interactiveUser"],
        "userPrincipalName": "mara@harbourline.example",
        "appId": "8d0b7c1e-2f0a-4f1c-b7c5-1d6c3a2e9f41",
        "appDisplayName": "Freight portal",
        "resourceDisplayName": "Microsoft Graph",
        "userAgent": "Mozilla/5.0",
        "status": {"errorCode": code, "failureReason": reason},
    });
    let fields = record.as_object_mut().unwrap();
    fields.extend(more.as_object().unwrap().clone());
    record
}

/// The rules of a book that find something in a record.
async fn met(book: &Rulebook, record: &Value) -> BTreeSet<String> {
    found(book, record).await.into_iter().map(|finding| finding.rule).collect()
}

/// How many events are evidence of something.
async fn count(book: &Rulebook, records: &Value) -> u64 {
    found(book, records).await.iter().map(|finding| finding.draft.event_count).sum()
}

async fn found(book: &Rulebook, record: &Value) -> Vec<Finding> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("records.json");
    std::fs::write(&file, record.to_string()).unwrap();
    let store =
        Store::open(&format!("sqlite://{}", folder.path().join("s.db").display())).await.unwrap();
    let now: DateTime<Utc> = "2026-11-23T00:00:00Z".parse().unwrap();
    let with = Import {
        store: &store,
        tenant_id: String::new(),
        now,
        stop: &CancellationToken::new(),
        on_batch: &|_| (),
    };
    import(vec![file], with).await.unwrap();
    let mut detector = Detector::new(Matcher::new(book, CodeClasses::new()).unwrap());
    assert!(detector.run(&store, now, |_| ()).await.unwrap().events > 0, "{record}");
    let found = store.findings_in_force().await.unwrap();
    store.close().await;
    found
}

fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

#[test]
fn all_published_rules_load_and_say_what_they_lack() {
    let Some(folder) = published() else { return };
    let book = Rulebook::folder(&folder).unwrap();
    assert_eq!(book.detections.len(), 123);
    let with_data: BTreeSet<String> = book.rules.keys().cloned().collect();
    assert_eq!(
        with_data,
        names(&[
            "azure_account_lockout",
            "azure_ad_azurehound_discovery",
            "azure_ad_suspicious_signin_bypassing_mfa",
            "azure_blocked_account_attempt",
            "azure_conditional_access_failure",
            "azure_login_to_disabled_account",
            "azure_mfa_interrupted",
            "azure_unusual_authentication_interruption",
            "azure_user_login_blocked_by_conditional_access",
        ])
    );
    assert_eq!(book.dataless.len(), 114);
    let over = |log: &str| {
        let lacking = book.dataless.values().filter(|rule| rule.lacks.join(";").contains(log));
        lacking.count()
    };
    assert_eq!(over("`service: auditlogs` is not read"), 0, "the log is named in words");
    assert_eq!(over("the directory's audit log (`service: auditlogs`) is not read"), 44);
    assert_eq!(over("Azure's activity log (`service: activitylogs`)"), 35);
    assert_eq!(over("risk detections (`service: riskdetection`)"), 19);
    assert_eq!(over("what Privileged Identity Management says (`service: pim`)"), 7);
    assert_eq!(over("is not kept of a sign-in"), 9);
    assert_eq!(
        book.dataless["azure_mfa_denies"].lacks,
        [
            "`AuthenticationRequirement` is not kept of a sign-in",
            "`Status` is known as `Success` or `Failure`, with no more words"
        ]
    );
}

#[tokio::test]
async fn published_rules_find_what_they_should_and_nothing_else() {
    let Some(folder) = published() else { return };
    let book = Rulebook::folder(&folder).unwrap();
    let none = json!({});
    for (record, rules) in [
        (sign_in(50053, "The account is locked.", &none), vec!["azure_account_lockout"]),
        (
            sign_in(53003, "Blocked by Conditional Access", &none),
            vec![
                "azure_conditional_access_failure",
                "azure_user_login_blocked_by_conditional_access",
            ],
        ),
        // Microsoft's own words today are others than one of the two rules waits for.
        (
            sign_in(53003, "Access has been blocked by Conditional Access policies.", &none),
            vec!["azure_user_login_blocked_by_conditional_access"],
        ),
        (
            sign_in(50074, "Strong Auth required: the user must pass MFA.", &none),
            vec!["azure_mfa_interrupted"],
        ),
        (
            sign_in(50097, "Device authentication is required", &none),
            vec!["azure_unusual_authentication_interruption"],
        ),
        (
            sign_in(
                50057,
                "User account is disabled. The account has been disabled by an administrator.",
                &none,
            ),
            vec!["azure_login_to_disabled_account"],
        ),
        (
            sign_in(0, "", &json!({"userAgent": "AzureHound/v2.1"})),
            vec!["azure_ad_azurehound_discovery"],
        ),
        (
            sign_in(0, "", &json!({"userAgent": "CBAinPROD"})),
            vec!["azure_ad_suspicious_signin_bypassing_mfa"],
        ),
        (sign_in(50126, "", &json!({"userAgent": "AzureHound/v2.1 CBAinPROD"})), vec![]),
        (sign_in(0, "", &none), vec![]),
        // What a rule lacks would be missing here, too; it must not match for that.
        (
            sign_in(
                0,
                "",
                &json!({"resourceDisplayName": "Device Registration Service", "conditionalAccessStatus": "success"}),
            ),
            vec![],
        ),
    ] {
        assert_eq!(met(&book, &record).await, names(&rules), "{record}");
    }
}

#[test]
fn the_program_takes_the_folder_as_its_rules() {
    let Some(folder) = published() else { return };
    let place = Place::new();
    place.write("one.json", sign_in(50053, "", &json!({})).to_string());
    let folder = folder.display();
    place.run(&format!("--rules {folder} import one.json")).says(0, &[]);
    assert_eq!(place.json("incidents list").as_array().unwrap().len(), 1);
    place.run(&format!("rules check {folder}")).says(
        0,
        &[
            "9 rules, 123 detections, 0 filters: no fault",
            "114 more find nothing, for want of data",
        ],
    );
    let checked = place.json(&format!("rules check {folder}"));
    assert_eq!(checked["without_data"].as_array().unwrap().len(), 114);
    let listed = place.json(&format!("--rules {folder} rules list"));
    let lacking = |row: &&Value| !row["without_data"].as_array().unwrap().is_empty();
    assert_eq!(listed.as_array().unwrap().len(), 123);
    assert_eq!(listed.as_array().unwrap().iter().filter(lacking).count(), 114);
    place.run(&format!("--rules {folder} rules list")).says(0, &["without data: "]);
}

fn file(name: &str, text: &str) -> (PathBuf, String) {
    (PathBuf::from(format!("{name}.yml")), text.to_owned())
}

fn detection(source: &str, wanted: &str) -> String {
    format!(
        "title: a rule\nlogsource: {{{source}}}\ndetection:\n  \
         it:\n    {wanted}\n  condition: it\n"
    )
}

#[tokio::test]
async fn names_of_every_taxonomy_mean_the_same_field() {
    let record = sign_in(50053, "Locked.", &json!({"location": {"countryOrRegion": "DE"}}));
    for wanted in [
        "ResultType: 50053",
        "resulttype: '50053'",
        "status.errorCode: 50053",
        "Status.errorCode: 50053",
        "status/errorCode: 50053",
        "properties.status.errorCode: 50053",
        "azure.signinlogs.properties.status.error_code: 50053",
        "ResultDescription: locked.",
        "properties.status.failureReason: locked.",
        "AppDisplayName|startswith: freight",
        "azure.signinlogs.properties.app_display_name: Freight portal",
        "UserPrincipalName|endswith: '@harbourline.example'",
        "Username|contains: mara",
        "Status: Failure",
        "Category: SignInLogs",
        "LocationDetails.countryOrRegion: DE",
        "Location: DE",
    ] {
        let text = detection("product: azure, service: SigninLogs", wanted);
        let book = Rulebook::read(&[file("it", &text)]).unwrap();
        assert_eq!(met(&book, &record).await, names(&["it"]), "{wanted}");
    }
}

#[test]
fn a_correlation_of_rules_without_data_is_without_data_too() {
    let correlation = |of: &str| {
        format!(
            "title: many\nlevel: high\ncorrelation:\n  type: value_count\n  rules: [{of}]\n  group-by: [initiatedBy]\n  \
             timespan: 1h\n  condition: {{field: targetResources, gte: 5}}\n"
        )
    };
    let book = Rulebook::read(&[
        file("audited", &detection("product: azure, service: auditlogs", "operationName: x")),
        file("many", &correlation("audited")),
        file("more", &correlation("many")),
        file("elsewhere", &detection("product: windows, service: security", "EventID: 1")),
        file("beaten", &detection("category: process_creation", "Image: x")),
        file("unusual", &detection("product: azure, service: sharepoint", "Image: x")),
    ])
    .unwrap();
    assert!(book.rules.is_empty());
    let lacks = |name: &str| book.dataless[name].lacks.join("; ");
    let log = "the directory's audit log (`service: auditlogs`) is not read";
    assert_eq!(lacks("many"), format!("its rule `audited` is without data: {log}"));
    assert_eq!(
        lacks("more"),
        format!("its rule `many` is without data: its rule `audited` is without data: {log}")
    );
    assert!(!book.dataless.contains_key("audited"), "what others build on is not listed by itself");
    assert_eq!(lacks("elsewhere"), "it is about `product: windows`; sign-ins are of `azure`");
    assert_eq!(lacks("beaten"), "`category: process_creation` is not read; sign-ins have none");
    assert_eq!(lacks("unusual"), "`service: sharepoint` is not read; sign-ins are `signinlogs`");
}

#[tokio::test]
async fn rules_without_data_are_not_tried() {
    let book = Rulebook::read(&[file(
        "audited",
        &detection("product: azure, service: auditlogs", "operationName: x"),
    )])
    .unwrap();
    let (ran, faults) = try_rules(&book, &CodeClasses::new(), None).await.unwrap();
    assert_eq!((ran, faults.len()), (0, 0));
}

#[tokio::test]
async fn a_filter_takes_away_by_fields_that_its_rule_does_not_read() {
    let filter = |of: &str, wanted: &str| {
        format!(
            "title: not those\nlogsource: {{product: azure, service: signinlogs}}\nfilter:\n  rules: [{of}]\n  \
             those:\n    {wanted}\n  condition: not those\n"
        )
    };
    let id = "0b7c3a52-90d5-4b73-9f5e-0a4c7d1b2e33";
    let rule = detection("product: azure, service: signinlogs", "ResultType: 50053");
    let rule = format!("id: {id}\n{rule}");
    let mine = sign_in(50053, "", &json!({}));
    let other = sign_in(50053, "", &json!({"userAgent": "probe"}));
    let both = json!({"value": [
        sign_in(50053, "", &json!({"id": "1e8b1f6a-2c4e-4f73-9b0a-6e1d7c3f8a00"})), other
    ]});
    // By the id in the file, by its name, by its title.
    for reference in [id, "locked", "a rule"] {
        let text = filter(reference, "userAgent: probe");
        let book = Rulebook::read(&[file("locked", &rule), file("trusted", &text)]).unwrap();
        assert_eq!(met(&book, &mine).await, names(&["locked"]), "{reference}");
        assert_eq!(met(&book, &other).await, names(&[]), "{reference}");
        // The verdict on one is not that on the other, alike as they are to the rule itself.
        assert_eq!(count(&book, &both).await, 1, "{reference}");
    }
    let lacking = filter("locked", "riskState: atRisk");
    let book = Rulebook::read(&[file("locked", &rule), file("trusted", &lacking)]).unwrap();
    assert_eq!(book.dataless["trusted"].lacks, ["`riskState` is not kept of a sign-in"]);
    assert_eq!(met(&book, &other).await, names(&["locked"]));
    let nowhere = filter("lokced", "userAgent: probe");
    let faults = Rulebook::read(&[file("locked", &rule), file("trusted", &nowhere)]).unwrap_err();
    assert!(faults[0].to_string().contains("refers to `lokced`"), "{faults:?}");
}
