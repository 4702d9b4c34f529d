//! A receiver of webhooks on loopback that keeps what it is sent and answers as it is told.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::any;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// A request as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Received {
    /// By name, in lower case.
    pub headers: BTreeMap<String, String>,
    pub body: Vec<u8>,
}

/// How to answer one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub status: u16,
    pub retry_after: Option<String>,
}

impl From<u16> for Answer {
    fn from(status: u16) -> Self {
        Self { status, retry_after: None }
    }
}

#[derive(Debug, Default)]
struct Kept {
    received: Vec<Received>,
    answers: VecDeque<Answer>,
}

/// The receiver. It ends when it is dropped.
#[derive(Debug)]
pub struct Receiver {
    address: SocketAddr,
    kept: Arc<Mutex<Kept>>,
    serving: JoinHandle<()>,
}

impl Receiver {
    /// Starts it on a free port. It answers 204 unless told otherwise.
    pub async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let address = listener.local_addr()?;
        let kept: Arc<Mutex<Kept>> = Arc::default();
        let router = Router::new().fallback(any(take)).with_state(kept.clone());
        let serving = tokio::spawn(async move {
            if let Err(error) = axum::serve(listener, router).await {
                tracing::error!("the receiver stopped: {error}");
            }
        });
        Ok(Self { address, kept, serving })
    }

    /// Where to send to; the path passes for a secret.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}/hook/token-in-the-path", self.address)
    }

    /// Answers the next requests like this, in order.
    pub fn answer(&self, answers: impl IntoIterator<Item = impl Into<Answer>>) {
        lock(&self.kept).answers.extend(answers.into_iter().map(Into::into));
    }

    /// All requests, in order, however they were answered.
    #[must_use]
    pub fn received(&self) -> Vec<Received> {
        lock(&self.kept).received.clone()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock(kept: &Mutex<Kept>) -> MutexGuard<'_, Kept> {
    kept.lock().expect("nobody panics while holding the receiver")
}

async fn take(State(kept): State<Arc<Mutex<Kept>>>, headers: HeaderMap, body: Bytes) -> Response {
    let headers = headers
        .iter()
        .map(|(name, value)| {
            (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into_owned())
        })
        .collect();
    let mut kept = lock(&kept);
    kept.received.push(Received { headers, body: body.to_vec() });
    let answer = kept.answers.pop_front().unwrap_or(Answer::from(204));
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let said = if status.is_success() { "" } else { "as /hook/token-in-the-path was told to" };
    let mut response = (status, said).into_response();
    if status.is_redirection() {
        response.headers_mut().insert(LOCATION, HeaderValue::from_static("/elsewhere"));
    }
    if let Some(value) = answer.retry_after.and_then(|text| text.parse().ok()) {
        response.headers_mut().insert(RETRY_AFTER, value);
    }
    response
}
