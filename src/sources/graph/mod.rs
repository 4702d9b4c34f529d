//! Microsoft Graph's sign-in logs as a source.

mod answer;
mod budget;
mod settings;
mod summary;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use azure_core::credentials::TokenCredential;
use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use reqwest::StatusCode;
use reqwest::header::ACCEPT;
use url::Url;

use crate::clock::Clock;
use crate::config::{Fault, Section};
use crate::sources::entra::Tokens;
use crate::sources::http;
use crate::sources::{Access, Ask, Counts, FetchError, Memory, Page, Pages, Plan, Source};

use answer::Refusal;
use budget::Budget;

pub use settings::Settings;

/// An answer longer than this is not a page of a thousand sign-ins.
const LONGEST_BODY: usize = 256 * 1024 * 1024;

/// Makes the source of a `[[source]]` of kind `graph`.
pub fn build(section: &Section, clock: &Arc<dyn Clock>) -> Result<Box<dyn Source>, Vec<Fault>> {
    let settings = Settings::read(section)?;
    let credential =
        settings.credential.make(&settings.tenant_id, settings.cloud).map_err(|error| {
            let (said, remedy) =
                (http::quoted(&error.to_string(), &[]), settings.credential.remedy());
            vec![section.fault(format_args!("`credential` cannot be used here: {said}; {remedy}"))]
        })?;
    let graph = Graph::with_credential(settings, credential, Arc::clone(clock))
        .map_err(|sentence| vec![section.fault(sentence)])?;
    Ok(Box::new(graph))
}

/// The sign-ins of one tenant, a head for each type.
pub struct Graph {
    settings: Settings,
    tokens: Tokens,
    budget: Arc<Budget>,
    client: reqwest::Client,
    clock: Arc<dyn Clock>,
    /// Until Graph says that it does not order: then the order is its own.
    asks_for_order: AtomicBool,
    /// Whether Graph ever took a token: then a refusal is of that one, and the next may go better.
    was_let_in: AtomicBool,
}

/// What came of a request: an answer with its body read to the end.
struct Answer {
    status: StatusCode,
    headers: reqwest::header::HeaderMap,
    body: Vec<u8>,
    /// That it was asked with.
    token: azure_core::credentials::Secret,
}

impl Graph {
    /// A source that signs in with what it is given, not with what the settings name. The error is
    /// a sentence.
    pub fn with_credential(
        settings: Settings,
        credential: Arc<dyn TokenCredential>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, String> {
        let client = http::built(http::client(&settings.endpoint, settings.timeout))?;
        let tokens =
            Tokens::new(&settings.credential, credential, &settings.scope, Arc::clone(&clock));
        let budget = Budget::of(
            &settings.tenant_id,
            &settings.credential.identity(),
            settings.requests_per_10s,
        );
        let (asks_for_order, was_let_in) = (AtomicBool::new(true), AtomicBool::new(false));
        Ok(Self { settings, tokens, budget, client, clock, asks_for_order, was_let_in })
    }

    /// One request, and so at most one answer: whoever asks counts it, and waits before it asks again.
    async fn page(&self, head: &str, ask: &Ask, size: u32) -> Result<Page, FetchError> {
        let is_ordered =
            matches!(ask, Ask::Window { .. }) && self.asks_for_order.load(Ordering::Relaxed);
        let answer = self.answer(self.url(head, ask, size, is_ordered)?).await?;
        if is_ordered && refuses_order(&answer) {
            self.asks_for_order.store(false, Ordering::Relaxed);
            let root = answer::root(&self.settings);
            return Err(FetchError::transient(format!(
                "{root} does not put {head} sign-ins into order; they are asked for without"
            )));
        }
        if answer.status != StatusCode::OK {
            return Err(self.refused(head, ask, &answer).await);
        }
        self.was_let_in.store(true, Ordering::Relaxed);
        match answer::next_link(&answer.body) {
            Ok(next) => Ok(Page { body: answer.body, next }),
            Err(reason) => {
                let root = answer::root(&self.settings);
                Err(FetchError::transient(format!(
                    "{root} gave no page of {head} sign-ins: {reason}"
                )))
            }
        }
    }

    /// Why an answer is none, and what follows for later requests.
    async fn refused(&self, head: &str, ask: &Ask, answer: &Answer) -> FetchError {
        let refusal = Refusal {
            settings: &self.settings,
            head,
            ask,
            now: self.clock.now(),
            token: answer.token.secret(),
        };
        let mut error = refusal.explain(answer.status, &answer.headers, &answer.body);
        if answer.status == StatusCode::UNAUTHORIZED {
            // It may have expired between two pages; a fresh one tells whether that was all.
            self.tokens.forget();
            if self.was_let_in.load(Ordering::Relaxed) {
                error = FetchError::transient(error.to_string());
            }
        }
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            let wait = error.told().unwrap_or(self.settings.plan.retry_wait);
            self.budget.refused(wait, &*self.clock).await;
        }
        error
    }

    fn url(&self, head: &str, ask: &Ask, size: u32, is_ordered: bool) -> Result<Url, FetchError> {
        let (from, to) = match ask {
            Ask::Next(link) => return self.followed(link),
            Ask::Window { from, to } => (time(*from), time(*to)),
        };
        let mut query = format!(
            "$filter=createdDateTime ge {from} and createdDateTime lt {to} and \
             signInEventTypes/any(t: t eq '{head}')&$top={size}"
        );
        if is_ordered {
            query.push_str("&$orderby=createdDateTime asc");
        }
        let mut url = self.settings.endpoint.clone();
        url.set_path(&format!("{}/beta/auditLogs/signIns", url.path().trim_end_matches('/')));
        url.set_query(Some(&query));
        Ok(url)
    }

    fn count_url(&self, function: &str, ask: &Ask) -> Result<Url, FetchError> {
        let (from, to) = match ask {
            Ask::Next(link) => return self.followed(link),
            Ask::Window { from, to } => (time(*from), time(*to)),
        };
        let mut url = self.settings.endpoint.clone();
        let root = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{root}/beta/auditLogs/{function}(aggregationWindow='h1')"));
        url.set_query(Some(&format!(
            "$filter=firstSignInDateTime ge {from} and firstSignInDateTime lt {to}"
        )));
        Ok(url)
    }

    /// A `nextLink` as it is, if it leads to where the token may go.
    fn followed(&self, link: &str) -> Result<Url, FetchError> {
        let root = answer::root(&self.settings);
        let Ok(url) = Url::parse(link) else {
            let sentence = format!("{root} gave a nextLink that is not a URL");
            return Err(FetchError::Stale { sentence });
        };
        if url.origin() != self.settings.endpoint.origin()
            || !url.username().is_empty()
            || url.password().is_some()
        {
            let there = http::quoted(&url.origin().ascii_serialization(), &[]);
            return Err(FetchError::permanent(format!(
                "{root} gave a nextLink to {there}, which is not followed because the token is not \
                 for there; if that is where Graph is, set `endpoint` to it"
            )));
        }
        if url.query_pairs().any(|(key, value)| key == "$skiptoken" && value.is_empty()) {
            let sentence = format!("{root} gave a nextLink with an empty $skiptoken");
            return Err(FetchError::Stale { sentence });
        }
        Ok(url)
    }

    async fn answer(&self, url: Url) -> Result<Answer, FetchError> {
        let token = self.tokens.get().await?.token;
        let slot = self.budget.take(&*self.clock).await;
        let request = self
            .client
            .get(url)
            .bearer_auth(token.secret())
            .header(ACCEPT, "application/json")
            // Without it, types newer than the schema come as `unknownFutureValue`.
            .header("Prefer", "include-unknown-enum-members");
        let answered = async {
            let sent = request.send().await;
            drop(slot);
            self.whole(sent, token).await
        };
        tokio::select! {
            answered = answered => answered,
            () = self.clock.sleep(self.settings.timeout) => {
                Err(answer::timed_out(&self.settings))
            }
        }
    }

    /// An answer with its body.
    async fn whole(
        &self,
        sent: reqwest::Result<reqwest::Response>,
        token: azure_core::credentials::Secret,
    ) -> Result<Answer, FetchError> {
        let broken = |error: reqwest::Error| answer::broken(&self.settings, &error);
        let mut response = sent.map_err(broken)?;
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(broken)? {
            if body.len() + chunk.len() > LONGEST_BODY {
                return Err(FetchError::permanent(format!(
                    "{} gave a page of more than 256 MiB; set a smaller `page_size`",
                    answer::root(&self.settings)
                )));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answer { status: response.status(), headers: response.headers().clone(), body, token })
    }
}

#[async_trait]
impl Source for Graph {
    fn name(&self) -> &str {
        &self.settings.name
    }

    fn kind(&self) -> &'static str {
        "graph"
    }

    fn tenant_id(&self) -> &str {
        &self.settings.tenant_id
    }

    fn plan(&self) -> &Plan {
        &self.settings.plan
    }

    fn access(&self) -> Access<'_> {
        Access::Pages(self)
    }

    fn remember(&self, memory: &Arc<dyn Memory>) {
        self.budget.remember(memory);
    }

    async fn counted(&self, head: &str, ask: &Ask) -> Result<Option<Counts>, FetchError> {
        let Some(function) = summary::function(head) else { return Ok(None) };
        let answer = self.answer(self.count_url(function, ask)?).await?;
        match answer.status {
            StatusCode::OK => {}
            StatusCode::UNAUTHORIZED | StatusCode::TOO_MANY_REQUESTS => {
                return Err(self.refused(head, ask, &answer).await);
            }
            status if status.is_server_error() => {
                return Err(self.refused(head, ask, &answer).await);
            }
            // Not there, or not for this tenant: it is an extra, and its absence no fault.
            _ => return Ok(None),
        }
        let next = answer::next_link(&answer.body).map_err(|reason| {
            let root = answer::root(&self.settings);
            FetchError::transient(format!("{root} gave no counts of {head} sign-ins: {reason}"))
        })?;
        Ok(summary::read(&answer.body).map(|summaries| Counts { summaries, next }))
    }

    async fn check(&self, now: DateTime<Utc>) -> Result<String, FetchError> {
        let head = self.settings.plan.heads.first().map_or("managedIdentity", String::as_str);
        let ask = Ask::Window { from: now - TimeDelta::hours(1), to: now };
        let is_ordered = self.asks_for_order.load(Ordering::Relaxed);
        let mut page = self.page(head, &ask, 1).await;
        if page.is_err() && is_ordered != self.asks_for_order.load(Ordering::Relaxed) {
            page = self.page(head, &ask, 1).await;
        }
        page?;
        Ok(format!("{head} sign-ins can be read from {}", answer::root(&self.settings)))
    }
}

#[async_trait]
impl Pages for Graph {
    async fn fetch(&self, head: &str, ask: &Ask) -> Result<Page, FetchError> {
        self.page(head, ask, self.settings.page_size).await
    }
}

/// Whether it was the order that Graph could not give.
fn refuses_order(answer: &Answer) -> bool {
    answer.status == StatusCode::BAD_REQUEST
        && memchr::memmem::find(&answer.body.to_ascii_lowercase(), b"orderby").is_some()
}

/// A time as a filter of Graph has it: to the microsecond, without quotes.
fn time(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Micros, true)
}
