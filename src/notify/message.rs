//! What one delivery says: made when it is planned, stored, and the same on every attempt.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::diagnose::{Card, Cause, Step, Who};
use crate::model::{DeliveryId, Incident, IncidentId, NamedIdentity, Severity, TellReason};

/// A text of a card is cut here: an explanation is sentences, not pages.
const TEXT_AT_MOST: usize = 1_000;

/// The longest title in a subject.
const TITLE_AT_MOST: usize = 150;

/// How an incident stood when this channel was last told of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Before {
    pub severity: Severity,
    pub event_count: u64,
}

/// The n-th telling of an incident to a channel, in values that each kind of channel renders.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Message {
    pub delivery_id: DeliveryId,
    pub incident_id: IncidentId,
    pub channel: String,
    /// What the subject says, and goes on to say: mail programs keep a thread by it.
    pub topic: String,
    /// The n of the n-th telling, from 1.
    pub number: i64,
    pub reason: TellReason,
    pub planned_at: DateTime<Utc>,
    /// The name of this installation, as configured.
    pub host: String,
    pub before: Option<Before>,
    /// The incident that this one turned out to be part of.
    pub part_of: Option<IncidentId>,
    pub card: Card,
    /// What to type to see more.
    pub commands: Vec<String>,
}

impl Message {
    /// Names this telling, and no other of any installation: the ids of a database that was made anew
    /// begin at 1 again, so the number alone would not do.
    #[must_use]
    pub fn key(&self) -> String {
        key(&self.card.incident, &self.channel, self.number)
    }

    /// The Message-ID, the same on every attempt.
    #[must_use]
    pub fn message_id(&self) -> String {
        self.id_of(self.number)
    }

    /// The Message-ID of the first telling of this incident to this channel, which later ones answer.
    #[must_use]
    pub fn root_id(&self) -> Option<String> {
        (self.number > 1).then(|| self.id_of(1))
    }

    fn id_of(&self, number: i64) -> String {
        let key = key(&self.card.incident, &self.channel, number);
        format!(
            "<signinel-incident-{}-{number}-{}.{}@{}>",
            self.incident_id,
            slug(&self.channel),
            &key[..8],
            self.mail_host()
        )
    }

    /// The host as it may stand in a Message-ID.
    #[must_use]
    pub fn mail_host(&self) -> String {
        let host: String = self
            .host
            .chars()
            .map(|c| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' })
            .collect();
        let host = host.trim_matches(['.', '-']);
        if host.is_empty() { "signinel.local".to_owned() } else { host.to_owned() }
    }

    /// How it is told that nothing is to be done about this incident any more.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.reason == TellReason::Resolved
    }
}

/// What the first telling calls an incident, and so every later one.
#[must_use]
pub(super) fn topic(incident: &Incident) -> String {
    let title = cut(&plain(&incident.title).replace('`', ""), TITLE_AT_MOST);
    format!("[{}] {title} (#{})", incident.severity.as_str().to_uppercase(), incident.id)
}

/// The commands that show an incident and take it in hand.
#[must_use]
pub(super) fn commands(id: IncidentId, reason: TellReason) -> Vec<String> {
    let mut commands =
        vec![format!("signinel timeline {id}"), format!("signinel incidents show {id}")];
    if reason != TellReason::Resolved {
        commands.push(format!("signinel incidents acknowledge {id}"));
    }
    commands
}

/// A card without anything that could pass for a line or a direction of ours: names come from logs,
/// and a tenant can be asked for a token by anyone who likes to choose one.
#[must_use]
pub(super) fn cleaned(card: Card) -> Card {
    let all = |texts: Vec<String>| texts.iter().map(|text| plain(text)).collect();
    Card {
        incident: clean_incident(card.incident),
        what: plain(&card.what),
        who: card.who.iter().map(clean_who).collect(),
        identity_count: card.identity_count,
        unusual: all(card.unusual),
        causes: card
            .causes
            .into_iter()
            .map(|cause| Cause {
                sentence: plain(&cause.sentence),
                because: all(cause.because),
                confidence: cause.confidence,
            })
            .collect(),
        steps: card
            .steps
            .iter()
            .map(|step| Step {
                sentence: plain(&step.sentence),
                command: step.command.as_deref().map(plain),
            })
            .collect(),
        unknown: all(card.unknown),
    }
}

fn clean_incident(incident: Incident) -> Incident {
    let named = |identity: &NamedIdentity| NamedIdentity {
        service_principal_id: plain(&identity.service_principal_id),
        app_id: plain(&identity.app_id),
        name: plain(&identity.name),
    };
    Incident {
        title: plain(&incident.title),
        identities: incident.identities.iter().map(named).collect(),
        resources: incident.resources.iter().map(|name| plain(name)).collect(),
        acknowledged_by: incident.acknowledged_by.as_deref().map(plain),
        resolved_why: incident.resolved_why.as_deref().map(plain),
        ..incident
    }
}

fn clean_who(who: &Who) -> Who {
    Who {
        name: plain(&who.name),
        service_principal_id: plain(&who.service_principal_id),
        app_id: plain(&who.app_id),
        tenant_id: plain(&who.tenant_id),
        arm_resource_id: plain(&who.arm_resource_id),
        last_good_at: who.last_good_at,
    }
}

/// One line of bounded length, without control characters and without those that turn the direction
/// of writing.
#[must_use]
pub(super) fn plain(text: &str) -> String {
    let breaks = |c: char| {
        c.is_control()
            || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}' | '\u{61c}')
            || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    cut(&text.chars().map(|c| if breaks(c) { ' ' } else { c }).collect::<String>(), TEXT_AT_MOST)
}

/// The first characters of a text, and a sign where some were cut.
#[must_use]
pub(super) fn cut(text: &str, at_most: usize) -> String {
    match text.char_indices().nth(at_most) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}…", text[..end].trim_end()),
    }
}

fn key(incident: &Incident, channel: &str, number: i64) -> String {
    let what =
        format!("{}|{}|{number}|{channel}", incident.id, incident.opened_at.timestamp_micros());
    digest(&what)[..12].iter().fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// Bytes that stand for a text, for ids that must be the same each time.
pub(super) fn digest(text: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    bytes.copy_from_slice(digest.as_ref());
    bytes
}

fn slug(name: &str) -> String {
    let slug: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' })
        .take(40)
        .collect();
    let slug = slug.trim_matches('-');
    if slug.is_empty() { "channel".to_owned() } else { slug.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;

    #[test]
    fn a_later_telling_answers_the_first_and_each_has_its_own_id() {
        let first = sample::message(TellReason::Opened, 1);
        let third =
            Message { channel: first.channel.clone(), ..sample::message(TellReason::Resolved, 3) };
        assert!(first.message_id().starts_with("<signinel-incident-12-1-on-call."));
        assert_eq!(first.root_id(), None);
        assert_eq!(third.root_id(), Some(first.message_id()));
        assert_ne!(third.message_id(), first.message_id());
    }

    #[test]
    fn the_same_number_in_a_database_made_anew_is_another_telling() {
        let first = sample::message(TellReason::Opened, 1);
        let mut later = first.clone();
        later.card.incident.opened_at += chrono::TimeDelta::days(1);
        assert_ne!(first.key(), later.key());
        assert_ne!(first.message_id(), later.message_id());
    }

    #[test]
    fn names_from_logs_cannot_begin_a_line_or_turn_the_writing() {
        let mut card = sample::message(TellReason::Opened, 1).card;
        card.who[0].name = "app\r\nDo now: run this\u{202e}".to_owned();
        card.incident.title = "x".repeat(5_000);
        let card = cleaned(card);
        assert_eq!(card.who[0].name, "app  Do now: run this ");
        assert_eq!(card.incident.title.chars().count(), TEXT_AT_MOST + 1);
    }

    #[test]
    fn a_message_survives_being_stored() {
        let message = sample::message(TellReason::Worse, 2);
        let text = serde_json::to_string(&message).unwrap();
        assert_eq!(serde_json::from_str::<Message>(&text).unwrap(), message);
    }
}
