//! The Graph source against a Graph on loopback, and against ones that behave badly.

use std::sync::Arc;
use std::sync::Mutex;
use std::time::Duration;

use axum::Router;
use axum::http::header::{LOCATION, RETRY_AFTER};
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::json;
use serde_json::value::RawValue;
use signinel::clock::{Clock, FixedClock, SystemClock};
use signinel::config::Section;
use signinel::sources::graph::{Graph, Settings};
use signinel::sources::{Ask, FetchError, Pages, Source};
use signinel::standin::graph::{Faults, GraphStandin, Options, Running, Shown};

use crate::given::Given;

const HEAD: &str = "managedIdentity";

/// A source for an endpoint. Each test has a tenant of its own, so that none shares a budget.
fn source(tenant: &str, endpoint: &str, token: &str, more: &str) -> Graph {
    let text = format!(
        "tenant_id = \"{tenant}\"\nendpoint = \"{endpoint}\"\nrequests_per_10s = 10000\nretry_wait = \"10ms\"\n{more}"
    );
    let section = Section::of("source", "graph", "prod", text.parse().unwrap());
    let credential = Arc::new(Given(token.to_owned()));
    let settings = Settings::read(&section).unwrap();
    Graph::with_credential(settings, credential, Arc::new(SystemClock)).unwrap()
}

fn of(tenant: &str, running: &Running, more: &str) -> Graph {
    source(tenant, running.endpoint(), running.token(), more)
}

fn start_of_day() -> DateTime<Utc> {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

fn day() -> Ask {
    Ask::Window { from: start_of_day(), to: start_of_day() + TimeDelta::days(1) }
}

/// A record a minute, the spaces of which nobody but a copy would keep.
fn record(minute: i64, kind: &str) -> Shown {
    let at = (start_of_day() + TimeDelta::minutes(minute)).to_rfc3339();
    Shown::from(format!(
        "{{ \"id\":\"{kind}-{minute}\",  \"createdDateTime\":\"{at}\", \"signInEventTypes\":[\"{kind}\"]}}"
    ))
}

#[derive(serde::Deserialize)]
struct Body<'a> {
    #[serde(borrow)]
    value: Vec<&'a RawValue>,
}

/// All pages of a window; fails where one does.
async fn read(graph: &Graph, head: &str) -> Result<Vec<String>, FetchError> {
    let (mut ask, mut records) = (day(), Vec::new());
    loop {
        let page = graph.fetch(head, &ask).await?;
        let body: Body<'_> = serde_json::from_slice(&page.body).unwrap();
        records.extend(body.value.iter().map(|record| record.get().to_owned()));
        match page.next {
            Some(link) => ask = Ask::Next(link),
            None => return Ok(records),
        }
    }
}

fn sentence(error: FetchError) -> (bool, String, Option<Duration>) {
    match error {
        FetchError::Transient { sentence, retry_after }
        | FetchError::TooMuch { sentence, retry_after } => (false, sentence, retry_after),
        FetchError::Stale { sentence } => (false, sentence, None),
        FetchError::OutOfReach { sentence } | FetchError::Permanent { sentence } => {
            (true, sentence, None)
        }
    }
}

/// A Graph that gives the same answer to everything, and keeps what it was asked.
async fn answering(
    answer: impl Fn(&str) -> Response + Clone + Send + Sync + 'static,
) -> (String, Arc<Mutex<Vec<(Uri, HeaderMap)>>>) {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let (keep, origin) = (Arc::clone(&asked), endpoint.clone());
    let router = Router::new().fallback(move |uri: Uri, headers: HeaderMap| {
        keep.lock().unwrap().push((uri, headers));
        let response = answer(&origin);
        async move { response }
    });
    tokio::spawn(axum::serve(listener, router).into_future());
    (endpoint, asked)
}

fn refusal(status: u16, code: &str, message: &str) -> Response {
    let body = json!({"error": {"code": code, "message": message}}).to_string();
    (StatusCode::from_u16(status).unwrap(), body).into_response()
}

#[tokio::test]
async fn every_record_of_a_type_comes_once_page_by_page_and_byte_for_byte() {
    let mut records: Vec<Shown> = (0..25).rev().map(|minute| record(minute, HEAD)).collect();
    records.extend((0..5).map(|minute| record(minute, "servicePrincipal")));
    records.push(record(24 * 60, HEAD));
    let running = GraphStandin::start(records, Options::default()).unwrap();
    let graph = of("paging", &running, "page_size = 10");
    let read = read(&graph, HEAD).await.unwrap();
    assert_eq!(read.len(), 25, "the record at the end of the window is of the next one");
    assert!(
        read[3].starts_with("{ \"id\":\"managedIdentity-3\",  \"createdDateTime\""),
        "{}",
        read[3]
    );
    assert_eq!(running.requests(), 3);
    let told = graph.check(start_of_day() + TimeDelta::hours(1)).await.unwrap();
    assert_eq!(told, format!("managedIdentity sign-ins can be read from {}", running.endpoint()));
}

#[tokio::test]
async fn a_request_says_what_it_wants_as_graph_reads_it() {
    let (endpoint, asked) = answering(|_| "{\"value\":[]}".into_response()).await;
    let graph = source("request", &format!("{endpoint}/proxied/"), "the-token", "");
    graph.fetch(HEAD, &day()).await.unwrap();
    let (uri, headers) = asked.lock().unwrap().pop().unwrap();
    assert_eq!(
        uri.to_string(),
        "/proxied/beta/auditLogs/signIns?$filter=createdDateTime%20ge%202026-03-01T00:00:00.000000Z\
         %20and%20createdDateTime%20lt%202026-03-02T00:00:00.000000Z%20and%20signInEventTypes/any(t:\
         %20t%20eq%20%27managedIdentity%27)&$top=1000&$orderby=createdDateTime%20asc"
    );
    assert_eq!(headers["prefer"], "include-unknown-enum-members");
    assert_eq!(headers["authorization"], "Bearer the-token");
}

#[tokio::test]
async fn a_next_link_to_another_place_is_not_followed() {
    let (elsewhere, asked) = answering(|_| "{\"value\":[]}".into_response()).await;
    let running = GraphStandin::start(Vec::new(), Options::default()).unwrap();
    let graph = of("links", &running, "");
    let endpoint = running.endpoint();
    for link in [
        format!("{elsewhere}/beta/auditLogs/signIns?$skiptoken=x"),
        endpoint.replace("http:", "https:"),
        endpoint.replace("127.0.0.1", "localhost"),
        endpoint.replace("http://", "http://me@"),
    ] {
        let (is_permanent, told, _) =
            sentence(graph.fetch(HEAD, &Ask::Next(link.clone())).await.unwrap_err());
        assert!(is_permanent && told.contains("not followed"), "{link}: {told}");
    }
    let empty = format!("{endpoint}/beta/auditLogs/signIns?$skiptoken=");
    let (is_permanent, told, _) = sentence(graph.fetch(HEAD, &Ask::Next(empty)).await.unwrap_err());
    assert!(!is_permanent && told.contains("empty $skiptoken"), "{told}");
    assert_eq!((running.requests(), asked.lock().unwrap().len()), (0, 0));
}

#[tokio::test]
async fn a_redirect_is_not_followed() {
    let (elsewhere, asked) = answering(|_| "{\"value\":[]}".into_response()).await;
    let (endpoint, _) =
        answering(move |_| (StatusCode::FOUND, [(LOCATION, elsewhere.clone())]).into_response())
            .await;
    let graph = source("redirect", &endpoint, "the-token", "");
    let (is_permanent, told, _) = sentence(graph.fetch(HEAD, &day()).await.unwrap_err());
    assert!(is_permanent && told.contains("set `endpoint`"), "{told}");
    assert!(asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn each_refusal_says_what_to_do_and_holds_no_token() {
    for (status, code, is_permanent, says) in [
        (400, "BadRequest", true, "take it out of `sign_in_types`"),
        (401, "InvalidAuthenticationToken", true, "`tenant_id` is the tenant of the identity"),
        (403, "Authentication_RequestFromNonPremiumTenantOrB2CTenant", true, "Entra ID P1 or P2"),
        (403, "Authorization_RequestDenied", true, "b0afded3-3588-46d8-8b3d-9842eff778da"),
        (404, "BadRequest", true, "check `endpoint` and `cloud`"),
        (429, "TooManyRequests", false, "lower `requests_per_10s`"),
        (500, "UnknownError", false, "set a shorter `window`"),
        (504, "GatewayTimeout", false, "set a shorter `window`"),
        (418, "Teapot", false, "is not known"),
    ] {
        let (endpoint, _) = answering(move |_| {
            refusal(status, code, &format!("\n the-token {}", "long ".repeat(99)))
        })
        .await;
        let graph = source("refusals", &endpoint, "the-token", "");
        let (permanent, told, wait) = sentence(graph.fetch(HEAD, &day()).await.unwrap_err());
        assert!(permanent == is_permanent && told.contains(says), "{status}: {told}");
        assert!(told.contains(&format!("({status}, {code}: … long long")), "{told}");
        assert!(!told.contains("the-token") && told.matches("long").count() < 45, "{told}");
        assert_eq!(wait, None);
    }
}

#[tokio::test]
async fn a_wait_that_graph_asks_for_is_handed_on() {
    let (endpoint, _) =
        answering(|_| (StatusCode::TOO_MANY_REQUESTS, [(RETRY_AFTER, "17")]).into_response()).await;
    let graph = source("waits", &endpoint, "t", "");
    let (is_permanent, told, wait) = sentence(graph.fetch(HEAD, &day()).await.unwrap_err());
    assert!(!is_permanent && told.contains("429"), "{told}");
    assert_eq!(wait, Some(Duration::from_secs(17)));
}

#[tokio::test]
async fn what_is_not_a_page_is_asked_for_again() {
    for (body, says) in [
        ("<html>", "not a page in JSON"),
        ("", "is empty"),
        ("{\"value\":[{\"id\":", "breaks off"),
        ("{\"ok\":true}", "no `value`"),
        ("{\"value\":7}", "not a page in JSON"),
    ] {
        let (endpoint, _) = answering(move |_| body.into_response()).await;
        let graph = source("bodies", &endpoint, "t", "");
        let (is_permanent, told, _) = sentence(graph.fetch(HEAD, &day()).await.unwrap_err());
        assert!(!is_permanent && told.contains(says), "{body}: {told}");
    }
}

#[tokio::test]
async fn a_graph_that_does_not_order_is_asked_without_and_only_once_with() {
    let records = (0..3).map(|minute| record(minute, HEAD)).collect();
    let options = Options { orders: false, ..Options::default() };
    let running = GraphStandin::start(records, options).unwrap();
    let graph = of("order", &running, "page_size = 2");
    let (is_permanent, told, _) = sentence(read(&graph, HEAD).await.unwrap_err());
    assert!(!is_permanent && told.contains("they are asked for without"), "{told}");
    assert_eq!(read(&graph, HEAD).await.unwrap().len(), 3);
    assert_eq!(running.requests(), 3, "refused, first page, second page");
    assert_eq!(read(&graph, HEAD).await.unwrap().len(), 3);
    assert_eq!(running.requests(), 5);
    let fresh = of("order-checked", &running, "");
    fresh.check(start_of_day()).await.unwrap();
}

#[tokio::test]
async fn a_window_that_is_no_longer_kept_and_a_stale_link_are_told_apart() {
    let options = Options { keeps: Some(TimeDelta::days(7)), ..Options::default() };
    let running = GraphStandin::start(Vec::new(), options).unwrap();
    let graph = of("kept", &running, "");
    let (is_permanent, told, _) = sentence(graph.fetch(HEAD, &day()).await.unwrap_err());
    assert!(is_permanent && told.contains("since 2026-03-01T00:00:00.000000Z"), "{told}");
    let stale = format!("{}/beta/auditLogs/signIns?$skiptoken=stale", running.endpoint());
    let (is_permanent, told, _) = sentence(graph.fetch(HEAD, &Ask::Next(stale)).await.unwrap_err());
    assert!(!is_permanent && told.contains("its own nextLink"), "{told}");
}

#[tokio::test]
async fn a_graph_that_is_not_there_or_never_answers_is_transient() {
    let gone = GraphStandin::start(Vec::new(), Options::default()).unwrap();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", closed.local_addr().unwrap());
    let silent = source("silent", &endpoint, gone.token(), "timeout = \"1s\"");
    let (is_permanent, told, _) = sentence(silent.fetch(HEAD, &day()).await.unwrap_err());
    assert!(!is_permanent && told.contains("did not answer within 1 s"), "{told}");
    drop(closed);
    let (is_permanent, told, _) = sentence(silent.fetch(HEAD, &day()).await.unwrap_err());
    assert!(!is_permanent && told.contains("cannot reach"), "{told}");
}

#[tokio::test]
async fn a_wrong_token_is_refused_by_the_standin() {
    let running = GraphStandin::start(Vec::new(), Options::default()).unwrap();
    let graph = source("wrong-token", running.endpoint(), "another", "");
    let (is_permanent, told, _) = sentence(graph.fetch(HEAD, &day()).await.unwrap_err());
    assert!(is_permanent && told.contains("refused the token"), "{told}");
}

#[tokio::test]
async fn every_mishap_is_transient_and_all_records_come_in_the_end() {
    let records = (0..200).map(|minute| record(minute, HEAD)).collect();
    // What a single page cannot tell is left to the walk over many.
    let faults = Faults {
        unauthorised: 0.0,
        looped: 0.0,
        linked_nowhere: 0.0,
        expired: 0.0,
        ..Faults::each(0.07)
    };
    let running = GraphStandin::start(records, Options { faults, seed: 3, ..Options::default() });
    let running = running.unwrap();
    let graph = of("mishaps", &running, "page_size = 20");
    let (mut ask, mut bodies, mut failures) = (day(), Vec::new(), 0);
    loop {
        match graph.fetch(HEAD, &ask).await {
            Ok(page) => {
                bodies.push(page.body);
                match page.next {
                    Some(link) => ask = Ask::Next(link),
                    None => break,
                }
            }
            Err(error) => {
                let (is_permanent, told, _) = sentence(error);
                assert!(!is_permanent, "{told}");
                failures += 1;
            }
        }
    }
    let read: usize = bodies
        .iter()
        .map(|body| serde_json::from_slice::<Body<'_>>(body).unwrap().value.len())
        .sum();
    assert_eq!((read, failures), (200, running.mishaps()));
    assert!(failures > 3);
}

#[tokio::test]
async fn a_late_record_shows_when_its_time_has_come() {
    let clock = Arc::new(FixedClock::at(start_of_day() + TimeDelta::hours(2)));
    let late = record(5, HEAD).late(start_of_day() + TimeDelta::hours(3));
    let records = vec![record(4, HEAD), late, record(6, HEAD)];
    let options = Options { clock: Arc::clone(&clock) as _, ..Options::default() };
    let running = GraphStandin::start(records, options).unwrap();
    let graph = of("late", &running, "page_size = 1");
    assert_eq!(read(&graph, HEAD).await.unwrap().len(), 2);
    clock.advance(TimeDelta::hours(1));
    let read = read(&graph, HEAD).await.unwrap();
    assert!(read.len() == 3 && read[1].contains("managedIdentity-5"), "{read:?}");
}

#[tokio::test]
async fn the_standin_counts_requests_beyond_its_limit() {
    let options = Options { requests_per_10s: Some(2), ..Options::default() };
    let running = GraphStandin::start(Vec::new(), options).unwrap();
    let graph = of("limit", &running, "");
    for _ in 0..2 {
        graph.fetch(HEAD, &day()).await.unwrap();
    }
    let (_, told, _) = sentence(graph.fetch(HEAD, &day()).await.unwrap_err());
    assert!(told.contains("TooManyRequests"), "{told}");
    assert_eq!((running.requests(), running.violations()), (3, 1));
}

#[tokio::test]
async fn the_identity_endpoint_gives_the_token_of_the_logs() {
    let running = GraphStandin::start(Vec::new(), Options::default()).unwrap();
    drop(of("identity", &running, ""));
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = format!(
        "{}?api-version=2019-08-01&resource=https://graph.microsoft.com",
        running.identity_endpoint()
    );
    let refused = client.get(&url).send().await.unwrap();
    assert_eq!(refused.status(), 401);
    let given = client.get(&url).header("X-IDENTITY-HEADER", running.identity_header());
    let token: serde_json::Value = given.send().await.unwrap().json().await.unwrap();
    assert_eq!(token["access_token"], running.token());
    assert!(token["expires_on"].is_string());
    assert_eq!(token["resource"], "https://graph.microsoft.com");
}

/// The SDK reads its variables from the environment, so this test runs itself once more with them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_managed_identity_signs_in_by_the_endpoint_of_its_machine() {
    if let Ok(endpoint) = std::env::var("SIGNINEL_TEST_ENDPOINT") {
        let text = format!("tenant_id = \"child\"\nendpoint = \"{endpoint}\"");
        let section = Section::of("source", "graph", "prod", text.parse().unwrap());
        let graph = {
            let clock: Arc<dyn Clock> = Arc::new(SystemClock);
            signinel::sources::build(&section, &clock).unwrap()
        };
        assert_eq!(graph.kind(), "graph");
        let told = graph.check(start_of_day()).await.unwrap();
        assert!(told.contains("can be read"), "{told}");
        return;
    }
    let running = GraphStandin::start(Vec::new(), Options::default()).unwrap();
    let mut again = std::process::Command::new(std::env::current_exe().unwrap());
    again
        .args(["--exact", "graph::a_managed_identity_signs_in_by_the_endpoint_of_its_machine"])
        .env("SIGNINEL_TEST_ENDPOINT", running.endpoint())
        .env("IDENTITY_ENDPOINT", running.identity_endpoint())
        .env("IDENTITY_HEADER", running.identity_header())
        .env("NO_PROXY", "127.0.0.1");
    let output = tokio::task::spawn_blocking(move || again.output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(running.requests(), 1);
}
