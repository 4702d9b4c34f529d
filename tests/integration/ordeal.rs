//! All at once: a Graph that fails a third of its requests, records that come hours late, a clock that runs, kills
//! and a full disk. What is stored in the end is what an import of the records gives.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, TimeDelta, Utc};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use serde_json::{Value, json};
use signinel::app::{self, App};
use signinel::clock::{Clock, SystemClock};
use signinel::config::{Config, Section};
use signinel::pipeline;
use signinel::simulate::{self, Scenarios, SimulatedRecord, Simulation, TENANT_ID};
use signinel::sources::graph::{Graph, Settings};
use signinel::standin::graph::{Faults, GraphStandin, Mishap, Options, Running, Shown};
use signinel::store::HeadCoverage;
use signinel::store::gaps::{Gap, GapState};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::fast::{Fast, Skewed};
use crate::given::Given;
use crate::program::Place;
use crate::world;

/// Of each of the mishaps, some of which find nothing to spoil: a third of all requests and more go wrong.
const EACH: f64 = 0.034;

async fn imported(records: &[SimulatedRecord]) -> (Place, world::Outcome) {
    let place = Place::new();
    place.write("all.ndjson", world::lines(records));
    place.run(&format!("import all.ndjson --no-notify --tenant {TENANT_ID}")).says(0, &[]);
    let outcome = world::outcome(&place).await;
    (place, outcome)
}

/// A tenant of the ordeal: what its Graph has, and when that shows it.
struct Tenant {
    id: &'static str,
    name: &'static str,
    records: Vec<SimulatedRecord>,
    graph: Running,
}

const SECOND: &str = "5b1f0c7d-8a6e-4d7b-9a3e-2c4d6e8f0a1b";

/// Graph's clock is ahead of ours by this.
const SKEW: TimeDelta = TimeDelta::minutes(3);

const BUDGET: u32 = 12;

impl Tenant {
    /// Records of a few days up to `end`, every twentieth up to six hours late.
    fn new(id: &'static str, name: &'static str, clock: &Arc<Fast>, (begin, end): Days) -> Self {
        let seed = id.len() as u64 + u64::from(id.as_bytes()[0]);
        let simulation = Simulation::new(&simulate::Settings {
            days: 5,
            identities: 8,
            seed,
            end,
            scenarios: Scenarios::All,
            intensity: 0.3,
        });
        let mut records: Vec<SimulatedRecord> =
            simulation.records().filter(|record| record.created_at >= begin).collect();
        for (place, record) in records.iter_mut().enumerate() {
            let late = match place % 20 {
                7 => TimeDelta::minutes(60 + i64::try_from(place).unwrap() * 11 % 301),
                _ => TimeDelta::seconds(30 + i64::try_from(place).unwrap() % 200),
            };
            record.arrived_at = record.created_at + late;
        }
        let options = Options {
            clock: Arc::new(Skewed(Arc::clone(clock), SKEW)),
            seed,
            // Few walks have a third page that could lead back.
            faults: Faults { looped_back: 3.0 * EACH, ..Faults::every(EACH) },
            requests_per_10s: Some(BUDGET as usize),
            // One of the two does not put anything into order.
            orders: id == TENANT_ID,
            counts: true,
            keeps: None,
            hangs: None,
            blind: Some((begin + TimeDelta::hours(40), begin + TimeDelta::hours(45))),
        };
        let mut shown: Vec<Shown> = records
            .iter()
            .map(|one| Shown::from(one.json.clone()).late(one.arrived_at + SKEW))
            .collect();
        shown.extend(twins(&records).map(|(twin, at)| Shown::from(twin).late(at + SKEW)));
        let (future, at) = of_the_future(&records);
        shown.push(Shown::from(future).listed_at(at));
        Self { id, name, records, graph: GraphStandin::start(shown, options).unwrap() }
    }

    fn source(&self, clock: &Arc<Fast>) -> Graph {
        let text = format!(
            "tenant_id = \"{}\"\nendpoint = \"{}\"\nrequests_per_10s = {BUDGET}\npage_size = 14\n\
             sign_in_types = [\"managedIdentity\", \"servicePrincipal\", \"nonInteractiveUser\"]\n\
             backfill = \"1d\"\ninterval = \"1h\"\nstale_after = \"3h\"\nreconcile = true\n",
            self.id,
            self.graph.endpoint()
        );
        let section = Section::of("source", "graph", self.name, text.parse().unwrap());
        let credential = Arc::new(Given(self.graph.token().to_owned()));
        let settings = Settings::read(&section).unwrap();
        Graph::with_credential(settings, credential, Arc::clone(clock) as Arc<dyn Clock>).unwrap()
    }

    /// The file of all that it has, in the order of time.
    fn lines(&self) -> String {
        let twins: String = twins(&self.records).map(|(twin, _)| twin + "\n").collect();
        format!("{}{twins}{}\n", world::lines(&self.records), of_the_future(&self.records).0)
    }
}

type Days = (DateTime<Utc>, DateTime<Utc>);

/// Records with the id and the time of others, and another body, that come when those have come.
fn twins(records: &[SimulatedRecord]) -> impl Iterator<Item = (String, DateTime<Utc>)> {
    // Of the half that is not there yet at the first read, and of none that comes late.
    let first = records.len() / 120 * 60 + 11;
    records.iter().skip(first).step_by(60).map(|record| {
        let mut twin: Value = serde_json::from_str(&record.json).unwrap();
        twin["clientCredentialType"] = json!("clientSecret");
        (twin.to_string(), record.arrived_at + TimeDelta::hours(10))
    })
}

/// A record that says to be of next month, and the time that Graph lists it under.
fn of_the_future(records: &[SimulatedRecord]) -> (String, DateTime<Utc>) {
    let record = &records[records.len() / 2];
    let mut future: Value = serde_json::from_str(&record.json).unwrap();
    future["id"] = json!("f0000000-0000-4000-8000-000000000001");
    future["createdDateTime"] = json!((record.created_at + TimeDelta::days(30)).to_rfc3339());
    (future.to_string(), record.created_at)
}

/// Every mishap befell, and what is asked of a poller was kept.
fn assert_ordeal(tenant: &Tenant) {
    let Tenant { name, graph, .. } = tenant;
    let (requests, befallen) = (graph.requests(), graph.befallen());
    println!("{name}: {requests} requests, {befallen:?}");
    let kinds = [
        Mishap::Throttled,
        Mishap::ThrottledLong,
        Mishap::ThrottledSilently,
        Mishap::Failed,
        Mishap::Unavailable,
        Mishap::UnavailableUntil,
        Mishap::UnavailableLong,
        Mishap::Reset,
        Mishap::CutOff,
        Mishap::Slow,
        Mishap::Html,
        Mishap::Wrong,
        Mishap::Empty,
        Mishap::Truncated,
        Mishap::Unauthorised,
        Mishap::Looped,
        Mishap::LoopedBack,
        Mishap::LinkedNowhere,
        Mishap::Expired,
    ];
    for kind in kinds {
        assert!(befallen.contains_key(&kind), "{name}: no request was {kind:?} of {requests}");
    }
    let mishaps = graph.mishaps();
    assert!(mishaps * 3 >= requests, "{name}: {mishaps} of {requests} requests went wrong");
    assert_eq!((graph.violations(), graph.hasty()), (0, 0), "{name}: of {requests} requests");
}

async fn built(place: &Place, clock: &Arc<Fast>, tenants: &[Tenant]) -> App {
    let db = format!("sqlite://{}", place.path("signinel.db").display());
    let settings = app::Settings { db, rules: None, config: Config::default() };
    let mut app = App::build(settings, Arc::clone(clock) as Arc<dyn Clock>).await.unwrap();
    for tenant in tenants {
        app.read_from(Box::new(tenant.source(clock)));
    }
    app
}

/// Three of each tenant.
const HEADS: usize = 6;

const RESTARTS: u32 = 20;

/// Reads until a time has come and all heads wait for something, be it for the next read or since they were told to,
/// and is stopped there without notice: what was in memory is gone. (While an answer is being written down that moment
/// would be as long as the clock makes it; kills at any instant are in the tests of kills.)
async fn read_until(
    place: &Place,
    clock: &Arc<Fast>,
    tenants: &[Tenant],
    at: DateTime<Utc>,
) -> App {
    let app = built(place, clock, tenants).await;
    let (stored, stop) = (Notify::new(), CancellationToken::new());
    let stopped = async {
        clock.sleep((at - clock.now()).to_std().unwrap_or_default()).await;
        while clock.waiting() < HEADS {
            clock.sleep(Duration::from_secs(1)).await;
        }
    };
    tokio::select! {
        read = pipeline::read(&app, &stored, &stop) => read.unwrap(),
        () = stopped => {}
    }
    app
}

/// Whether every head is where it should be: read to within three hours of now, and all records swept over when they
/// were a day old.
fn is_finished(coverage: &[HeadCoverage], end: DateTime<Utc>, now: DateTime<Utc>) -> bool {
    let day = TimeDelta::days(1).to_std().unwrap();
    coverage.iter().all(|head| {
        let swept = head.intervals.iter().filter(|it| it.interval.from < end);
        head.complete_to.is_some_and(|to| now - to < TimeDelta::hours(3))
            && swept.into_iter().all(|it| it.settled >= day)
    })
}

/// Twenty times in between, the last, and one that has to be among them.
fn stops(from: DateTime<Utc>, to: DateTime<Utc>, also: DateTime<Utc>) -> Vec<DateTime<Utc>> {
    let mut random = ChaCha8Rng::seed_from_u64(20);
    let mut minutes = || TimeDelta::minutes(random.random_range(0..(to - from).num_minutes()));
    let mut stops: Vec<DateTime<Utc>> = (0..RESTARTS).map(|_| from + minutes()).collect();
    stops.extend([also, to]);
    stops.sort_unstable();
    stops
}

/// Nothing may be read for hours, and of every head that is known with what to do.
async fn assert_blind(app: &App) {
    let gaps = app.store.gaps().await.unwrap();
    let open: Vec<&Gap> = gaps.iter().filter(|gap| gap.state == GapState::Open).collect();
    let is_told = |gap: &&Gap| gap.reason.contains("AuditLog.Read.All");
    assert!(open.len() == HEADS && open.iter().all(is_told), "{open:?}");
}

/// Reads on until all that was shown is where it should be.
async fn let_finish(
    place: &Place,
    clock: &Arc<Fast>,
    tenants: &[Tenant],
    (end, until): (DateTime<Utc>, DateTime<Utc>),
) -> App {
    loop {
        let at = until.max(clock.now() + TimeDelta::hours(1));
        let app = read_until(place, clock, tenants, at).await;
        let coverage = app.store.coverage().await.unwrap();
        assert_eq!(coverage.len(), HEADS);
        if is_finished(&coverage, end, clock.now()) {
            return app;
        }
        assert!(clock.now() < until + TimeDelta::days(2), "{coverage:?}");
    }
}

#[tokio::test]
async fn whatever_goes_wrong_while_the_clock_runs_fast_all_that_was_shown_is_stored_within_budget()
{
    let begin: DateTime<Utc> = "2026-03-02T00:00:00Z".parse().unwrap();
    let end = begin + TimeDelta::hours(60);
    // The heads, and the end.
    let clock = Fast::at(begin + TimeDelta::days(1), HEADS + 1);
    let tenants = [(TENANT_ID, "first"), (SECOND, "second")]
        .map(|(id, name)| Tenant::new(id, name, &clock, (begin, end)));
    let late = |tenant: &Tenant| {
        tenant.records.iter().map(|record| record.arrived_at - record.created_at).max().unwrap()
    };
    assert!(tenants.iter().all(|tenant| late(tenant) > TimeDelta::minutes(355)));

    let place = Place::new();
    // Where the sweep of the last day would have been if nothing went wrong.
    let until = end + TimeDelta::hours(54);
    let blind_at = begin + TimeDelta::minutes(44 * 60 + 30);
    for at in stops(clock.now(), until, blind_at) {
        let stopped = read_until(&place, &clock, &tenants, at).await;
        if at == blind_at {
            assert_blind(&stopped).await;
        }
    }
    let app = let_finish(&place, &clock, &tenants, (end, until)).await;
    tenants.iter().for_each(assert_ordeal);
    let gaps = app.store.gaps().await.unwrap();
    assert!(gaps.iter().all(|gap| gap.state == GapState::Filled), "{gaps:?}");
    pipeline::evaluate_untold(&app, clock.now(), |_| ()).await.unwrap();
    app.store.close().await;

    let whole = Place::new();
    for tenant in &tenants {
        whole.write("all.ndjson", tenant.lines());
        whole.run(&format!("import all.ndjson --no-notify --tenant {}", tenant.id)).says(0, &[]);
    }
    let (mut is, mut should) = (world::outcome(&place).await, world::outcome(&whole).await);
    // What has ended by now is judged months apart.
    (is.incidents, should.incidents) = (Vec::new(), Vec::new());
    let twins: BTreeSet<Uuid> = tenants
        .iter()
        .flat_map(|tenant| twins(&tenant.records))
        .map(|(twin, _)| {
            serde_json::from_str::<Value>(&twin).unwrap()["id"].as_str().unwrap().parse().unwrap()
        })
        .collect();
    // Of records that contradict each other any may be the one that is shown.
    for (_, id, record) in is.events.iter_mut().chain(&mut should.events) {
        if twins.contains(&Uuid::from_slice(id).unwrap()) {
            record.clear();
        }
    }
    assert!(is == should, "{}", world::difference(&is, &should));
    place.run("doctor --offline").says(0, &["every record read is accounted for"]);
}

#[tokio::test]
async fn a_head_that_hangs_holds_up_neither_its_neighbour_nor_another_tenant() {
    let begin: DateTime<Utc> = "2026-03-02T00:00:00Z".parse().unwrap();
    let clock = Fast::at(begin, 5);
    let place = Place::new();
    let db = format!("sqlite://{}", place.path("signinel.db").display());
    let settings = app::Settings { db, rules: None, config: Config::default() };
    let mut app = App::build(settings, Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
    let mut graphs = Vec::new();
    for (tenant, hangs) in [("hanging", Some("managedIdentity")), ("well", None)] {
        // Room for one request: the one that hangs must not take it for ever.
        let options = Options {
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            requests_per_10s: Some(1),
            hangs,
            ..Options::default()
        };
        let graph = GraphStandin::start(Vec::new(), options).unwrap();
        let text = format!(
            "tenant_id = \"{tenant}-00\"\nendpoint = \"{}\"\nrequests_per_10s = 1\ninterval = \"1m\"\n\
             backfill = \"1h\"\n",
            graph.endpoint()
        );
        let section = Section::of("source", "graph", tenant, text.parse().unwrap());
        let credential = Arc::new(Given(graph.token().to_owned()));
        let settings = Settings::read(&section).unwrap();
        let source = Graph::with_credential(settings, credential, Arc::clone(&clock) as _).unwrap();
        app.read_from(Box::new(source));
        graphs.push(graph);
    }
    let (stored, stop) = (Notify::new(), CancellationToken::new());
    let ended = async {
        clock.sleep(Duration::from_mins(40)).await;
        stop.cancel();
    };
    let (read, ()) = tokio::join!(pipeline::read(&app, &stored, &stop), ended);
    read.unwrap();
    let until = begin + TimeDelta::minutes(40);
    let coverage = app.store.coverage().await.unwrap();
    let read: Vec<(&str, &str)> = coverage
        .iter()
        .filter(|head| head.complete_to.is_some_and(|to| until - to < TimeDelta::minutes(3)))
        .map(|head| (&*head.source, &*head.head))
        .collect();
    assert_eq!(
        read,
        [
            ("hanging", "servicePrincipal"),
            ("well", "managedIdentity"),
            ("well", "servicePrincipal")
        ],
        "{coverage:?}"
    );
    assert!(coverage.iter().all(|head| head.requests > 25 || head.head == "managedIdentity"));
    assert!(graphs.iter().all(|graph| graph.violations() == 0));
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

/// Requests in ten seconds, however often the program that sends them is killed.
const KILLED_BUDGET: usize = 100;

#[tokio::test(flavor = "multi_thread")]
async fn a_run_killed_twenty_times_and_once_on_a_full_disk_stores_what_an_import_does() {
    let records = world::tenant(10, 42);
    let (_kept, should) = imported(&records).await;
    let begun = Instant::now();
    let options = Options {
        seed: 42,
        faults: Faults::each(EACH),
        requests_per_10s: Some(KILLED_BUDGET),
        ..Options::default()
    };
    // What is of the last six hours shows up while it runs, one after the other.
    let now = SystemClock.now();
    let is_late = |place: usize, record: &SimulatedRecord| {
        record.created_at > now - TimeDelta::hours(6) && place.is_multiple_of(2)
    };
    let late = records.iter().enumerate().filter(|(place, record)| is_late(*place, record)).count();
    assert!(late > 1, "{late} late records");
    let graph = world::graph(&records, options, |place, record| {
        is_late(place, record)
            .then(|| now + TimeDelta::milliseconds(i64::try_from(place).unwrap() % 50 * 200))
    });
    let place = Place::new();
    let polling = world::polling(&graph, "");
    let within = polling.replace("per_10s = 10000", &format!("per_10s = {KILLED_BUDGET}"));
    assert!(within != polling, "{polling}");
    place.write("signinel.toml", within);
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
    let requests = graph.requests();
    assert!(requests > 2 * KILLED_BUDGET, "only {requests} requests, which shows little");
    assert_eq!(graph.violations(), 0, "of {requests} requests");
    let is = world::outcome(&place).await;
    assert!(is == should, "{}", world::difference(&is, &should));
    place.run("doctor --offline").says(0, &["every record read is accounted for"]);
}
