//! Killed at any instruction and begun again, the program ends with the same events, findings and
//! incidents, and no delivery is lost.

use std::collections::{BTreeMap, BTreeSet};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::Value;
use signinel::simulate::TENANT_ID;
use signinel::standin::graph::{Faults, Options};
use signinel::standin::receiver::Receiver;

use crate::program::Place;
use crate::world;

/// So often each is killed before it may finish.
const KILLS: u32 = 20;

/// Runs it, and kills it (-9) after a random share of `at_most`. `true` when it was done before.
fn killed(mut command: Command, random: &mut ChaCha8Rng, at_most: Duration) -> bool {
    let mut child: Child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(at_most.mul_f64(random.random::<f64>()));
    let is_done = child.try_wait().unwrap().is_some();
    child.kill().unwrap();
    child.wait().unwrap();
    is_done
}

#[tokio::test(flavor = "multi_thread")]
async fn an_import_killed_many_times_ends_as_one_that_was_not() {
    let records = world::tenant(14, 21);
    let (whole, broken) = (Place::new(), Place::new());
    for place in [&whole, &broken] {
        place.write("all.ndjson", world::lines(&records));
    }
    let begun = Instant::now();
    whole.run("import all.ndjson --no-notify").says(0, &[]);
    let took = begun.elapsed();
    let mut random = ChaCha8Rng::seed_from_u64(21);
    let mut cut_short = 0;
    for _ in 0..KILLS {
        let command = broken.command("import all.ndjson --no-notify");
        cut_short += u32::from(!killed(command, &mut random, took));
    }
    assert!(cut_short > KILLS / 4, "only {cut_short} of {KILLS} were cut short");
    broken.run("import all.ndjson --no-notify").says(0, &["0 set aside"]);
    let (is, should) = (world::outcome(&broken).await, world::outcome(&whole).await);
    assert!(is == should, "{}", world::difference(&is, &should));
    broken.run("doctor --offline").says(0, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_many_times_loses_neither_events_nor_deliveries() {
    let records = world::tenant(12, 22);
    let (whole, broken) = (Place::new(), Place::new());
    whole.write("all.ndjson", world::lines(&records));
    let begun = Instant::now();
    whole.run(&format!("import all.ndjson --no-notify --tenant {TENANT_ID}")).says(0, &[]);
    let took = begun.elapsed() * 3;
    let receiver = Receiver::start().await.unwrap();
    let options = Options { seed: 5, faults: Faults::each(0.02), ..Options::default() };
    let graph = world::graph(&records, options, |_, _| None);
    let channel = format!(
        "[[channel]]\nkind = \"webhook\"\nname = \"automation\"\nurl = \"{}\"\nsecret = \"{SIGNING}\"\n",
        receiver.url()
    );
    broken.write("signinel.toml", world::polling(&graph, &channel));
    let mut random = ChaCha8Rng::seed_from_u64(22);
    for turn in 0..KILLS {
        let mut command = broken.command(if turn % 2 == 0 { "run" } else { "run --once" });
        command.envs(world::identity(&graph));
        killed(command, &mut random, took);
    }
    let variables = world::identity(&graph);
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, it)| (*name, it.as_str())).collect();
    broken.run_with("run --once", &variables).says(0, &[]);
    let (is, should) = (world::outcome(&broken).await, world::outcome(&whole).await);
    assert!(is == should, "{}", world::difference(&is, &should));
    assert_told(&broken, &receiver);
}

/// A signing secret as Standard Webhooks wants it.
const SIGNING: &str = "whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";

/// Every incident was told, every delivery was made, and each was received under its own id with the
/// same words however often it came.
fn assert_told(place: &Place, receiver: &Receiver) {
    let mut bodies_by_id: BTreeMap<String, BTreeSet<Vec<u8>>> = BTreeMap::new();
    for request in receiver.received() {
        bodies_by_id.entry(request.headers["webhook-id"].clone()).or_default().insert(request.body);
    }
    assert!(bodies_by_id.values().all(|bodies| bodies.len() == 1), "one id, several messages");
    let deliveries = place.json("deliveries list --limit 1000");
    let deliveries = deliveries.as_array().unwrap();
    assert!(deliveries.iter().all(|it| it["state"] == "sent"), "{deliveries:#?}");
    assert_eq!(deliveries.len(), bodies_by_id.len(), "rows of deliveries, and messages received");
    let incidents = place.json("incidents list");
    let untold: Vec<&Value> =
        incidents.as_array().unwrap().iter().filter(|it| it["deliveries"] == 0).collect();
    assert!(untold.is_empty(), "incidents that nobody was told of: {untold:#?}");
}
