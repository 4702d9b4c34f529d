//! What an application may send to a tenant's logs, whichever of its sources sends it.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use signinel::app::{self, App};
use signinel::clock::{Clock, SystemClock};
use signinel::config::{Config, Section};
use signinel::pipeline;
use signinel::sources::graph::{Graph, Settings};
use signinel::standin::graph::{Faults, GraphStandin, Options, Running, Shown};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::fast::Fast;
use crate::given::Given;
use crate::moody::{midnight, records_of};
use crate::program::{Place, record};
use crate::world;

const BUDGET: u32 = 5;

/// A source of a type of one tenant, that signs in as this.
fn source(
    tenant: &str,
    head: &str,
    signs_in_as: &str,
    graph: &Running,
    clock: &Arc<Fast>,
) -> Graph {
    let text = format!(
        "tenant_id = \"{tenant}\"\nendpoint = \"{}\"\nsign_in_types = [\"{head}\"]\npage_size = 3\n\
         requests_per_10s = {BUDGET}\nbackfill = \"1d\"\nsweeps = []\n\
         credential = {{ kind = \"managed_identity\", client_id = \"{signs_in_as}\" }}\n",
        graph.endpoint()
    );
    let section = Section::of("source", "graph", head, text.parse().unwrap());
    let credential = Arc::new(Given(graph.token().to_owned()));
    let settings = Settings::read(&section).unwrap();
    Graph::with_credential(settings, credential, Arc::clone(clock) as Arc<dyn Clock>).unwrap()
}

/// Two sources of one tenant read its backfill, each signed in as told: requests, and those beyond what Graph
/// allows one application.
async fn read(tenant: &str, sign_in_as: [&str; 2]) -> (usize, usize, DateTime<Utc>) {
    let heads = ["managedIdentity", "servicePrincipal"];
    let clock = Fast::at(midnight(), heads.len() + 1);
    let options = Options {
        clock: Arc::clone(&clock) as Arc<dyn Clock>,
        requests_per_10s: Some(BUDGET as usize),
        ..Options::default()
    };
    let shown = heads.iter().flat_map(|head| records_of(head, 96, 15, |_| 0)).collect();
    let graph = GraphStandin::start(shown, options).unwrap();
    let place = Place::new();
    let db = format!("sqlite://{}", place.path("signinel.db").display());
    let settings = app::Settings { db, rules: None, config: Config::default() };
    let mut app = App::build(settings, Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
    for (head, signs_in_as) in heads.into_iter().zip(sign_in_as) {
        app.sources.push(Box::new(source(tenant, head, signs_in_as, &graph, &clock)));
    }
    let (stored, stop) = (Notify::new(), CancellationToken::new());
    let is_read = async {
        let all = async || {
            let tallies = app.store.tallies().await.unwrap();
            tallies.iter().map(|(_, tally)| tally.stored).sum::<u64>() == 2 * 96
        };
        while !all().await {
            clock.sleep(Duration::from_secs(1)).await;
        }
        stop.cancel();
        clock.now()
    };
    let (read, at) = tokio::join!(pipeline::read(&app, &stored, &stop), is_read);
    read.unwrap();
    (graph.requests(), graph.violations(), at)
}

const ONE: &str = "11111111-2222-3333-4444-555555555555";
const OTHER: &str = "66666666-7777-8888-9999-000000000000";

#[tokio::test]
async fn two_sources_of_one_tenant_and_application_share_its_requests() {
    let (requests, violations, at) = read("00000000-0000-4000-8000-0000000004a1", [ONE, ONE]).await;
    assert_eq!(violations, 0, "of {requests} requests");
    // 32 pages of each, five in ten seconds, and no slower than that.
    let took = at - midnight();
    assert!(requests >= 64, "{requests}");
    let least = TimeDelta::seconds(i64::try_from(requests).unwrap() / 5 * 10);
    assert!(
        took >= least - TimeDelta::seconds(15) && took <= least * 3 / 2,
        "{took} for {requests}"
    );

    // Were they two applications in our eyes and one in Graph's, it would be too much.
    let (_, violations, _) = read("00000000-0000-4000-8000-0000000004a2", [ONE, OTHER]).await;
    assert!(violations > 0, "the stand-in lets everything pass");
}

/// A configuration of one tenant's types, and a Graph that allows so many requests.
fn running(graph: &Running, tenant: &str, budget: u32, heads: &[&str]) -> Place {
    let place = Place::new();
    place.write(
        "signinel.toml",
        format!(
            "[[source]]\nkind = \"graph\"\nname = \"prod\"\ntenant_id = \"{tenant}\"\nendpoint = \"{}\"\n\
             sign_in_types = {heads:?}\npage_size = 2\ninterval = \"1s\"\nbackfill = \"1d\"\nsweeps = []\n\
             requests_per_10s = {budget}\ncredential = {{ kind = \"managed_identity\" }}\n",
            graph.endpoint()
        ),
    );
    place
}

/// Runs it, and kills it (-9) after a while.
fn killed(place: &Place, graph: &Running, after: Duration) {
    let mut command = place.command("run");
    command.envs(world::identity(graph)).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = command.spawn().unwrap();
    std::thread::sleep(after);
    assert_eq!(child.try_wait().unwrap(), None, "it ended by itself");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// A record each ten minutes of the last hours, of each type.
fn of_late(heads: &[&str]) -> Vec<Shown> {
    let now = SystemClock.now();
    let record = |head: &str, place: u32| {
        let at = now - TimeDelta::minutes(i64::from(place) * 10 + 5);
        let mut record = record("app", place, at, 0);
        record["id"] = format!("{head}-{place}").into();
        record["signInEventTypes"] = serde_json::json!([head]);
        Shown::from(record)
    };
    heads.iter().flat_map(|head| (0..40).map(move |place| record(head, place))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_killed_again_and_again_sends_no_more_than_one_that_is_not() {
    let heads = ["managedIdentity", "servicePrincipal"];
    let options = Options {
        seed: 3,
        faults: Faults { throttled: 0.2, ..Faults::default() },
        requests_per_10s: Some(BUDGET as usize),
        ..Options::default()
    };
    let graph = GraphStandin::start(of_late(&heads), options).unwrap();
    let place = running(&graph, "00000000-0000-4000-8000-0000000004b1", BUDGET, &heads);
    let mut random = ChaCha8Rng::seed_from_u64(12);
    for _ in 0..16 {
        killed(&place, &graph, Duration::from_millis(random.random_range(700..3_500)));
    }
    let requests = graph.requests();
    assert!(requests > BUDGET as usize, "only {requests} requests, which shows little");
    assert_eq!((graph.violations(), graph.hasty()), (0, 0), "of {requests} requests");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_that_the_application_was_told_outlives_the_program_for_all_of_its_types() {
    let heads = ["managedIdentity", "servicePrincipal", "nonInteractiveUser"];
    // The first request is told to come back in ten minutes; the other types did not ask yet.
    let options = Options {
        faults: Faults { throttled_long: 1.0, ..Faults::default() },
        ..Options::default()
    };
    let graph = GraphStandin::start(of_late(&heads), options).unwrap();
    let place = running(&graph, "00000000-0000-4000-8000-0000000004b2", 1, &heads);
    for _ in 0..4 {
        killed(&place, &graph, Duration::from_secs(3));
    }
    assert_eq!((graph.requests(), graph.hasty()), (1, 0));
    let coverage = place.json("coverage");
    assert_eq!(coverage["heads"].as_array().unwrap().len(), 1, "{coverage}");
}
