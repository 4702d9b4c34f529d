//! The records that the stand-in for Graph has, and which of them it shows.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use chrono::{DateTime, Utc};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::query::Query;

/// A record in the form that Graph gives it, and from when on Graph shows it.
#[derive(Clone, Debug)]
pub struct Shown {
    text: Arc<str>,
    visible_from: Option<DateTime<Utc>>,
    listed_at: Option<DateTime<Utc>>,
}

impl Shown {
    /// The same record, found under another time than it says that it is of.
    #[must_use]
    pub fn listed_at(self, at: DateTime<Utc>) -> Self {
        Self { listed_at: Some(at), ..self }
    }

    /// The same record, not shown before a time.
    #[must_use]
    pub fn late(self, visible_from: DateTime<Utc>) -> Self {
        Self { visible_from: Some(visible_from), ..self }
    }
}

impl From<String> for Shown {
    fn from(text: String) -> Self {
        Self { text: text.into(), visible_from: None, listed_at: None }
    }
}

impl From<Box<RawValue>> for Shown {
    fn from(text: Box<RawValue>) -> Self {
        Self::from(text.get().to_owned())
    }
}

impl From<serde_json::Value> for Shown {
    fn from(value: serde_json::Value) -> Self {
        Self::from(value.to_string())
    }
}

/// What is read of a record here.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Head {
    created_date_time: DateTime<Utc>,
    #[serde(default)]
    sign_in_event_types: Vec<String>,
}

struct Stored {
    created_at: DateTime<Utc>,
    record: Shown,
}

/// All records, by type and then by time.
pub(super) struct Shelf(HashMap<String, Vec<Stored>>);

impl Shelf {
    /// The error is the place of a record, and what is wrong with it.
    pub(super) fn of(records: Vec<Shown>) -> Result<Self, (usize, serde_json::Error)> {
        let mut types: HashMap<String, Vec<Stored>> = HashMap::new();
        for (place, record) in records.into_iter().enumerate() {
            let mut head: Head =
                serde_json::from_str(&record.text).map_err(|error| (place, error))?;
            if head.sign_in_event_types.is_empty() {
                head.sign_in_event_types.push("interactiveUser".to_owned());
            }
            for kind in head.sign_in_event_types {
                let created_at = record.listed_at.unwrap_or(head.created_date_time);
                let stored = Stored { created_at, record: record.clone() };
                types.entry(kind).or_default().push(stored);
            }
        }
        for records in types.values_mut() {
            records.sort_by_key(|stored| stored.created_at);
        }
        Ok(Self(types))
    }

    /// Sign-ins of a type by identity, resource and code, those not shown among them.
    pub(super) fn counts(
        &self,
        kind: &str,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
    ) -> Vec<serde_json::Value> {
        let mut counts = BTreeMap::<[String; 4], u64>::new();
        let all = self.0.get(kind).map_or(&[][..], Vec::as_slice);
        for stored in all.iter().filter(|stored| (from..to).contains(&stored.created_at)) {
            let record: serde_json::Value =
                serde_json::from_str(&stored.record.text).unwrap_or_default();
            let text = |value: &serde_json::Value| match value {
                serde_json::Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let key = ["servicePrincipalId", "appId", "resourceId"].map(|name| text(&record[name]));
            let [principal, app, resource] = key;
            let code = text(&record["status"]["errorCode"]);
            *counts.entry([principal, app, resource, code]).or_default() += 1;
        }
        counts
            .into_iter()
            .map(|([principal, app, resource, code], count)| {
                serde_json::json!({
                    "servicePrincipalId": principal,
                    "appId": app,
                    "resourceId": resource,
                    "status": {"errorCode": code.parse::<i64>().unwrap_or(0)},
                    "signInCount": count,
                })
            })
            .collect()
    }

    /// The records of one page, and where the next one begins.
    ///
    /// A place is one among all records of the type, so that it stays the same when late ones show.
    pub(super) fn page(&self, query: &Query, now: DateTime<Utc>) -> (Vec<&str>, Option<usize>) {
        let all = self.0.get(&query.kind).map_or(&[][..], Vec::as_slice);
        let first = all.partition_point(|stored| stored.created_at < query.from);
        let end = all.partition_point(|stored| stored.created_at < query.to).max(first);
        if query.is_ascending {
            let start = query.start.unwrap_or(first).clamp(first, end);
            cut((start..end).map(|place| (place, &all[place])), query.top, now)
        } else {
            let start = query.start.map_or(end, |start| start.saturating_add(1)).clamp(first, end);
            cut((first..start).rev().map(|place| (place, &all[place])), query.top, now)
        }
    }
}

fn cut<'a>(
    walk: impl Iterator<Item = (usize, &'a Stored)>,
    top: usize,
    now: DateTime<Utc>,
) -> (Vec<&'a str>, Option<usize>) {
    let mut shown =
        walk.filter(|(_, stored)| stored.record.visible_from.is_none_or(|from| from <= now));
    let page = shown.by_ref().take(top).map(|(_, stored)| &*stored.record.text).collect();
    (page, shown.next().map(|(place, _)| place))
}
