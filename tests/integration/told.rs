//! What is told arrives: at a real mail server, and at the reference verifier of Standard Webhooks.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver as Incoming, channel};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};
use signinel::clock::{Clock, SystemClock};
use signinel::standin::receiver::{Received, Receiver};

use crate::program::{MARK, Place, SIGNING, record};

/// A Python that has the two packages; says so where there is none.
fn python() -> Option<String> {
    let python = std::env::var("SIGNINEL_TEST_PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let has = Command::new(&python)
        .args(["-c", "import aiosmtpd, standardwebhooks"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if !has {
        println!("skipped: `{python}` has not aiosmtpd and standardwebhooks; see .ci/run");
    }
    has.then_some(python)
}

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A real mail server.
struct MailServer {
    child: Child,
    port: u64,
    mails: Incoming<Value>,
}

impl MailServer {
    fn start(python: &str, args: &[&str]) -> Self {
        let mut child = Command::new(python)
            .arg(fixture("mail_server.py"))
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
        let (sender, mails) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).unwrap());
            }
        });
        Self { child, port: first["port"].as_u64().unwrap(), mails }
    }

    /// The next mail, which must come.
    fn next(&self) -> Value {
        self.mails.recv_timeout(Duration::from_secs(20)).unwrap()
    }

    fn assert_no_more(&self) {
        assert_eq!(self.mails.try_recv().ok(), None);
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the reference verifier says of a request, and of one whose body was tampered with.
fn verdicts(python: &str, request: &Received) -> (String, String) {
    let body = String::from_utf8(request.body.clone()).unwrap();
    let tampered = body.replacen("func-orders-prod", "func-orders-test", 1);
    assert_ne!(body, tampered);
    let mut child = Command::new(python)
        .arg(fixture("verify_webhook.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = child.stdin.take().unwrap();
    for body in [&body, &tampered] {
        let line = json!({"secret": SIGNING, "headers": request.headers, "body": body});
        writeln!(input, "{line}").unwrap();
    }
    drop(input);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let mut lines = said.lines().map(str::to_owned);
    (lines.next().unwrap(), lines.next().unwrap())
}

fn email(port: u64, more: &str) -> String {
    format!(
        "[[channel]]\nkind = \"email\"\nname = \"on-call\"\nfrom = \"signinel@example.org\"\n\
         to = [\"on-call@example.org\"]\nhost = \"localhost\"\nport = {port}\n{more}\n"
    )
}

fn webhook(url: &str) -> String {
    format!(
        "[[channel]]\nkind = \"webhook\"\nname = \"automation\"\nurl = \"{url}\"\nsecret = \"{SIGNING}\"\n"
    )
}

/// A recovery is told once it has held; the tests do not wait.
const NOTIFY: &str = "[notify]\nhold_resolved_for = \"0s\"\nhost = \"signinel.example.org\"\n";

/// Sign-ins of one identity, one each 20 s from `from` on, as a page of Graph.
fn page(from: DateTime<Utc>, places: std::ops::Range<u32>, code: u32) -> String {
    let records: Vec<Value> = places
        .map(|place| {
            let at = from + TimeDelta::seconds(20) * i32::try_from(place).unwrap();
            record("func-orders-prod", place, at, code)
        })
        .collect();
    json!({"value": records}).to_string()
}

/// The spike of an identity with ids of its own.
fn another_spike(place: &Place, number: u8) {
    let text = crate::program::spike()
        .replace("func-orders-prod", &format!("func-{number}"))
        .replace("2f6c1f8e", &format!("{number:08}"))
        .replace("8d0b7c1e", &format!("{number:08}"))
        .replace("00000000-0000", &format!("{number:08}-0000"));
    place.write("another.json", text);
    place.run("import another.json").says(0, &[]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_spike_is_one_incident_one_mail_and_one_webhook_and_so_is_its_end() {
    let Some(python) = python() else { return };
    let (server, receiver) = (MailServer::start(&python, &[]), Receiver::start().await.unwrap());
    let place = Place::new();
    let channels = email(server.port, "security = \"none\"") + &webhook(&receiver.url());
    place.write("signinel.toml", channels + NOTIFY);
    let from = SystemClock.now() - TimeDelta::hours(2);
    place.write("night.json", page(from, 10..40, 700_016));
    place.write("after.json", page(from, 100..106, 0));
    place.run("import night.json").says(0, &["1 incident"]);
    let opened = server.next();
    assert_eq!(
        (&opened["from"], &opened["to"]),
        (&json!("signinel@example.org"), &json!(["on-call@example.org"]))
    );
    let subject = opened["headers"]["subject"].as_str().unwrap();
    assert!(subject.contains("func-orders-prod") && subject.len() < 120, "{subject}");
    for part in ["plain", "html"] {
        let text = opened[part].as_str().unwrap();
        for word in
            ["func-orders-prod", "AADSTS700016", "30 times", "8d0b7c1e-2f0a-4f1c-b7c5-1d6c3a2e9f41"]
        {
            assert!(text.contains(word), "{part} lacks `{word}`: {text}");
        }
    }
    let requests = receiver.received();
    assert_eq!(requests.len(), 1);
    let (whole, tampered) = verdicts(&python, &requests[0]);
    assert_eq!(whole, "verified");
    assert!(tampered.starts_with("refused"), "{tampered}");

    place.run("run --once").says(0, &[]);
    place.run("import night.json").says(0, &["0 stored"]);
    server.assert_no_more();
    assert_eq!(receiver.received().len(), 1, "the same was told twice");

    place.run("import after.json").says(0, &["1 incident"]);
    place.run("run --once").says(0, &[]);
    let resolved = server.next();
    let thread = opened["headers"]["message-id"].as_str().unwrap();
    assert!(resolved["headers"]["references"].as_str().unwrap().contains(thread));
    assert_eq!(resolved["headers"]["in-reply-to"], opened["headers"]["message-id"]);
    let plain = resolved["plain"].as_str().unwrap();
    assert!(plain.starts_with("Over: ") && plain.contains("func-orders-prod"), "{plain}");
    server.assert_no_more();
    let requests = receiver.received();
    assert_eq!(requests.len(), 2);
    let body: Value = serde_json::from_slice(&requests[1].body).unwrap();
    assert!(body["type"].as_str().unwrap().ends_with("resolved"), "{body}");
    assert_eq!(verdicts(&python, &requests[1]).0, "verified");
    let incidents = place.json("incidents list");
    assert_eq!((incidents.as_array().unwrap().len(), &incidents[0]["deliveries"]), (1, &json!(4)));
}

#[test]
fn mail_goes_encrypted_and_with_a_password_and_a_wrong_one_is_said_without_it() {
    let Some(python) = python() else { return };
    let certificate = fixture("mail-server-for-tests-only.pem");
    let authority = fixture("authority-for-tests-only.pem");
    for security in ["starttls", "tls"] {
        let certificate = certificate.display().to_string();
        let args = [
            "--security",
            security,
            "--certificate",
            &certificate,
            "--user",
            "signinel",
            "--password",
            MARK,
        ];
        let server = MailServer::start(&python, &args);
        let place = Place::new();
        let more = format!(
            "security = \"{security}\"\nusername = \"signinel\"\nca_file = \"{}\"\ntimeout = \"10s\"",
            authority.display()
        );
        place.write("signinel.toml", email(server.port, &more) + NOTIFY);
        place.write("spike.json", crate::program::spike());
        // With a wrong password first: it must not arrive, and not be lost.
        let wrong = [("SIGNINEL_CHANNEL_ON_CALL_PASSWORD", "another")];
        place.run_with("import spike.json", &wrong).says(0, &["1 incident"]);
        server.assert_no_more();
        let said = place.json("deliveries list")[0]["last_error"].clone();
        assert!(said.as_str().unwrap().contains("535"), "{said}");
        place.run("deliveries retry 1").says(0, &["due now"]);
        let right = [("SIGNINEL_CHANNEL_ON_CALL_PASSWORD", MARK)];
        place.run_with("run --once", &right).says(0, &[]);
        let mail = server.next();
        assert_eq!(mail["is_encrypted"], json!(true), "{security}");
        assert_eq!(mail["user"], json!("signinel"), "{security}");
        server.assert_no_more();
        // A certificate of nobody we trust is not accepted.
        place.write(
            "signinel.toml",
            email(server.port, &more.replace("ca_file", "# ca_file")) + NOTIFY,
        );
        let ran = place.run_with("doctor", &right);
        ran.says(1, &["on-call", "certificate"]);
    }
}

#[test]
fn a_mail_server_that_was_down_gets_the_mail_once_when_it_is_up() {
    let Some(python) = python() else { return };
    let port = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().port()
    };
    let place = Place::new();
    place.write("signinel.toml", email(port.into(), "security = \"none\"") + NOTIFY);
    place.write("spike.json", crate::program::spike());
    place.run("import spike.json").says(0, &["1 incident"]);
    place.run("deliveries list").says(0, &["pending", "cannot talk to the mail server"]);
    let server = MailServer::start(&python, &["--port", &port.to_string()]);
    place.run("deliveries retry 1").says(0, &["due now"]);
    place.run("run --once").says(0, &[]);
    assert!(server.next()["plain"].as_str().unwrap().contains("func-orders-prod"));
    place.run("run --once").says(0, &[]);
    place.run("deliveries retry 1").says(1, &["sent already"]);
    server.assert_no_more();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_tried_again_with_the_same_id_and_gone_switches_it_off() {
    let receiver = Receiver::start().await.unwrap();
    let place = Place::new();
    place.write("signinel.toml", webhook(&receiver.url()) + NOTIFY);
    receiver.answer([500_u16, 302, 204]);
    another_spike(&place, 1);
    for _ in 0..2 {
        place.run("deliveries retry 1").says(0, &["due now"]);
        place.run("run --once").says(0, &[]);
    }
    let requests = receiver.received();
    assert_eq!(requests.len(), 3, "a redirect is not followed, a failure is tried again");
    let ids: Vec<&String> = requests.iter().map(|request| &request.headers["webhook-id"]).collect();
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    place.run("deliveries list").says(0, &["sent"]);

    receiver.answer([410_u16]);
    another_spike(&place, 2);
    assert_eq!(receiver.received().len(), 4);
    place.run("doctor --offline").says(1, &["switched it off", "deliveries enable automation"]);
    place.run("run --once").says(0, &[]);
    assert_eq!(receiver.received().len(), 4, "a channel that is gone is left alone");
    place.run("deliveries enable automation").says(0, &[]);
    place.run("deliveries retry 2");
    place.run("run --once").says(0, &[]);
    assert_eq!(receiver.received().len(), 5);
}
