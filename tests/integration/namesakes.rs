//! Who has the name of one that was before inherits what is known of it, unless a name is too common to say anything.

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use signinel::clock::{Clock, SystemClock};

use crate::program::{Place, record};

/// Identities of one name, each made anew after the one before it; the last soon asks for something new.
fn namesakes(number: u32) -> Place {
    let place = Place::new();
    place.write(
        "mine/good.yml",
        "title: Good\nlogsource: {product: azure, service: signinlogs}\ndetection:\n  it:\n    \
         outcome: success\n  condition: it\nlevel: low\nsigninel: {category: building_block}\n",
    );
    place.write(
        "mine/new_resource.yml",
        "title: New resource\nlevel: low\ncorrelation:\n  type: value_count\n  rules: [good]\n  group-by: [identity]\n  \
         timespan: 1h\n  condition: {field: resourceDisplayName, gte: 1}\nsigninel: {category: test, kind: first_seen, \
         learn_for: 1d, learn_events: 2, inherits: true}\n",
    );
    let now = SystemClock.now();
    let sign_in = |member: u32, id: u32, at: DateTime<Utc>| {
        let mut one = record("id-batch", id, at, 0);
        one["servicePrincipalId"] = json!(format!("{member:08}-58c4-4d3b-9a55-3b0a6f3f2a10"));
        one["appId"] = json!(format!("{member:08}-2f0a-4f1c-b7c5-1d6c3a2e9f41"));
        one
    };
    let mut records: Vec<Value> = (1..number)
        .map(|member| sign_in(member, member, now - TimeDelta::days(30 - i64::from(member))))
        .collect();
    records.push(sign_in(number, 100, now - TimeDelta::hours(3)));
    let mut new = sign_in(number, 101, now - TimeDelta::hours(2));
    new["resourceId"] = json!("797f4846-ba00-4fd7-ba43-dac1f8f63013");
    new["resourceDisplayName"] = json!("Azure Resource Manager");
    records.push(new);
    place.write("all.ndjson", records.iter().map(Value::to_string).collect::<Vec<_>>().join("\n"));
    place
}

#[test]
fn of_a_name_that_more_than_sixteen_have_nobody_inherits() {
    for (number, found) in [(2, 1), (16, 1), (17, 0)] {
        let place = namesakes(number);
        let told = place.json("--rules mine import all.ndjson");
        assert_eq!(told["findings"], found, "{number} of one name: {told}");
    }
}
