//! The entries of a timeline that this program's own doings make: readings, notes, amendments, deliveries.

use chrono::TimeDelta;

use super::phrase::{clean, sentence_case};
use super::timeline::{Entry, EntryKind, summed_up};
use crate::diagnose::phrase;
use crate::store::story::{Arrival, Note, Telling};

/// Sign-ins that are read later than this after they happened are told of; Entra takes minutes for most.
pub(super) const LATE: TimeDelta = TimeDelta::minutes(15);

pub(super) fn notes(notes: &[Note]) -> Vec<Entry> {
    let mut entries: Vec<Entry> =
        notes.iter().filter(|note| note.rule.is_none()).map(change).collect();
    let mut rules: Vec<&String> = notes.iter().filter_map(|note| note.rule.as_ref()).collect();
    rules.sort_unstable();
    rules.dedup();
    for rule in rules {
        let amended = notes.iter().filter(|note| note.rule.as_ref() == Some(rule)).map(|note| {
            let sentence = format!("The finding of `{rule}` changed: {}", note.sentence);
            Entry::new(note.at, EntryKind::Amended, sentence)
        });
        entries.extend(summed_up(amended.collect(), |number| {
            format!("The findings of `{rule}` changed {} more", phrase::times(number))
        }));
    }
    entries
}

fn change(note: &Note) -> Entry {
    let sentence = sentence_case(&note.sentence);
    // "Resolved by anna" needs no heading.
    let says_itself = note.sentence.starts_with(&note.kind);
    let sentence = if says_itself {
        sentence
    } else {
        format!("{}: {}", sentence_case(&note.kind), note.sentence)
    };
    Entry::new(note.at, EntryKind::Change, format!("Incident {}", lower(&sentence)))
}

fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

/// A delivery: planned, what failed, and how it ended.
pub(super) fn told(telling: &Telling) -> Vec<Entry> {
    let delivery = &telling.delivery;
    let to = format!("to {}", phrase::quoted(&delivery.channel));
    let planned = format!(
        "Delivery {} {to} planned: {}, {} severity, {}",
        delivery.id,
        delivery.reason.as_str(),
        delivery.severity,
        phrase::count(delivery.event_count, "sign-in")
    );
    let mut entries = vec![Entry::new(delivery.planned_at, EntryKind::Planned, planned)];
    let end = delivery.sent_at.or(delivery.dead_at);
    let failed: Vec<Entry> = telling
        .attempts
        .iter()
        .filter(|(at, _)| Some(*at) != end)
        .map(|(at, outcome)| {
            let sentence = format!("Delivery {} {to} was tried in vain", delivery.id);
            Entry::new(*at, EntryKind::Attempt, sentence).with_detail(clean(outcome)).with_count(1)
        })
        .collect();
    entries.extend(summed_up(failed, |number| {
        format!("Delivery {} {to} was tried in vain {} more", delivery.id, phrase::times(number))
    }));
    let tried = phrase::count(u64::from(delivery.attempts), "attempt");
    let said = |at| {
        telling
            .attempts
            .iter()
            .find(|(tried_at, _)| *tried_at == at)
            .map(|(_, outcome)| clean(outcome))
    };
    if let Some(at) = delivery.sent_at {
        let sentence = format!("Delivery {} {to} sent after {tried}", delivery.id);
        entries.push(Entry::new(at, EntryKind::Sent, sentence).with_detail(said(at)));
    }
    if let Some(at) = delivery.dead_at {
        let reason = delivery.last_error.as_deref().map(clean).or_else(|| said(at));
        let sentence = format!("Delivery {} {to} given up after {tried}", delivery.id);
        entries.push(Entry::new(at, EntryKind::Dead, sentence).with_detail(reason));
    }
    entries
}

/// How the evidence came, where it did not come as it happened.
pub(super) fn arrivals(arrivals: &[Arrival]) -> Vec<Entry> {
    let (imports, polled): (Vec<&Arrival>, Vec<&Arrival>) =
        arrivals.iter().partition(|arrival| arrival.kind == "import");
    let imports = imports.into_iter().filter_map(arrived).collect();
    let mut entries = summed_up(imports, |number| {
        format!("Sign-ins were imported {} more", phrase::times(number))
    });
    entries.extend(polled.into_iter().filter_map(arrived));
    entries
}

/// Late evidence, or evidence that came from files at once.
fn arrived(arrival: &Arrival) -> Option<Entry> {
    let source = phrase::quoted(&arrival.source);
    let sentence = if arrival.kind == "import" {
        format!("{} imported by {source}", phrase::count(arrival.count, "sign-in"))
    } else if arrival.late > 0 {
        late(arrival.late, TimeDelta::microseconds(arrival.latest_by), &source)
    } else {
        return None;
    };
    let count = if arrival.kind == "import" { arrival.count } else { arrival.late };
    Some(Entry::new(arrival.last_received_at, EntryKind::Arrived, sentence).with_count(count))
}

/// Whether the source was late or this program began later, the stored times do not tell.
fn late(number: u64, longest: TimeDelta, source: &str) -> String {
    let (limit, longest) = (phrase::span(LATE), phrase::span(longest));
    match number {
        1 => format!("1 sign-in was read {longest} after it happened, from {source}"),
        _ => format!(
            "{number} sign-ins were read more than {limit} after they happened, from {source}; the oldest {longest} after"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_late_reading_blames_nobody() {
        assert_eq!(
            late(54, TimeDelta::minutes(46), "`contoso`"),
            "54 sign-ins were read more than 15 min after they happened, from `contoso`; the oldest 46 min after"
        );
        assert_eq!(
            late(1, TimeDelta::minutes(46), "`contoso`"),
            "1 sign-in was read 46 min after it happened, from `contoso`"
        );
    }
}
