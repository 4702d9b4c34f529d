//! A simulated tenant for the tests of the whole path, and what of a database may not depend on how its
//! records came.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Timelike, Utc};
use serde_json::Value;
use signinel::clock::{Clock, SystemClock};
use signinel::model::Draft;
use signinel::simulate::{Scenarios, Settings, SimulatedRecord, Simulation, TENANT_ID};
use signinel::standin::graph::{GraphStandin, Options, Running, Shown};
use signinel::store::Store;

use crate::program::Place;

/// Days that a small tenant was watched for.
const DAYS: u32 = 6;

/// A tenant with troubles, up to the last whole minute.
pub(crate) fn tenant(identities: u32, seed: u64) -> Vec<SimulatedRecord> {
    let now = SystemClock.now();
    let simulation = Simulation::new(&Settings {
        days: DAYS,
        identities,
        seed,
        end: now.with_second(0).unwrap().with_nanosecond(0).unwrap() - TimeDelta::minutes(1),
        scenarios: Scenarios::All,
        intensity: 1.0,
    });
    let records: Vec<SimulatedRecord> = simulation.records().collect();
    assert!(records.len() > 500, "{} records show little", records.len());
    records
}

/// The records, one a line, in the order they are given.
pub(crate) fn lines<'a>(records: impl IntoIterator<Item = &'a SimulatedRecord>) -> String {
    records.into_iter().flat_map(|record| [record.json.as_str(), "\n"]).collect()
}

/// A Graph that shows each record from the time that `visible_from` gives for it.
pub(crate) fn graph(
    records: &[SimulatedRecord],
    options: Options,
    visible_from: impl Fn(usize, &SimulatedRecord) -> Option<DateTime<Utc>>,
) -> Running {
    let shown = records.iter().enumerate().map(|(place, record)| {
        let shown = Shown::from(record.json.clone());
        match visible_from(place, record) {
            Some(from) => shown.late(from),
            None => shown,
        }
    });
    GraphStandin::start(shown.collect(), options).unwrap()
}

/// A configuration that polls a Graph on loopback, and what else is added.
pub(crate) fn polling(graph: &Running, more: &str) -> String {
    format!(
        "[[source]]\nkind = \"graph\"\nname = \"harbourline\"\ntenant_id = \"{TENANT_ID}\"\n\
         endpoint = \"{}\"\nsign_in_types = [\"managedIdentity\", \"servicePrincipal\", \"nonInteractiveUser\"]\n\
         backfill = \"{}d\"\npage_size = 100\nretry_wait = \"10ms\"\nrequests_per_10s = 10000\n\
         credential = {{ kind = \"managed_identity\" }}\n{more}",
        graph.endpoint(),
        DAYS + 1
    )
}

/// The variables by which a machine in Azure finds its identity endpoint.
pub(crate) fn identity(graph: &Running) -> [(&'static str, String); 2] {
    [
        ("IDENTITY_ENDPOINT", graph.identity_endpoint()),
        ("IDENTITY_HEADER", graph.identity_header().to_owned()),
    ]
}

/// What a database holds, apart from its own numbers and from who was told when.
#[derive(Debug, PartialEq)]
pub(crate) struct Outcome {
    /// Time, id and record.
    pub(crate) events: Vec<(i64, Vec<u8>, Vec<u8>)>,
    pub(crate) findings: Vec<String>,
    /// As `incidents list` gives them.
    pub(crate) incidents: Vec<Value>,
}

pub(crate) async fn outcome(place: &Place) -> Outcome {
    let store =
        Store::open(&format!("sqlite://{}", place.path("signinel.db").display())).await.unwrap();
    let outcome = Outcome {
        events: events(place, &store).await,
        findings: findings(&store).await,
        incidents: incidents(place),
    };
    store.close().await;
    outcome
}

async fn events(place: &Place, store: &Store) -> Vec<(i64, Vec<u8>, Vec<u8>)> {
    let pool =
        sqlx::SqlitePool::connect(&format!("sqlite://{}", place.path("signinel.db").display()))
            .await
            .unwrap();
    let rows: Vec<(i64, i64, Vec<u8>)> =
        sqlx::query_as("select seq, created_at, id from events order by created_at, id")
            .fetch_all(&pool)
            .await
            .unwrap();
    pool.close().await;
    let mut events = Vec::new();
    for (seq, at, id) in rows {
        // Opening a block for every record would take a test's time for nothing: ids are of a record alone.
        let record = match id.first() {
            Some(first) if first % 16 == 0 => store.record(seq).await.unwrap().unwrap(),
            _ => Vec::new(),
        };
        events.push((at, id, record));
    }
    events
}

async fn findings(store: &Store) -> Vec<String> {
    let mut findings: Vec<String> = store
        .findings_in_force()
        .await
        .unwrap()
        .iter()
        .map(|it| {
            // Their numbers are those of one database.
            let numberless =
                Draft { identities: Vec::new(), resources: Vec::new(), ..it.draft.clone() };
            let named = (it.draft.identities.len(), it.draft.resources.len());
            format!("{} {:?} {numberless:?} {named:?}", it.rule, it.group)
        })
        .collect();
    findings.sort();
    findings
}

pub(crate) fn incidents(place: &Place) -> Vec<Value> {
    let mut listed = place.json("incidents list").as_array().unwrap().clone();
    for incident in &mut listed {
        let fields = incident.as_object_mut().unwrap();
        fields.remove("id").unwrap();
        fields.remove("deliveries").unwrap();
    }
    listed
}

/// A clock that tests move, and that a stand-in reads.
pub(crate) fn reads(clock: &Arc<signinel::clock::FixedClock>) -> Options {
    Options { clock: Arc::clone(clock) as Arc<dyn Clock>, ..Options::default() }
}

/// The first thing that differs, for whole outcomes are long.
pub(crate) fn difference(outcome: &Outcome, expected: &Outcome) -> String {
    if outcome.events != expected.events {
        let of = |it: &Outcome| it.events.len();
        return format!(
            "{} events where {} were expected, or other ones",
            of(outcome),
            of(expected)
        );
    }
    let finding = outcome.findings.iter().zip(&expected.findings).find(|(is, should)| is != should);
    if let Some((is, should)) = finding {
        return format!("finding\n{is}\nwhere this was expected\n{should}");
    }
    if outcome.findings.len() != expected.findings.len() {
        return format!("{} findings, not {}", outcome.findings.len(), expected.findings.len());
    }
    let incident =
        outcome.incidents.iter().zip(&expected.incidents).find(|(is, should)| is != should);
    match incident {
        Some((is, should)) => format!("incident\n{is}\nwhere this was expected\n{should}"),
        None => format!("{} incidents, not {}", outcome.incidents.len(), expected.incidents.len()),
    }
}
