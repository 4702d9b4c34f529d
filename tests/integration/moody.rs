//! A source that can be told to refuse, with a database and a clock that tests move.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use signinel::clock::{Clock, FixedClock};
use signinel::config::Section;
use signinel::incidents;
use signinel::ingest::poll::{OnPage, Poll, Polled};
use signinel::sources::graph::{Graph, Settings};
use signinel::sources::{Access, Ask, Counts, FetchError, Page, Pages, Plan, Source};
use signinel::standin::graph::{Faults, GraphStandin, Options, Running, Shown};
use signinel::store::Store;
use tokio_util::sync::CancellationToken;

use crate::given::Given;
use crate::program::Place;

pub(crate) const HEAD: &str = "managedIdentity";

/// What a head answers with, as long as it is told to.
#[derive(Clone)]
struct Mood {
    /// Of all heads, or of this one.
    head: Option<&'static str>,
    error: FetchError,
    /// It takes so long.
    slow: TimeDelta,
}

/// A Graph that can be told to refuse.
pub(crate) struct Moody {
    graph: Graph,
    mood: Mutex<Option<Mood>>,
    clock: Arc<FixedClock>,
}

#[async_trait]
impl Source for Moody {
    fn name(&self) -> &str {
        self.graph.name()
    }
    fn kind(&self) -> &'static str {
        self.graph.kind()
    }
    fn tenant_id(&self) -> &str {
        self.graph.tenant_id()
    }
    fn plan(&self) -> &Plan {
        self.graph.plan()
    }
    fn access(&self) -> Access<'_> {
        Access::Pages(self)
    }
    async fn counted(&self, head: &str, ask: &Ask) -> Result<Option<Counts>, FetchError> {
        self.graph.counted(head, ask).await
    }
    async fn check(&self, now: DateTime<Utc>) -> Result<String, FetchError> {
        self.graph.check(now).await
    }
}

#[async_trait]
impl Pages for Moody {
    async fn fetch(&self, head: &str, ask: &Ask) -> Result<Page, FetchError> {
        let mood = self.mood.lock().unwrap().clone();
        match mood.filter(|mood| mood.head.is_none_or(|only| only == head)) {
            Some(mood) => {
                self.clock.advance(mood.slow);
                Err(mood.error)
            }
            None => self.graph.fetch(head, ask).await,
        }
    }
}

/// Such a source, and where what it gives is kept.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) source: Moody,
    pub(crate) clock: Arc<FixedClock>,
    pub(crate) graph: Running,
    /// Where the database is.
    pub(crate) place: Place,
}

pub(crate) fn midnight() -> DateTime<Utc> {
    "2026-03-02T00:00:00Z".parse().unwrap()
}

impl World {
    /// Each test has a tenant of its own, so that none shares a budget.
    pub(crate) async fn new(tenant: &str, records: Vec<Shown>, faults: Faults, more: &str) -> Self {
        let options = Options { faults, counts: true, ..Options::default() };
        Self::with(tenant, records, options, more).await
    }

    pub(crate) async fn with(
        tenant: &str,
        records: Vec<Shown>,
        options: Options,
        more: &str,
    ) -> Self {
        let clock = Arc::new(FixedClock::at(midnight()));
        let options = Options { clock: clock.clone() as Arc<dyn Clock>, ..options };
        let graph = GraphStandin::start(records, options).unwrap();
        let text = format!(
            "tenant_id = \"{tenant}\"\nendpoint = \"{}\"\nrequests_per_10s = 10000\npage_size = 50\n{more}\n",
            graph.endpoint()
        );
        let heads = format!("[\"{HEAD}\"]");
        let defaults =
            [("retry_wait", "\"1ms\""), ("backfill", "\"1d\""), ("sign_in_types", &heads)];
        let missing = defaults.into_iter().filter(|(key, _)| !more.contains(key));
        let missing = missing.map(|(key, value)| format!("{key} = {value}\n"));
        let text = missing.fold(text, |text, line| text + &line);
        let section = Section::of("source", "graph", "contoso", text.parse().unwrap());
        let credential = Arc::new(Given(graph.token().to_owned()));
        let settings = Settings::read(&section).unwrap();
        let inner = Graph::with_credential(settings, credential, clock.clone()).unwrap();
        let place = Place::new();
        let db = format!("sqlite://{}", place.path("signinel.db").display());
        let store = Store::open(&db).await.unwrap();
        let source = Moody { graph: inner, mood: Mutex::default(), clock: clock.clone() };
        Self { store, source, clock, graph, place }
    }

    /// One walk over the heads that are due, and over what is to be said of coverage.
    pub(crate) async fn pass(&self) -> Polled {
        self.pass_saying(&|_, _, _, _| ()).await
    }

    /// The same; `on_page` is told how far it came.
    pub(crate) async fn pass_saying(&self, on_page: OnPage<'_>) -> Polled {
        let now = self.clock.now();
        let poll = Poll {
            store: &self.store,
            source: &self.source,
            now,
            clock: &*self.clock,
            is_eager: false,
            stop: &CancellationToken::new(),
            on_page,
        };
        let polled = poll.run().await.unwrap();
        incidents::watch(&self.store, now).await.unwrap();
        polled
    }

    pub(crate) async fn pass_until(&self, until: DateTime<Utc>, step: TimeDelta) {
        while self.clock.now() < until {
            self.clock.advance(step);
            self.pass().await;
        }
    }

    /// Every head is refused from now on, until it is told otherwise.
    pub(crate) fn refuse(&self, sentence: &str) {
        let error = FetchError::Permanent { sentence: sentence.to_owned() };
        self.fail(None, error, TimeDelta::zero());
    }

    /// All heads, or one, fail from now on, and take so long for it.
    pub(crate) fn fail(&self, head: Option<&'static str>, error: FetchError, slow: TimeDelta) {
        *self.source.mood.lock().unwrap() = Some(Mood { head, error, slow });
    }

    pub(crate) fn mend(&self) {
        *self.source.mood.lock().unwrap() = None;
    }

    pub(crate) async fn stored(&self) -> u64 {
        self.store.tallies().await.unwrap().iter().map(|(_, tally)| tally.stored).sum()
    }
}

/// A record each so many minutes, from a day before midnight on, that shows after its delay.
pub(crate) fn records(count: i64, every: i64, late_minutes: impl Fn(i64) -> i64) -> Vec<Shown> {
    records_of(HEAD, count, every, late_minutes)
}

/// The same of another type, whose ids are of that type alone.
pub(crate) fn records_of(
    head: &str,
    count: i64,
    every: i64,
    late_minutes: impl Fn(i64) -> i64,
) -> Vec<Shown> {
    let of_the_type = if head == HEAD { 0 } else { head.len() };
    (0..count)
        .map(|place| {
            let at = midnight() - TimeDelta::days(1) + TimeDelta::minutes(place * every);
            let record = json!({
                "id": format!("00000000-0000-4000-8{of_the_type:03}-{place:012}"),
                "createdDateTime": at.to_rfc3339(),
                "signInEventTypes": [head],
                "servicePrincipalId": "2f6c1f8e-58c4-4d3b-9a55-3b0a6f3f2a10",
                "resourceId": "cfa8b339-82a2-471a-a3c9-0fc0be7a4093",
                "status": {"errorCode": 0},
            });
            Shown::from(record).late(at + TimeDelta::minutes(late_minutes(place)))
        })
        .collect()
}
