//! What is not to be told until then.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::finding::NAMED_AT_MOST;
use super::id::SilenceId;
use super::incident::Incident;
use super::severity::Severity;

/// Which incidents a silence is of: those of which every part is named. An empty list names all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SilenceScope {
    /// Names, client ids or service principal ids, in any case; `*` stands for any letters.
    pub identities: Vec<String>,
    pub rules: Vec<String>,
    pub categories: Vec<String>,
    pub error_codes: Vec<i64>,
    /// Only what is less grave.
    pub below: Option<Severity>,
}

/// A silence: nothing of what it is of is told from its begin to its end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Silence {
    pub id: SilenceId,
    pub scope: SilenceScope,
    pub begins_at: DateTime<Utc>,
    /// It holds no more from then on.
    pub ends_at: DateTime<Utc>,
    pub reason: String,
    pub created_at: DateTime<Utc>,
    pub created_by: String,
    /// Who ended it before its time.
    pub ended_by: Option<String>,
}

impl SilenceScope {
    /// Whether it names nothing, and so would be of everything.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        *self == Self::default()
    }

    /// Whether an incident is of it with all its parts. An incident that has more to it, a graver rule or
    /// another identity, is not: that has to be told.
    #[must_use]
    pub fn covers(&self, incident: &Incident) -> bool {
        let is_named = |identity: &super::incident::NamedIdentity| {
            [&identity.name, &identity.app_id, &identity.service_principal_id]
                .into_iter()
                .filter(|text| !text.is_empty())
                .any(|text| self.identities.iter().any(|pattern| fits(pattern, text)))
        };
        // Of more identities than it names nobody knows whether they are meant.
        let is_whole = incident.identities.len() < NAMED_AT_MOST;
        (self.identities.is_empty() || is_whole && all(&incident.identities, is_named))
            && (self.rules.is_empty() || all(&incident.rules, |rule| self.rules.contains(rule)))
            && (self.categories.is_empty()
                || all(&incident.categories, |category| self.categories.contains(category)))
            && (self.error_codes.is_empty()
                || all(&incident.error_codes, |code| self.error_codes.contains(code)))
            && self.below.is_none_or(|below| incident.severity < below)
    }
}

/// Whether there are parts, and all are so.
fn all<T>(parts: &[T], is_so: impl Fn(&T) -> bool) -> bool {
    !parts.is_empty() && parts.iter().all(is_so)
}

/// Whether a text is what a pattern says, in any case of letters.
fn fits(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_lowercase(), text.to_lowercase());
    let mut parts = pattern.split('*');
    let first = parts.next().unwrap_or_default();
    let Some(mut rest) = text.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        match rest.find(part) {
            Some(place) => rest = &rest[place + part.len()..],
            None => return false,
        }
    }
    rest.ends_with(last)
}

impl fmt::Display for SilenceScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let codes: Vec<String> = self.error_codes.iter().map(i64::to_string).collect();
        let below = self.below.map(|below| below.to_string());
        let parts = [
            ("identity", self.identities.join(" or ")),
            ("rule", self.rules.join(" or ")),
            ("category", self.categories.join(" or ")),
            ("code", codes.join(" or ")),
            ("below", below.unwrap_or_default()),
        ];
        let told: Vec<String> = parts
            .into_iter()
            .filter(|(_, values)| !values.is_empty())
            .map(|(what, values)| format!("{what} {values}"))
            .collect();
        f.write_str(&told.join(", "))
    }
}

impl Silence {
    /// Whether it holds at a moment.
    #[must_use]
    pub fn is_active(&self, now: DateTime<Utc>) -> bool {
        self.begins_at <= now && now < self.ends_at
    }

    /// Of the silences that hold now and are of an incident, the one that holds longest.
    #[must_use]
    pub fn over<'s>(
        silences: &'s [Self],
        incident: &Incident,
        now: DateTime<Utc>,
    ) -> Option<&'s Self> {
        silences
            .iter()
            .filter(|silence| silence.is_active(now) && silence.scope.covers(incident))
            .max_by_key(|silence| silence.ends_at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_whole_texts_in_any_case() {
        for (pattern, text, is_so) in [
            ("func-orders", "Func-Orders", true),
            ("func-orders", "func-orders-prod", false),
            ("func-*", "func-orders-prod", true),
            ("*-prod", "func-orders-prod", true),
            ("f*-*-prod", "func-orders-prod", true),
            ("f*-prod*x", "func-orders-prod", false),
            ("*", "anything", true),
            ("a*a", "a", false),
            ("", "a", false),
        ] {
            assert_eq!(fits(pattern, text), is_so, "{pattern} {text}");
        }
    }
}
