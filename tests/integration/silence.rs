//! Silence on its way from events to incidents: when it is one, when it ends, and when nobody can say.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use signinel::config::IncidentsConfig;
use signinel::detect::{CodeClasses, Detector, Matcher, Rulebook};
use signinel::incidents;
use signinel::model::{
    Event, EventId, Facet, Identity, Incident, Interval, ResolvedBy, Resource, RuleFacts,
};
use signinel::store::{Fetched, Head, Reading, ReadingKind, Store, Tally, WindowDone};
use tempfile::TempDir;

fn day(days: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(1_767_571_200, 0).unwrap() + TimeDelta::days(days)
}

struct World {
    store: Store,
    detector: Detector,
    facts: BTreeMap<String, RuleFacts>,
    ids: u128,
    _folder: TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("test.db").display());
        let book = Rulebook::embedded().unwrap();
        Self {
            store: Store::open(&url).await.unwrap(),
            facts: book.facts(),
            detector: Detector::new(Matcher::new(&book, CodeClasses::new()).unwrap()),
            ids: 0,
            _folder: folder,
        }
    }

    /// A good sign-in of the name every so often, from one day up to and without another.
    fn sign_ins(
        &mut self,
        (principal, name): (&str, &str),
        (from, until): (i64, i64),
        every: TimeDelta,
    ) -> Vec<Event<'static>> {
        let mut events = Vec::new();
        let mut at = day(from);
        while at < day(until) {
            self.ids += 1;
            events.push(Event {
                id: EventId(self.ids.to_be_bytes()),
                created_at: at,
                identity: Identity {
                    tenant_id: "t".into(),
                    service_principal_id: principal.to_owned().into(),
                    name: name.to_owned().into(),
                    ..Identity::default()
                },
                resource: Resource { id: "vault".into(), ..Resource::default() },
                facet: Facet { sign_in_type: "managedIdentity".into(), ..Facet::default() },
                error_code: 0,
                ip_address: "".into(),
                user: "".into(),
            });
            at += every;
        }
        events
    }

    fn hourly(&mut self, days: (i64, i64)) -> Vec<Event<'static>> {
        self.sign_ins(("busy", "busy"), days, TimeDelta::hours(1))
    }

    fn daily(&mut self, principal: &str, days: (i64, i64)) -> Vec<Event<'static>> {
        self.sign_ins((principal, "web"), days, TimeDelta::days(1))
    }

    /// The events arrive, and a pass is walked. Gives what incidents of silence there are now.
    async fn pass(&mut self, events: &[Event<'_>], read_to: Option<i64>) -> Vec<Incident> {
        let now = day(100);
        let mut fetched = Fetched::default();
        for event in events {
            fetched.batch.push(event, 0..0);
        }
        let head = read_to.map(|days| Head {
            last_read_at: None,
            name: "managedIdentity".to_owned(),
            read_to: day(days),
            failures: 0,
            next_attempt_at: None,
        });
        let done = head.map(|head| WindowDone {
            window: Interval { from: head.read_to, to: head.read_to },
            kind: ReadingKind::Head,
            began_at: now,
            ages: Vec::new(),
            tally: Tally::default(),
            head,
        });
        let reading = done.as_ref().map(|done| Reading {
            head: &done.head.name,
            measured_from: None,
            requests: 1,
            failed_requests: 0,
            done: Some(done),
        });
        self.store.add(("contoso", "graph"), fetched, reading.as_ref(), now).await.unwrap();
        self.detector.run(&self.store, now, |_| ()).await.unwrap();
        incidents::run(&self.store, &self.facts, &IncidentsConfig::default(), now).await.unwrap();
        let mut incidents = self.store.incidents().await.unwrap();
        incidents.retain(|incident| {
            incident.rules.iter().any(|rule| rule.ends_with("fell_silent"))
                && incident.resolved_by != Some(ResolvedBy::Withdrawn)
        });
        incidents
    }
}

#[tokio::test]
async fn silence_is_an_incident_until_the_identity_is_back() {
    let mut world = World::new().await;
    let events = [world.hourly((0, 16)), world.daily("web-1", (0, 15))].concat();
    assert_eq!(world.pass(&events, None).await, []);
    let events = world.hourly((16, 18));
    let [incident] = world.pass(&events, None).await.try_into().unwrap();
    assert_eq!((incident.started_at, incident.detected_at), (day(14), day(17)));
    assert_eq!(incident.resolved_at, None);
    let events = world.hourly((18, 27));
    let [incident] = world.pass(&events, None).await.try_into().unwrap();
    assert_eq!(incident.resolved_at, None, "quiet is what was found, not its end");
    let events = world.daily("web-1", (27, 28));
    let [incident] = world.pass(&events, None).await.try_into().unwrap();
    assert_eq!(incident.resolved_at, Some(day(27)));
    assert_eq!(incident.resolved_by, Some(ResolvedBy::Recovered));
}

#[tokio::test]
async fn an_identity_that_was_made_anew_has_not_stopped() {
    let mut world = World::new().await;
    let events =
        [world.hourly((0, 20)), world.daily("web-1", (0, 15)), world.daily("web-2", (15, 20))]
            .concat();
    assert_eq!(world.pass(&events, None).await, []);
}

#[tokio::test]
async fn silence_that_was_only_late_is_taken_back() {
    let mut world = World::new().await;
    let events = [world.hourly((0, 20)), world.daily("web-1", (0, 15))].concat();
    assert_eq!(world.pass(&events, None).await.len(), 1);
    let late = world.daily("web-1", (15, 20));
    assert_eq!(world.pass(&late, None).await, []);
}

#[tokio::test]
async fn nobody_is_silent_where_the_source_was_not_read_to_its_end() {
    let mut world = World::new().await;
    let events = [world.hourly((0, 20)), world.daily("web-1", (0, 15))].concat();
    assert_eq!(world.pass(&events, Some(16)).await, []);
    let [incident] = world.pass(&[], Some(20)).await.try_into().unwrap();
    assert_eq!(incident.detected_at, day(17));
}

#[tokio::test]
async fn many_that_fall_silent_at_once_are_one_incident_until_the_last_is_back() {
    let names = ["web-1", "web-2", "web-3", "web-4", "web-5", "web-6"];
    let half_hourly = |world: &mut World, names: &[&str], days| {
        let mut of = |name| world.sign_ins((name, name), days, TimeDelta::minutes(30));
        names.iter().flat_map(|name| of(*name)).collect::<Vec<_>>()
    };
    let mut world = World::new().await;
    let events = [world.hourly((0, 12)), half_hourly(&mut world, &names, (0, 10))].concat();
    let [incident] = world.pass(&events, None).await.try_into().unwrap();
    assert_eq!(
        incident.rules,
        ["fleet_fell_silent", "identity_fell_silent", "steady_identity_fell_silent"]
    );
    assert_eq!(incident.identities.len(), 6);
    assert_eq!(incident.started_at, day(10) - TimeDelta::minutes(30));
    assert_eq!(incident.resolved_at, None);
    // All but one are back, and quiet ends nothing.
    let events = [world.hourly((12, 20)), half_hourly(&mut world, &names[1..], (12, 20))].concat();
    let [incident] = world.pass(&events, None).await.try_into().unwrap();
    assert_eq!(incident.resolved_at, None);
    let events = [world.hourly((20, 21)), half_hourly(&mut world, &names, (20, 21))].concat();
    let [incident] = world.pass(&events, None).await.try_into().unwrap();
    assert_eq!(
        (incident.resolved_at, incident.resolved_by),
        (Some(day(20)), Some(ResolvedBy::Recovered))
    );
}

#[tokio::test]
async fn one_that_turns_out_to_be_called_otherwise_has_taken_over_from_nobody() {
    let mut told = Vec::new();
    for is_at_once in [true, false] {
        let mut world = World::new().await;
        let first = [
            world.hourly((0, 18)),
            world.daily("web-1", (0, 15)),
            world.sign_ins(("web-2", "web"), (15, 18), TimeDelta::days(1)),
        ]
        .concat();
        let then = [
            world.hourly((18, 20)),
            world.sign_ins(("web-2", "another"), (18, 20), TimeDelta::days(1)),
        ]
        .concat();
        let incidents = if is_at_once {
            world.pass(&[first, then].concat(), None).await
        } else {
            assert_eq!(world.pass(&first, None).await, []);
            world.pass(&then, None).await
        };
        let [incident] = incidents.try_into().unwrap();
        assert_eq!(incident.identities[0].service_principal_id, "web-1");
        told.push((incident.title, incident.rules, incident.started_at, incident.resolved_at));
    }
    assert_eq!(told[0], told[1]);
}
