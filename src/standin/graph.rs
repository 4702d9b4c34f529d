//! A Microsoft Graph on loopback: its sign-in logs, and the identity endpoint of a machine in Azure.

use std::collections::{BTreeMap, VecDeque};
use std::net::{Ipv4Addr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::ListenerExt;
use axum::{Router, extract};
use chrono::{DateTime, TimeDelta, Utc};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::gate::Rest;
use super::mishap::{PAUSE, Schedule, sent};
use super::query;
use super::query::Query;
use super::shelf::Shelf;
use crate::clock::{Clock, SystemClock};

pub use super::mishap::{Faults, Mishap};
pub use super::shelf::Shown;

/// A time that no run of the stand-in reaches, so that its tokens hold whatever its clock says.
const TOKEN_ENDS: &str = "4102444800";

/// How the stand-in behaves.
#[derive(Clone)]
pub struct Options {
    /// Tells which late records show already.
    pub clock: Arc<dyn Clock>,
    /// Decides the schedule of mishaps, and the token.
    pub seed: u64,
    pub faults: Faults,
    /// Answers 429 to more requests than these, and counts them as violations.
    pub requests_per_10s: Option<usize>,
    /// Whether `$orderby` is taken.
    pub orders: bool,
    /// Whether it counts sign-ins by the hour too; those it does not show are counted.
    pub counts: bool,
    /// Filters that reach back further than this are refused.
    pub keeps: Option<TimeDelta>,
    /// While the application may not read.
    pub blind: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// A sign-in type that is not answered while anybody waits for it.
    pub hangs: Option<&'static str>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            clock: Arc::new(SystemClock),
            seed: 0,
            faults: Faults::default(),
            requests_per_10s: None,
            orders: true,
            counts: false,
            keeps: None,
            blind: None,
            hangs: None,
        }
    }
}

/// A window of sign-ins that was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub kind: String,
    /// Half-open.
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
    /// Whether it was found too long.
    pub is_refused: bool,
}

/// Why the stand-in does not start.
#[derive(Debug, thiserror::Error)]
pub enum StandinError {
    #[error("record number {number} is none of Graph's: {error}")]
    Record { number: usize, error: serde_json::Error },
    #[error("cannot listen on loopback: {0}")]
    Listen(#[from] std::io::Error),
}

/// Makes a running stand-in.
pub struct GraphStandin;

/// A stand-in that answers. It stops when this is dropped.
pub struct Running {
    origin: String,
    shared: Arc<Shared>,
    stop: CancellationToken,
}

pub(super) struct Shared {
    origin: String,
    pub(super) shelf: Shelf,
    pub(super) options: Options,
    pub(super) token: String,
    identity_header: String,
    schedule: Mutex<Schedule>,
    /// When the requests of the last 10 s came.
    pub(super) arrivals: Mutex<VecDeque<Instant>>,
    pub(super) requests: AtomicUsize,
    pub(super) violations: AtomicUsize,
    pub(super) rests: Mutex<Vec<Rest>>,
    pub(super) hasty: AtomicUsize,
    /// The mishaps that showed.
    pub(super) befallen: Mutex<BTreeMap<Mishap, usize>>,
    /// Windows whose first page was asked for, in order.
    wanted: Mutex<Vec<Wanted>>,
    /// The `$skiptoken` of the page before, by that of the page.
    before: Mutex<BTreeMap<String, String>>,
}

impl GraphStandin {
    /// Starts to answer, on the runtime it is called in.
    pub fn start(records: Vec<Shown>, options: Options) -> Result<Running, StandinError> {
        let shelf = Shelf::of(records)
            .map_err(|(place, error)| StandinError::Record { number: place + 1, error })?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
        listener.set_nonblocking(true)?;
        let origin = format!("http://{}", listener.local_addr()?);
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let resets = options.faults.reset > 0.0;
        let mut random = ChaCha8Rng::seed_from_u64(options.seed);
        let shared = Arc::new(Shared {
            origin: origin.clone(),
            shelf,
            token: format!("standin-token-{:032x}", random.random::<u128>()),
            identity_header: format!("standin-header-{:032x}", random.random::<u128>()),
            schedule: Mutex::new(Schedule::of(options.faults, options.seed)),
            options,
            arrivals: Mutex::default(),
            requests: AtomicUsize::new(0),
            violations: AtomicUsize::new(0),
            rests: Mutex::default(),
            hasty: AtomicUsize::new(0),
            befallen: Mutex::default(),
            wanted: Mutex::default(),
            before: Mutex::default(),
        });
        let router = Router::new()
            .route("/beta/auditLogs/signIns", get(sign_ins))
            .route("/beta/auditLogs/{function}", get(super::counts::answer))
            .route("/msi/token", get(identity_token))
            .fallback(unknown_path)
            .with_state(Arc::clone(&shared));
        let stop = CancellationToken::new();
        let stopped = stop.clone().cancelled_owned();
        // Small answers must not wait for more to send.
        let listener = listener.tap_io(move |stream| {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%error, "answers of the stand-in may wait for each other");
            }
            // Closed before its end, such a connection is reset.
            if resets && let Err(error) = stream.set_zero_linger() {
                tracing::debug!(%error, "connections of the stand-in may end more gently");
            }
        });
        let server = axum::serve(listener, router).with_graceful_shutdown(stopped);
        tokio::spawn(server.into_future());
        Ok(Running { origin, shared, stop })
    }
}

impl Running {
    /// What to set `endpoint` to.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.origin
    }

    /// What to set the variable `IDENTITY_ENDPOINT` to.
    #[must_use]
    pub fn identity_endpoint(&self) -> String {
        format!("{}/msi/token", self.origin)
    }

    /// What to set the variable `IDENTITY_HEADER` to.
    #[must_use]
    pub fn identity_header(&self) -> &str {
        &self.shared.identity_header
    }

    /// The token that the sign-in logs are given for.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.shared.token
    }

    /// Requests for sign-ins so far, whatever became of them.
    #[must_use]
    pub fn requests(&self) -> usize {
        self.shared.requests.load(Ordering::Relaxed)
    }

    /// Requests that were more than allowed.
    #[must_use]
    pub fn violations(&self) -> usize {
        self.shared.violations.load(Ordering::Relaxed)
    }

    /// Requests that came before a wait was over that a `Retry-After` asked for: with 429 all who sign in as the
    /// same application, with 503 those who ask for the same type.
    #[must_use]
    pub fn hasty(&self) -> usize {
        self.shared.hasty.load(Ordering::Relaxed)
    }

    /// Requests that went wrong by the schedule.
    #[must_use]
    pub fn mishaps(&self) -> usize {
        locked(&self.shared.befallen).values().sum()
    }

    /// Windows whose first page was asked for by somebody who was let in, in order.
    #[must_use]
    pub fn wanted(&self) -> Vec<Wanted> {
        locked(&self.shared.wanted).clone()
    }

    /// How many of each kind.
    #[must_use]
    pub fn befallen(&self) -> BTreeMap<Mishap, usize> {
        locked(&self.shared.befallen).clone()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub(super) type Shares = extract::State<Arc<Shared>>;
pub(super) type Asked = extract::Query<BTreeMap<String, String>>;

async fn sign_ins(
    extract::State(shared): Shares,
    extract::Query(options): Asked,
    headers: HeaderMap,
) -> Response {
    let query = Query::parse(&options);
    let kind = query.as_ref().map_or_else(|_| String::new(), |query| query.kind.clone());
    if let Some(refusal) = shared.let_in(&headers, &kind) {
        return refusal;
    }
    if query.is_ok_and(|query| shared.tires_of(query)) {
        let message = "The request took too long.";
        return shared.refusal(StatusCode::GATEWAY_TIMEOUT, "GatewayTimeout", message);
    }
    if shared.options.hangs == Some(&*kind) {
        shared.options.clock.sleep(PAUSE).await;
    }
    let mishap = locked(&shared.schedule).next();
    match mishap.map(|mishap| shared.answered(mishap, &kind, &options)) {
        Some(Some(response)) => response,
        _ => match shared.page(&options, mishap) {
            Ok(body) => {
                if let Some(mishap) = mishap.filter(|mishap| OF_THE_BODY.contains(mishap)) {
                    shared.befell(mishap);
                }
                sent(body, mishap, &shared.options.clock)
            }
            Err(message) => shared.refusal(StatusCode::BAD_REQUEST, "BadRequest", &message),
        },
    }
}

/// What leaves a page that is not whole.
const OF_THE_BODY: [Mishap; 4] = [Mishap::CutOff, Mishap::Reset, Mishap::Slow, Mishap::Truncated];

/// The identity endpoint of App Service.
async fn identity_token(
    extract::State(shared): Shares,
    extract::Query(options): Asked,
    headers: HeaderMap,
) -> Response {
    if text(&headers, "x-identity-header") != shared.identity_header {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let is_version = options.get("api-version").is_some_and(|version| version == "2019-08-01");
    let Some(resource) = options.get("resource").filter(|_| is_version) else {
        let error = "no resource, or not api-version 2019-08-01";
        return (StatusCode::BAD_REQUEST, error).into_response();
    };
    axum::Json(serde_json::json!({
        "access_token": shared.token,
        "expires_on": TOKEN_ENDS,
        "resource": resource,
        "token_type": "Bearer",
    }))
    .into_response()
}

pub(super) async fn unknown_path(extract::State(shared): Shares) -> Response {
    let message = "Resource not found for the segment.";
    shared.refusal(StatusCode::NOT_FOUND, "BadRequest", message)
}

impl Shared {
    /// Whether a window is too long; those that begin here are kept.
    fn tires_of(&self, query: Query) -> bool {
        let Query { from, to, kind, start, .. } = query;
        let now = self.options.clock.now();
        let is_too_long =
            |(most, until): (TimeDelta, DateTime<Utc>)| now < until && to - from > most;
        let is_refused = self.options.faults.tires.is_some_and(is_too_long);
        if start.is_none() {
            locked(&self.wanted).push(Wanted { kind, from, to, is_refused });
        }
        is_refused
    }

    /// The body of a page; the error is a sentence in Graph's manner.
    fn page(
        &self,
        options: &BTreeMap<String, String>,
        mishap: Option<Mishap>,
    ) -> Result<Vec<u8>, String> {
        if !self.options.orders && options.contains_key("$orderby") {
            return Err("Query option '$orderby' is not supported.".to_owned());
        }
        let (query, now) = (Query::parse(options)?, self.options.clock.now());
        if self.options.keeps.is_some_and(|keeps| query.from < now - keeps) {
            return Err(format!("The start time {} is out of the allowed range.", query.from));
        }
        let (records, next) = self.shelf.page(&query, now);
        let size: usize = records.iter().map(|record| record.len() + 1).sum();
        let mut body = Vec::with_capacity(size + 1024);
        body.extend_from_slice(b"{\"@odata.context\":\"");
        body.extend_from_slice(self.origin.as_bytes());
        body.extend_from_slice(b"/beta/$metadata#auditLogs/signIns\",");
        if let Some(place) = next {
            body.extend_from_slice(b"\"@odata.nextLink\":\"");
            body.extend_from_slice(self.next_link(options, place, mishap).as_bytes());
            body.extend_from_slice(b"\",");
        }
        body.extend_from_slice(b"\"value\":[");
        for (place, record) in records.iter().enumerate() {
            if place > 0 {
                body.push(b',');
            }
            body.extend_from_slice(record.as_bytes());
        }
        body.extend_from_slice(b"]}");
        Ok(body)
    }

    /// The same request from a place on. Its characters need no escape in JSON.
    fn next_link(
        &self,
        options: &BTreeMap<String, String>,
        place: usize,
        mishap: Option<Mishap>,
    ) -> String {
        let mut before = locked(&self.before);
        let own = options.get("$skiptoken");
        let back = own.and_then(|own| before.get(own)).filter(|back| !back.is_empty());
        let token = match (mishap, own, back) {
            (Some(Mishap::Looped), Some(own), _) => own.clone(),
            (Some(Mishap::LoopedBack), _, Some(back)) => back.clone(),
            (Some(Mishap::LinkedNowhere), ..) => String::new(),
            _ => query::token(place),
        };
        if token == query::token(place) {
            before.insert(token.clone(), own.cloned().unwrap_or_default());
        } else if let Some(mishap) = mishap {
            self.befell(mishap);
        }
        drop(before);
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(options.iter().filter(|(name, _)| *name != "$skiptoken"))
            .append_pair("$skiptoken", &token)
            .finish();
        format!("{}/beta/auditLogs/signIns?{query}", self.origin)
    }
}

/// A header as text; empty where it is absent.
pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Nothing is half done while one of these locks is held.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
