//! The outbox: what is told to which channel, and every attempt.

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::sqlite::SqliteRow;
use sqlx::{AssertSqlSafe, QueryBuilder, Row};

use super::{Store, StoreError, Writing, micros, time};
use crate::model::{Delivery, DeliveryId, IncidentId, Severity, TellReason};

/// How a delivery stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum DeliveryState {
    Pending,
    Sent,
    Dead,
}

impl DeliveryState {
    fn condition(self) -> &'static str {
        match self {
            Self::Pending => "sent_at is null and dead_at is null",
            Self::Sent => "sent_at is not null",
            Self::Dead => "dead_at is not null",
        }
    }
}

/// Which deliveries to list; what is absent does not matter.
#[derive(Clone, Debug, Default)]
pub struct DeliveryFilter {
    pub incident_id: Option<IncidentId>,
    pub channel: Option<String>,
    pub state: Option<DeliveryState>,
    /// At most so many, newest first.
    pub limit: Option<u32>,
}

/// One try to send a delivery, and what was answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Attempt {
    pub at: DateTime<Utc>,
    pub outcome: String,
}

/// A delivery to be planned.
#[derive(Clone, Debug)]
pub struct NewDelivery<'a> {
    pub incident_id: IncidentId,
    pub channel: &'a str,
    pub number: i64,
    pub reason: TellReason,
    pub revision: i64,
    pub severity: Severity,
    pub event_count: u64,
    pub planned_at: DateTime<Utc>,
}

/// What an attempt came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Sent,
    /// To be tried again then; the whole channel waits until `hold`, where the receiver asked for it.
    Retry {
        at: DateTime<Utc>,
        hold: Option<DateTime<Utc>>,
    },
    Dead,
    /// Dead, and its channel is switched off.
    Gone,
}

/// What sending again by hand came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resent {
    Due,
    AlreadySent,
    NotThere,
}

/// How many deliveries stand how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeliveryCounts {
    pub pending: u64,
    pub sent: u64,
    pub dead: u64,
}

/// A channel that its receiver switched off.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DisabledChannel {
    pub name: String,
    pub disabled_at: DateTime<Utc>,
    pub reason: String,
}

const DELIVERY: &str = "select id, incident_id, channel, number, reason, revision, severity, event_count, planned_at, \
     attempts, next_attempt_at, sent_at, dead_at, last_error, message from deliveries d";

/// Of the pending deliveries of an incident to a channel only the first may go: a later one must not
/// overtake it.
const FIRST_OF_ITS_INCIDENT: &str = "d.sent_at is null and d.dead_at is null and not exists \
     (select 1 from deliveries e where e.incident_id = d.incident_id and e.channel = d.channel \
      and e.number < d.number and e.sent_at is null and e.dead_at is null)";

const ENABLED: &str =
    "not exists (select 1 from channels c where c.name = d.channel and c.disabled_at is not null)";

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}

fn delivery(row: &SqliteRow) -> Result<Delivery, StoreError> {
    let id = DeliveryId(row.try_get(0)?);
    let (reason, severity): (&str, &str) = (row.try_get(4)?, row.try_get(6)?);
    Ok(Delivery {
        id,
        incident_id: IncidentId(row.try_get(1)?),
        channel: row.try_get(2)?,
        number: row.try_get(3)?,
        reason: read_reason(reason)?,
        revision: row.try_get(5)?,
        severity: read_severity(severity)?,
        event_count: unsigned(row.try_get(7)?),
        planned_at: time(row.try_get(8)?),
        attempts: row.try_get(9)?,
        next_attempt_at: time(row.try_get(10)?),
        sent_at: row.try_get::<Option<i64>, _>(11)?.map(time),
        dead_at: row.try_get::<Option<i64>, _>(12)?.map(time),
        last_error: row.try_get(13)?,
    })
}

pub(super) fn read_reason(text: &str) -> Result<TellReason, StoreError> {
    TellReason::from_text(text)
        .ok_or_else(|| StoreError::Corrupt(format!("`{text}` is no reason of a delivery")))
}

pub(super) fn read_severity(text: &str) -> Result<Severity, StoreError> {
    text.parse().map_err(|error| StoreError::Corrupt(format!("a delivery: {error}")))
}

/// Plans a delivery; `None` when this telling was planned already. The words are written by
/// [`set_message`], which knows the id.
pub async fn plan(
    writing: &mut Writing,
    new: &NewDelivery<'_>,
) -> Result<Option<DeliveryId>, StoreError> {
    let id: Option<i64> = sqlx::query_scalar(
        "insert into deliveries (incident_id, channel, number, reason, revision, severity, event_count, message, \
         planned_at, next_attempt_at) values ($1, $2, $3, $4, $5, $6, $7, '', $8, $8) \
         on conflict (incident_id, channel, number) do nothing returning id",
    )
    .bind(new.incident_id.0)
    .bind(new.channel)
    .bind(new.number)
    .bind(new.reason.as_str())
    .bind(new.revision)
    .bind(new.severity.as_str())
    .bind(i64::try_from(new.event_count).unwrap_or(i64::MAX))
    .bind(micros(new.planned_at))
    .fetch_optional(&mut **writing)
    .await?;
    Ok(id.map(DeliveryId))
}

/// Writes the words of a delivery.
pub async fn set_message(
    writing: &mut Writing,
    id: DeliveryId,
    message: &str,
) -> Result<(), StoreError> {
    sqlx::query("update deliveries set message = $2 where id = $1")
        .bind(id.0)
        .bind(message)
        .execute(&mut **writing)
        .await?;
    Ok(())
}

impl Store {
    /// Deliveries, newest first.
    pub async fn deliveries(&self, filter: &DeliveryFilter) -> Result<Vec<Delivery>, StoreError> {
        let mut query = QueryBuilder::new(DELIVERY);
        query.push(" where 1 = 1");
        if let Some(id) = filter.incident_id {
            query.push(" and incident_id = ").push_bind(id.0);
        }
        if let Some(channel) = &filter.channel {
            query.push(" and channel = ").push_bind(channel.clone());
        }
        if let Some(state) = filter.state {
            query.push(" and ").push(state.condition());
        }
        query.push(" order by planned_at desc, id desc");
        if let Some(limit) = filter.limit {
            query.push(" limit ").push_bind(limit);
        }
        query.build().fetch_all(self.readers()).await?.iter().map(delivery).collect()
    }

    pub async fn delivery(&self, id: DeliveryId) -> Result<Option<Delivery>, StoreError> {
        let row = sqlx::query(AssertSqlSafe(format!("{DELIVERY} where id = $1")))
            .bind(id.0)
            .fetch_optional(self.readers())
            .await?;
        row.as_ref().map(delivery).transpose()
    }

    /// What was tried for a delivery, in order.
    pub async fn attempts_of(&self, id: DeliveryId) -> Result<Vec<Attempt>, StoreError> {
        let rows: Vec<(i64, String)> =
            sqlx::query_as("select at, outcome from attempts where delivery_id = $1 order by id")
                .bind(id.0)
                .fetch_all(self.readers())
                .await?;
        Ok(rows.into_iter().map(|(at, outcome)| Attempt { at: time(at), outcome }).collect())
    }

    /// Deliveries to one channel that may go now, with their words, longest due first.
    pub async fn due(
        &self,
        channel: &str,
        now: DateTime<Utc>,
        limit: u32,
    ) -> Result<Vec<(Delivery, String)>, StoreError> {
        let rows = sqlx::query(AssertSqlSafe(format!(
            "{DELIVERY} where d.channel = $1 and d.next_attempt_at <= $2 and {FIRST_OF_ITS_INCIDENT} and {ENABLED} \
             order by d.next_attempt_at, d.id limit $3"
        )))
        .bind(channel)
        .bind(micros(now))
        .bind(limit)
        .fetch_all(self.readers())
        .await?;
        rows.iter().map(|row| Ok((delivery(row)?, row.try_get(14)?))).collect()
    }

    /// When the next delivery to one of these channels may go.
    pub async fn next_attempt(
        &self,
        channels: &[&str],
    ) -> Result<Option<DateTime<Utc>>, StoreError> {
        let mut earliest: Option<i64> = None;
        for channel in channels {
            let at: Option<i64> = sqlx::query_scalar(AssertSqlSafe(format!(
                "select d.next_attempt_at from deliveries d where d.channel = $1 \
                 and {FIRST_OF_ITS_INCIDENT} and {ENABLED} order by d.next_attempt_at limit 1"
            )))
            .bind(channel)
            .fetch_optional(self.readers())
            .await?;
            earliest = earliest.into_iter().chain(at).min();
        }
        Ok(earliest.map(time))
    }

    /// Notes an attempt and what follows from it, in one transaction.
    pub async fn record_attempt(
        &self,
        delivery: &Delivery,
        outcome: &Outcome,
        text: &str,
        now: DateTime<Utc>,
    ) -> Result<(), StoreError> {
        let mut writing = self.write().await?;
        sqlx::query("insert into attempts (delivery_id, at, outcome) values ($1, $2, $3)")
            .bind(delivery.id.0)
            .bind(micros(now))
            .bind(text)
            .execute(&mut *writing)
            .await?;
        let (sent_at, dead_at, next_at) = match outcome {
            Outcome::Sent => (Some(now), None, now),
            Outcome::Retry { at, .. } => (None, None, *at),
            Outcome::Dead | Outcome::Gone => (None, Some(now), now),
        };
        sqlx::query(
            "update deliveries set attempts = attempts + 1, sent_at = $2, dead_at = $3, next_attempt_at = $4, \
             last_error = $5 where id = $1",
        )
        .bind(delivery.id.0)
        .bind(sent_at.map(micros))
        .bind(dead_at.map(micros))
        .bind(micros(next_at))
        .bind((*outcome != Outcome::Sent).then_some(text))
        .execute(&mut *writing)
        .await?;
        if let Outcome::Retry { hold: Some(until), .. } = outcome {
            hold(&mut writing, &delivery.channel, *until).await?;
        }
        if *outcome == Outcome::Gone {
            disable(&mut writing, &delivery.channel, text, now).await?;
        }
        writing.commit().await?;
        Ok(())
    }

    /// Makes a delivery that is dead or waiting due now, and begins its schedule anew. What was tried
    /// stays listed.
    pub async fn resend(&self, id: DeliveryId, now: DateTime<Utc>) -> Result<Resent, StoreError> {
        let mut writing = self.write().await?;
        let done = sqlx::query(
            "update deliveries set dead_at = null, attempts = 0, next_attempt_at = $2 where id = $1 and sent_at is null",
        )
        .bind(id.0)
        .bind(micros(now))
        .execute(&mut *writing)
        .await?;
        writing.commit().await?;
        Ok(match done.rows_affected() {
            0 if self.delivery(id).await?.is_some() => Resent::AlreadySent,
            0 => Resent::NotThere,
            _ => Resent::Due,
        })
    }

    /// Channels that their receivers switched off.
    pub async fn disabled_channels(&self) -> Result<Vec<DisabledChannel>, StoreError> {
        let rows: Vec<(String, i64, Option<String>)> = sqlx::query_as(
            "select name, disabled_at, reason from channels where disabled_at is not null order by name",
        )
        .fetch_all(self.readers())
        .await?;
        Ok(rows
            .into_iter()
            .map(|(name, at, reason)| DisabledChannel {
                name,
                disabled_at: time(at),
                reason: reason.unwrap_or_default(),
            })
            .collect())
    }

    /// Switches a channel on again: what waits for it may go. Answers whether it was off.
    pub async fn enable_channel(&self, name: &str) -> Result<bool, StoreError> {
        let mut writing = self.write().await?;
        let done = sqlx::query(
            "update channels set disabled_at = null, reason = null where name = $1 and disabled_at is not null",
        )
        .bind(name)
        .execute(&mut *writing)
        .await?;
        writing.commit().await?;
        Ok(done.rows_affected() > 0)
    }

    /// How many deliveries stand how, over all channels.
    pub async fn count_deliveries(&self) -> Result<DeliveryCounts, StoreError> {
        let (pending, sent, dead): (i64, i64, i64) = sqlx::query_as(
            "select count(*) filter (where sent_at is null and dead_at is null), \
             count(sent_at), count(dead_at) from deliveries",
        )
        .fetch_one(self.readers())
        .await?;
        Ok(DeliveryCounts {
            pending: unsigned(pending),
            sent: unsigned(sent),
            dead: unsigned(dead),
        })
    }
}

/// Lets all that a channel has waiting wait until then.
async fn hold(
    writing: &mut Writing,
    channel: &str,
    until: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query(
        "update deliveries set next_attempt_at = $2 where channel = $1 and sent_at is null and dead_at is null \
         and next_attempt_at < $2",
    )
    .bind(channel)
    .bind(micros(until))
    .execute(&mut **writing)
    .await?;
    Ok(())
}

async fn disable(
    writing: &mut Writing,
    channel: &str,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<(), StoreError> {
    sqlx::query(
        "insert into channels (name, disabled_at, reason) values ($1, $2, $3) \
         on conflict (name) do update set disabled_at = excluded.disabled_at, reason = excluded.reason",
    )
    .bind(channel)
    .bind(micros(now))
    .bind(reason)
    .execute(&mut **writing)
    .await?;
    Ok(())
}
