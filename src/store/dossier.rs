//! What the events say of the identities of an incident: ids, habits, the last good sign-in.

use chrono::{DateTime, Utc};
use sqlx::{AssertSqlSafe, SqliteConnection};

use super::{Store, StoreError, list, micros, time};
use crate::model::{Facet, NamedIdentity};

/// Evidence looked through for addresses; more does not change which come first.
const LOOKED_THROUGH: i64 = 20_000;

const DAY: i64 = 86_400_000_000;

/// An identity with its history around an incident.
#[derive(Clone, Debug, Default)]
pub struct Dossier {
    pub named: NamedIdentity,
    pub tenant_id: String,
    pub arm_resource_id: String,
    pub msi_type: String,
    pub sign_in_type: String,
    pub last_good_at: Option<DateTime<Utc>>,
    pub first_good_after: Option<DateTime<Utc>>,
    /// The first good sign-in after the end.
    pub came_back_at: Option<DateTime<Utc>>,
    /// Identities of the same tenant that share its name or ARM resource, with their first sign-in.
    pub alike: Vec<Alike>,
    pub habits: Option<Habits>,
}

/// How many other identities failed with the codes of an incident.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FailingAlike {
    pub all: u64,
    /// Those that got a token before.
    pub worked_before: u64,
}

/// What was tried from some addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tried {
    /// Each address with its attempts and the identities that these were for, most attempts first.
    pub from: Vec<(String, u64, u64)>,
    pub identities: u64,
}

/// An identity that shares a name or ARM resource with another.
#[derive(Clone, Debug)]
pub struct Alike {
    pub named: NamedIdentity,
    pub first_seen_at: DateTime<Utc>,
    pub shares_arm_resource: bool,
}

/// What an identity did in the days before.
#[derive(Clone, Copy, Debug)]
pub struct Habits {
    pub days: u32,
    pub sign_ins: u64,
    pub failures: u64,
    pub resources: u64,
}

impl Store {
    /// Everything of an identity around an instant; `None` for a number that is none.
    pub async fn dossier(
        &self,
        identity_id: i64,
        started_at: DateTime<Utc>,
        ended_at: DateTime<Utc>,
    ) -> Result<Option<Dossier>, StoreError> {
        let mut reader = self.readers().acquire().await?;
        let row: Option<(String, String, String, String, String)> = sqlx::query_as(
            "select tenant_id, service_principal_id, app_id, name, arm_resource_id from identities where id = $1",
        )
        .bind(identity_id)
        .fetch_optional(&mut *reader)
        .await?;
        let Some((tenant_id, service_principal_id, app_id, name, arm_resource_id)) = row else {
            return Ok(None);
        };
        let facet: Option<String> = sqlx::query_scalar(
            "select f.value from events e join facets f on f.id = e.facet_id where e.identity_id = $1 \
             and e.created_at <= $2 order by e.created_at desc limit 1",
        )
        .bind(identity_id)
        .bind(micros(ended_at))
        .fetch_optional(&mut *reader)
        .await?;
        let facet: Facet<'static> = facet
            .and_then(|value| serde_json::from_str::<Facet<'_>>(&value).ok().map(Facet::into_owned))
            .unwrap_or_default();
        let mut dossier = Dossier {
            named: NamedIdentity { service_principal_id, app_id, name },
            tenant_id,
            arm_resource_id,
            msi_type: facet.msi_type.into_owned(),
            sign_in_type: facet.sign_in_type.into_owned(),
            alike: alike(&mut reader, identity_id).await?,
            ..Dossier::default()
        };
        let mut ids = vec![identity_id];
        if dossier.named.service_principal_id.is_empty()
            && let Some((id, name, service_principal_id)) = whole(&mut reader, identity_id).await?
        {
            ids.push(id);
            dossier.named.service_principal_id = service_principal_id;
            if dossier.named.name.is_empty() {
                dossier.named.name = name;
            }
        }
        for id in ids {
            let last = good(&mut reader, id, LAST_BEFORE, started_at).await?;
            dossier.last_good_at = dossier.last_good_at.max(last);
            let first = good(&mut reader, id, FIRST_AFTER, started_at).await?;
            dossier.first_good_after = earlier(dossier.first_good_after, first);
            let back = good(&mut reader, id, FIRST_AFTER, ended_at).await?;
            dossier.came_back_at = earlier(dossier.came_back_at, back);
            if dossier.habits.is_none() {
                dossier.habits = habits(&mut reader, id, micros(started_at)).await?;
            }
        }
        Ok(Some(dossier))
    }

    /// The name of the resource with this id.
    pub async fn resource_name(&self, resource_id: &str) -> Result<Option<String>, StoreError> {
        Ok(sqlx::query_scalar("select name from resources where key = $1 and name <> ''")
            .bind(resource_id)
            .fetch_optional(self.readers())
            .await?)
    }

    /// What came with these codes in an interval from the addresses of these identities, whoever it was for.
    pub async fn tried(
        &self,
        identity_ids: &[i64],
        codes: &[i64],
        interval: (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<Tried, StoreError> {
        let codes = list(codes);
        let of_them = format!(
            "error_code <> 0 and error_code in ({codes}) and created_at between $1 and $2 and address_id in \
             (select address_id from (select address_id from events where identity_id in ({}) and created_at \
             between $1 and $2 and error_code in ({codes}) and address_id is not null limit {LOOKED_THROUGH}))",
            list(identity_ids)
        );
        let (from, to) = (micros(interval.0), micros(interval.1));
        let by_address = format!(
            "select t.text, e.attempts, e.identities from (select address_id, count(*) as attempts, \
               count(distinct identity_id) as identities from events where {of_them} group by address_id) e \
             join texts t on t.id = e.address_id order by e.attempts desc, t.text"
        );
        let rows: Vec<(String, i64, i64)> = sqlx::query_as(AssertSqlSafe(by_address))
            .bind(from)
            .bind(to)
            .fetch_all(self.readers())
            .await?;
        let all = format!("select count(distinct identity_id) from events where {of_them}");
        let identities: i64 = sqlx::query_scalar(AssertSqlSafe(all))
            .bind(from)
            .bind(to)
            .fetch_one(self.readers())
            .await?;
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        let from = rows.into_iter().map(|(text, tries, of)| (text, count(tries), count(of)));
        Ok(Tried { from: from.collect(), identities: count(identities) })
    }

    /// How many other identities failed with one of these codes in an interval.
    pub async fn failing_alike(
        &self,
        identity_ids: &[i64],
        codes: &[i64],
        interval: (DateTime<Utc>, DateTime<Utc>),
    ) -> Result<FailingAlike, StoreError> {
        let sql = format!(
            "select count(*), coalesce(sum(exists(select 1 from events g where g.identity_id = o.identity_id \
               and g.created_at < $1 and g.error_code = 0)), 0) \
             from (select distinct identity_id from events where error_code <> 0 and error_code in ({}) \
               and created_at between $1 and $2 and identity_id not in ({})) o",
            list(codes),
            list(identity_ids)
        );
        let (all, worked_before): (i64, i64) = sqlx::query_as(AssertSqlSafe(sql))
            .bind(micros(interval.0))
            .bind(micros(interval.1))
            .fetch_one(self.readers())
            .await?;
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        Ok(FailingAlike { all: count(all), worked_before: count(worked_before) })
    }
}

const LAST_BEFORE: &str = "select max(created_at) from events where identity_id = $1 and created_at < $2 \
     and error_code = 0";
const FIRST_AFTER: &str = "select min(created_at) from events where identity_id = $1 and created_at > $2 \
     and error_code = 0";

async fn good(
    reader: &mut SqliteConnection,
    identity_id: i64,
    sql: &'static str,
    at: DateTime<Utc>,
) -> Result<Option<DateTime<Utc>>, StoreError> {
    let found: Option<i64> =
        sqlx::query_scalar(sql).bind(identity_id).bind(micros(at)).fetch_one(reader).await?;
    Ok(found.map(time))
}

fn earlier(one: Option<DateTime<Utc>>, other: Option<DateTime<Utc>>) -> Option<DateTime<Utc>> {
    one.into_iter().chain(other).min()
}

/// The identity with the same client id whose records are whole: of an id that the tenant does not know
/// any more, Entra writes neither name nor service principal.
async fn whole(
    reader: &mut SqliteConnection,
    identity_id: i64,
) -> Result<Option<(i64, String, String)>, StoreError> {
    Ok(sqlx::query_as(
        "select n.id, n.name, n.service_principal_id from identities i join identities n \
         on n.tenant_id = i.tenant_id and n.app_id = i.app_id and n.id <> i.id \
         where i.id = $1 and i.app_id <> '' and n.service_principal_id <> '' order by n.named_at desc limit 1",
    )
    .bind(identity_id)
    .fetch_optional(reader)
    .await?)
}

async fn alike(reader: &mut SqliteConnection, identity_id: i64) -> Result<Vec<Alike>, StoreError> {
    let rows: Vec<(String, String, String, i64, Option<i64>)> = sqlx::query_as(
        "select n.service_principal_id, n.app_id, n.name, \
           (n.arm_resource_id <> '' and n.arm_resource_id = i.arm_resource_id), \
           (select min(created_at) from events e where e.identity_id = n.id) \
         from identities i join identities n on n.tenant_id = i.tenant_id and n.id <> i.id \
           and (n.app_id = '' or n.app_id <> i.app_id) and ((i.name <> '' and n.name = i.name) or (i.arm_resource_id <> '' and n.arm_resource_id = i.arm_resource_id)) \
         where i.id = $1 order by n.id limit 20",
    )
    .bind(identity_id)
    .fetch_all(reader)
    .await?;
    Ok(rows
        .into_iter()
        .filter_map(|(service_principal_id, app_id, name, shares, first)| {
            Some(Alike {
                named: NamedIdentity { service_principal_id, app_id, name },
                first_seen_at: time(first?),
                shares_arm_resource: shares != 0,
            })
        })
        .collect())
}

async fn habits(
    reader: &mut SqliteConnection,
    identity_id: i64,
    before: i64,
) -> Result<Option<Habits>, StoreError> {
    let (sign_ins, failures, resources, first): (i64, i64, i64, Option<i64>) = sqlx::query_as(
        "select count(*), coalesce(sum(error_code <> 0), 0), \
         count(distinct case when error_code = 0 then resource_id end), min(created_at) \
         from events where identity_id = $1 and created_at >= $2 and created_at < $3",
    )
    .bind(identity_id)
    .bind(before - 14 * DAY)
    .bind(before)
    .fetch_one(reader)
    .await?;
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    Ok(first.map(|first| Habits {
        days: u32::try_from((before - first + DAY - 1) / DAY).unwrap_or(14).clamp(1, 14),
        sign_ins: count(sign_ins),
        failures: count(failures),
        resources: count(resources),
    }))
}
