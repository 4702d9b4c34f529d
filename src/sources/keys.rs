//! The keys of a section one by one, so that all that is wrong with them is told at once.

use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use serde::Deserialize;
use serde::de::value::Error as ValueError;
use toml::{Table, Value};
use url::Url;

use crate::config::{Fault, Secret, Section, Span, unknown};
use crate::model::SignInType;
use crate::sources::http;

/// Takes keys out of a table; what is left at the end is not known.
pub(super) struct Keys<'a> {
    section: &'a Section,
    /// `credential.` for the keys of that table, else empty.
    within: &'static str,
    table: Table,
    faults: Vec<Fault>,
}

impl<'a> Keys<'a> {
    pub(super) fn of(section: &'a Section) -> Result<Self, Vec<Fault>> {
        let table = section.settings().map_err(|fault| vec![fault])?;
        Ok(Self { section, within: "", table, faults: Vec::new() })
    }

    /// The keys of a table within this one, told as `within` and their name.
    pub(super) fn within(&self, within: &'static str, table: Table) -> Self {
        Self { section: self.section, within, table, faults: Vec::new() }
    }

    /// Notes a fault of a key; the sentence goes on from its name.
    pub(super) fn fault(&mut self, key: &str, sentence: &str) {
        let within = self.within;
        self.faults.push(self.section.fault(format_args!("`{within}{key}` {sentence}")));
    }

    /// Notes a fault whose sentence names its keys.
    pub(super) fn sentence(&mut self, sentence: &str) {
        self.faults.push(self.section.fault(sentence));
    }

    /// Takes over the faults of a table within this one.
    pub(super) fn join(&mut self, within: Vec<Fault>) {
        self.faults.extend(within);
    }

    /// The environment variable that sets a key of this section.
    pub(super) fn variable(&self, key: &str) -> String {
        self.section.variable(key)
    }

    /// Whether a key is there that nobody took yet.
    pub(super) fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    pub(super) fn value(&mut self, key: &str) -> Option<Value> {
        self.table.remove(key)
    }

    /// A text that is not empty; `write` says what to write.
    pub(super) fn text(&mut self, key: &str, write: &str) -> Option<String> {
        match self.table.remove(key)? {
            Value::String(text) if !text.trim().is_empty() => Some(text.trim().to_owned()),
            _ => {
                self.fault(key, &format!("is not a text; write {write}"));
                None
            }
        }
    }

    /// As [`Keys::text`], and its absence is a fault.
    pub(super) fn required(&mut self, key: &str, write: &str) -> Option<String> {
        if !self.table.contains_key(key) {
            self.fault(key, &format!("is missing; write {write}"));
        }
        self.text(key, write)
    }

    /// A GUID.
    pub(super) fn guid(&mut self, key: &str, what: &str) -> Option<String> {
        let text = self.text(key, what)?;
        if uuid::Uuid::parse_str(&text).is_ok() {
            return Some(text.to_lowercase());
        }
        self.fault(key, &format!("is `{text}`, which is not a GUID; write {what}"));
        None
    }

    pub(super) fn required_guid(&mut self, key: &str, what: &str) -> Option<String> {
        if !self.table.contains_key(key) {
            self.fault(key, &format!("is missing; write {what}"));
        }
        self.guid(key, what)
    }

    pub(super) fn path(&mut self, key: &str) -> Option<PathBuf> {
        self.text(key, "the path of a file").map(PathBuf::from)
    }

    /// A secret; its value is never told, whatever it is.
    pub(super) fn secret(&mut self, key: &str) -> Option<Secret> {
        match self.table.remove(key)? {
            Value::String(text) if !text.is_empty() => Some(Secret::new(&text)),
            _ => {
                self.fault(key, "is not a text; write the secret in quotes");
                None
            }
        }
    }

    /// A span of time no shorter than `least`.
    pub(super) fn span(&mut self, key: &str, default: Span, least: Span) -> Duration {
        let Some(value) = self.table.remove(key) else { return default.0 };
        let text = match value {
            Value::String(text) => text,
            other => other.to_string(),
        };
        let read = serde::de::value::StrDeserializer::<ValueError>::new(&text);
        match Span::deserialize(read) {
            Ok(span) if span >= least => return span.0,
            Ok(_) => {
                let least = least.0.as_secs();
                self.fault(key, &format!("is `{text}`; write at least {least}s"));
            }
            Err(error) => self.fault(key, &format!("is wrong: {error}")),
        }
        default.0
    }

    /// A span of time, where there is one, no shorter than `least`.
    pub(super) fn maybe_span(&mut self, key: &str, least: Span) -> Option<Duration> {
        self.table.contains_key(key).then(|| self.span(key, least, least))
    }

    /// Spans of time, each no shorter than `least`.
    pub(super) fn spans(&mut self, key: &str, default: &[Span], least: Span) -> Vec<Duration> {
        let defaults = || default.iter().map(|span| span.0).collect();
        match self.table.remove(key) {
            None => defaults(),
            Some(Value::Array(values)) => values
                .into_iter()
                .map(|value| {
                    self.table.insert(key.to_owned(), value);
                    self.span(key, least, least)
                })
                .collect(),
            Some(other) => {
                self.fault(
                    key,
                    &format!("is {other}; write a list of spans, such as [\"2h\", \"24h\"]"),
                );
                defaults()
            }
        }
    }

    /// Yes or no; no where it is absent.
    pub(super) fn flag(&mut self, key: &str) -> bool {
        match self.table.remove(key) {
            None => false,
            Some(Value::Boolean(flag)) => flag,
            Some(other) => {
                self.fault(key, &format!("is {other}; write true or false"));
                false
            }
        }
    }

    /// A whole number in a range.
    pub(super) fn number(&mut self, key: &str, default: u32, range: RangeInclusive<u32>) -> u32 {
        let Some(value) = self.table.remove(key) else { return default };
        let number = value.as_integer().and_then(|number| u32::try_from(number).ok());
        if let Some(number) = number.filter(|number| range.contains(number)) {
            return number;
        }
        let (least, most) = (range.start(), range.end());
        self.fault(key, &format!("is {value}; write a whole number from {least} to {most}"));
        default
    }

    /// `endpoint`: where a service is, without a slash at its end; `None` where it is absent.
    pub(super) fn endpoint(&mut self, example: &str) -> Option<Url> {
        let write = format!("a URL such as \"{example}\"");
        let text = self.text("endpoint", &write)?;
        let fault = match Url::parse(text.trim_end_matches('/')) {
            Ok(url) if url.scheme() == "https" || url.scheme() == "http" => {
                if url.scheme() == "http" && !http::is_loopback(&url) {
                    "would send the token over plain http, which is only for this machine; write https"
                        .to_owned()
                } else if url.query().is_some()
                    || url.fragment().is_some()
                    || !url.username().is_empty()
                    || url.password().is_some()
                {
                    format!("has more than a host, a port and a path; write {write}")
                } else {
                    return Some(url);
                }
            }
            _ => format!("is not an https URL; write {write}"),
        };
        self.fault("endpoint", &fault);
        None
    }

    /// `sign_in_types`: those of workloads where it is absent.
    pub(super) fn sign_in_types(&mut self) -> Vec<SignInType> {
        let write = "a list such as [\"managedIdentity\", \"servicePrincipal\"]";
        let types = match self.value("sign_in_types") {
            None => return vec![SignInType::ManagedIdentity, SignInType::ServicePrincipal],
            Some(Value::Array(types)) if !types.is_empty() => types,
            Some(_) => {
                self.fault(
                    "sign_in_types",
                    &format!("is not a list with something in it; write {write}"),
                );
                return Vec::new();
            }
        };
        let mut read = Vec::new();
        for value in types {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            match SignInType::from_str(&text) {
                Ok(kind) if read.contains(&kind) => {
                    self.fault("sign_in_types", &format!("has `{kind}` twice; write it once"));
                }
                Ok(kind) => read.push(kind),
                Err(error) => self.fault("sign_in_types", &format!("is wrong: {error}")),
            }
        }
        read
    }

    /// All that was wrong. The keys that nobody took are not known; `known` lists those that are.
    pub(super) fn finish(mut self, known: &str) -> Vec<Fault> {
        let left: Vec<String> = self.table.keys().cloned().collect();
        for key in left {
            let names: Vec<&str> = known.split(", ").collect();
            self.fault(&key, &unknown(&key, "the keys are", &names));
        }
        self.faults
    }
}
