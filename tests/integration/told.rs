//! What is told arrives at a real mail server and a real receiver, once, and a failure can be seen and
//! mended.

use std::io::{BufRead, BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};

use chrono::TimeDelta;
use serde_json::{Value, json};
use signinel::clock::{Clock, SystemClock};
use signinel::standin::receiver::{Received, Receiver};

use crate::program::{MARK, Place, SIGNING, record, spike};

/// A port of loopback where nobody listens.
const CLOSED: u16 = 1;

fn fixture(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// A Python with aiosmtpd and standardwebhooks. Whoever names one wants these tests, so that one has to
/// have both.
fn python() -> Option<String> {
    let named = std::env::var("SIGNINEL_TEST_PYTHON").ok();
    let python = named.clone().unwrap_or_else(|| "python3".to_owned());
    let imports = ["-c", "import aiosmtpd.smtp, standardwebhooks.webhooks"];
    let has_both = Command::new(&python)
        .args(imports)
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    if has_both {
        return Some(python);
    }
    assert!(
        named.is_none(),
        "`{python}` of SIGNINEL_TEST_PYTHON cannot import aiosmtpd and standardwebhooks"
    );
    println!(
        "skipped: python3 has no aiosmtpd and standardwebhooks; SIGNINEL_TEST_PYTHON may name one that has"
    );
    None
}

/// The real mail server.
struct MailServer {
    child: Child,
    said: BufReader<ChildStdout>,
    port: u16,
}

impl MailServer {
    fn start(python: &str, more: &[&str]) -> Self {
        let mut child = Command::new(python)
            .arg(fixture("mail_server.py"))
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            // It traces every client that leaves it.
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        let first: Value = serde_json::from_str(&line).unwrap();
        let port = first["port"].as_u64().unwrap().try_into().unwrap();
        Self { child, said, port }
    }

    /// With the certificate that `ca_file` vouches for, and one who may sign in.
    fn guarded(python: &str, security: &str) -> Self {
        let certificate = fixture("mail-server-for-tests-only.pem");
        let certificate = certificate.to_str().unwrap();
        let options = ["--security", security, "--certificate", certificate];
        Self::start(python, &[&options[..], &["--user", "signinel", "--password", MARK]].concat())
    }

    /// Stops it; every mail it took, in order. It has printed a mail before it says that it took it.
    fn mails(mut self) -> Vec<Value> {
        drop(self.child.stdin.take());
        let mut rest = String::new();
        self.said.read_to_string(&mut rest).unwrap();
        assert!(self.child.wait().unwrap().success());
        rest.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

fn email(port: u16, more: &str) -> String {
    format!(
        "[[channel]]\nkind = \"email\"\nname = \"mail\"\nfrom = \"Signinel <signinel@example.org>\"\n\
         to = [\"on-call@example.org\"]\nhost = \"127.0.0.1\"\nport = {port}\n{more}\n"
    )
}

const OPEN: &str = "security = \"none\"";

fn guarded(security: &str, password: &str) -> String {
    let authority = fixture("authority-for-tests-only.pem");
    format!(
        "security = \"{security}\"\nusername = \"signinel\"\npassword = \"{password}\"\nca_file = '{}'",
        authority.display()
    )
}

fn webhook(url: &str) -> String {
    format!(
        "[[channel]]\nkind = \"webhook\"\nname = \"hook\"\nurl = \"{url}\"\nsecret = \"{SIGNING}\"\n"
    )
}

/// A folder with this configuration and a spike.
fn place(config: &str) -> Place {
    let place = Place::new();
    place.write("signinel.toml", config);
    place.write("spike.json", spike());
    place
}

/// The identity of the spike gets a token again.
fn recovery() -> String {
    let now = SystemClock.now();
    let records: Vec<Value> = (0..3)
        .map(|number| {
            let at = now - TimeDelta::seconds(60 - 10 * i64::from(number));
            record("func-orders-prod", 100 + number, at, 0)
        })
        .collect();
    json!({"value": records}).to_string()
}

/// Channel, reason, state and last error of every delivery, the first planned first.
fn deliveries(place: &Place) -> Vec<(String, String, String, String)> {
    let rows = place.json("deliveries list");
    let text = |row: &Value, key: &str| row[key].as_str().unwrap_or_default().to_owned();
    let rows = rows.as_array().unwrap().iter().rev();
    rows.map(|row| {
        (text(row, "channel"), text(row, "reason"), text(row, "state"), text(row, "last_error"))
    })
    .collect()
}

/// The only delivery: its state, its last error and how often it was tried.
fn only(place: &Place) -> (String, String, u64) {
    let rows = place.json("deliveries list");
    assert_eq!(rows.as_array().map(Vec::len), Some(1), "{rows}");
    let text = |key: &str| rows[0][key].as_str().unwrap_or_default().to_owned();
    (text("state"), text("last_error"), rows[0]["attempts"].as_u64().unwrap())
}

/// What the reference verifier of Standard Webhooks says of each request.
fn verified(python: &str, requests: &[(&Received, String)]) -> Vec<String> {
    let mut child = Command::new(python)
        .arg(fixture("verify_webhook.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut given = child.stdin.take().unwrap();
    for (request, body) in requests {
        let line = json!({"secret": SIGNING, "headers": request.headers, "body": body});
        writeln!(given, "{line}").unwrap();
    }
    drop(given);
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

fn body(request: &Received) -> String {
    String::from_utf8(request.body.clone()).unwrap()
}

#[track_caller]
fn says_what_a_person_needs(mail: &Value) {
    let identity = "func-orders-prod";
    let cause =
        "The client id is stale or mistyped, or belongs to an application of another tenant.";
    let first_step = "az ad sp show --id 8d0b7c1e-2f0a-4f1c-b7c5-1d6c3a2e9f41";
    for part in ["plain", "html"] {
        let text = mail[part].as_str().unwrap();
        for word in [identity, cause, "AADSTS700016", first_step] {
            assert!(text.contains(word), "`{word}` is missing from {part}: {text}");
        }
    }
    assert_eq!(mail["from"], "signinel@example.org");
    assert_eq!(mail["to"], json!(["on-call@example.org"]));
    let headers = &mail["headers"];
    assert_eq!(
        headers["subject"],
        "[HIGH] Application not found, many times: func-orders-prod (#1)"
    );
    assert_eq!(headers["in-reply-to"], Value::Null, "it begins a thread");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_incident_is_told_once_by_mail_and_webhook_and_so_is_its_end() {
    let Some(python) = python() else { return };
    let server = MailServer::start(&python, &[]);
    let hook = Receiver::start().await.unwrap();
    let routes = "[[route]]\nchannels = [\"mail\", \"hook\"]\nmin_severity = \"high\"\n\
                  [notify]\nhold_resolved_for = \"0s\"\n";
    let place = place(&(email(server.port, OPEN) + &webhook(&hook.url()) + routes));

    place.run("import spike.json").says(0, &["12 stored", "1 incident"]);
    assert_eq!(hook.received().len(), 1);
    place.run("run --once").says(0, &[]);
    place.run("import spike.json").says(0, &["12 known already"]);
    place.run("run --once").says(0, &[]);
    assert_eq!(hook.received().len(), 1, "nothing is told twice");
    assert_eq!(deliveries(&place).len(), 2);

    place.write("recovery.json", recovery());
    place.run("import recovery.json").says(0, &["3 stored"]);
    place.run("run --once").says(0, &[]);
    let told = |channel: &str, reason: &str| {
        (channel.to_owned(), reason.to_owned(), "sent".to_owned(), String::new())
    };
    let mut sent = deliveries(&place);
    sent.sort();
    let expected =
        [("hook", "opened"), ("hook", "resolved"), ("mail", "opened"), ("mail", "resolved")];
    assert_eq!(sent, expected.map(|(channel, reason)| told(channel, reason)));

    let mails = server.mails();
    assert_eq!(mails.len(), 2, "{mails:?}");
    says_what_a_person_needs(&mails[0]);
    let (first, last) = (&mails[0]["headers"], &mails[1]["headers"]);
    assert_eq!(last["subject"], format!("Re: {}", first["subject"].as_str().unwrap()));
    assert_eq!(last["in-reply-to"], first["message-id"]);
    assert_eq!(last["references"], first["message-id"]);
    assert_ne!(last["message-id"], first["message-id"]);
    for part in ["plain", "html"] {
        let text = mails[1][part].as_str().unwrap();
        assert!(text.contains("Over: ") && text.contains("func-orders-prod"), "{text}");
    }

    let hooks = hook.received();
    assert_eq!(hooks.len(), 2, "{hooks:?}");
    assert_ne!(hooks[0].headers["webhook-id"], hooks[1].headers["webhook-id"]);
    let read: Vec<Value> =
        hooks.iter().map(|hook| serde_json::from_slice(&hook.body).unwrap()).collect();
    assert_eq!([&read[0]["type"], &read[1]["type"]], ["incident.opened", "incident.resolved"]);
    assert_eq!(read[0]["data"]["identities"][0]["name"], "func-orders-prod");
    let changed = body(&hooks[0]).replacen("high", "low", 1);
    assert_ne!(changed, body(&hooks[0]));
    let asked = [
        (&hooks[0], body(&hooks[0])),
        (&hooks[1], body(&hooks[1])),
        (&hooks[0], changed),
        (&hooks[1], body(&hooks[0])),
    ];
    let answers = verified(&python, &asked);
    assert_eq!(answers[..2], ["verified", "verified"]);
    assert!(answers[2..].iter().all(|answer| answer.starts_with("refused")), "{answers:?}");
    assert_eq!(answers.len(), 4);
}

#[test]
fn mail_goes_encrypted_to_a_server_of_ones_own_authority_that_wants_a_password() {
    let Some(python) = python() else { return };
    for security in ["starttls", "tls"] {
        let server = MailServer::guarded(&python, security);
        let place = place(&email(server.port, &guarded(security, MARK)));
        place.run("import spike.json").says(0, &["1 incident"]);
        assert_eq!(only(&place), ("sent".to_owned(), String::new(), 1), "{security}");
        let mails = server.mails();
        assert_eq!(mails.len(), 1, "{security}: {mails:?}");
        says_what_a_person_needs(&mails[0]);
        assert_eq!(
            (&mails[0]["is_encrypted"], &mails[0]["user"]),
            (&json!(true), &json!("signinel"))
        );
    }
}

#[test]
fn a_wrong_password_is_told_without_it_and_the_mail_waits_for_the_right_one() {
    let Some(python) = python() else { return };
    let server = MailServer::guarded(&python, "starttls");
    let wrong = format!("not-{MARK}");
    let place = place(&email(server.port, &guarded("starttls", &wrong)));
    let sentence = ["refused the sign-in of `signinel`", "535", "check `username` and `password`"];
    place.run("import spike.json").says(0, &sentence);
    place.run("deliveries list").says(0, &["pending", "refused the sign-in"]);
    let (state, error, attempts) = only(&place);
    assert_eq!((state.as_str(), attempts), ("pending", 1));
    assert!(sentence.iter().all(|word| error.contains(word)), "{error}");

    place.run("deliveries retry 1").says(0, &["delivery 1 is due now"]);
    let right = [("SIGNINEL_CHANNEL_MAIL_PASSWORD", MARK)];
    place.run_with("run --once", &right).says(0, &[]);
    assert_eq!(only(&place).0, "sent");
    assert_eq!(server.mails().len(), 1);
}

#[test]
fn a_mail_server_of_an_unknown_authority_gets_no_mail_and_no_password() {
    let Some(python) = python() else { return };
    for security in ["starttls", "tls"] {
        let server = MailServer::guarded(&python, security);
        let settings = guarded(security, MARK);
        let untrusting = settings.rsplit_once("\nca_file").unwrap().0;
        let place = place(&email(server.port, untrusting));
        place.run("import spike.json").says(0, &["no TLS with the mail server", "`ca_file`"]);
        assert_eq!(only(&place).0, "pending", "{security}");
        assert!(server.mails().is_empty(), "{security}");
    }
}

#[test]
fn a_mail_waits_while_the_server_is_down_and_arrives_once() {
    let Some(python) = python() else { return };
    let place = place(&email(CLOSED, OPEN));
    let sentence = ["cannot talk to the mail server 127.0.0.1:1", "check `host`, `port`"];
    place.run("import spike.json").says(0, &sentence);
    let (state, error, attempts) = only(&place);
    assert_eq!((state.as_str(), attempts), ("pending", 1));
    assert!(sentence.iter().all(|word| error.contains(word)), "{error}");

    let server = MailServer::start(&python, &[]);
    let port = server.port.to_string();
    let up = [("SIGNINEL_CHANNEL_MAIL_PORT", port.as_str())];
    place.run("deliveries retry 1").says(0, &["due now"]);
    for _ in 0..2 {
        place.run_with("run --once", &up).says(0, &[]);
    }
    assert_eq!(only(&place).0, "sent");
    place.run("deliveries retry 1").says(1, &["delivery 1 was sent already"]);
    let mails = server.mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    says_what_a_person_needs(&mails[0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_is_sent_again_with_the_same_id_until_it_is_taken() {
    let hook = Receiver::start().await.unwrap();
    hook.answer([500, 204]);
    let place = place(&webhook(&hook.url()));
    place.run("import spike.json").says(0, &["answered 500"]);
    let (state, error, _) = only(&place);
    assert!(state == "pending" && error.contains("answered 500"), "{state}: {error}");
    place.run("deliveries retry 1").says(0, &["due now"]);
    for _ in 0..2 {
        place.run("run --once").says(0, &[]);
    }
    assert_eq!(only(&place).0, "sent");
    let received = hook.received();
    assert_eq!(received.len(), 2, "{received:?}");
    assert_eq!(received[0].headers["webhook-id"], received[1].headers["webhook-id"]);
    assert_eq!(received[0].body, received[1].body);
    if let Some(python) = python() {
        let asked = received.iter().map(|request| (request, body(request))).collect::<Vec<_>>();
        assert_eq!(verified(&python, &asked), ["verified", "verified"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_is_gone_is_switched_off_until_a_person_switches_it_on() {
    let hook = Receiver::start().await.unwrap();
    hook.answer([410]);
    let place = place(&webhook(&hook.url()));
    place.run("import spike.json").says(0, &["answered 410", "switched off"]);
    let (state, error, _) = only(&place);
    assert!(state == "dead" && error.contains("switched off"), "{state}: {error}");
    place.run("deliveries retry 1").says(0, &["enable"]);
    place.run("run --once").says(0, &[]);
    assert_eq!(hook.received().len(), 1, "nothing goes out while it is off");
    place.run("deliveries enable hook").says(0, &["channel hook is on again"]);
    place.run("run --once").says(0, &[]);
    assert_eq!(only(&place).0, "sent");
    let received = hook.received();
    assert_eq!(received.len(), 2, "{received:?}");
    assert_eq!(received[0].headers["webhook-id"], received[1].headers["webhook-id"]);
    place.run("deliveries enable hook").says(1, &["no channel called hook is switched off"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_does_not_follow_where_it_is_sent_on() {
    let hook = Receiver::start().await.unwrap();
    hook.answer([307]);
    let place = place(&webhook(&hook.url()));
    place.run("import spike.json").says(0, &["redirects are not followed"]);
    let (state, error, _) = only(&place);
    assert!(state == "pending" && error.contains("answered 307"), "{state}: {error}");
    assert!(!error.contains("token-in-the-path"), "{error}");
    assert_eq!(hook.received().len(), 1);
}
