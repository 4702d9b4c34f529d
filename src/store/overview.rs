//! What lists show of sources, identities and records set aside.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::Row as _;

use super::sources::Tally;
use super::{Store, StoreError, time};

/// A source with its tally and how far it has been read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SourceOverview {
    pub name: String,
    pub kind: String,
    #[serde(flatten)]
    pub tally: Tally,
    /// What the records are that count as `other`, and how many of each.
    pub others: BTreeMap<String, u64>,
    pub last_record_at: Option<DateTime<Utc>>,
    pub last_failed_at: Option<DateTime<Utc>>,
    pub last_failure: Option<String>,
    pub heads: Vec<HeadOverview>,
}

/// How far one head of a source has come, and how its reading goes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct HeadOverview {
    pub name: String,
    pub read_to: DateTime<Utc>,
    /// Failures in a row.
    pub failures: u32,
    pub next_attempt_at: Option<DateTime<Utc>>,
    pub last_read_at: Option<DateTime<Utc>>,
}

/// An identity with when it was seen.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct IdentityOverview {
    pub tenant_id: String,
    pub name: String,
    pub service_principal_id: String,
    pub app_id: String,
    pub arm_resource_id: String,
    pub first_seen_at: Option<DateTime<Utc>>,
    pub last_seen_at: Option<DateTime<Utc>>,
    /// Incidents of it that are not resolved.
    pub open_incidents: u64,
}

impl Store {
    /// Every source, by name.
    pub async fn source_overviews(&self) -> Result<Vec<SourceOverview>, StoreError> {
        let mut reader = self.readers().acquire().await?;
        let rows = sqlx::query(
            "select source_id, name, read_to, failures, next_attempt_at, last_read_at from heads \
             order by source_id, name",
        )
        .fetch_all(&mut *reader)
        .await?;
        let mut heads: BTreeMap<i64, Vec<HeadOverview>> = BTreeMap::new();
        for row in &rows {
            heads.entry(row.try_get(0)?).or_default().push(HeadOverview {
                name: row.try_get(1)?,
                read_to: time(row.try_get(2)?),
                failures: u32::try_from(row.try_get::<i64, _>(3)?).unwrap_or(u32::MAX),
                next_attempt_at: row.try_get::<Option<i64>, _>(4)?.map(time),
                last_read_at: row.try_get::<Option<i64>, _>(5)?.map(time),
            });
        }
        let mut others = super::others::all(&mut reader).await?;
        let rows = sqlx::query(
            "select id, name, kind, read, stored, duplicates, rejected, other, last_record_at, \
             last_failed_at, last_failure from sources order by name",
        )
        .fetch_all(&mut *reader)
        .await?;
        rows.iter()
            .map(|row| {
                Ok(SourceOverview {
                    heads: heads.remove(&row.try_get(0)?).unwrap_or_default(),
                    name: row.try_get(1)?,
                    kind: row.try_get(2)?,
                    tally: Tally {
                        read: count(row.try_get(3)?),
                        stored: count(row.try_get(4)?),
                        duplicates: count(row.try_get(5)?),
                        rejected: count(row.try_get(6)?),
                        other: count(row.try_get(7)?),
                    },
                    others: others.remove(&row.try_get(0)?).unwrap_or_default(),
                    last_record_at: row.try_get::<Option<i64>, _>(8)?.map(time),
                    last_failed_at: row.try_get::<Option<i64>, _>(9)?.map(time),
                    last_failure: row.try_get(10)?,
                })
            })
            .collect()
    }

    /// Identities, the one seen last first.
    pub async fn identity_overviews(
        &self,
        limit: u32,
    ) -> Result<Vec<IdentityOverview>, StoreError> {
        let rows = sqlx::query(
            "select i.tenant_id, i.name, i.service_principal_id, i.app_id, i.arm_resource_id, \
             (select min(created_at) from events e where e.identity_id = i.id), \
             (select max(created_at) from events e where e.identity_id = i.id) as last_at, \
             (select count(*) from incidents n where n.subject = 'identity:' || i.id \
               and n.resolved_at is null and n.merged_into is null) \
             from identities i order by last_at desc, i.id limit $1",
        )
        .bind(limit)
        .fetch_all(self.readers())
        .await?;
        rows.iter()
            .map(|row| {
                Ok(IdentityOverview {
                    tenant_id: row.try_get(0)?,
                    name: row.try_get(1)?,
                    service_principal_id: row.try_get(2)?,
                    app_id: row.try_get(3)?,
                    arm_resource_id: row.try_get(4)?,
                    first_seen_at: row.try_get::<Option<i64>, _>(5)?.map(time),
                    last_seen_at: row.try_get::<Option<i64>, _>(6)?.map(time),
                    open_incidents: count(row.try_get(7)?),
                })
            })
            .collect()
    }
}

fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
