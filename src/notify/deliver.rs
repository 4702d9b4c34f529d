//! Sends what is due, notes every attempt, and decides when to try again and when to give up.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use tokio::time::Instant;

use super::channel::{Channel, SendError};
use super::message::{Message, digest};
use crate::model::{Delivery, DeliveryId};
use crate::store::deliveries::Outcome;
use crate::store::{Store, StoreError};

/// How long to wait before each attempt: the schedule of Standard Webhooks 1.0.0, a little more than
/// three days in all.
const SCHEDULE: [Duration; 10] = [
    Duration::ZERO,
    Duration::from_secs(5),
    Duration::from_mins(5),
    Duration::from_mins(30),
    Duration::from_hours(2),
    Duration::from_hours(5),
    Duration::from_hours(10),
    Duration::from_hours(14),
    Duration::from_hours(20),
    Duration::from_hours(24),
];

/// A receiver that asks for more than this is asked again all the same.
const RETRY_AFTER_AT_MOST: Duration = Duration::from_hours(24);

/// Deliveries read at once.
const BATCH: u32 = 50;

/// A channel that fails and has taken this long already lets the others wait no longer.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long a channel rests that ran out of patience.
const REST: TimeDelta = TimeDelta::minutes(1);

/// What a walk over the due deliveries did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Delivered {
    pub sent: u64,
    /// Failed, and to be tried again.
    pub retried: u64,
    /// Given up.
    pub dead: u64,
}

impl std::ops::AddAssign for Delivered {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.retried += other.retried;
        self.dead += other.dead;
    }
}

/// Sends all that is due to one channel, one after the other.
///
/// What was sent is noted after it was sent: a crash between the two sends it again, with the same
/// ids.
pub(super) async fn walk(
    channel: &dyn Channel,
    store: &Store,
    now: DateTime<Utc>,
) -> Result<Delivered, StoreError> {
    let began = Instant::now();
    let mut delivered = Delivered::default();
    loop {
        let due = store.due(channel.name(), now, BATCH).await?;
        if due.is_empty() {
            return Ok(delivered);
        }
        for (delivery, message) in due {
            // A long walk goes on in time, by whole seconds: receivers check how old an attempt is.
            let passed = TimeDelta::seconds(began.elapsed().as_secs().try_into().unwrap_or(0));
            let at = now + passed;
            let answer = attempt(channel, &delivery, &message, at).await;
            let out_of_patience = began.elapsed() > PATIENCE;
            let (mut outcome, text) = judge(&delivery, answer, at);
            if let Outcome::Retry { hold, .. } = &mut outcome
                && out_of_patience
            {
                *hold = (*hold).max(Some(at + REST));
            }
            store.record_attempt(&delivery, &outcome, &text, at).await?;
            report(&delivery, &outcome, &text);
            match outcome {
                Outcome::Sent => delivered.sent += 1,
                Outcome::Retry { .. } => delivered.retried += 1,
                Outcome::Dead | Outcome::Gone => delivered.dead += 1,
            }
            if matches!(outcome, Outcome::Gone | Outcome::Retry { hold: Some(_), .. }) {
                return Ok(delivered);
            }
        }
    }
}

async fn attempt(
    channel: &dyn Channel,
    delivery: &Delivery,
    message: &str,
    at: DateTime<Utc>,
) -> Result<String, SendError> {
    match serde_json::from_str::<Message>(message) {
        Ok(message) => channel.send(&message, at).await,
        Err(error) => Err(SendError::Permanent {
            sentence: format!(
                "the stored words of delivery {} cannot be read ({error}); the incident itself is intact: \
                 `signinel timeline {}`",
                delivery.id, delivery.incident_id
            ),
        }),
    }
}

/// What follows from an answer, and the words for the list of attempts.
fn judge(
    delivery: &Delivery,
    answer: Result<String, SendError>,
    at: DateTime<Utc>,
) -> (Outcome, String) {
    match answer {
        Ok(said) => (Outcome::Sent, said),
        Err(SendError::Permanent { sentence }) => (Outcome::Dead, sentence),
        Err(SendError::Gone { sentence }) => (Outcome::Gone, sentence),
        Err(SendError::Transient { sentence, retry_after }) => {
            let asked = retry_after.map(|asked| asked.min(RETRY_AFTER_AT_MOST));
            match wait(delivery.id, delivery.attempts + 1) {
                None => (
                    Outcome::Dead,
                    format!("{sentence}; given up after {} attempts", delivery.attempts + 1),
                ),
                Some(wait) => {
                    let later = |span: Duration| at + TimeDelta::from_std(span).unwrap_or(REST);
                    let at = later(wait.max(asked.unwrap_or_default()));
                    (Outcome::Retry { at, hold: asked.map(later) }, sentence)
                }
            }
        }
    }
}

/// How long to wait after so many failed attempts; `None` when the schedule has run out.
///
/// Up to a tenth is added, so that what failed together does not come back together; the same for
/// the same delivery each time.
fn wait(id: DeliveryId, failed: u32) -> Option<Duration> {
    let span = SCHEDULE.get(usize::try_from(failed).ok()?)?;
    let share = u32::from(digest(&format!("{id}/{failed}"))[0]);
    Some(*span + *span / 10 * share / 255)
}

fn report(delivery: &Delivery, outcome: &Outcome, text: &str) {
    let (id, channel, incident) = (delivery.id, delivery.channel.as_str(), delivery.incident_id);
    match outcome {
        Outcome::Sent => tracing::info!(%id, channel, %incident, "told"),
        Outcome::Retry { at, .. } => {
            tracing::warn!(%id, channel, %incident, again_at = %at, "not told yet: {text}");
        }
        Outcome::Dead => tracing::error!(
            %id, channel, %incident,
            "given up: {text}; `signinel doctor` counts what was given up, and it can be sent again"
        ),
        Outcome::Gone => tracing::error!(%id, channel, %incident, "channel switched off: {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    fn delivery(attempts: u32) -> Delivery {
        Delivery { attempts, ..sample::delivery() }
    }

    fn transient(retry_after: Option<u64>) -> Result<String, SendError> {
        let retry_after = retry_after.map(Duration::from_secs);
        Err(SendError::Transient { sentence: "busy".to_owned(), retry_after })
    }

    fn waited(attempts: u32, answer: Result<String, SendError>) -> Option<TimeDelta> {
        match judge(&delivery(attempts), answer, sample::at(0)).0 {
            Outcome::Retry { at, .. } => Some(at - sample::at(0)),
            _ => None,
        }
    }

    #[test]
    fn ten_attempts_over_three_days_and_then_it_is_dead() {
        let whole: Duration = SCHEDULE.iter().sum();
        assert_eq!(whole, Duration::from_secs(75 * 3600 + 35 * 60 + 5));
        for attempts in 0..9 {
            let waited = waited(attempts, transient(None)).unwrap().to_std().unwrap();
            let span = SCHEDULE[attempts as usize + 1];
            assert!(waited >= span && waited <= span + span / 10, "{attempts}: {waited:?}");
        }
        let (outcome, text) = judge(&delivery(9), transient(None), sample::at(0));
        assert_eq!((outcome, text.as_str()), (Outcome::Dead, "busy; given up after 10 attempts"));
    }

    #[test]
    fn the_jitter_is_the_same_for_the_same_delivery_and_differs_between_them() {
        let waits: Vec<_> = (0..20).map(|id| wait(DeliveryId(id), 4).unwrap()).collect();
        assert_eq!(waits, (0..20).map(|id| wait(DeliveryId(id), 4).unwrap()).collect::<Vec<_>>());
        assert!(waits.iter().any(|wait| *wait != waits[0]));
    }

    #[test]
    fn what_a_receiver_asks_for_makes_the_wait_longer_and_never_shorter() {
        assert_eq!(waited(0, transient(Some(90))), Some(TimeDelta::seconds(90)));
        assert!(waited(3, transient(Some(90))) >= Some(TimeDelta::hours(2)));
        assert_eq!(waited(0, transient(Some(9_000_000))), Some(TimeDelta::hours(24)));
    }

    #[test]
    fn a_refusal_for_good_is_not_tried_again() {
        let refused = SendError::Permanent { sentence: "no such mailbox".to_owned() };
        assert_eq!(judge(&delivery(0), Err(refused), sample::at(0)).0, Outcome::Dead);
        let gone = SendError::Gone { sentence: "gone".to_owned() };
        assert_eq!(judge(&delivery(0), Err(gone), sample::at(0)).0, Outcome::Gone);
    }
}
