//! Plans what is to be told and sees to it that it arrives.

use chrono::{DateTime, TimeDelta, Utc};
use futures_util::future::join_all;
use tokio::sync::Mutex;

use super::channel::Channel;
use super::decide::{Case, Judgement, fits, judge, told};
use super::deliver::{Delivered, walk};
use super::message::{Before, Message, cleaned, commands};
use crate::config::{Config, Route};
use crate::detect::Rulebook;
use crate::diagnose::{self, Card, Catalogue};
use crate::model::{DeliveryId, Incident, IncidentId, Silence};
use crate::store::deliveries::{self as rows, NewDelivery};
use crate::store::judgements::{self, Held, Told, Unjudged};
use crate::store::{Store, StoreError, incidents};

/// Incidents judged in one transaction.
const BATCH: u32 = 64;

/// All channels, and who is told what.
pub struct Outbox {
    /// Each with a lock: one walk at a time, however many ask for one.
    channels: Vec<(Box<dyn Channel>, Mutex<()>)>,
    routes: Vec<Route>,
    hold_resolved_for: TimeDelta,
    host: String,
}

/// What planning did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Planned {
    /// Incidents judged.
    pub judged: u64,
    /// Deliveries planned.
    pub deliveries: u64,
}

/// An incident with what is to be told of it.
struct Judged {
    id: IncidentId,
    revision: i64,
    again_at: Option<DateTime<Utc>>,
    /// What held something of it back, and what is to be noted of that.
    held: Option<Held>,
    note: Option<String>,
    messages: Vec<(Told, Message)>,
}

/// What judging rests on besides the incident.
struct Bench<'a> {
    explain: Explain<'a>,
    known: Vec<(String, DateTime<Utc>)>,
    silences: Vec<Silence>,
}

impl Outbox {
    #[must_use]
    pub fn new(channels: Vec<Box<dyn Channel>>, config: &Config) -> Self {
        Self {
            channels: channels.into_iter().map(|channel| (channel, Mutex::new(()))).collect(),
            routes: config.routes.clone(),
            hold_resolved_for: config.notify.hold_resolved_for.delta(),
            host: config.notify.host.clone(),
        }
    }

    /// The channels, in the order of the configuration.
    pub fn channels(&self) -> impl Iterator<Item = &dyn Channel> {
        self.channels.iter().map(|(channel, _)| channel.as_ref())
    }

    /// Judges every incident that changed since it was last judged, and plans what is to be told.
    ///
    /// What was planned and that it was judged is committed together: a crash before it judges again,
    /// a crash after it has lost nothing.
    pub async fn plan(
        &self,
        store: &Store,
        rulebook: &Rulebook,
        catalogue: &Catalogue,
        now: DateTime<Utc>,
    ) -> Result<Planned, StoreError> {
        self.know_channels(store, now).await?;
        let bench = Bench {
            explain: Explain { store, rulebook, catalogue },
            known: store.known_channels().await?,
            silences: store.silences(Some(now)).await?,
        };
        let mut planned = Planned::default();
        loop {
            let unjudged = store.unjudged(now, BATCH).await?;
            if unjudged.is_empty() {
                return Ok(planned);
            }
            let mut batch = Vec::new();
            let mut lost = Vec::new();
            for one in unjudged {
                match store.incident(one.incident_id).await? {
                    None => lost.push(one.incident_id),
                    Some(incident) => batch.push(self.judge(&bench, &one, incident, now).await?),
                }
            }
            planned.judged += batch.len() as u64;
            planned.deliveries += commit(store, batch, &lost, now).await?;
        }
    }

    /// Plans nothing, and lets later walks tell of what there is now only when it grows worse.
    pub async fn plan_nothing(&self, store: &Store, now: DateTime<Utc>) -> Result<u64, StoreError> {
        self.know_channels(store, now).await?;
        let mut writing = store.write().await?;
        let left = judgements::leave_untold(&mut writing, now).await?;
        writing.commit().await?;
        Ok(left)
    }

    async fn know_channels(&self, store: &Store, now: DateTime<Utc>) -> Result<(), StoreError> {
        let known = store.known_channels().await?;
        let new: Vec<&str> = self
            .channels()
            .map(Channel::name)
            .filter(|name| known.iter().all(|(known, _)| known != name))
            .collect();
        if new.is_empty() {
            return Ok(());
        }
        let mut writing = store.write().await?;
        judgements::know_channels(&mut writing, &new, now).await?;
        writing.commit().await?;
        Ok(())
    }

    async fn judge(
        &self,
        Bench { explain, known, silences }: &Bench<'_>,
        unjudged: &Unjudged,
        incident: Incident,
        now: DateTime<Utc>,
    ) -> Result<Judged, StoreError> {
        let silence = Silence::over(silences, &incident, now);
        let before = explain.store.told_of(incident.id).await?;
        let mut judged = Judged {
            id: incident.id,
            revision: incident.revision,
            again_at: None,
            // That it was held back stays known until it is told, or begins anew.
            held: if incident.is_shadow {
                Some(Held::InShadow)
            } else {
                unjudged.held.filter(|_| incident.resolved_at.is_some())
            },
            note: None,
            messages: Vec::new(),
        };
        let mut card: Option<Card> = None;
        for channel in self.channels() {
            let known_at = known.iter().find(|(name, _)| name == channel.name()).map(|(_, at)| *at);
            let mut last = before.iter().rev().find(|told| told.channel == channel.name()).cloned();
            loop {
                let case = Case {
                    incident: &incident,
                    merged: unjudged.merged_into.is_some(),
                    last: last.as_ref(),
                    left: unjudged.left,
                    fits: fits(&self.routes, channel.name(), &incident),
                    before_channel: unjudged.first_judged_at < known_at
                        && unjudged.first_judged_at.is_some(),
                    hold_resolved_for: self.hold_resolved_for,
                    silent_until: silence.map(|silence| silence.ends_at),
                    held: unjudged.held,
                    now,
                };
                let telling = match judge(&case) {
                    Judgement::Tell(reason) => told(&case, channel.name(), reason),
                    Judgement::Wait(until) => {
                        judged.again_at =
                            Some(judged.again_at.map_or(until, |at: DateTime<Utc>| at.min(until)));
                        let holding = silence.filter(|silence| silence.ends_at == until);
                        judged.held = holding.map(|silence| Held::By(silence.id)).or(judged.held);
                        break;
                    }
                    Judgement::Nothing => break,
                };
                if card.is_none() {
                    card = Some(cleaned(explain.card(&incident).await?));
                }
                if let Some(card) = &card {
                    let message = self.message(card, &telling, last.as_ref(), unjudged);
                    judged.messages.push((telling.clone(), message));
                }
                last = Some(telling);
            }
        }
        let silence = silence.filter(|silence| judged.held == Some(Held::By(silence.id)));
        judged.note =
            silence.filter(|silence| unjudged.held != Some(Held::By(silence.id))).map(in_words);
        Ok(judged)
    }

    fn message(
        &self,
        card: &Card,
        telling: &Told,
        last: Option<&Told>,
        unjudged: &Unjudged,
    ) -> Message {
        Message {
            // Known when the row is written.
            delivery_id: DeliveryId(0),
            incident_id: card.incident.id,
            channel: telling.channel.clone(),
            topic: telling.topic.clone(),
            number: telling.number,
            reason: telling.reason,
            planned_at: telling.planned_at,
            host: self.host.clone(),
            before: last
                .map(|last| Before { severity: last.severity, event_count: last.event_count }),
            part_of: unjudged.merged_into,
            card: card.clone(),
            commands: commands(card.incident.id, telling.reason),
        }
    }

    /// Sends what is due: all channels at once, each one after the other. That one channel fails, or
    /// that its rows cannot be read, keeps no other from its deliveries.
    pub async fn deliver(
        &self,
        store: &Store,
        now: DateTime<Utc>,
    ) -> Result<Delivered, StoreError> {
        let walks = self.channels.iter().map(async |(channel, lock)| {
            let _alone = lock.lock().await;
            walk(channel.as_ref(), store, now).await
        });
        let mut delivered = Delivered::default();
        let mut failed = None;
        for walked in join_all(walks).await {
            match walked {
                Ok(one) => delivered += one,
                Err(error) => failed = Some(error),
            }
        }
        failed.map_or(Ok(delivered), Err)
    }

    /// When there is next something to plan or to send, as far as is known now.
    pub async fn next_due(&self, store: &Store) -> Result<Option<DateTime<Utc>>, StoreError> {
        let names: Vec<&str> = self.channels().map(Channel::name).collect();
        let attempt = store.next_attempt(&names).await?;
        Ok(attempt.into_iter().chain(store.next_judgement().await?).min())
    }
}

/// What an explanation is made from.
struct Explain<'a> {
    store: &'a Store,
    rulebook: &'a Rulebook,
    catalogue: &'a Catalogue,
}

impl Explain<'_> {
    async fn card(&self, incident: &Incident) -> Result<Card, StoreError> {
        diagnose::card(self.store, self.rulebook, self.catalogue, incident).await
    }
}

/// What the timeline says of a silence.
fn in_words(silence: &Silence) -> String {
    format!(
        "silenced until {} by {} (silence {}): {}",
        silence.ends_at.format("%Y-%m-%d %H:%M:%S UTC"),
        silence.created_by,
        silence.id,
        silence.reason
    )
}

async fn commit(
    store: &Store,
    batch: Vec<Judged>,
    lost: &[IncidentId],
    now: DateTime<Utc>,
) -> Result<u64, StoreError> {
    let mut writing = store.write().await?;
    let mut planned = 0;
    for judged in batch {
        for (telling, message) in judged.messages {
            let new = NewDelivery {
                incident_id: judged.id,
                channel: &telling.channel,
                number: telling.number,
                reason: telling.reason,
                revision: telling.revision,
                severity: telling.severity,
                event_count: telling.event_count,
                planned_at: telling.planned_at,
            };
            // Planned meanwhile by another process: then that one's words stand.
            let Some(delivery_id) = rows::plan(&mut writing, &new).await? else { continue };
            let text = serde_json::to_string(&Message { delivery_id, ..message })
                .expect("texts, numbers and times always serialise");
            rows::set_message(&mut writing, delivery_id, &text).await?;
            planned += 1;
        }
        judgements::set_judged(
            &mut writing,
            judged.id,
            judged.revision,
            judged.again_at,
            judged.held,
            now,
        )
        .await?;
        if let Some(note) = judged.note {
            incidents::note(&mut writing, judged.id, "silenced", &note, now).await?;
        }
    }
    for id in lost {
        judgements::forget(&mut writing, *id).await?;
    }
    writing.commit().await?;
    Ok(planned)
}
