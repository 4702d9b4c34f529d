//! A mail server on loopback that keeps what it is sent.

use std::collections::VecDeque;
use std::io::{self, BufRead, BufReader, BufWriter, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailin::response::OK;
use mailin::{Action, Handler, Response, SessionBuilder};

/// A client that says nothing for so long is left.
const PATIENCE: Duration = Duration::from_mins(1);

/// A mail as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    /// Headers and body, as sent.
    pub text: String,
}

impl Mail {
    /// The value of a header, unfolded.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<String> {
        let text = self.text.replace("\r\n", "\n");
        let head = text.split_once("\n\n").map_or(text.as_str(), |(head, _)| head);
        let unfolded = head.replace("\n ", " ").replace("\n\t", " ");
        unfolded.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
        })
    }

    /// The plain text part, decoded.
    #[must_use]
    pub fn plain_text(&self) -> Option<String> {
        self.part("text/plain")
    }

    /// The HTML part, decoded.
    #[must_use]
    pub fn html(&self) -> Option<String> {
        self.part("text/html")
    }

    fn part(&self, kind: &str) -> Option<String> {
        let text = self.text.replace("\r\n", "\n");
        let at = text.find(&format!("Content-Type: {kind}"))?;
        let (head, body) = text[at..].split_once("\n\n")?;
        let body = body.split("\n--").next()?;
        if head.contains("quoted-printable") {
            return Some(unquoted(body));
        }
        if head.contains("base64") {
            let bytes = STANDARD.decode(body.replace('\n', "")).ok()?;
            return String::from_utf8(bytes).ok();
        }
        Some(body.to_owned())
    }
}

/// Quoted-printable (RFC 2045, 6.7) as text.
fn unquoted(text: &str) -> String {
    let joined = text.replace("=\n", "");
    let (mut bytes, mut rest) = (Vec::with_capacity(joined.len()), joined.as_bytes());
    while let Some((byte, others)) = rest.split_first() {
        let code =
            others.get(..2).filter(|_| *byte == b'=').and_then(|hex| std::str::from_utf8(hex).ok());
        rest = if let Some(code) = code.and_then(|hex| u8::from_str_radix(hex, 16).ok()) {
            bytes.push(code);
            &others[2..]
        } else {
            bytes.push(*byte);
            others
        };
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[derive(Debug, Default)]
struct State {
    mails: Vec<Mail>,
    /// Answers to the next mails, in place of taking them.
    refusals: VecDeque<u16>,
    /// Recipients that there are not.
    unknown: Vec<String>,
}

/// The mail server. It runs until the program ends.
#[derive(Clone, Debug)]
pub struct Mailbox {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

impl Mailbox {
    /// Starts it on a free port.
    pub fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mailbox = Self { address: listener.local_addr()?, state: Arc::default() };
        let state = mailbox.state.clone();
        thread::Builder::new().name("mailbox".to_owned()).spawn(move || {
            for client in listener.incoming().flatten() {
                let session = Session { state: state.clone(), mail: None };
                // A client that goes away half-way has sent no mail.
                thread::spawn(move || drop(serve(&client, session)));
            }
        })?;
        Ok(mailbox)
    }

    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers the next mails with these codes, such as 451 or 554, in place of taking them.
    pub fn refuse(&self, codes: &[u16]) {
        lock(&self.state).refusals.extend(codes);
    }

    /// Refuses a recipient with 550 from now on.
    pub fn forget(&self, recipient: &str) {
        lock(&self.state).unknown.push(recipient.to_owned());
    }

    /// The mails that were taken, in order.
    #[must_use]
    pub fn mails(&self) -> Vec<Mail> {
        lock(&self.state).mails.clone()
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().expect("nobody panics while holding the mailbox")
}

/// Speaks to one client until it leaves.
fn serve(client: &TcpStream, session: Session) -> io::Result<()> {
    client.set_read_timeout(Some(PATIENCE))?;
    let mut session =
        SessionBuilder::new("mailbox.example").build(client.peer_addr()?.ip(), session);
    // Sent in pieces, each answer would wait until the client acknowledges its first one.
    client.set_nodelay(true)?;
    let (mut lines, mut answers) = (BufReader::new(client), BufWriter::new(client));
    session.greeting().write_to(&mut answers)?;
    answers.flush()?;
    let mut line = Vec::new();
    while lines.read_until(b'\n', &mut line)? > 0 {
        let response = session.process(&line);
        line.clear();
        if response.action != Action::NoReply {
            response.write_to(&mut answers)?;
            answers.flush()?;
        }
        if response.action == Action::Close {
            break;
        }
    }
    Ok(())
}

/// What one client said.
struct Session {
    state: Arc<Mutex<State>>,
    mail: Option<(Mail, Vec<u8>)>,
}

impl Handler for Session {
    fn mail(&mut self, _ip: IpAddr, _domain: &str, from: &str) -> Response {
        let mail = Mail { from: from.to_owned(), to: Vec::new(), text: String::new() };
        self.mail = Some((mail, Vec::new()));
        OK
    }

    fn rcpt(&mut self, to: &str) -> Response {
        if lock(&self.state).unknown.iter().any(|unknown| unknown == to) {
            return Response::custom(550, "no such mailbox here".to_owned());
        }
        if let Some((mail, _)) = &mut self.mail {
            mail.to.push(to.to_owned());
        }
        OK
    }

    fn data(&mut self, buf: &[u8]) -> io::Result<()> {
        if let Some((_, text)) = &mut self.mail {
            text.extend_from_slice(buf);
        }
        Ok(())
    }

    fn data_end(&mut self) -> Response {
        let Some((mut mail, text)) = self.mail.take() else { return OK };
        let mut state = lock(&self.state);
        if let Some(code) = state.refusals.pop_front() {
            // The server library would go on to read data after a refusal, so the session ends.
            let mut refusal = Response::custom(code, "refused, as told".to_owned());
            refusal.action = Action::Close;
            return refusal;
        }
        mail.text = String::from_utf8_lossy(&text).into_owned();
        state.mails.push(mail);
        OK
    }
}
