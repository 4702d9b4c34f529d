//! Both kinds of channel, against a mail server and a receiver on loopback.

/// The outbox over a database, to such a receiver.
mod outbox;

use chrono::{DateTime, Utc};

use super::{Channel, SendError, build, sample};
use crate::config::{Config, NotifyConfig, Secret};
use crate::model::TellReason;
use crate::standin::mailbox::Mailbox;
use crate::standin::receiver::{Answer, Receiver};

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
    let requests = receiver.received();
    let header = |place: usize, name: &str| requests[place].headers[name].clone();
    assert_eq!(header(0, "webhook-id"), header(1, "webhook-id"));
    assert!(!header(0, "webhook-id").contains('.'));
    assert_eq!(header(0, "webhook-timestamp"), at(13).timestamp().to_string());
    assert_eq!(header(1, "webhook-timestamp"), at(14).timestamp().to_string());
    assert_ne!(header(0, "webhook-signature"), header(1, "webhook-signature"));
    assert_eq!(requests[0].body, requests[1].body);
    let keys = super::signature::Keys::read(&[Secret::new(SECRET)]).unwrap();
    let signed = keys.sign(&header(1, "webhook-id"), at(14).timestamp(), &requests[1].body);
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
