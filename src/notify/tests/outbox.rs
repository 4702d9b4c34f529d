//! The outbox over a database, to a receiver on loopback.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{at, config, hook_to};
use crate::detect::Rulebook;
use crate::diagnose::Catalogue;
use crate::model::{
    Incident, IncidentId, ResolvedBy, Severity, Silence, SilenceId, SilenceScope, TellReason,
};
use crate::notify::{Channel, Message, Outbox, SendError, begin_silence, build, sample};
use crate::standin::receiver::{Answer, Receiver};
use crate::store::Store;
use crate::store::deliveries::{DeliveryFilter, DeliveryState, Resent};
use crate::store::incidents;
use crate::store::subjects::Subject;

/// A database and an outbox over it.
struct Bench {
    store: Store,
    outbox: Outbox,
    rulebook: Rulebook,
    catalogue: Catalogue,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn new(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = format!("sqlite://{}", folder.path().join("test.db").display());
        Self {
            store: Store::open(&address).await.unwrap(),
            outbox: outbox(text),
            rulebook: Rulebook::embedded().unwrap(),
            catalogue: Catalogue::shipped(),
            _folder: folder,
        }
    }

    async fn open(&self, incident: Incident) -> IncidentId {
        let mut writing = self.store.write().await.unwrap();
        let id = incidents::open(&mut writing, Subject::Group(1), &incident).await.unwrap();
        writing.commit().await.unwrap();
        id
    }

    async fn change(&self, id: IncidentId, change: impl FnOnce(&mut Incident)) {
        let mut incident = self.store.incident(id).await.unwrap().unwrap();
        incident.revision += 1;
        change(&mut incident);
        let mut writing = self.store.write().await.unwrap();
        incidents::update(&mut writing, &incident, incident.opened_at).await.unwrap();
        writing.commit().await.unwrap();
    }

    async fn plan(&self, minute: i64) -> u64 {
        let planning = self.outbox.plan(&self.store, &self.rulebook, &self.catalogue, at(minute));
        let planned = on_any_thread(planning).await;
        planned.unwrap().deliveries
    }

    async fn deliver(&self, minute: i64) -> (u64, u64, u64) {
        let delivered = self.outbox.deliver(&self.store, at(minute)).await.unwrap();
        (delivered.sent, delivered.retried, delivered.dead)
    }

    async fn reasons(&self, channel: &str) -> Vec<TellReason> {
        let filter =
            DeliveryFilter { channel: Some(channel.to_owned()), ..DeliveryFilter::default() };
        let mut deliveries = self.store.deliveries(&filter).await.unwrap();
        deliveries.sort_by_key(|delivery| delivery.id);
        deliveries.iter().map(|delivery| delivery.reason).collect()
    }
}

fn outbox(text: &str) -> Outbox {
    let config = config(text);
    let channels = config
        .channels
        .iter()
        .map(|section| build(section, &config.notify).map_err(|_| ()).unwrap());
    Outbox::new(channels.collect(), &config)
}

fn types(receiver: &Receiver) -> Vec<String> {
    let read = |body: &[u8]| {
        serde_json::from_slice::<Value>(body).unwrap()["type"].as_str().unwrap().to_owned()
    };
    receiver.received().iter().map(|one| read(&one.body)).collect()
}

#[tokio::test]
async fn an_incident_is_told_once_and_its_end_when_it_held() {
    let receiver = Receiver::start().await.unwrap();
    let bench = Bench::new(&hook_to(&receiver, "hook")).await;
    let id = bench.open(sample::incident()).await;
    assert_eq!(bench.outbox.next_due(&bench.store).await.unwrap(), Some(DateTime::UNIX_EPOCH));
    assert_eq!((bench.plan(13).await, bench.plan(13).await), (1, 0));
    assert_eq!((bench.deliver(13).await, bench.deliver(13).await), ((1, 0, 0), (0, 0, 0)));
    assert_eq!(bench.outbox.next_due(&bench.store).await.unwrap(), None);
    bench
        .change(id, |incident| {
            incident.resolved_at = Some(at(20));
            incident.resolved_by = Some(ResolvedBy::Recovered);
        })
        .await;
    assert_eq!(bench.plan(21).await, 0);
    assert_eq!(bench.outbox.next_due(&bench.store).await.unwrap(), Some(at(25)));
    assert_eq!(bench.plan(25).await, 1);
    assert_eq!(bench.deliver(25).await, (1, 0, 0));
    assert_eq!(types(&receiver), ["incident.opened", "incident.resolved"]);
    assert_eq!(bench.store.incident(id).await.unwrap().unwrap().deliveries, 2);
}

#[tokio::test]
async fn what_a_silence_held_back_is_told_at_its_end_by_how_it_stands_then() {
    let receiver = Receiver::start().await.unwrap();
    let bench = Bench::new(&hook_to(&receiver, "hook")).await;
    let heard = bench.open(sample::incident()).await;
    assert_eq!(bench.plan(13).await, 1);
    let silence = Silence {
        id: SilenceId(0),
        scope: SilenceScope { categories: vec!["spike".to_owned()], ..SilenceScope::default() },
        begins_at: at(20),
        ends_at: at(80),
        reason: "moving".to_owned(),
        created_at: at(14),
        created_by: "ada".to_owned(),
        ended_by: None,
    };
    begin_silence(&bench.store, silence).await.unwrap();
    assert_eq!(bench.plan(15).await, 0);
    bench.change(heard, |incident| incident.severity = Severity::Critical).await;
    let [stays, goes] =
        [bench.open(sample::incident()).await, bench.open(sample::incident()).await];
    assert_eq!(bench.plan(21).await, 0);
    let over = |incident: &mut Incident| {
        incident.resolved_at = Some(at(40));
        incident.resolved_by = Some(ResolvedBy::Recovered);
    };
    bench.change(goes, over).await;
    assert_eq!(bench.plan(50).await, 0);
    assert_eq!(
        bench.outbox.next_due(&bench.store).await.unwrap().map(|due| due <= at(80)),
        Some(true)
    );
    assert_eq!(bench.plan(80).await, 2);
    let of = async |id| {
        let told = bench.store.told_of(id).await.unwrap();
        told.iter().map(|told| told.reason).collect::<Vec<_>>()
    };
    assert_eq!(of(heard).await, [TellReason::Opened, TellReason::Worse]);
    assert_eq!(of(stays).await, [TellReason::Opened]);
    assert_eq!(of(goes).await, []);
    // Late evidence of what was over does not tell it after all; that it begins again does.
    bench.change(goes, |incident| incident.event_count += 1).await;
    assert_eq!(bench.plan(90).await, 0);
    bench.change(goes, |incident| incident.resolved_at = None).await;
    assert_eq!(bench.plan(91).await, 1);
}

#[tokio::test]
async fn an_incident_of_the_past_is_told_with_its_end_and_in_order() {
    let receiver = Receiver::start().await.unwrap();
    let bench = Bench::new(&hook_to(&receiver, "hook")).await;
    bench
        .open(Incident {
            resolved_at: Some(at(60)),
            resolved_by: Some(ResolvedBy::Quiet),
            ..sample::incident()
        })
        .await;
    assert_eq!(bench.plan(9_000).await, 2);
    // The first fails: the second must not overtake it.
    receiver.answer([500]);
    assert_eq!(bench.deliver(9_000).await, (0, 1, 0));
    assert_eq!(bench.deliver(9_001).await, (2, 0, 0));
    assert_eq!(types(&receiver), ["incident.opened", "incident.opened", "incident.resolved"]);
}

#[tokio::test]
async fn a_channel_that_is_gone_is_switched_off_and_waits_until_it_is_on_again() {
    let receiver = Receiver::start().await.unwrap();
    let bench = Bench::new(&hook_to(&receiver, "hook")).await;
    receiver.answer([410]);
    bench.open(sample::incident()).await;
    bench.open(sample::incident()).await;
    assert_eq!(bench.plan(13).await, 2);
    assert_eq!(bench.deliver(13).await, (0, 0, 1));
    assert_eq!(bench.deliver(600).await, (0, 0, 0));
    assert_eq!(bench.outbox.next_due(&bench.store).await.unwrap(), None);
    let disabled = bench.store.disabled_channels().await.unwrap();
    assert_eq!(disabled[0].name, "hook");
    assert!(disabled[0].reason.contains("410 Gone"), "{}", disabled[0].reason);
    assert!(bench.store.enable_channel("hook").await.unwrap());
    assert_eq!(bench.deliver(601).await, (1, 0, 0));
}

#[tokio::test]
async fn one_channel_that_fails_keeps_no_other_from_its_deliveries() {
    let (broken, receiver) = (Receiver::start().await.unwrap(), Receiver::start().await.unwrap());
    let text = format!("{}{}", hook_to(&broken, "broken"), hook_to(&receiver, "hook"));
    let bench = Bench::new(&text).await;
    broken.answer(vec![503; 100]);
    bench.open(sample::incident()).await;
    bench.plan(13).await;
    assert_eq!(bench.deliver(13).await, (1, 1, 0));
    let mut now = at(13);
    while let Some(due) = bench.outbox.next_due(&bench.store).await.unwrap() {
        now = due.max(now);
        bench.outbox.deliver(&bench.store, now).await.unwrap();
    }
    let dead = DeliveryFilter { state: Some(DeliveryState::Dead), ..DeliveryFilter::default() };
    let dead = bench.store.deliveries(&dead).await.unwrap();
    assert_eq!((dead.len(), dead[0].attempts), (1, 10));
    let lasted = now - at(13);
    assert!(
        lasted >= TimeDelta::minutes(75 * 60 + 35) && lasted <= TimeDelta::hours(84),
        "{lasted}"
    );
    let attempts = bench.store.attempts_of(dead[0].id).await.unwrap();
    assert_eq!(attempts.len(), 10);
    assert!(attempts[9].outcome.contains("given up after 10 attempts"), "{}", attempts[9].outcome);
    let counts = bench.store.count_deliveries().await.unwrap();
    assert_eq!((counts.pending, counts.sent, counts.dead), (0, 1, 1));
    // By hand it goes again, with the same id, and what was tried stays listed.
    assert_eq!(bench.store.resend(dead[0].id, now).await.unwrap(), Resent::Due);
    broken.answer(Vec::<u16>::new());
    let ids = |receiver: &Receiver| {
        receiver
            .received()
            .iter()
            .map(|one| one.headers["webhook-id"].clone())
            .collect::<BTreeSet<_>>()
    };
    bench.outbox.deliver(&bench.store, now).await.unwrap();
    assert_eq!((ids(&broken).len(), broken.received().len()), (1, 11));
    assert_eq!(bench.store.attempts_of(dead[0].id).await.unwrap().len(), 11);
}

#[tokio::test]
async fn a_receiver_that_asks_for_patience_gets_it_for_all_that_waits() {
    let receiver = Receiver::start().await.unwrap();
    let bench = Bench::new(&hook_to(&receiver, "hook")).await;
    receiver.answer([Answer { status: 429, retry_after: Some("600".to_owned()) }]);
    for _ in 0..3 {
        bench.open(sample::incident()).await;
    }
    bench.plan(13).await;
    assert_eq!(bench.deliver(13).await, (0, 1, 0));
    assert_eq!(bench.outbox.next_due(&bench.store).await.unwrap(), Some(at(23)));
    assert_eq!(bench.deliver(22).await, (0, 0, 0));
    assert_eq!(bench.deliver(23).await, (3, 0, 0));
}

#[tokio::test]
async fn what_was_taken_over_without_telling_is_told_when_it_grows_worse() {
    let receiver = Receiver::start().await.unwrap();
    let bench = Bench::new(&hook_to(&receiver, "hook")).await;
    let id = bench.open(sample::incident()).await;
    bench.outbox.plan_nothing(&bench.store, at(13)).await.unwrap();
    assert_eq!(bench.plan(14).await, 0);
    bench.change(id, |incident| incident.event_count += 1).await;
    assert_eq!(bench.plan(15).await, 0);
    bench.change(id, |incident| incident.severity = Severity::Critical).await;
    assert_eq!(bench.plan(16).await, 1);
    assert_eq!(bench.reasons("hook").await, [TellReason::Opened]);
}

#[tokio::test]
async fn a_new_channel_hears_of_what_is_open_and_not_of_the_past() {
    let receiver = Receiver::start().await.unwrap();
    let mut bench = Bench::new(&hook_to(&receiver, "old")).await;
    let over = bench
        .open(Incident {
            resolved_at: Some(at(60)),
            resolved_by: Some(ResolvedBy::Quiet),
            ..sample::incident()
        })
        .await;
    bench.open(sample::incident()).await;
    assert_eq!(bench.plan(100).await, 3);
    bench.outbox = outbox(&format!("{}{}", hook_to(&receiver, "old"), hook_to(&receiver, "new")));
    assert_eq!(bench.plan(200).await, 1);
    assert_eq!(bench.reasons("new").await, [TellReason::Opened]);
    // Not even when the past is amended.
    bench.change(over, |incident| incident.event_count += 1).await;
    assert_eq!(bench.plan(201).await, 0);
}

#[tokio::test]
async fn a_merged_incident_says_where_it_went() {
    let receiver = Receiver::start().await.unwrap();
    let bench = Bench::new(&hook_to(&receiver, "hook")).await;
    let (into, part) = (bench.open(sample::incident()).await, bench.open(sample::incident()).await);
    assert_eq!(bench.plan(13).await, 2);
    let mut writing = bench.store.write().await.unwrap();
    incidents::merge(&mut writing, part, into).await.unwrap();
    writing.commit().await.unwrap();
    assert_eq!(bench.plan(14).await, 1);
    bench.deliver(14).await;
    let body: Value = serde_json::from_slice(&receiver.received()[2].body).unwrap();
    assert_eq!(
        (&body["type"], &body["data"]["part_of"]),
        (&"incident.resolved".into(), &into.0.into())
    );
}

#[tokio::test]
async fn words_that_cannot_be_read_are_given_up_and_the_rest_goes_on() {
    let receiver = Receiver::start().await.unwrap();
    let bench = Bench::new(&hook_to(&receiver, "hook")).await;
    bench.open(sample::incident()).await;
    bench.open(sample::incident()).await;
    bench.plan(13).await;
    let first = bench.store.deliveries(&DeliveryFilter::default()).await.unwrap()[1].id;
    let mut writing = bench.store.write().await.unwrap();
    crate::store::deliveries::set_message(&mut writing, first, "{}").await.unwrap();
    writing.commit().await.unwrap();
    assert_eq!(bench.deliver(13).await, (1, 0, 1));
    let error = bench.store.delivery(first).await.unwrap().unwrap().last_error.unwrap();
    assert!(error.contains("signinel timeline 1"), "{error}");
}

/// A way to tell that fails as it is told to.
struct Slow(tokio::sync::Semaphore);

#[async_trait::async_trait]
impl Channel for Slow {
    fn name(&self) -> &'static str {
        "slow"
    }

    fn kind(&self) -> &'static str {
        "slow"
    }

    async fn send(&self, _message: &Message, _now: DateTime<Utc>) -> Result<String, SendError> {
        let _permit = self.0.try_acquire().expect("two walks of one channel at once");
        tokio::task::yield_now().await;
        Ok("taken".to_owned())
    }

    async fn check(&self) -> Result<String, SendError> {
        Ok("there".to_owned())
    }
}

/// Compiles only while a pass may run on any thread.
fn on_any_thread<T: Send>(one: T) -> T {
    one
}

#[tokio::test]
async fn however_many_ask_each_delivery_is_sent_once_and_one_at_a_time() {
    let mut bench = Bench::new("").await;
    bench.outbox = Outbox::new(vec![Box::new(Slow(tokio::sync::Semaphore::new(1)))], &config(""));
    for _ in 0..20 {
        bench.open(sample::incident()).await;
    }
    bench.plan(13).await;
    let (one, two) =
        tokio::join!(on_any_thread(bench.deliver(13)), on_any_thread(bench.deliver(13)));
    assert_eq!(one.0 + two.0, 20);
}
