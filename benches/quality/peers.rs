//! What others publish for the same records, each as a plain function: the facts of their rules, none of their code.
//!
//! Rules that ask for a history are given as much of it as there is, and are quiet for a week: at the beginning of
//! the records everything would be new. Alerts of one identity within an hour of each other are one claim.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, TimeDelta, Utc};
use serde_json::Value;
use signinel::model::NamedIdentity;

use crate::score::Claim;

/// As much of a record as these rules read.
pub(crate) struct Record {
    pub(crate) at: DateTime<Utc>,
    who: NamedIdentity,
    user: String,
    sign_in_type: String,
    resource: String,
    code: i64,
    address: String,
    country: String,
    network: String,
    credential: String,
}

impl Record {
    pub(crate) fn of(record: &Value) -> Self {
        let text = |value: &Value| match value {
            Value::String(text) => text.clone(),
            Value::Number(number) => number.to_string(),
            _ => String::new(),
        };
        let field = |key: &str| text(&record[key]);
        Self {
            at: field("createdDateTime").parse().unwrap(),
            who: NamedIdentity {
                service_principal_id: field("servicePrincipalId"),
                app_id: field("appId"),
                name: field("appDisplayName"),
            },
            user: field("userPrincipalName"),
            sign_in_type: text(&record["signInEventTypes"][0]),
            resource: field("resourceId"),
            code: record["status"]["errorCode"].as_i64().unwrap_or(0),
            address: field("ipAddress"),
            country: text(&record["location"]["countryOrRegion"]),
            network: field("autonomousSystemNumber"),
            credential: field("clientCredentialType"),
        }
    }

    fn is(&self, sign_in_type: &str) -> bool {
        self.sign_in_type == sign_in_type
    }

    /// The service principal, else the application: what a claim is about.
    fn key(&self) -> &str {
        let NamedIdentity { service_principal_id, app_id, .. } = &self.who;
        if service_principal_id.is_empty() { app_id } else { service_principal_id }
    }
}

pub(crate) struct Peer {
    pub(crate) name: &'static str,
    pub(crate) claims: fn(&[Record]) -> Vec<Claim>,
}

pub(crate) const PEERS: &[Peer] = &[
    Peer { name: "10 failures of one identity in 10 minutes", claims: threshold },
    // panther-analysis, rules/azure_signin_rules/azure_failed_signins
    Peer {
        name: "Panther: 10 failures of one service principal or user in 10 minutes",
        claims: panther,
    },
    // reprise99/Sentinel-Queries, Identity-ManagedIdentityAccessingNewResources
    Peer {
        name: "reprise99: managed identity at a resource unseen for 60 days",
        claims: new_resource,
    },
    // Azure-Sentinel, Detections/SigninLogs/ServicePrincipalAuthenticationAttemptfromNewCountry
    Peer {
        name: "Sentinel: service principal from a country without success for 14 days",
        claims: new_country,
    },
    // elastic/detection-rules, initial_access_entra_id_service_principal_signin_unusual_source_asn
    Peer {
        name: "Elastic: service principal from a network unseen for 10 days",
        claims: new_network,
    },
    // elastic/detection-rules, initial_access_entra_id_federated_login_by_unusual_client
    Peer {
        name: "Elastic: first federated credential of an application in 5 days",
        claims: federated,
    },
    // Community KQL: enumeration of application ids from one address
    Peer {
        name: "community: 5 application ids refused from one address in 24 hours",
        claims: enumeration,
    },
];

fn threshold(records: &[Record]) -> Vec<Claim> {
    bursts(records, |record| (record.code != 0).then(|| record.key().to_owned()))
}

fn panther(records: &[Record]) -> Vec<Claim> {
    bursts(records, |record| {
        let NamedIdentity { service_principal_id: id, .. } = &record.who;
        let key = if id.is_empty() { &record.user } else { id };
        (record.code != 0 && !key.is_empty()).then(|| key.clone())
    })
}

fn new_resource(records: &[Record]) -> Vec<Claim> {
    let pair =
        |record: &Record| record.is("managedIdentity").then(|| tuple(record, &record.resource));
    unseen(records, TimeDelta::days(60), |_| true, pair)
}

fn new_country(records: &[Record]) -> Vec<Claim> {
    let pair =
        |record: &Record| record.is("servicePrincipal").then(|| tuple(record, &record.country));
    unseen(records, TimeDelta::days(14), |record| record.code == 0, pair)
}

fn new_network(records: &[Record]) -> Vec<Claim> {
    let is_of_it = |record: &Record| record.is("servicePrincipal") && record.code == 0;
    let pair = |record: &Record| is_of_it(record).then(|| tuple(record, &record.network));
    unseen(records, TimeDelta::days(10), |_| true, pair)
}

fn federated(records: &[Record]) -> Vec<Claim> {
    let application = |record: &Record| {
        (record.credential == "federatedIdentityCredential")
            .then(|| Some(record.who.app_id.clone()))
    };
    unseen(records, TimeDelta::days(5), |_| true, application)
}

fn enumeration(records: &[Record]) -> Vec<Claim> {
    let mut by_address: BTreeMap<&str, Vec<&Record>> = BTreeMap::new();
    for record in records {
        if matches!(record.code, 7_000_215 | 700_016) && !record.address.is_empty() {
            by_address.entry(&record.address).or_default().push(record);
        }
    }
    by_address
        .into_values()
        .filter_map(|tried| {
            let (at, window) = tried.iter().enumerate().find_map(|(place, last)| {
                let is_within = |record: &&&Record| last.at - record.at < TimeDelta::hours(24);
                let window: Vec<&Record> =
                    tried[..=place].iter().filter(is_within).copied().collect();
                let ids: BTreeSet<&str> = window.iter().map(|it| it.who.app_id.as_str()).collect();
                (ids.len() >= 5).then_some((last.at, window))
            })?;
            Some(Claim {
                identities: window.iter().map(|record| record.who.clone()).collect(),
                ..claim(window[0], at)
            })
        })
        .collect()
}

/// An identity and a value; nothing where the value is absent.
fn tuple(record: &Record, value: &str) -> Option<String> {
    (!value.is_empty()).then(|| format!("{}\n{value}", record.key()))
}

/// Ten records of a key within ten minutes.
fn bursts(records: &[Record], key: impl Fn(&Record) -> Option<String>) -> Vec<Claim> {
    let mut by_key: BTreeMap<String, Vec<&Record>> = BTreeMap::new();
    for record in records {
        if let Some(key) = key(record) {
            by_key.entry(key).or_default().push(record);
        }
    }
    let mut claims = Claims::default();
    for of_one in by_key.values() {
        for window in of_one.windows(10) {
            if window[9].at - window[0].at < TimeDelta::minutes(10) {
                claims.add(window[0], window[9]);
            }
        }
    }
    claims.0
}

/// Records whose key was on none that teaches within so long before. The inner value is empty where there is none.
fn unseen(
    records: &[Record],
    reach: TimeDelta,
    teaches: impl Fn(&Record) -> bool,
    key: impl Fn(&Record) -> Option<Option<String>>,
) -> Vec<Claim> {
    let Some(begin) = records.first().map(|record| record.at) else { return Vec::new() };
    let mut last: BTreeMap<String, DateTime<Utc>> = BTreeMap::new();
    let mut claims = Claims::default();
    for record in records {
        let Some(Some(key)) = key(record) else { continue };
        let is_known = last.get(&key).is_some_and(|seen| record.at - *seen <= reach);
        if !is_known && record.at - begin >= TimeDelta::days(7) {
            claims.add(record, record);
        }
        if teaches(record) {
            last.insert(key, record.at);
        }
    }
    claims.0
}

fn claim(first: &Record, at: DateTime<Utc>) -> Claim {
    Claim {
        title: first.who.name.clone(),
        identities: vec![first.who.clone()],
        rules: Vec::new(),
        started_at: first.at,
        detected_at: at,
        last_seen_at: at,
    }
}

#[derive(Default)]
struct Claims(Vec<Claim>);

impl Claims {
    /// Adds an alert to the claim of the same identity that it is near to, or makes one of it.
    fn add(&mut self, first: &Record, last: &Record) {
        let near = self.0.iter_mut().rev().find(|claim| {
            claim.identities[0] == first.who && first.at - claim.last_seen_at < TimeDelta::hours(1)
        });
        match near {
            Some(claim) => claim.last_seen_at = last.at,
            None => self.0.push(claim(first, last.at)),
        }
    }
}
