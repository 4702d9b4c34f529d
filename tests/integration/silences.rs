//! What somebody silenced is found and shown, and told when the silence ends, if it is still open.

use serde_json::Value;

use crate::program::{Place, spike};

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

fn place() -> Place {
    let place = Place::new();
    place.write("signinel.toml", CHANNEL);
    place.write("none.json", "{\"value\": []}");
    place.write("spike.json", spike());
    place.run("import none.json").says(0, &[]);
    place
}

fn planned(place: &Place) -> Vec<String> {
    let listed = place.json("deliveries list");
    let reason = |it: &Value| it["reason"].as_str().unwrap().to_owned();
    listed.as_array().unwrap().iter().map(reason).collect()
}

/// Adds a silence of what the words say.
#[track_caller]
fn silenced(words: &str) -> Place {
    let place = place();
    place
        .run(&format!("silence add {words} --for 2h --reason moving --by ada"))
        .says(0, &["silence 1"]);
    place.run("import spike.json").says(0, &["1 incident"]);
    place
}

#[test]
fn what_is_silenced_is_shown_and_told_when_the_silence_is_ended() {
    let place = silenced("--identity FUNC-orders-*");
    assert_eq!(planned(&place), Vec::<String>::new());
    place.run("incidents list").says(0, &["open, silenced"]);
    let silence = place.json("silence list")[0].clone();
    assert_eq!((&silence["state"], &silence["reason"]), (&"active".into(), &"moving".into()));
    assert_eq!(place.json("incidents list")[0]["silenced_until"], silence["ends_at"]);
    assert_eq!(place.json("incidents show 1")["silenced_until"], silence["ends_at"]);
    place.run("incidents show 1").says(0, &["silenced until", "by ada (silence 1): moving"]);
    place.run("timeline 1").says(0, &["Incident silenced until", "by ada (silence 1): moving"]);
    // A pass more notes nothing more.
    place.run("import none.json").says(0, &[]);
    assert_eq!(place.run("timeline 1").out.matches("Incident silenced").count(), 1);

    place.run("silence end 1 --by bob").says(0, &["silence 1 ended by bob"]);
    place.run("import none.json").says(0, &[]);
    assert_eq!(planned(&place), ["opened"]);
    assert_eq!(place.json("incidents list")[0]["silenced_until"], Value::Null);
    place.run("silence list").says(0, &["no silences"]);
    place.run("silence list --all").says(0, &["ended by bob", "identity FUNC-orders-*"]);
    place.run("silence end 1").says(1, &["silence 1 ended at"]);
}

#[test]
fn what_was_over_before_the_silence_ended_is_never_told() {
    let place = silenced("--code 700016");
    place.run("incidents resolve 1 --by ada").says(0, &[]);
    place.run("silence end 1").says(0, &[]);
    place.run("import none.json").says(0, &[]);
    assert_eq!(planned(&place), Vec::<String>::new());
}

#[test]
fn an_incident_that_is_more_than_the_silence_is_told() {
    for (words, told) in [
        ("--rule application_not_found_spike", 1),
        ("--rule application_not_found_spike --rule failure_streak", 0),
        ("--category spike", 1),
        ("--category spike --category streak", 0),
        ("--below high", 1),
        ("--below critical", 0),
        ("--identity func-orders", 1),
        ("--identity 2f6c1f8e-58c4-4d3b-9a55-3b0a6f3f2a10 --code 700016", 0),
        ("--identity func-orders-prod --code 50020", 1),
        ("--identity func-orders-prod --from 2099-01-01", 1),
    ] {
        assert_eq!(planned(&silenced(words)).len(), told, "{words}");
    }
}

#[test]
fn a_backtest_keeps_the_silences_that_held_then() {
    for (from, is_told) in [("2020-01-01", false), ("2098-01-01", true)] {
        let place = place();
        let words = format!("--identity func-orders-prod --from {from} --until 2099-01-01");
        place.run(&format!("silence add {words} --reason x")).says(0, &[]);
        place.run("import spike.json --no-notify").says(0, &[]);
        let report = place.json("backtest");
        assert_eq!(report["incidents"], 1);
        // Where a quarter of an hour ends within it, it is told again as it grows.
        assert_eq!(report["deliveries"].as_u64().unwrap() > 0, is_told, "{report}");
    }
}

#[test]
fn a_silence_of_everything_or_of_nothing_is_refused() {
    let place = place();
    for (words, said) in [
        ("--for 2h", "would hide the next outage"),
        ("--rule failure_streek --for 2h", "did you mean `failure_streak`?"),
        ("--category spikes --for 2h", "did you mean `spike`?"),
        ("--code 1 --for soon", "`soon` is not a span of time"),
        ("--code 1 --for 0s", "`0s` is not a span of time"),
        ("--code 1 --until 2020-01-01", "before it begins"),
        ("--code 1", "--for"),
        ("--code 1 --for 2h --until 2099-01-01", "--until"),
    ] {
        place.run(&format!("silence add {words} --reason x")).says(2, &[said]);
    }
    place.run("silence add --code 1 --for 2h").says(2, &["--reason"]);
    assert_eq!(place.json("silence list --all"), Value::Array(Vec::new()));
    place.run("silence end 7").says(1, &["there is no silence 7"]);
    place
        .run("silence add --identity nobody --for 2h --reason x")
        .says(0, &["no identity called nobody has signed in so far"]);
}
