//! How much rules found and how much of it was told, counted by SQLite: for `backtest`.

use std::collections::BTreeMap;
use std::str::FromStr;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};

use super::history::encoded;
use super::{Store, StoreError, micros, time};
use crate::model::IncidentId;

/// What one rule found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleNoise {
    pub rule: String,
    pub findings: u64,
    /// Incidents that it is part of, and what was told of these.
    pub incidents: u64,
    pub deliveries: u64,
}

/// What one channel was told within a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DayTold {
    pub channel: String,
    pub day: DateTime<Utc>,
    pub deliveries: u64,
}

/// How the findings of one rule differ from those of another database.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FindingsApart {
    pub rule: String,
    pub new: u64,
    pub gone: u64,
    /// They begin with the same sign-in and hold others.
    pub changed: u64,
}

const DAY: i64 = 86_400_000_000;

impl Store {
    /// What rules found from a time on, those that found nothing left out.
    pub async fn noise_by_rule(&self, since: DateTime<Utc>) -> Result<Vec<RuleNoise>, StoreError> {
        let rows: Vec<(String, i64, i64, i64)> = sqlx::query_as(
            "with met as materialized (select distinct rule_id, incident_id from findings \
               where withdrawn_at is null and detected_at >= $1 and incident_id is not null), \
             told as materialized (select incident_id, count(*) as n from deliveries where planned_at >= $1 \
               group by incident_id) \
             select r.name, (select count(*) from findings f where f.rule_id = r.id and f.withdrawn_at is null \
                 and f.detected_at >= $1) as found, \
               (select count(*) from met where met.rule_id = r.id), \
               (select coalesce(sum(told.n), 0) from met join told using (incident_id) where met.rule_id = r.id) \
             from rules r where found > 0 order by found desc, r.name",
        )
        .bind(micros(since))
        .fetch_all(self.readers())
        .await?;
        Ok(rows
            .into_iter()
            .map(|(rule, findings, incidents, deliveries)| RuleNoise {
                rule,
                findings: count(findings),
                incidents: count(incidents),
                deliveries: count(deliveries),
            })
            .collect())
    }

    /// How many deliveries each channel was planned on each day.
    pub async fn told_by_day(&self) -> Result<Vec<DayTold>, StoreError> {
        let rows: Vec<(String, i64, i64)> = sqlx::query_as(
            "select channel, planned_at / $1, count(*) from deliveries group by 1, 2 order by 1, 2",
        )
        .bind(DAY)
        .fetch_all(self.readers())
        .await?;
        Ok(rows
            .into_iter()
            .map(|(channel, day, deliveries)| DayTold {
                channel,
                day: time(day * DAY),
                deliveries: count(deliveries),
            })
            .collect())
    }

    /// What each incident is of: `identity:<number>`, or the values that its group has in common, each on
    /// a line, after a line with their fields.
    pub async fn incident_keys(&self) -> Result<BTreeMap<IncidentId, String>, StoreError> {
        let rows: Vec<(i64, String)> = sqlx::query_as(
            "select i.id, coalesce((select g.key from groups g where i.subject = 'group:' || g.id), i.subject) \
             from incidents i",
        )
        .fetch_all(self.readers())
        .await?;
        Ok(rows.into_iter().map(|(id, key)| (IncidentId(id), key)).collect())
    }

    /// How the findings here differ from those of another database over the same events, by rule.
    pub async fn findings_apart(
        &self,
        other: &Self,
        since: DateTime<Utc>,
    ) -> Result<Vec<FindingsApart>, StoreError> {
        let address = format!("sqlite://{}?mode=ro", encoded(self.path()));
        let mut connection = SqliteConnectOptions::from_str(&address)?.connect().await?;
        sqlx::query("attach database $1 as other")
            .bind(format!("file:{}?mode=ro", encoded(other.path())))
            .execute(&mut connection)
            .await?;
        let rows: Vec<(String, i64, i64, i64)> = sqlx::query_as(
            "with mine as materialized (select r.name, g.key, f.first_event, f.last_event, f.event_count \
               from main.findings f join main.rules r on r.id = f.rule_id join main.groups g on g.id = f.group_id \
               where f.withdrawn_at is null and f.detected_at >= $1), \
             theirs as materialized (select r.name, g.key, f.first_event, f.last_event, f.event_count \
               from other.findings f join other.rules r on r.id = f.rule_id join other.groups g on g.id = f.group_id \
               where f.withdrawn_at is null and f.detected_at >= $1), \
             pairs as (select m.name, t.name is null as is_new, 0 as is_gone, t.name is not null \
                 and (m.last_event <> t.last_event or m.event_count <> t.event_count) as is_changed \
               from mine m left join theirs t on t.name = m.name and t.key = m.key and t.first_event = m.first_event \
               union all select t.name, 0, 1, 0 from theirs t \
               left join mine m on t.name = m.name and t.key = m.key and t.first_event = m.first_event \
               where m.name is null) \
             select name, sum(is_new), sum(is_gone), sum(is_changed) from pairs group by name \
             having sum(is_new + is_gone + is_changed) > 0 order by name",
        )
        .bind(micros(since))
        .fetch_all(&mut connection)
        .await?;
        connection.close().await?;
        Ok(rows
            .into_iter()
            .map(|(rule, new, gone, changed)| FindingsApart {
                rule,
                new: count(new),
                gone: count(gone),
                changed: count(changed),
            })
            .collect())
    }
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
