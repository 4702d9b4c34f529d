//! What an ingest hands over at once: events, their records, and the texts they share.
//!
//! Events name identities, resources, facets and texts by their place in the batch. The numbers those
//! have in the database are found when the batch is written, so that making a batch needs no database
//! and can go on beside the writing of the one before it.

use std::collections::BTreeMap;
use std::collections::HashMap;
use std::ops::Range;

use chrono::{DateTime, Utc};
use foldhash::fast::RandomState;

use crate::model::{Event, EventId, Facet, Form};

/// One event of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NewEvent {
    pub(super) created_at: i64,
    pub(super) id: EventId,
    pub(super) identity: u32,
    pub(super) resource: u32,
    pub(super) facet: u32,
    pub(super) error_code: i64,
    pub(super) address: Option<u32>,
    pub(super) user: Option<u32>,
    /// Where its record stands in the bytes of the batch.
    pub(super) record: Range<usize>,
}

/// Something with a name that may change, as the latest event of the batch shows it; of several at one time, the
/// greatest texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    /// Tenant (empty for resources) and key.
    pub(super) key: (String, String),
    /// Ids and name, in the order of the table's columns.
    pub(super) values: [String; 4],
    pub(super) at: i64,
}

/// Events, records and shared texts.
#[derive(Debug, Default)]
pub struct Batch {
    pub(super) events: Vec<NewEvent>,
    pub(super) identities: Vec<Named>,
    pub(super) resources: Vec<Named>,
    pub(super) facets: Vec<String>,
    pub(super) texts: Vec<String>,
    places: Places,
}

#[derive(Debug, Default)]
struct Places {
    identities: HashMap<(String, String), u32, RandomState>,
    resources: HashMap<String, u32, RandomState>,
    facets: HashMap<Facet<'static>, u32, RandomState>,
    texts: HashMap<String, u32, RandomState>,
    /// The facet of the event before: the next one is mostly alike.
    last: Option<(Facet<'static>, u32)>,
}

/// A record that could not become an event.
#[derive(Clone, Debug)]
pub struct Reject {
    /// The file or request it was in.
    pub origin: String,
    /// 1-based line or number of the record there.
    pub place: u64,
    pub reason: String,
    pub record: Vec<u8>,
    /// Absent where nobody could tell.
    pub form: Option<Form>,
}

/// Everything that one read of a source gave.
#[derive(Debug, Default)]
pub struct Fetched {
    pub batch: Batch,
    /// The bytes that the batch's events point into.
    pub bytes: Vec<u8>,
    pub rejects: Vec<Reject>,
    /// Numbers of rejected records that these are, read after all.
    pub retried: Vec<i64>,
    /// Records of other logs.
    pub other: u64,
    /// What these are, and how many of each.
    pub others: BTreeMap<&'static str, u64>,
}

impl Fetched {
    /// Counts a record that is none of ours.
    pub fn passes_over(&mut self, log: &'static str) {
        self.other += 1;
        *self.others.entry(log).or_default() += 1;
    }
}

impl Batch {
    /// Adds an event whose record stands at `record` in the bytes of the batch.
    pub fn push(&mut self, event: &Event<'_>, record: Range<usize>) {
        let created_at = event.created_at.timestamp_micros();
        let new = NewEvent {
            created_at,
            id: event.id,
            identity: self.identity(event, created_at),
            resource: self.resource(event, created_at),
            facet: self.facet(event),
            error_code: event.error_code,
            address: self.text(&event.ip_address),
            user: self.text(&event.user),
            record,
        };
        self.events.push(new);
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// The times of its earliest and its latest event.
    #[must_use]
    pub fn span(&self) -> Option<(DateTime<Utc>, DateTime<Utc>)> {
        let times = || self.events.iter().map(|event| event.created_at);
        Some((super::time(times().min()?), super::time(times().max()?)))
    }

    fn identity(&mut self, event: &Event<'_>, at: i64) -> u32 {
        let identity = &event.identity;
        let values = [
            &*identity.service_principal_id,
            &*identity.app_id,
            &*identity.name,
            &*identity.arm_resource_id,
        ];
        let key = (identity.tenant_id.to_string(), identity.key(&event.resource).to_owned());
        place(&mut self.places.identities, &mut self.identities, key.clone(), key, values, at)
    }

    fn resource(&mut self, event: &Event<'_>, at: i64) -> u32 {
        let resource = &event.resource;
        let values = [&*resource.id, &*resource.name, &*resource.service_principal_id, ""];
        let key = resource.key().to_owned();
        place(
            &mut self.places.resources,
            &mut self.resources,
            key.clone(),
            (String::new(), key),
            values,
            at,
        )
    }

    fn facet(&mut self, event: &Event<'_>) -> u32 {
        if let Some((facet, place)) = &self.places.last
            && *facet == event.facet
        {
            return *place;
        }
        let facet = event.facet.clone().into_owned();
        let place = *self.places.facets.entry(facet.clone()).or_insert_with(|| {
            self.facets.push(facet_text(&facet));
            last_place(&self.facets)
        });
        self.places.last = Some((facet, place));
        place
    }

    fn text(&mut self, text: &str) -> Option<u32> {
        if text.is_empty() {
            return None;
        }
        if let Some(place) = self.places.texts.get(text) {
            return Some(*place);
        }
        self.texts.push(text.to_owned());
        let place = last_place(&self.texts);
        self.places.texts.insert(text.to_owned(), place);
        Some(place)
    }
}

/// Shared values as they are stored.
pub(super) fn facet_text(facet: &Facet<'_>) -> String {
    serde_json::to_string(facet).expect("texts always serialise")
}

/// The place of something named, taking over its values where this event is the later one.
fn place<K: std::hash::Hash + Eq>(
    places: &mut HashMap<K, u32, RandomState>,
    all: &mut Vec<Named>,
    lookup: K,
    key: (String, String),
    values: [&str; 4],
    at: i64,
) -> u32 {
    if let Some(place) = places.get(&lookup) {
        let known = &mut all[*place as usize];
        let known_values = known.values.each_ref().map(String::as_str);
        if at > known.at || (at == known.at && values > known_values) {
            if values != known_values {
                known.values = values.map(str::to_owned);
            }
            known.at = at;
        }
        return *place;
    }
    all.push(Named { key, values: values.map(str::to_owned), at });
    let place = last_place(all);
    places.insert(lookup, place);
    place
}

fn last_place<T>(all: &[T]) -> u32 {
    u32::try_from(all.len() - 1).expect("a batch has fewer than 2^32 of anything")
}
