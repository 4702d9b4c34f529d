//! Each thing that can go wrong, alone: what is stored in the end is what an import of the records gives.

use std::fmt::Write as _;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use signinel::app::{self, App};
use signinel::clock::Clock;
use signinel::config::{Config, Section};
use signinel::pipeline;
use signinel::sources::graph::{Graph, Settings};
use signinel::standin::graph::{Faults, GraphStandin, Mishap, Options, Running, Shown};
use signinel::store::gaps::GapState;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::fast::Fast;
use crate::given::Given;
use crate::program::Place;
use crate::world;

/// How often each comes.
const OFTEN: f64 = 0.25;

/// Each mishap alone, and what then befalls.
fn each() -> Vec<(Faults, Vec<Mishap>)> {
    let none = Faults::default();
    vec![
        (Faults { throttled: OFTEN, ..none }, vec![Mishap::Throttled]),
        (Faults { throttled_silently: OFTEN, ..none }, vec![Mishap::ThrottledSilently]),
        (Faults { failed: OFTEN, ..none }, vec![Mishap::Failed, Mishap::Unavailable]),
        (Faults { cut_off: OFTEN, ..none }, vec![Mishap::CutOff]),
        (Faults { html: OFTEN, ..none }, vec![Mishap::Html]),
        (Faults { empty: OFTEN, ..none }, vec![Mishap::Empty]),
        (Faults { truncated: OFTEN, ..none }, vec![Mishap::Truncated]),
        (Faults { unauthorised: OFTEN, ..none }, vec![Mishap::Unauthorised]),
        (Faults { looped: OFTEN, ..none }, vec![Mishap::Looped]),
        (Faults { linked_nowhere: OFTEN, ..none }, vec![Mishap::LinkedNowhere]),
        (Faults { expired: OFTEN, ..none }, vec![Mishap::Expired]),
        (Faults { throttled_long: OFTEN, ..none }, vec![Mishap::ThrottledLong]),
        (
            Faults { unavailable_until: OFTEN, ..none },
            vec![Mishap::UnavailableUntil, Mishap::UnavailableLong],
        ),
        (Faults { reset: OFTEN, ..none }, vec![Mishap::Reset]),
        (Faults { slow: OFTEN, ..none }, vec![Mishap::Slow]),
        (Faults { wrong: OFTEN, ..none }, vec![Mishap::Wrong]),
        (Faults { looped_back: OFTEN, ..none }, vec![Mishap::LoopedBack]),
    ]
}

/// A record each ten minutes of two days. No two tenants have one in common.
fn records(tenant: usize, begin: DateTime<Utc>) -> Vec<String> {
    (0..288)
        .map(|place| {
            let record = json!({
                "id": format!("00000000-0000-4000-8{tenant:03}-{place:012}"),
                "createdDateTime": (begin + TimeDelta::minutes(10 * place)).to_rfc3339(),
                "signInEventTypes": ["managedIdentity"],
                "servicePrincipalId": "2f6c1f8e-58c4-4d3b-9a55-3b0a6f3f2a10",
                "resourceId": "cfa8b339-82a2-471a-a3c9-0fc0be7a4093",
                "status": {"errorCode": 0},
            });
            record.to_string()
        })
        .collect()
}

fn source(name: &str, tenant: usize, graph: &Running, clock: &Arc<Fast>) -> Graph {
    let text = format!(
        "tenant_id = \"00000000-0000-4000-8000-{tenant:012}\"\nendpoint = \"{}\"\npage_size = 5\n\
         sign_in_types = [\"managedIdentity\"]\nbackfill = \"1d\"\ninterval = \"1h\"\nstale_after = \"3h\"\n\
         requests_per_10s = 100\nsweeps = []\n",
        graph.endpoint()
    );
    let section = Section::of("source", "graph", name, text.parse().unwrap());
    let credential = Arc::new(Given(graph.token().to_owned()));
    let settings = Settings::read(&section).unwrap();
    Graph::with_credential(settings, credential, Arc::clone(clock) as Arc<dyn Clock>).unwrap()
}

#[tokio::test]
async fn under_each_mishap_alone_all_is_stored_that_an_import_stores() {
    let begin: DateTime<Utc> = "2026-03-02T00:00:00Z".parse().unwrap();
    let (each, until) = (each(), begin + TimeDelta::hours(60));
    let clock = Fast::at(begin + TimeDelta::days(1), each.len() + 1);
    let (place, whole) = (Place::new(), Place::new());
    let db = format!("sqlite://{}", place.path("signinel.db").display());
    let settings = app::Settings { db, rules: None, config: Config::default() };
    let mut app = App::build(settings, Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
    let (mut graphs, mut lines) = (Vec::new(), String::new());
    for (tenant, (faults, kinds)) in each.into_iter().enumerate() {
        let records = records(tenant, begin);
        for record in &records {
            writeln!(lines, "{record}").unwrap();
        }
        let clock_of_it = Arc::clone(&clock) as Arc<dyn Clock>;
        let seed = 100 + tenant as u64;
        let options = Options { clock: clock_of_it, seed, faults, ..Options::default() };
        let shown = records.into_iter().map(Shown::from).collect();
        let graph = GraphStandin::start(shown, options).unwrap();
        let name = format!("{:?}", kinds[0]);
        app.sources.push(Box::new(source(&name, tenant, &graph, &clock)));
        graphs.push((name, kinds, graph));
    }
    let (stored, stop) = (Notify::new(), CancellationToken::new());
    let ended = async {
        clock.sleep((until - clock.now()).to_std().unwrap()).await;
        stop.cancel();
    };
    let (read, ()) = tokio::join!(pipeline::read(&app, &stored, &stop), ended);
    read.unwrap();
    for (name, kinds, graph) in &graphs {
        let befallen = graph.befallen();
        println!("{name}: {} requests, {befallen:?}", graph.requests());
        assert!(befallen.keys().eq(kinds.iter()), "{name}: {befallen:?}");
        assert!(graph.mishaps() >= 5, "{name}: {befallen:?}");
        assert_eq!(graph.hasty(), 0, "{name}");
    }
    let gaps = app.store.gaps().await.unwrap();
    assert!(gaps.iter().all(|gap| gap.state == GapState::Filled), "{gaps:?}");
    for (source, tally) in app.store.tallies().await.unwrap() {
        assert_eq!((tally.stored, tally.rejected, tally.other), (288, 0, 0), "{source}");
    }
    app.store.close().await;
    whole.write("all.ndjson", lines);
    whole.run("import all.ndjson --no-notify").says(0, &["0 set aside"]);
    let (is, should) = (world::outcome(&place).await, world::outcome(&whole).await);
    assert!(is.events == should.events, "{}", world::difference(&is, &should));
}
