//! What all services over HTTP share: how they are asked, and how their words are told.

use std::time::Duration;

use chrono::{DateTime, Utc};
use url::Url;

/// What is quoted of a message that others wrote.
const QUOTED: usize = 200;

/// No service asks for a longer wait; a larger number is a mistake of it.
const LONGEST_WAIT: Duration = Duration::from_hours(24);

const CONNECT_WITHIN: Duration = Duration::from_secs(30);

/// A client for one service; its requests end after `timeout`. The caller may add to it.
pub(super) fn client(endpoint: &Url, timeout: Duration) -> reqwest::ClientBuilder {
    super::tls::provider();
    let client = reqwest::Client::builder()
        .user_agent(concat!("signinel/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_WITHIN.min(timeout))
        .timeout(timeout)
        // A token is for the host it was asked for, and for no other.
        .redirect(reqwest::redirect::Policy::none());
    if is_loopback(endpoint) { client.no_proxy() } else { client }
}

/// Makes the client, or says why it cannot be made.
pub(super) fn built(client: reqwest::ClientBuilder) -> Result<reqwest::Client, String> {
    client.build().map_err(|error| {
        format!("cannot prepare TLS: {error}; check that the system's root certificates are there")
    })
}

/// Whether a URL stays on this machine.
pub(super) fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// A text of others on one line, without the secrets, cut where it grows long.
pub(super) fn quoted(text: &str, secrets: &[&str]) -> String {
    let mut line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    for secret in secrets.iter().filter(|secret| !secret.is_empty()) {
        line = line.replace(secret, "…");
    }
    match line.char_indices().nth(QUOTED) {
        Some((cut, _)) => format!("{}…", &line[..cut]),
        None => line,
    }
}

/// What happened: the innermost error says it; those around it say only that something did.
pub(super) fn cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    quoted(&cause.to_string(), &[])
}

/// How long a service asks to wait, as seconds or as a date.
pub(super) fn wait(text: &str, now: DateTime<Utc>) -> Option<Duration> {
    let text = text.trim();
    let wait = if let Ok(seconds) = text.parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        let until = DateTime::parse_from_rfc2822(text).ok()?;
        (until.to_utc() - now).to_std().unwrap_or_default()
    };
    Some(wait.min(LONGEST_WAIT))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wait_is_read_as_seconds_or_as_a_date_and_never_grows_absurd() {
        let now = "2026-03-01T12:00:00Z".parse().unwrap();
        for (text, seconds) in [
            ("0", Some(0)),
            (" 42 ", Some(42)),
            ("Sun, 01 Mar 2026 12:01:30 GMT", Some(90)),
            ("Sun, 01 Mar 2026 11:00:00 GMT", Some(0)),
            ("18446744073709551615", Some(24 * 60 * 60)),
            ("Fri, 01 Mar 2999 12:00:00 GMT", Some(24 * 60 * 60)),
            ("soon", None),
            ("-5", None),
        ] {
            assert_eq!(wait(text, now), seconds.map(Duration::from_secs), "{text}");
        }
    }

    #[test]
    fn what_others_wrote_is_cut_between_characters_and_without_secrets() {
        let long = "ä".repeat(300);
        assert_eq!(quoted(&long, &[]).chars().count(), QUOTED + 1);
        assert_eq!(quoted("a\r\n\tb  hunter2 c", &["", "hunter2"]), "a b … c");
    }
}
