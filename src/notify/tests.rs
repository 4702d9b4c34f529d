//! Both kinds of channel and the outbox, against a mail server and a receiver on loopback.

use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;

use super::{Channel, Message, Outbox, SendError, build, sample};
use crate::config::{Config, NotifyConfig};
use crate::detect::Rulebook;
use crate::diagnose::Catalogue;
use crate::model::{Incident, IncidentId, ResolvedBy, Severity, TellReason};
use crate::standin::mailbox::Mailbox;
use crate::standin::receiver::{Answer, Receiver};
use crate::store::Store;
use crate::store::deliveries::{DeliveryFilter, DeliveryState, Resent};
use crate::store::incidents::{self, Subject};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

fn at(minute: i64) -> DateTime<Utc> {
    sample::at(minute)
}

fn config(text: &str) -> Config {
    Config::parse(text, &[]).unwrap()
}

fn channel(text: &str) -> Box<dyn Channel> {
    build(&config(text).channels[0], &NotifyConfig::default())
        .map_err(|faults| format!("{faults:?}"))
        .unwrap()
}

fn faults(text: &str) -> String {
    let Err(faults) = build(&config(text).channels[0], &NotifyConfig::default()) else {
        return String::new();
    };
    faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

fn mail_to(mailbox: &Mailbox, to: &str) -> String {
    format!(
        "[[channel]]\nkind = \"email\"\nname = \"mail\"\nfrom = \"Signinel <signinel@example.com>\"\nto = [{to}]\n\
         host = \"127.0.0.1\"\nport = {}\nsecurity = \"none\"\n",
        mailbox.address().port()
    )
}

fn hook_to(receiver: &Receiver, name: &str) -> String {
    format!(
        "[[channel]]\nkind = \"webhook\"\nname = \"{name}\"\nurl = \"{}\"\nsecret = \"{SECRET}\"\n",
        receiver.url()
    )
}

#[tokio::test]
async fn a_mail_arrives_with_both_parts_and_its_headers() {
    let mailbox = Mailbox::start().unwrap();
    let channel = channel(&mail_to(&mailbox, "\"a@example.com\", \"b@example.com\""));
    let message = sample::message(TellReason::Opened, 1);
    let said = channel.send(&message, at(13)).await.unwrap();
    assert!(said.starts_with("250"), "{said}");
    let mails = mailbox.mails();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, ["a@example.com", "b@example.com"]);
    assert_eq!(mails[0].header("message-id"), Some(message.message_id()));
    assert!(mails[0].text.contains("text/plain") && mails[0].text.contains("text/html"));
    assert!(channel.check().await.unwrap().contains("nothing was sent"));
    assert_eq!(mailbox.mails().len(), 1);
}

#[tokio::test]
async fn a_mail_refused_for_now_comes_again_with_the_same_id() {
    let mailbox = Mailbox::start().unwrap();
    mailbox.refuse(&[451, 554]);
    let channel = channel(&mail_to(&mailbox, "\"a@example.com\""));
    let message = sample::message(TellReason::Opened, 1);
    let first = channel.send(&message, at(13)).await.unwrap_err();
    assert!(
        matches!(&first, SendError::Transient { sentence, .. } if sentence.contains("451 refused")),
        "{first}"
    );
    let second = channel.send(&message, at(14)).await.unwrap_err();
    assert!(
        matches!(&second, SendError::Permanent { sentence } if sentence.contains("554")),
        "{second}"
    );
    channel.send(&message, at(15)).await.unwrap();
    assert_eq!(mailbox.mails()[0].header("Message-ID"), Some(message.message_id()));
}

#[tokio::test]
async fn one_mailbox_that_is_gone_keeps_nobody_else_from_being_told() {
    let mailbox = Mailbox::start().unwrap();
    mailbox.forget("gone@example.com");
    let channel = channel(&mail_to(&mailbox, "\"gone@example.com\", \"b@example.com\""));
    let said = channel.send(&sample::message(TellReason::Opened, 1), at(13)).await.unwrap();
    assert!(said.contains("refused for gone@example.com"), "{said}");
    assert_eq!(mailbox.mails()[0].to, ["b@example.com"]);
}

#[tokio::test]
async fn a_mail_server_that_is_not_there_is_named_with_what_to_check() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let channel = channel(&format!(
        "[[channel]]\nkind = \"email\"\nname = \"mail\"\nfrom = \"s@example.com\"\nto = [\"a@example.com\"]\n\
         host = \"localhost\"\nport = {port}\nsecurity = \"none\"\n"
    ));
    let error = channel.send(&sample::message(TellReason::Opened, 1), at(13)).await.unwrap_err();
    let sentence = error.to_string();
    assert!(matches!(error, SendError::Transient { .. }));
    assert!(
        sentence.contains(&format!("localhost:{port}")) && sentence.contains("check `host`"),
        "{sentence}"
    );
}

#[tokio::test]
async fn a_webhook_retried_has_the_same_id_and_a_new_time_and_signature() {
    let receiver = Receiver::start().await.unwrap();
    receiver.answer([500, 200]);
    let channel = channel(&hook_to(&receiver, "hook"));
    let message = sample::message(TellReason::Opened, 1);
    let error = channel.send(&message, at(13)).await.unwrap_err();
    assert!(
        error.to_string().contains("answered 500")
            && !error.to_string().contains("token-in-the-path"),
        "{error}"
    );
    channel.send(&message, at(14)).await.unwrap();
    let received = receiver.received();
    let header = |place: usize, name: &str| received[place].headers[name].clone();
    assert_eq!(header(0, "webhook-id"), header(1, "webhook-id"));
    assert!(!header(0, "webhook-id").contains('.'));
    assert_eq!(header(0, "webhook-timestamp"), at(13).timestamp().to_string());
    assert_eq!(header(1, "webhook-timestamp"), at(14).timestamp().to_string());
    assert_ne!(header(0, "webhook-signature"), header(1, "webhook-signature"));
    assert_eq!(received[0].body, received[1].body);
    let keys = super::signature::Keys::read(&[crate::config::Secret::new(SECRET)]).unwrap();
    let signed = keys.sign(&header(1, "webhook-id"), at(14).timestamp(), &received[1].body);
    assert_eq!(header(1, "webhook-signature"), signed);
}

#[tokio::test]
async fn statuses_say_whether_to_try_again_and_when() {
    let receiver = Receiver::start().await.unwrap();
    let after = |status, text: &str| Answer { status, retry_after: Some(text.to_owned()) };
    receiver.answer([
        after(429, "90"),
        after(503, "Sat, 03 Jan 2026 02:20:00 GMT"),
        302.into(),
        410.into(),
    ]);
    let channel = channel(&hook_to(&receiver, "hook"));
    let message = sample::message(TellReason::Opened, 1);
    let mut errors = Vec::new();
    for _ in 0..4 {
        errors.push(channel.send(&message, at(13)).await.unwrap_err());
    }
    let waits: Vec<Option<u64>> = errors[..3]
        .iter()
        .map(|error| match error {
            SendError::Transient { retry_after, .. } => retry_after.map(|wait| wait.as_secs()),
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(waits, [Some(90), Some(180), None]);
    assert!(errors[2].to_string().contains("redirects are not followed"));
    assert!(matches!(errors[3], SendError::Gone { .. }));
    assert_eq!(receiver.received().len(), 4);
}

#[test]
fn faults_of_a_channel_come_all_at_once_and_say_what_to_write() {
    let told = faults(
        "[[channel]]\nkind = \"email\"\nname = \"mail\"\nfrom = \"nobody\"\nto = []\nhost = \"mx.example.com\"\n\
         security = \"none\"\nusername = \"u\"\n",
    );
    for part in
        ["`from`: `nobody`", "`to` is empty", "would send mail unencrypted", "`password` is not"]
    {
        assert!(told.contains(part), "{part} in\n{told}");
    }
    let told = faults(
        "[[channel]]\nkind = \"webhook\"\nname = \"hook\"\nurl = \"http://example.com/secret-path\"\n",
    );
    assert!(
        told.contains("`secret` is missing") && told.contains("openssl rand -base64 32"),
        "{told}"
    );
    assert!(told.contains("unencrypted") && !told.contains("secret-path"), "{told}");
    let told = faults(&format!(
        "[[channel]]\nkind = \"webhook\"\nname = \"hook\"\nurl = \"https://169.254.169.254/x\"\nsecret = \"{SECRET}\"\n"
    ));
    assert!(told.contains("`allow_private = true`"), "{told}");
    let told = faults("[[channel]]\nkind = \"pigeon\"\nname = \"hook\"\n");
    assert!(told.contains("there is no kind `pigeon`: write \"email\" or \"webhook\""), "{told}");
}

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
        let planned =
            self.outbox.plan(&self.store, &self.rulebook, &self.catalogue, at(minute)).await;
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
            .collect::<std::collections::BTreeSet<_>>()
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

#[tokio::test]
async fn however_many_ask_each_delivery_is_sent_once_and_one_at_a_time() {
    let mut bench = Bench::new("").await;
    bench.outbox = Outbox::new(vec![Box::new(Slow(tokio::sync::Semaphore::new(1)))], &config(""));
    for _ in 0..20 {
        bench.open(sample::incident()).await;
    }
    bench.plan(13).await;
    let bench = Arc::new(bench);
    let (one, two) = tokio::join!(bench.deliver(13), bench.deliver(13));
    assert_eq!(one.0 + two.0, 20);
}
