//! Sign-ins of people, on the whole path: all of them, or those that failed.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use signinel::clock::{Clock, SystemClock};
use signinel::standin::graph::{GraphStandin, Options, Shown};

use crate::program::Place;
use crate::world;

/// Somebody signs in to an application, or is refused.
fn sign_in(place: usize, at: DateTime<Utc>, code: u32) -> Value {
    json!({
        "id": format!("00000000-0000-4000-8000-{place:012}"),
        "createdDateTime": at.to_rfc3339(),
        "signInEventTypes": ["interactiveUser"],
        "userPrincipalName": "ada@example.org",
        "appId": "8d0b7c1e-2f0a-4f1c-b7c5-1d6c3a2e9f41",
        "appDisplayName": "payroll",
        "resourceId": "cfa8b339-82a2-471a-a3c9-0fc0be7a4093",
        "resourceDisplayName": "Azure Key Vault",
        "status": {"errorCode": code},
    })
}

/// A dozen refused, two dozen let in, one of a version of Graph that names no type; and three of a workload.
fn shown() -> Vec<Shown> {
    let begin = SystemClock.now() - TimeDelta::minutes(50);
    let at = |place: usize| begin + TimeDelta::minutes(i64::try_from(place).unwrap());
    let mut all: Vec<Value> = (0..12).map(|place| sign_in(place, at(place), 50_020)).collect();
    all.extend((12..36).map(|place| sign_in(place, at(place), 0)));
    let mut nameless = sign_in(36, at(36), 0);
    nameless.as_object_mut().unwrap().remove("signInEventTypes");
    all.push(nameless);
    all.extend((37..40).map(|place| {
        let mut workload = sign_in(place, at(place), 0);
        workload["signInEventTypes"] = json!(["managedIdentity"]);
        workload["servicePrincipalId"] = json!("2f6c1f8e-58c4-4d3b-9a55-3b0a6f3f2a10");
        workload
    }));
    all.into_iter().map(Shown::from).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn sign_ins_of_people_are_kept_all_or_where_they_failed_and_found_and_shown() {
    let workloads = 3;
    for (keep, stored, other) in [("all", 37 + workloads, 0), ("failures", 12 + workloads, 25)] {
        let graph = GraphStandin::start(shown(), Options::default()).unwrap();
        let place = Place::new();
        place.write(
            "signinel.toml",
            format!(
                "[[source]]\nkind = \"graph\"\nname = \"people\"\ntenant_id = \"tenant-of-{keep}\"\n\
                 endpoint = \"{}\"\nsign_in_types = [\"interactiveUser\", \"managedIdentity\"]\n\
                 keep = \"{keep}\"\nbackfill = \"1d\"\nrequests_per_10s = 10000\n\
                 credential = {{ kind = \"managed_identity\" }}\n",
                graph.endpoint()
            ),
        );
        let variables = world::identity(&graph);
        let variables = variables.each_ref().map(|(name, it)| (*name, it.as_str()));
        place.run_with("run --once", &variables).says(0, &["caught up"]);
        let sources = place.json("sources list");
        let count = |key: &str| sources[0][key].as_u64().unwrap();
        assert_eq!(
            (count("stored"), count("other"), count("rejected")),
            (stored, other, 0),
            "{keep}"
        );
        assert_eq!(count("read"), stored + other + count("duplicates"), "{keep}");
        let heads: Vec<&Value> =
            sources[0]["heads"].as_array().unwrap().iter().map(|head| &head["name"]).collect();
        assert_eq!(heads, ["interactiveUser", "managedIdentity"]);

        let show = |place_of: usize| {
            place.run(&format!("events show 00000000-0000-4000-8000-{place_of:012}"))
        };
        show(3).says(0, &["interactiveUser", "ada@example.org", "50020", "payroll"]);
        for good in [20, 36] {
            show(good).says(i32::from(keep == "failures"), &[]);
        }
        show(38).says(0, &["managedIdentity"]);
        let incidents = place.json("incidents list");
        let rules = incidents[0]["rules"].to_string();
        assert!(rules.contains("cross_tenant_user_spike"), "{keep}: {incidents}");
        assert_eq!(incidents[0]["identities"][0]["name"], "payroll", "{keep}: {incidents}");
        place.run("doctor --offline").says(0, &["every record read is accounted for"]);
    }
}
