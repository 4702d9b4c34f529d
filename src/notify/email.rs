//! Tells by mail, over SMTP.

use std::path::{Path, PathBuf};
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use lettre::address::Envelope;
use lettre::message::Mailbox;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters, TlsParametersBuilder};
use lettre::transport::smtp::{AsyncSmtpTransport, Error as SmtpError};
use lettre::{AsyncTransport, Tokio1Executor};
use serde::Deserialize;
use tokio::sync::Mutex;

use super::address::is_loopback_name;
use super::channel::{Channel, SendError};
use super::letter::compose;
use super::message::{Message, cut, plain};
use crate::config::{Fault, NotifyConfig, Secret, Section, Span};

/// The longest answer of a mail server that is kept.
const ANSWER_AT_MOST: usize = 500;

/// How a certificate begins in PEM.
const MARK: &[u8] = b"-----BEGIN CERTIFICATE-----";

/// A whole attempt may take so many times what a connection may.
const WHOLE_ATTEMPT: u32 = 4;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Security {
    None,
    #[default]
    Starttls,
    Tls,
}

impl Security {
    fn port(self) -> u16 {
        match self {
            Self::None => 25,
            Self::Starttls => 587,
            Self::Tls => 465,
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Settings {
    to: Vec<String>,
    from: String,
    host: String,
    port: Option<u16>,
    #[serde(default)]
    security: Security,
    #[serde(default)]
    allow_plaintext: bool,
    username: Option<String>,
    password: Option<Secret>,
    password_file: Option<PathBuf>,
    /// Certificates that are trusted beside those of the system.
    ca_file: Option<PathBuf>,
    timeout: Option<Span>,
}

/// A `[[channel]]` of kind `email`.
pub(super) struct Email {
    name: String,
    from: Mailbox,
    to: Vec<Mailbox>,
    transport: AsyncSmtpTransport<Tokio1Executor>,
    /// Host and port, for sentences.
    server: String,
    username: Option<String>,
    timeout: Duration,
    /// One connection at a time: the transport itself opens as many as are asked of it.
    line: Mutex<()>,
}

impl Email {
    pub(super) fn new(section: &Section, config: &NotifyConfig) -> Result<Self, Vec<Fault>> {
        let settings: Settings = section.settings().map_err(|fault| vec![fault])?;
        let mut faults = Vec::new();
        let mut mailbox = |key: &str, text: &str| {
            let read = mailbox(key, text).map_err(|sentence| faults.push(section.fault(sentence)));
            read.ok()
        };
        let from = mailbox("from", &settings.from);
        let to: Vec<Mailbox> = settings.to.iter().filter_map(|text| mailbox("to", text)).collect();
        if settings.to.is_empty() {
            faults.push(section.fault("`to` is empty: write at least one mail address"));
        }
        if let Some(sentence) = unsafe_plaintext(&settings) {
            faults.push(section.fault(sentence));
        }
        if !is_host_name(&config.host) {
            faults.push(section.fault(format!(
                "`host` of [notify] is `{}` and stands in every Message-ID: write a host name, such as \"signinel.example.com\"",
                plain(&config.host)
            )));
        }
        let port = settings.port.unwrap_or(settings.security.port());
        let timeout = settings.timeout.map_or(Duration::from_secs(30), |span| span.0);
        let server = format!("{}:{port}", settings.host);
        let username = settings.username.clone();
        let transport = transport(settings, port, timeout, &section.variable("password"))
            .map_err(|sentence| faults.push(section.fault(sentence)))
            .ok();
        match (from, transport) {
            (Some(from), Some(transport)) if faults.is_empty() => Ok(Self {
                name: section.name.clone(),
                from,
                to,
                transport,
                server,
                username,
                timeout,
                line: Mutex::default(),
            }),
            _ => Err(faults),
        }
    }

    async fn hand_over(&self, envelope: &Envelope, mail: &[u8]) -> Result<String, SendError> {
        let sending = self.transport.send_raw(envelope, mail);
        match tokio::time::timeout(self.timeout * WHOLE_ATTEMPT, sending).await {
            Ok(Ok(response)) => {
                let words: Vec<&str> = response.message().collect();
                Ok(answer(&format!("{} {}", response.code(), words.join(" "))))
            }
            Ok(Err(error)) => Err(self.failure(&error)),
            Err(_) => Err(transient(format!(
                "the mail server {} took more than {} s over one mail; it is sent again with the same Message-ID",
                self.server,
                (self.timeout * WHOLE_ATTEMPT).as_secs()
            ))),
        }
    }

    /// Tells each by itself, after all together were refused: one mailbox that is gone keeps nobody
    /// else from being told.
    async fn one_by_one(&self, mail: &[u8]) -> Result<String, SendError> {
        let mut accepted = None;
        let mut refused = Vec::new();
        for mailbox in &self.to {
            let envelope =
                Envelope::new(Some(self.from.email.clone()), vec![mailbox.email.clone()])
                    .map_err(|error| permanent(error.to_string()))?;
            match self.hand_over(&envelope, mail).await {
                Ok(said) => accepted = Some(said),
                Err(SendError::Permanent { sentence }) => {
                    refused.push(format!("{}: {sentence}", mailbox.email));
                }
                Err(other) => return Err(other),
            }
        }
        match accepted {
            Some(said) => Ok(format!("{said}; refused for {}", refused.join("; "))),
            None => Err(permanent(refused.join("; "))),
        }
    }

    /// What a failure means, as a sentence that names the setting to look at.
    fn failure(&self, error: &SmtpError) -> SendError {
        let server = &self.server;
        let said =
            std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
        let said = answer(&said);
        let Some(code) = error.status() else {
            return transient(if error.is_tls() || is_of_tls(error) {
                format!(
                    "no TLS with the mail server {server}: {said}; check that `security` fits `port`, and the certificate of `host` (one of your own authority: `ca_file`)"
                )
            } else {
                format!(
                    "cannot talk to the mail server {server}: {said}; check `host`, `port` and `security`, and whether a firewall is between"
                )
            });
        };
        let code = code.to_string();
        // An operator can mend these, so that what waits need not be lost.
        if matches!(code.as_str(), "530" | "534" | "535" | "538") || said.contains("5.7.30") {
            return transient(match &self.username {
                Some(username) => format!(
                    "the mail server {server} refused the sign-in of `{}` ({code} {said}): check `username` and `password`",
                    plain(username)
                ),
                None => format!(
                    "the mail server {server} wants a sign-in ({code} {said}): set `username` and `password`"
                ),
            });
        }
        let sentence = format!("the mail server {server} answered {code} {said}");
        if error.is_permanent() { permanent(sentence) } else { transient(sentence) }
    }
}

#[async_trait]
impl Channel for Email {
    fn name(&self) -> &str {
        &self.name
    }

    fn kind(&self) -> &'static str {
        "email"
    }

    async fn send(&self, message: &Message, _now: DateTime<Utc>) -> Result<String, SendError> {
        let mail = compose(message, &self.from, &self.to).map_err(permanent)?;
        let bytes = mail.formatted();
        let _alone = self.line.lock().await;
        match self.hand_over(mail.envelope(), &bytes).await {
            Err(SendError::Permanent { .. }) if self.to.len() > 1 => self.one_by_one(&bytes).await,
            other => other,
        }
    }

    async fn check(&self) -> Result<String, SendError> {
        let _alone = self.line.lock().await;
        match tokio::time::timeout(self.timeout, self.transport.test_connection()).await {
            Ok(Ok(true)) => {
                Ok(format!("the mail server {} answers; nothing was sent", self.server))
            }
            Ok(Ok(false)) => Err(transient(format!("the mail server {} hung up", self.server))),
            Ok(Err(error)) => Err(self.failure(&error)),
            Err(_) => Err(transient(format!(
                "the mail server {} did not answer within {} s; check `host` and `port`",
                self.server,
                self.timeout.as_secs()
            ))),
        }
    }
}

fn mailbox(key: &str, text: &str) -> Result<Mailbox, String> {
    text.parse().map_err(|_| {
        format!(
            "`{key}`: `{}` is not a mail address: write \"name@example.com\" or \"Name <name@example.com>\"",
            plain(text)
        )
    })
}

fn is_host_name(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-'))
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
}

/// Why the mail may not go unencrypted, where it may not.
fn unsafe_plaintext(settings: &Settings) -> Option<String> {
    let allowed = settings.security != Security::None
        || settings.allow_plaintext
        || is_loopback_name(&settings.host);
    (!allowed).then(|| {
        format!(
            "`security = \"none\"` would send mail unencrypted to {}: write \"starttls\" or \"tls\", \
             or `allow_plaintext = true` where the network is yours",
            plain(&settings.host)
        )
    })
}

fn transport(
    settings: Settings,
    port: u16,
    timeout: Duration,
    variable: &str,
) -> Result<AsyncSmtpTransport<Tokio1Executor>, String> {
    let Settings { host, security, username, password, password_file, ca_file, .. } = settings;
    let password = Secret::pick("password", password, password_file.as_deref())?;
    let authorities = ca_file.as_deref().map(authorities).transpose()?;
    let tls = || {
        let builder = TlsParameters::builder(host.clone());
        authorities
            .into_iter()
            .fold(builder, TlsParametersBuilder::add_root_certificate)
            .build()
            .map_err(|error| {
                format!("`host`: cannot make ready for TLS with `{}`: {error}", plain(&host))
            })
    };
    let tls = match security {
        Security::None => Tls::None,
        Security::Starttls => Tls::Required(tls()?),
        Security::Tls => Tls::Wrapper(tls()?),
    };
    let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host.as_str())
        .port(port)
        .timeout(Some(timeout))
        .tls(tls);
    builder = match (username, password) {
        (Some(username), Some(password)) => {
            builder.credentials(Credentials::new(username, password.expose().to_owned()))
        }
        (None, None) => builder,
        (Some(_), None) => {
            return Err(format!(
                "`username` is set and `password` is not: write `password_file`, or set {variable}"
            ));
        }
        (None, Some(_)) => {
            return Err("`password` is set and `username` is not: set both or none".to_owned());
        }
    };
    Ok(builder.build())
}

/// Whether TLS is behind a connection that failed. A certificate that is not trusted comes to light
/// while connecting, and passes for a failure to connect.
fn is_of_tls(error: &(dyn std::error::Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| error.source()).any(|cause| {
        // What an I/O error wraps is not among its causes.
        let wrapped = cause.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        cause.is::<rustls::Error>()
            || wrapped.is_some_and(<dyn std::error::Error + Send + Sync>::is::<rustls::Error>)
    })
}

/// The certificates of a PEM file.
fn authorities(file: &Path) -> Result<Certificate, String> {
    let shown = file.display();
    let pem =
        std::fs::read(file).map_err(|error| format!("cannot read `ca_file` {shown}: {error}"))?;
    // A file without any is no fault to the reader of PEM, and would be trusted for nothing.
    let is_certificate = pem.windows(MARK.len()).any(|window| window == MARK);
    Certificate::from_pem(&pem).ok().filter(|_| is_certificate).ok_or_else(|| {
        format!("`ca_file` {shown} holds no certificate: write the PEM file of the authority that signed for the mail server")
    })
}

/// An answer as it may be kept: one line, of bounded length.
fn answer(text: &str) -> String {
    cut(plain(text).trim(), ANSWER_AT_MOST)
}

fn transient(sentence: String) -> SendError {
    SendError::Transient { sentence, retry_after: None }
}

fn permanent(sentence: String) -> SendError {
    SendError::Permanent { sentence }
}
