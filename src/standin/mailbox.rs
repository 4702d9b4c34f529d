//! A mail server on loopback that keeps what it is sent.

use std::collections::VecDeque;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use mailin_embedded::response::OK;
use mailin_embedded::{Action, Handler, Response, Server, SslConfig};

/// Sessions at once. Each takes a thread, and one that idles keeps its own.
const SESSIONS: u32 = 64;

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
        let mut server = Server::new(Session { state: mailbox.state.clone(), mail: None });
        server
            .with_name("mailbox.example")
            .with_num_threads(SESSIONS)
            .with_tcp_listener(listener)
            .with_ssl(SslConfig::None)
            .map_err(|error| io::Error::other(error.to_string()))?;
        thread::Builder::new().name("mailbox".to_owned()).spawn(move || {
            if let Err(error) = server.serve() {
                tracing::error!("the mailbox stopped: {error}");
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

/// One connection.
#[derive(Clone)]
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
