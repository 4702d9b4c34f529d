//! Tells by HTTP: Standard Webhooks 1.0.0, signed.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, TimeDelta, Utc};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, StatusCode};
use serde::Deserialize;
use url::{Host, Url};

use super::address::{is_loopback_name, is_public};
use super::channel::{Channel, SendError};
use super::message::{Message, cut, plain};
use super::payload::body;
use super::signature::Keys;
use crate::config::{Fault, Secret, Section, Span};

/// How much of an answer is read and kept.
const ANSWER_AT_MOST: usize = 300;

const TIMEOUT: Duration = Duration::from_secs(20);

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    /// Path and query may hold a token, so the whole is kept as a secret.
    url: Option<Secret>,
    url_file: Option<PathBuf>,
    secret: Option<Secret>,
    secret_file: Option<PathBuf>,
    /// In place of `secret` while it is replaced: the new one and the old one.
    #[serde(default)]
    secrets: Vec<Secret>,
    #[serde(default)]
    headers: BTreeMap<String, Secret>,
    #[serde(default)]
    allow_http: bool,
    #[serde(default)]
    allow_private: bool,
    timeout: Option<Span>,
}

/// A `[[channel]]` of kind `webhook`.
pub(super) struct Webhook {
    name: String,
    url: Url,
    /// Scheme, host and port: all of the address that is ever shown.
    shown: String,
    keys: Keys,
    headers: HeaderMap,
    allow_private: bool,
    client: Client,
}

impl Webhook {
    pub(super) fn new(section: &Section) -> Result<Self, Vec<Fault>> {
        let settings: Settings = section.settings().map_err(|fault| vec![fault])?;
        let mut faults = Vec::new();
        let mut take = |sentence: String| faults.push(section.fault(sentence));
        let keys = keys(&settings, &section.variable("secret")).map_err(&mut take).ok();
        let headers = headers(&settings.headers).map_err(&mut take).ok();
        let url = address(&settings).map_err(&mut take).ok();
        let allow_private =
            settings.allow_private || url.as_ref().is_some_and(|url| is_loopback_name(host(url)));
        let timeout = settings.timeout.map_or(TIMEOUT, |span| span.0);
        let client = client(timeout, allow_private).map_err(&mut take).ok();
        match (url, keys, headers, client) {
            (Some(url), Some(keys), Some(headers), Some(client)) => Ok(Self {
                name: section.name.clone(),
                shown: shown(&url),
                url,
                keys,
                headers,
                allow_private,
                client,
            }),
            _ => Err(faults),
        }
    }

    /// What an answer means. Every status but 2xx is a failure that may pass; only 410 is final.
    async fn judge(&self, response: Response, now: DateTime<Utc>) -> Result<String, SendError> {
        let status = response.status();
        let retry_after = response.headers().get(RETRY_AFTER).and_then(|value| asked(value, now));
        let said = self.read(response).await;
        let shown = &self.shown;
        if status.is_success() {
            return Ok(format!("{status}{said}"));
        }
        let sentence = format!("{shown} answered {status}{said}");
        Err(match status {
            StatusCode::GONE => SendError::Gone {
                sentence: format!(
                    "{sentence}: it wants nothing more, so the channel is switched off"
                ),
            },
            _ if status.is_redirection() => SendError::Transient {
                sentence: format!(
                    "{sentence}: redirects are not followed; set `url` to where it leads"
                ),
                retry_after,
            },
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => SendError::Transient {
                sentence: format!("{sentence}: check `secret` and `headers`"),
                retry_after,
            },
            _ => SendError::Transient { sentence, retry_after },
        })
    }

    /// The first of what was answered, as one line. A receiver may repeat the address it was asked
    /// at, which may be a secret.
    async fn read(&self, mut response: Response) -> String {
        let mut read = Vec::new();
        while read.len() < ANSWER_AT_MOST * 4 {
            match response.chunk().await {
                Ok(Some(chunk)) => read.extend_from_slice(&chunk),
                Ok(None) | Err(_) => break,
            }
        }
        read.truncate(ANSWER_AT_MOST * 4);
        let mut said = plain(&String::from_utf8_lossy(&read));
        for secret in [self.url.path(), self.url.query().unwrap_or_default()] {
            if secret.len() > 1 {
                said = said.replace(secret, "…");
            }
        }
        let said = cut(said.trim(), ANSWER_AT_MOST);
        if said.is_empty() { said } else { format!(": {said}") }
    }

    fn failure(&self, error: &reqwest::Error) -> SendError {
        let shown = &self.shown;
        let sentence = if let Some(Refused(host)) = source(error) {
            return SendError::Permanent { sentence: private(host) };
        } else if error.is_timeout() {
            format!("{shown} did not answer in time")
        } else if error.is_connect() {
            format!(
                "cannot reach {shown}: {}; check `url`, and whether a firewall is between",
                innermost(error)
            )
        } else {
            format!("the exchange with {shown} broke off: {}", innermost(error))
        };
        SendError::Transient { sentence, retry_after: None }
    }
}

#[async_trait]
impl Channel for Webhook {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "webhook"
    }

    async fn send(&self, message: &Message, now: DateTime<Utc>) -> Result<String, SendError> {
        let id = format!("msg_{}", message.key());
        let timestamp = now.timestamp();
        let body = body(message);
        let signature = self.keys.sign(&id, timestamp, &body);
        let request = self
            .client
            .post(self.url.clone())
            .headers(self.headers.clone())
            .header(CONTENT_TYPE, "application/json")
            .header("webhook-id", id)
            .header("webhook-timestamp", timestamp)
            .header("webhook-signature", signature)
            .body(body);
        match request.send().await {
            Ok(response) => self.judge(response, now).await,
            Err(error) => Err(self.failure(&error)),
        }
    }

    async fn check(&self) -> Result<String, SendError> {
        let port = self.url.port_or_known_default().unwrap_or(443);
        let host = host(&self.url).trim_matches(['[', ']']).to_owned();
        let failed = |reason: &dyn std::fmt::Display| SendError::Transient {
            sentence: format!(
                "cannot reach {}: {reason}; check `url`, and whether a firewall is between",
                self.shown
            ),
            retry_after: None,
        };
        let connecting = async {
            let addresses = allowed(&host, port, self.allow_private).await?;
            tokio::net::TcpStream::connect(addresses.as_slice())
                .await
                .map_err(|error| failed(&error))
        };
        match tokio::time::timeout(TIMEOUT, connecting).await {
            Ok(Ok(_)) => Ok(format!("{} can be reached; nothing was sent", self.shown)),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(failed(&format_args!("no answer within {} s", TIMEOUT.as_secs()))),
        }
    }
}

fn keys(settings: &Settings, variable: &str) -> Result<Keys, String> {
    let one = Secret::pick("secret", settings.secret.clone(), settings.secret_file.as_deref())?;
    match (one, settings.secrets.as_slice()) {
        (Some(_), [_, ..]) => Err("give `secret` or `secrets`, not both".to_owned()),
        (Some(secret), []) => Keys::read(&[secret]),
        (None, []) => Err(format!(
            "`secret` is missing: without it a receiver cannot tell who wrote; make one with \
                 `echo whsec_$(openssl rand -base64 32)`, give it to the receiver, and write `secret_file` or set {variable}"
        )),
        (None, secrets) => Keys::read(secrets),
    }
}

fn headers(given: &BTreeMap<String, Secret>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in given {
        let wrong = |what: &str| format!("`headers`: `{}` {what}", plain(name));
        let header: HeaderName = name.parse().map_err(|_| wrong("is not the name of a header"))?;
        if header.as_str().starts_with("webhook-") || header == CONTENT_TYPE {
            return Err(wrong("is set by this program"));
        }
        let mut value = HeaderValue::from_str(value.expose())
            .map_err(|_| wrong("has a value that no header can have"))?;
        value.set_sensitive(true);
        headers.insert(header, value);
    }
    Ok(headers)
}

/// The address to send to, if it may be one.
fn address(settings: &Settings) -> Result<Url, String> {
    let text = Secret::pick("url", settings.url.clone(), settings.url_file.as_deref())?
        .ok_or("`url` is missing: write where the receiver listens")?;
    let url = Url::parse(text.expose())
        .map_err(|error| format!("`url` is not an address ({error}): write https://HOST/PATH"))?;
    match url.scheme() {
        "https" => {}
        "http" if settings.allow_http || is_loopback_name(host(&url)) => {}
        "http" => {
            return Err(format!(
                "`url` would tell {} unencrypted: write https, or `allow_http = true` where the network is yours",
                shown(&url)
            ));
        }
        // What stands before the colon may be part of a secret that was put here by mistake.
        _ => return Err("`url` does not begin with https: write https://HOST/PATH".to_owned()),
    }
    let literal = match url.host() {
        Some(Host::Ipv4(address)) => Some(address.into()),
        Some(Host::Ipv6(address)) => Some(address.into()),
        _ => None,
    };
    let is_allowed = settings.allow_private || is_loopback_name(host(&url));
    match literal {
        Some(address) if !is_allowed && !is_public(address) => Err(private(host(&url))),
        _ => Ok(url),
    }
}

fn host(url: &Url) -> &str {
    url.host_str().unwrap_or_default()
}

fn shown(url: &Url) -> String {
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    format!("{}://{}{port}", url.scheme(), host(url))
}

fn private(host: &str) -> String {
    format!(
        "`{}` is inside a private network, which webhooks are kept from: set `allow_private = true` if it is yours",
        plain(host)
    )
}

fn client(timeout: Duration, allow_private: bool) -> Result<Client, String> {
    // Whoever came first has set it, to the same.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let builder = Client::builder()
        .user_agent(concat!("signinel/", env!("CARGO_PKG_VERSION")))
        .timeout(timeout)
        .connect_timeout(timeout)
        .redirect(Policy::none())
        // A proxy would look the name up itself, past the guard.
        .no_proxy()
        .dns_resolver(Arc::new(Guard { allow_private }));
    builder.build().map_err(|error| format!("cannot make ready for HTTPS: {}", innermost(&error)))
}

/// Looks names up and keeps back private addresses, at the moment of connecting: a name that changes
/// between a check and its use gains nothing.
struct Guard {
    allow_private: bool,
}

/// A name of which every address is private.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` has only private addresses")]
struct Refused(String);

impl Resolve for Guard {
    fn resolve(&self, name: Name) -> Resolving {
        let allow_private = self.allow_private;
        Box::pin(async move {
            let found: Vec<SocketAddr> =
                tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let kept =
                sift(found, allow_private).ok_or_else(|| Refused(name.as_str().to_owned()))?;
            Ok(Box::new(kept.into_iter()) as Addrs)
        })
    }
}

/// The addresses that may be talked to; `None` when there are some and none may.
fn sift(found: Vec<SocketAddr>, allow_private: bool) -> Option<Vec<SocketAddr>> {
    let had_any = !found.is_empty();
    let kept: Vec<SocketAddr> =
        found.into_iter().filter(|address| allow_private || is_public(address.ip())).collect();
    (!had_any || !kept.is_empty()).then_some(kept)
}

async fn allowed(host: &str, port: u16, allow_private: bool) -> Result<Vec<SocketAddr>, SendError> {
    let found =
        tokio::net::lookup_host((host, port)).await.map_err(|error| SendError::Transient {
            sentence: format!("no name server knows `{host}`: {error}; check `url`"),
            retry_after: None,
        })?;
    sift(found.collect(), allow_private)
        .ok_or_else(|| SendError::Permanent { sentence: private(host) })
}

/// What `Retry-After` asks for: seconds, or a date.
fn asked(value: &HeaderValue, now: DateTime<Utc>) -> Option<Duration> {
    let text = value.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let at = DateTime::parse_from_rfc2822(text).ok()?.with_timezone(&Utc);
    (at - now).max(TimeDelta::zero()).to_std().ok()
}

fn source<'e, T: std::error::Error + 'static>(
    error: &'e (dyn std::error::Error + 'static),
) -> Option<&'e T> {
    std::iter::successors(Some(error), |error| error.source())
        .find_map(|error| error.downcast_ref::<T>())
}

/// The cause behind all causes. The outer ones repeat the address, which may be a secret.
fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let inner = std::iter::successors(Some(error), |error| error.source()).last();
    plain(&inner.unwrap_or(error).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_that_leads_into_a_private_network_is_refused_when_it_is_asked() {
        // Every machine knows this name; to the guard it is one like any other.
        let name = || "localhost".parse::<Name>().unwrap();
        let Err(refused) = Guard { allow_private: false }.resolve(name()).await else {
            panic!("not refused")
        };
        assert!(refused.downcast_ref::<Refused>().is_some(), "{refused}");
        assert!(Guard { allow_private: true }.resolve(name()).await.unwrap().next().is_some());
    }

    #[test]
    fn of_a_mixed_answer_only_public_addresses_are_kept() {
        let all = ["1.1.1.1:0", "10.0.0.1:0"].map(|text| text.parse::<SocketAddr>().unwrap());
        assert_eq!(sift(all.to_vec(), false), Some(vec![all[0]]));
        assert_eq!(sift(vec![all[1]], false), None);
        assert_eq!(sift(vec![all[1]], true), Some(vec![all[1]]));
    }

    #[test]
    fn what_is_asked_for_is_seconds_or_a_date() {
        let now = DateTime::from_timestamp(1_445_412_420, 0).unwrap();
        let asked = |text: &'static str| asked(&HeaderValue::from_static(text), now);
        assert_eq!(asked("120"), Some(Duration::from_mins(2)));
        assert_eq!(asked("Wed, 21 Oct 2015 07:28:00 GMT"), Some(Duration::from_mins(1)));
        assert_eq!(asked("Wed, 21 Oct 2015 07:20:00 GMT"), Some(Duration::ZERO));
        assert_eq!(asked("soon"), None);
    }
}
