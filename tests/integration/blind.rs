//! That a source is not read is told, and so is that it is read again.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use signinel::app::{self, App};
use signinel::clock::{Clock, FixedClock};
use signinel::config::{Config, Section};
use signinel::pipeline;
use signinel::sources::graph::{Graph, Settings};
use signinel::standin::graph::{GraphStandin, Options, Running};
use signinel::standin::receiver::Receiver;
use tokio_util::sync::CancellationToken;

use crate::given::Given;
use crate::moody::{HEAD, midnight, records};
use crate::program::{Place, SIGNING};

/// All that runs, by a clock that the test moves.
struct Watched {
    app: App,
    clock: Arc<FixedClock>,
    hook: Receiver,
    _graph: Running,
    _place: Place,
}

impl Watched {
    /// A Graph that may not be read for a while, and somebody who is told.
    async fn new(tenant: &str, blind: Option<(DateTime<Utc>, DateTime<Utc>)>) -> Self {
        let clock = Arc::new(FixedClock::at(midnight()));
        let options =
            Options { clock: Arc::clone(&clock) as Arc<dyn Clock>, blind, ..Options::default() };
        let graph = GraphStandin::start(records(72, 60, |_| 0), options).unwrap();
        let (hook, place) = (Receiver::start().await.unwrap(), Place::new());
        let config = format!(
            "[[channel]]\nkind = \"webhook\"\nname = \"hook\"\nurl = \"{}\"\nsecret = \"{SIGNING}\"\n\
             [[route]]\nchannels = [\"hook\"]\ncategories = [\"coverage\"]\n\
             [notify]\nhold_resolved_for = \"0s\"\n",
            hook.url()
        );
        let db = format!("sqlite://{}", place.path("signinel.db").display());
        let config = Config::parse(&config, &[]).unwrap();
        let settings = app::Settings { db, rules: None, config };
        let mut app = App::build(settings, Arc::clone(&clock) as Arc<dyn Clock>).await.unwrap();
        let text = format!(
            "tenant_id = \"{tenant}\"\nendpoint = \"{}\"\nsign_in_types = [\"{HEAD}\"]\n\
             backfill = \"1d\"\nrequests_per_10s = 10000\n",
            graph.endpoint()
        );
        let section = Section::of("source", "graph", "contoso", text.parse().unwrap());
        let credential = Arc::new(Given(graph.token().to_owned()));
        let settings = Settings::read(&section).unwrap();
        let source = Graph::with_credential(settings, credential, Arc::clone(&clock) as _).unwrap();
        app.sources.push(Box::new(source));
        Self { app, clock, hook, _graph: graph, _place: place }
    }

    /// Reads, evaluates and tells, and moves the clock on.
    async fn passes(&self, until: DateTime<Utc>) {
        let (app, stop) = (&self.app, CancellationToken::new());
        while self.clock.now() < until {
            let source = app.sources[0].as_ref();
            pipeline::poll(app, source, false, &stop, &|_, _, _, _| ()).await.unwrap();
            pipeline::evaluate(app, self.clock.now(), |_| ()).await.unwrap();
            app.outbox.deliver(&app.store, self.clock.now()).await.unwrap();
            self.clock.advance(TimeDelta::minutes(5));
        }
    }

    /// What the channel was told, in order.
    fn told(&self) -> Vec<Value> {
        let received = self.hook.received();
        received.iter().map(|request| serde_json::from_slice(&request.body).unwrap()).collect()
    }
}

#[tokio::test]
async fn a_source_that_stays_unread_is_told_with_its_reason_and_so_is_its_end() {
    let minutes = |minutes| midnight() + TimeDelta::minutes(minutes);
    let blind = Some((minutes(60), minutes(180)));
    let watched = Watched::new("00000000-0000-4000-8000-0000000003a1", blind).await;
    watched.passes(minutes(85)).await;
    assert!(watched.told().is_empty(), "nothing is stale yet: {:?}", watched.told());

    watched.passes(minutes(180)).await;
    let told = watched.told();
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!(told[0]["type"], "incident.opened");
    let data = &told[0]["data"];
    assert_eq!(data["categories"], serde_json::json!(["coverage"]));
    assert_eq!(data["title"], "Sign-ins of contoso are not being read");
    let said = data.to_string();
    assert!(said.contains("AuditLog.Read.All"), "why, and what to do: {said}");

    watched.passes(minutes(240)).await;
    let told = watched.told();
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[1]["type"], "incident.resolved");
    assert_eq!(
        (&told[1]["data"]["id"], &told[1]["data"]["state"]),
        (&data["id"], &"resolved".into())
    );
    let text = told[1]["data"]["text"].as_str().unwrap();
    let says = "to 2026-03-02 03:10 UTC: read again at 2026-03-02 03:10:00 UTC, and what was missing with it.";
    assert!(
        text.starts_with("Over: Sign-ins of contoso are not being read.") && text.ends_with(says),
        "{text}"
    );
    assert_eq!(watched.app.store.count_deliveries().await.unwrap().sent, 2);
}

#[tokio::test]
async fn a_source_that_nobody_asked_for_a_day_and_that_was_read_then_wakes_nobody() {
    let watched = Watched::new("00000000-0000-4000-8000-0000000003a2", None).await;
    watched.passes(midnight() + TimeDelta::minutes(5)).await;
    watched.clock.advance(TimeDelta::hours(26));
    watched.passes(watched.clock.now() + TimeDelta::minutes(40)).await;
    assert_eq!(watched.app.store.gaps().await.unwrap().len(), 1);
    assert!(watched.told().is_empty(), "{:?}", watched.told());
}
