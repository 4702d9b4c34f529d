//! All at once: a Graph that fails a third of its requests, records that come hours late, a clock that runs, kills
//! and a full disk. What is stored in the end is what an import of the records gives.

use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use signinel::clock::{Clock, FixedClock, SystemClock};
use signinel::config::Section;
use signinel::ingest::poll::Poll;
use signinel::simulate::{SimulatedRecord, TENANT_ID};
use signinel::sources::graph::{Graph, Settings};
use signinel::standin::graph::{Faults, GraphStandin, Options, Shown};
use signinel::store::Store;
use tokio_util::sync::CancellationToken;

use crate::given::Given;
use crate::program::Place;
use crate::world;

/// Of each of the eleven mishaps: a third of all requests go wrong.
const EACH: f64 = 0.031;

const LIMIT: u32 = 300;

/// Of one head, so that a request which was under way is not taken for a hasty one.
fn of_managed_identities() -> Vec<SimulatedRecord> {
    let records = world::tenant(10, 41);
    records.into_iter().filter(|record| record.json.contains("\"managedIdentity\"")).collect()
}

async fn imported(records: &[SimulatedRecord]) -> (Place, world::Outcome) {
    let place = Place::new();
    place.write("all.ndjson", world::lines(records));
    place.run(&format!("import all.ndjson --no-notify --tenant {TENANT_ID}")).says(0, &[]);
    let outcome = world::outcome(&place).await;
    (place, outcome)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_of_all_requests_fail_and_records_come_six_hours_late_while_the_clock_runs_fast() {
    let records = of_managed_identities();
    let (_kept, should) = imported(&records).await;
    let last = records.iter().map(|record| record.arrived_at).max().unwrap();
    let clock = Arc::new(FixedClock::at(records.last().unwrap().created_at - TimeDelta::hours(30)));
    let options = Options {
        clock: clock.clone() as Arc<dyn Clock>,
        seed: 41,
        faults: Faults::each(EACH),
        requests_per_10s: Some(LIMIT as usize),
        ..Options::default()
    };
    let latest = records.iter().map(|record| record.arrived_at - record.created_at).max().unwrap();
    assert!(latest > TimeDelta::hours(4), "{latest} is not late");
    let shown = records.iter().map(|one| Shown::from(one.json.clone()).late(one.arrived_at));
    let graph = GraphStandin::start(shown.collect(), options).unwrap();
    let text = format!(
        "tenant_id = \"{TENANT_ID}\"\nendpoint = \"{}\"\nsign_in_types = [\"managedIdentity\"]\n\
         requests_per_10s = {LIMIT}\nretry_wait = \"1ms\"\nbackfill = \"7d\"\npage_size = 50\ninterval = \"5m\"\n",
        graph.endpoint()
    );
    let section = Section::of("source", "graph", "harbourline", text.parse().unwrap());
    let credential = Arc::new(Given(graph.token().to_owned()));
    let source =
        Graph::with_credential(Settings::read(&section).unwrap(), credential, clock.clone())
            .unwrap();
    let place = Place::new();
    let store =
        Store::open(&format!("sqlite://{}", place.path("signinel.db").display())).await.unwrap();
    // Until the sweep of the last day has been.
    let until = last + TimeDelta::hours(50);
    while clock.now() < until {
        let stop = CancellationToken::new();
        let poll = Poll {
            store: &store,
            source: &source,
            now: clock.now(),
            clock: &*clock,
            is_eager: false,
            stop: &stop,
            on_page: &|_: &str, _: &str, _: DateTime<Utc>, _: DateTime<Utc>| (),
        };
        poll.run().await.unwrap();
        clock.advance(TimeDelta::minutes(30));
    }
    store.settle().await.unwrap();
    store.close().await;
    place.write("none.ndjson", "");
    place.run("import none.ndjson --no-notify").says(0, &[]);
    let is = world::outcome(&place).await;
    assert!(is == should, "{}", world::difference(&is, &should));
    let (requests, mishaps) = (graph.requests(), graph.mishaps());
    assert!(mishaps * 4 > requests, "{mishaps} of {requests} requests went wrong");
    assert_eq!((graph.violations(), graph.hasty()), (0, 0), "of {requests} requests");
    place.run("doctor --offline").says(0, &["every record read is accounted for"]);
}

/// Runs it as the shell lets it, and kills it (-9) after a while.
fn killed(place: &Place, limit: &str, variables: &[(&str, String)], after: Duration) -> String {
    let program = place.command("run");
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{limit} exec \"$0\" \"$@\"")).arg(program.get_program());
    shell.args(program.get_args()).current_dir(program.get_current_dir().unwrap());
    shell.envs(variables.iter().map(|(name, it)| (*name, it.as_str())));
    let mut child =
        shell.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(after);
    child.kill().unwrap();
    let output = child.wait_with_output().unwrap();
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_twenty_times_and_once_on_a_full_disk_stores_what_an_import_does() {
    let records = world::tenant(10, 42);
    let (_kept, should) = imported(&records).await;
    let begun = Instant::now();
    let options = Options { seed: 42, faults: Faults::each(EACH), ..Options::default() };
    // What is of the last hour shows up while it runs, one after the other.
    let (now, mut late) = (SystemClock.now(), 0);
    let graph = world::graph(&records, options, |place, record| {
        let is_late = record.created_at > now - TimeDelta::hours(1) && place % 2 == 0;
        is_late.then(|| now + TimeDelta::milliseconds(i64::try_from(place).unwrap() % 50 * 200))
    });
    late += records.iter().filter(|record| record.created_at > now - TimeDelta::hours(1)).count();
    assert!(late > 1, "{late} late records");
    let place = Place::new();
    place.write("signinel.toml", world::polling(&graph, ""));
    let variables = world::identity(&graph);
    let mut random = ChaCha8Rng::seed_from_u64(42);
    let mut wait = |most: u64| Duration::from_millis(200 + random.random_range(0..most));
    // No file may grow past this; the signal is ignored so that the program hears of it as of a full disk.
    let said = killed(&place, "trap '' XFSZ; ulimit -f 700;", &variables, Duration::from_secs(6));
    assert!(said.contains("disk") && !said.contains("panicked"), "{said}");
    for _ in 0..20 {
        let said = killed(&place, "", &variables, wait(1_200));
        assert!(!said.contains("panicked"), "{said}");
    }
    std::thread::sleep(Duration::from_secs(11).saturating_sub(begun.elapsed()));
    let variables: Vec<(&str, &str)> =
        variables.iter().map(|(name, it)| (*name, it.as_str())).collect();
    let ran = place.run_with("run --once", &variables);
    assert!(ran.code == 0 || ran.err.contains("try"), "{ran:?}");
    if ran.code != 0 {
        place.run_with("run --once", &variables).says(0, &[]);
    }
    let is = world::outcome(&place).await;
    assert!(is == should, "{}", world::difference(&is, &should));
    place.run("doctor --offline").says(0, &["every record read is accounted for"]);
}
