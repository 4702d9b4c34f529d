//! One night as the tests of all forms tell it, walked along the path that real sign-ins take.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::timeline::{Timeline, timeline};
use crate::config::IncidentsConfig;
use crate::detect::{Detector, Matcher, Rulebook};
use crate::diagnose::Catalogue;
use crate::incidents;
use crate::model::{
    Delivery, DeliveryId, Event, EventId, Facet, Identity, Incident, IncidentId, Resource,
    RuleFacts, TellReason,
};
use crate::store::story::Telling;
use crate::store::{Fetched, Store};

const SERVICE_PRINCIPAL: &str = "5a3e9d70-1c2b-4e8f-8f60-7b9c0d1e2f32";

/// A database in a folder of its own, and all that walks over it.
pub(super) struct Night {
    pub(super) store: Store,
    pub(super) rulebook: Rulebook,
    pub(super) catalogue: Catalogue,
    facts: BTreeMap<String, RuleFacts>,
    detector: Detector,
    name: String,
    ids: u8,
    _folder: tempfile::TempDir,
}

pub(super) fn at(text: &str) -> DateTime<Utc> {
    format!("2026-11-{}Z", text.replace(' ', "T")).parse().unwrap()
}

impl Night {
    pub(super) async fn of(name: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = format!("sqlite://{}", folder.path().join("night.db").display());
        let rulebook = Rulebook::embedded().unwrap();
        let catalogue = Catalogue::shipped();
        let facts = rulebook.facts();
        Self {
            store: Store::open(&address).await.unwrap(),
            detector: Detector::new(Matcher::new(&rulebook, catalogue.classes()).unwrap()),
            rulebook,
            catalogue,
            facts,
            name: name.to_owned(),
            ids: 0,
            _folder: folder,
        }
    }

    pub(super) fn event(&mut self, created_at: DateTime<Utc>, error_code: i64) -> Event<'static> {
        self.ids += 1;
        let failure_reason = match error_code {
            0 => "",
            _ => "Application with identifier '{appIdentifier}' was not found in the directory.",
        };
        Event {
            id: EventId([self.ids; 16]),
            created_at,
            identity: Identity {
                tenant_id: "aaaabbbb-0000-4ccc-8ddd-eeeeffff0000".into(),
                service_principal_id: SERVICE_PRINCIPAL.into(),
                app_id: "c4b1e6a8-7d35-4c2e-9b1f-0e8d7a6b5c43".into(),
                name: self.name.clone().into(),
                arm_resource_id: "".into(),
            },
            resource: Resource {
                id: "cfa8b339-82a2-471a-a3c9-0fc0be7a4093".into(),
                name: "Azure Key Vault".into(),
                ..Resource::default()
            },
            facet: Facet {
                sign_in_type: "managedIdentity".into(),
                failure_reason: failure_reason.into(),
                ..Facet::default()
            },
            error_code,
            ip_address: "".into(),
            user: "".into(),
        }
    }

    /// Sign-ins at these times arrive, and a pass is walked.
    pub(super) async fn pass(
        &mut self,
        times: &[DateTime<Utc>],
        error_code: i64,
        now: DateTime<Utc>,
    ) {
        let events: Vec<Event<'_>> =
            times.iter().map(|created_at| self.event(*created_at, error_code)).collect();
        self.pass_of(&events, now).await;
    }

    /// These sign-ins arrive, and a pass is walked.
    pub(super) async fn pass_of(&mut self, events: &[Event<'_>], now: DateTime<Utc>) {
        let mut fetched = Fetched::default();
        for event in events {
            fetched.batch.push(event, 0..0);
        }
        self.store.add(("contoso", "graph"), fetched, None, now).await.unwrap();
        self.detector.run(&self.store, now, |_| ()).await.unwrap();
        incidents::run(&self.store, &self.facts, &IncidentsConfig::default(), now).await.unwrap();
    }

    pub(super) async fn incident(&self) -> Incident {
        self.store.incidents().await.unwrap().remove(0)
    }

    pub(super) async fn timeline(&self) -> Timeline {
        let incident = self.incident().await;
        timeline(&self.store, &self.rulebook, &self.catalogue, &incident).await.unwrap()
    }

    async fn tell(
        &self,
        id: i64,
        channel: &str,
        reason: TellReason,
        tried: &[(&str, &str)],
        ended: bool,
    ) {
        let incident = self.incident().await;
        let attempts: Vec<(DateTime<Utc>, String)> =
            tried.iter().map(|(time, outcome)| (at(time), (*outcome).to_owned())).collect();
        let planned_at = attempts[0].0;
        let (last_at, last) = attempts[attempts.len() - 1].clone();
        let is_dead = ended && last.starts_with("refused");
        let delivery = Delivery {
            id: DeliveryId(id),
            incident_id: incident.id,
            channel: channel.to_owned(),
            number: 1,
            reason,
            revision: incident.revision,
            severity: incident.severity,
            event_count: incident.event_count,
            planned_at,
            attempts: u32::try_from(attempts.len()).unwrap(),
            next_attempt_at: last_at,
            sent_at: (ended && !is_dead).then_some(last_at),
            dead_at: is_dead.then_some(last_at),
            last_error: is_dead.then_some(last),
        };
        self.store.put_telling(&Telling { delivery, attempts }).await.unwrap();
    }
}

/// Fourteen failures, three of them late, told to two channels, acknowledged, and over by morning.
pub(super) async fn whole(name: &str) -> Night {
    let mut night = Night::of(name).await;
    let from = |start: &str, number: i32, apart: i64| -> Vec<DateTime<Utc>> {
        (0..number).map(|place| at(start) + TimeDelta::seconds(apart) * place).collect()
    };
    night.pass(&from("22 20:00:11", 4, 3600), 0, at("22 23:05:00")).await;
    night.pass(&from("23 02:14:07", 11, 30), 700_016, at("23 02:21:00")).await;
    night.tell(1, "on-call", TellReason::Opened, &[("23 02:21:00", "250 queued")], true).await;
    let tried: Vec<String> = (0..8).map(|place| format!("23 02:2{}:00", place + 1)).collect();
    let mut outcomes: Vec<(&str, &str)> =
        tried.iter().map(|time| (time.as_str(), "no answer within 10 s")).collect();
    outcomes.push(("23 03:21:00", "refused: 404 Not Found"));
    night.tell(2, "chat", TellReason::Opened, &outcomes, true).await;
    let id: IncidentId = night.incident().await.id;
    incidents::acknowledge(&night.store, id, "anna", at("23 02:30:00")).await.unwrap();
    night.pass(&from("23 05:40:00", 2, 60), 700_016, at("23 05:43:00")).await;
    night.pass(&from("23 02:15:10", 3, 20), 700_016, at("23 07:17:20")).await;
    night.pass(&from("23 07:30:00", 1, 0), 0, at("23 07:33:00")).await;
    night
}

/// A runtime for one test.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
