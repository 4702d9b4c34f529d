//! Whom the stand-in for Graph lets in, and how it refuses.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, SecondsFormat, Utc};
use tokio::time::Instant;

use super::graph::{Shared, locked, text};
use super::mishap::Mishap;

/// What Graph's own limit counts over.
const STRETCH: Duration = Duration::from_secs(10);

/// What comes so soon after a wait was asked for was under way when it was.
const UNDER_WAY: Duration = Duration::from_millis(200);

/// When it asked to be left alone, until when, and by whom: by all, or by those who ask for one type.
pub(super) struct Rest {
    told_at: Instant,
    until: Instant,
    head: Option<String>,
}

impl Shared {
    /// Counts a request, and refuses one that is too early, too many, or of somebody who may not.
    pub(super) fn let_in(&self, headers: &HeaderMap, kind: &str) -> Option<Response> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let clock = &self.options.clock;
        let now = clock.instant();
        let is_early = |rest: &Rest| {
            now < rest.until
                && now.saturating_duration_since(rest.told_at) > UNDER_WAY
                && rest.head.as_ref().is_none_or(|head| head == kind)
        };
        if locked(&self.rests).iter().any(is_early) {
            self.hasty.fetch_add(1, Ordering::Relaxed);
        }
        if text(headers, AUTHORIZATION.as_str()).strip_prefix("Bearer ") != Some(&*self.token) {
            let (code, message) =
                ("InvalidAuthenticationToken", "Access token validation failure.");
            return Some(self.refusal(StatusCode::UNAUTHORIZED, code, message));
        }
        if self.is_too_much() {
            return Some(self.throttled());
        }
        let is_blind =
            |(from, to): (DateTime<Utc>, DateTime<Utc>)| (from..to).contains(&clock.now());
        if self.options.blind.is_some_and(is_blind) {
            let (code, message) = ("Authorization_RequestDenied", "Insufficient privileges.");
            return Some(self.refusal(StatusCode::FORBIDDEN, code, message));
        }
        None
    }

    pub(super) fn befell(&self, mishap: Mishap) {
        *locked(&self.befallen).entry(mishap).or_default() += 1;
    }

    /// The answer of a mishap that gives no page; `None` where it has no effect here, or only on the page.
    pub(super) fn answered(
        &self,
        mishap: Mishap,
        kind: &str,
        options: &BTreeMap<String, String>,
    ) -> Option<Response> {
        let unavailable = || {
            let message = "The service is temporarily unavailable.";
            self.refusal(StatusCode::SERVICE_UNAVAILABLE, "serviceNotAvailable", message)
        };
        let json = [(CONTENT_TYPE, "application/json")];
        let mut response = match mishap {
            Mishap::Throttled | Mishap::ThrottledLong | Mishap::ThrottledSilently => {
                self.throttled()
            }
            Mishap::Failed => {
                let message = "An error occurred while processing your request.";
                self.refusal(StatusCode::INTERNAL_SERVER_ERROR, "UnknownError", message)
            }
            Mishap::Unavailable | Mishap::UnavailableUntil | Mishap::UnavailableLong => {
                unavailable()
            }
            Mishap::Html => {
                let page = "<!DOCTYPE html><html><body>Please wait.</body></html>";
                ([(CONTENT_TYPE, "text/html")], page).into_response()
            }
            Mishap::Empty => StatusCode::OK.into_response(),
            Mishap::Wrong => (json, "{\"value\":{\"id\":7},\"ok\":true}").into_response(),
            Mishap::Unauthorised => {
                let message = "Lifetime validation failed, the token is expired.";
                self.refusal(StatusCode::UNAUTHORIZED, "InvalidAuthenticationToken", message)
            }
            Mishap::Expired if options.contains_key("$skiptoken") => {
                let message = "Invalid Skip Token, skip token is null";
                self.refusal(StatusCode::BAD_REQUEST, "BadRequest", message)
            }
            _ => return None,
        };
        self.befell(mishap);
        if let Some(wait) = mishap.told() {
            response.headers_mut().insert(RETRY_AFTER, wait.as_secs().into());
            let told_at = self.options.clock.instant();
            let is_of_all = response.status() == StatusCode::TOO_MANY_REQUESTS;
            let head = (!is_of_all).then(|| kind.to_owned());
            locked(&self.rests).push(Rest { told_at, until: told_at + wait, head });
        }
        Some(response)
    }

    /// Counts a request in, and says whether it is one more than allowed.
    fn is_too_much(&self) -> bool {
        let Some(limit) = self.options.requests_per_10s else { return false };
        let (mut arrivals, now) = (locked(&self.arrivals), self.options.clock.instant());
        while arrivals.front().is_some_and(|came| now.duration_since(*came) > STRETCH) {
            arrivals.pop_front();
        }
        arrivals.push_back(now);
        let is_too_much = arrivals.len() > limit;
        if is_too_much {
            self.violations.fetch_add(1, Ordering::Relaxed);
        }
        is_too_much
    }

    fn throttled(&self) -> Response {
        let message = "This request is throttled. Please try again after some time.";
        self.refusal(StatusCode::TOO_MANY_REQUESTS, "TooManyRequests", message)
    }

    pub(super) fn refusal(&self, status: StatusCode, code: &str, message: &str) -> Response {
        let date: DateTime<Utc> = self.options.clock.now();
        let inner = serde_json::json!({"date": date.to_rfc3339_opts(SecondsFormat::Secs, true)});
        let error = serde_json::json!({"code": code, "message": message, "innerError": inner});
        (status, axum::Json(serde_json::json!({"error": error}))).into_response()
    }
}
