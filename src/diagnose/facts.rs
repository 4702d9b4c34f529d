//! What must be known of an incident to explain it: plain values that a reader of the database fills in.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::phrase;
use crate::model::{Draft, Incident, NAMED_AT_MOST, NamedIdentity, Severity, SignInType};

/// Everything that the explanation rests on. Nothing else is looked up.
#[derive(Clone, Debug)]
pub struct Facts<'a> {
    pub incident: &'a Incident,
    /// Its findings, gravest first.
    pub findings: Vec<FindingFacts<'a>>,
    /// Its identities, the one with most evidence first; no more than a person reads.
    pub identities: Vec<IdentityFacts>,
    /// Sign-ins of its evidence by error code; 0 is a token issued.
    pub codes: BTreeMap<i64, u64>,
    /// Where a spray came from, the address with most attempts first.
    pub addresses: Vec<TriedFrom>,
    /// How many identities it is of; more than are named.
    pub identity_count: u64,
    /// Identities outside the incident that failed with one of its codes during it, where it names all of its own.
    pub failing_alike: Option<u64>,
    /// Those that got tokens before it began and failed with one of its codes that a shared change may cause, near to
    /// its first failure.
    pub failing_alike_worked: u64,
    /// What the coverage of the sources says of the interval, where it is not complete.
    pub coverage: Option<String>,
}

impl Facts<'_> {
    /// How many of its identities were refused: others may have fallen silent.
    pub(super) fn refused_count(&self) -> u64 {
        let refused = || {
            let drafts = self.findings.iter().map(|finding| finding.draft);
            drafts.filter(|draft| draft.codes.keys().any(|code| *code != 0))
        };
        let is_whole = refused().all(|draft| draft.identities.len() < NAMED_AT_MOST);
        let ids: BTreeSet<i64> = refused().flat_map(|draft| &draft.identities).copied().collect();
        match ids.len() as u64 {
            number if is_whole && number > 0 => number.min(self.identity_count),
            _ => self.identity_count,
        }
    }

    /// The resources that were never asked for before, by name.
    pub(super) fn new_resources(&self) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for finding in &self.findings {
            if finding.is_first_seen() && finding.field == Some("resourceId") {
                let name = finding.new_value().map(phrase::quoted);
                names.extend(name.filter(|name| !names.contains(name)));
            }
        }
        names
    }
}

/// A finding and what its rule says.
#[derive(Clone, Debug)]
pub struct FindingFacts<'a> {
    pub rule: &'a str,
    pub title: &'a str,
    pub category: &'a str,
    /// The kind as `rules/README.md` names it: `event_count`, `streak`, `absence`, …, or `detection`.
    pub kind: &'a str,
    /// The field whose values the rule counts or has never seen, where it has one.
    pub field: Option<&'a str>,
    /// What people call the value that the rule had never seen, where it has a name.
    pub value_name: Option<&'a str>,
    pub level: Severity,
    pub why: &'a str,
    pub first_steps: &'a [String],
    pub unknown: &'a [String],
    /// What would have been enough for the rule, in words.
    pub enough: String,
    pub draft: &'a Draft,
}

impl FindingFacts<'_> {
    pub(super) fn is_first_seen(&self) -> bool {
        self.kind == "first_seen"
    }

    /// What was never seen before, by its name where it has one.
    pub(super) fn new_value(&self) -> Option<&str> {
        self.value_name.or_else(|| self.draft.measures.get("value").map(String::as_str))
    }

    /// Whether it is about tokens that were given, not about failures.
    pub(super) fn is_of_tokens(&self) -> bool {
        self.is_first_seen() && self.category != "failure"
            || matches!(self.category, "token_pattern" | "newcomer")
    }
}

/// An address that tried many applications.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TriedFrom {
    pub address: String,
    pub attempts: u64,
    pub applications: u64,
}

/// An identity of the incident and its history.
#[derive(Clone, Debug, Default)]
pub struct IdentityFacts {
    pub named: NamedIdentity,
    pub tenant_id: String,
    pub arm_resource_id: String,
    /// `systemassigned`, `userassigned`, or empty.
    pub msi_type: String,
    pub sign_in_type: Option<SignInType>,
    /// The last sign-in before the incident that gave a token.
    pub last_good_at: Option<DateTime<Utc>>,
    /// The first sign-in after the incident began that gave a token.
    pub first_good_after: Option<DateTime<Utc>>,
    /// The first sign-in after the last event of the incident that gave a token.
    pub came_back_at: Option<DateTime<Utc>>,
    /// An identity that looks like its new form.
    pub successor: Option<Successor>,
    pub baseline: Option<Baseline>,
}

impl IdentityFacts {
    pub(super) fn is_managed(&self) -> bool {
        self.sign_in_type == Some(SignInType::ManagedIdentity)
    }

    /// Whether it is an application that people sign in to, and not one that signs in by itself.
    pub(super) fn is_asked_for_by_users(&self) -> bool {
        self.sign_in_type.is_some_and(|by| !by.is_workload())
    }

    /// Whether both are of one application: what is refused often has its client id alone.
    pub(super) fn is_of_the_application_of(&self, other: &Self) -> bool {
        let (one, two) = (&self.named.app_id, &other.named.app_id);
        !one.is_empty() && one == two && self.tenant_id == other.tenant_id
    }

    /// Takes in what is known of it under another of its ids.
    pub(super) fn take_in(&mut self, other: Self) {
        let earlier = |one: Option<DateTime<Utc>>, two| one.into_iter().chain(two).min();
        let fill = |own: &mut String, others: String| {
            if own.is_empty() {
                *own = others;
            }
        };
        fill(&mut self.named.name, other.named.name);
        fill(&mut self.named.service_principal_id, other.named.service_principal_id);
        fill(&mut self.arm_resource_id, other.arm_resource_id);
        fill(&mut self.msi_type, other.msi_type);
        self.last_good_at = self.last_good_at.max(other.last_good_at);
        self.first_good_after = earlier(self.first_good_after, other.first_good_after);
        self.came_back_at = earlier(self.came_back_at, other.came_back_at);
        self.successor = self.successor.take().or(other.successor);
        self.baseline = self.baseline.or(other.baseline);
    }

    /// What it was created anew as. An identity that signs in again under its own id was not.
    pub(super) fn successor_of_gone(&self) -> Option<&Successor> {
        self.successor.as_ref().filter(|_| self.came_back_at.is_none())
    }
}

/// An identity with the same name or ARM resource and other ids, first met around the start.
#[derive(Clone, Debug)]
pub struct Successor {
    pub named: NamedIdentity,
    pub first_seen_at: DateTime<Utc>,
    pub shares: Shared,
}

/// What tells that a successor is one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shared {
    Name,
    ArmResource,
}

/// What an identity usually did, in the days before the incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Baseline {
    /// Days with data, at most 14.
    pub days: u32,
    pub sign_ins: u64,
    /// Of those, refused.
    pub failures: u64,
    /// Different resources it was given tokens for.
    pub resources: u64,
}
