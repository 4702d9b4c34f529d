//! The sentences that say why an incident is told now, for every channel that tells in words.

use chrono::TimeDelta;

use super::message::Message;
use crate::diagnose::phrase::{count, span, time};
use crate::model::{COVERAGE, IncidentState, ResolvedBy, Severity, TellReason};

/// The first line: what happened, to whom, since when.
#[must_use]
pub(super) fn headline(message: &Message) -> String {
    let card = &message.card;
    let since = format!("Since {}", time(card.incident.started_at));
    match message.reason {
        TellReason::Opened => format!("{} {since}.", card.what),
        TellReason::Worse => format!("{} {} {since}.", worse(message), card.what),
        TellReason::Reopened => format!("It is back. {} {since}.", card.what),
        TellReason::Resolved => ending(message),
    }
}

/// The second line: how it stands.
#[must_use]
pub(super) fn standing(message: &Message) -> String {
    let incident = &message.card.incident;
    let severity = incident.severity.as_str();
    let events = count(incident.event_count, "sign-in");
    let state = match incident.state() {
        IncidentState::Open => "open".to_owned(),
        IncidentState::Acknowledged => {
            format!("acknowledged by {}", incident.acknowledged_by.as_deref().unwrap_or("somebody"))
        }
        IncidentState::Resolved => "over".to_owned(),
    };
    format!(
        "Incident #{}, severity {severity}, {state}; {events}, the last at {}.",
        incident.id,
        time(incident.last_seen_at)
    )
}

/// How much worse it became since this channel last heard of it.
fn worse(message: &Message) -> String {
    let incident = &message.card.incident;
    match message.before {
        Some(before) if incident.severity > before.severity => format!(
            "Graver now: severity {}, it was {}.",
            incident.severity.as_str(),
            before.severity.as_str()
        ),
        Some(before) => format!(
            "Much more of it: {}, {} when last told.",
            count(incident.event_count, "sign-in"),
            before.event_count
        ),
        None => "It is worse.".to_owned(),
    }
}

/// What ended, how long it lasted and how it ended.
fn ending(message: &Message) -> String {
    let incident = &message.card.incident;
    let title = &incident.title;
    let (from, to) = (incident.started_at, incident.resolved_at.unwrap_or(incident.last_seen_at));
    let lasted = |to| format!("It lasted {}, from {} to {}", span(to - from), time(from), time(to));
    if let Some(into) = message.part_of {
        return format!(
            "{title}: part of incident #{into}, which tells the rest. Nothing more comes here."
        );
    }
    match incident.resolved_by {
        // It says when the source was read again, and what of it is lost.
        Some(ResolvedBy::Recovered) if incident.categories.iter().any(|it| it == COVERAGE) => {
            let why = incident.resolved_why.as_deref().unwrap_or("read again");
            format!("Over: {title}. {}: {why}.", lasted(to))
        }
        Some(ResolvedBy::Recovered) => {
            format!("Over: {title}. {}, when a token was given again.", lasted(to))
        }
        Some(ResolvedBy::Quiet) => format!(
            "Quiet: {title}. {}; nothing more of it came for {}. No good sign-in was seen: whether it is mended is not known.",
            lasted(incident.last_seen_at),
            span((to - incident.last_seen_at).max(TimeDelta::zero()))
        ),
        Some(ResolvedBy::Person) => {
            let why = incident.resolved_why.as_deref().unwrap_or_default();
            let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
            format!("Resolved by a person{why}: {title}. {}.", lasted(to))
        }
        Some(ResolvedBy::Withdrawn) => format!(
            "Withdrawn: {title}. Sign-ins that arrived late show that nothing was wrong; there is nothing to do."
        ),
        Some(ResolvedBy::Merged) | None => format!("Over: {title}. {}.", lasted(to)),
    }
}

/// Whether there may still be something to do.
#[must_use]
pub(super) fn has_steps(message: &Message) -> bool {
    !message.is_over()
        || (message.part_of.is_none()
            && message.card.incident.resolved_by == Some(ResolvedBy::Quiet))
}

/// The colour of a severity, dark enough for white letters on it.
#[must_use]
pub(super) fn colour(message: &Message) -> &'static str {
    if message.is_over() {
        return "#237a35";
    }
    match message.card.incident.severity {
        Severity::Critical => "#b4154b",
        Severity::High => "#c2410c",
        Severity::Medium => "#a16207",
        Severity::Low => "#1d6fb8",
        Severity::Informational => "#5f6b76",
    }
}

#[cfg(test)]
mod tests {
    use super::super::sample;
    use super::*;
    use crate::model::IncidentId;
    use crate::notify::Before;

    fn ended(by: ResolvedBy) -> Message {
        let mut message = sample::message(TellReason::Resolved, 2);
        message.card.incident.resolved_at = Some(sample::at(116));
        message.card.incident.resolved_by = Some(by);
        message
    }

    #[test]
    fn the_first_line_says_what_happened_and_since_when() {
        let line = headline(&sample::message(TellReason::Opened, 1));
        assert!(
            line.starts_with("The managed identity `billing-api` was refused a token"),
            "{line}"
        );
        assert!(line.ends_with("Since 2026-01-03 02:04 UTC."), "{line}");
    }

    #[test]
    fn worse_says_what_it_was_before() {
        let mut message = sample::message(TellReason::Worse, 2);
        message.before = Some(Before { severity: Severity::Medium, event_count: 34 });
        assert!(headline(&message).starts_with("Graver now: severity high, it was medium."));
        message.before = Some(Before { severity: Severity::High, event_count: 3 });
        assert!(headline(&message).starts_with("Much more of it: 34 sign-ins, 3 when last told."));
    }

    #[test]
    fn an_end_says_how_long_it_lasted_and_how_it_ended() {
        assert_eq!(
            headline(&ended(ResolvedBy::Recovered)),
            "Over: Application not found, many times: `billing-api`. It lasted 1 h 56 min, from 2026-01-03 02:04 UTC to 2026-01-03 04:00 UTC, when a token was given again."
        );
        assert!(headline(&ended(ResolvedBy::Quiet)).contains("whether it is mended is not known"));
        assert!(has_steps(&ended(ResolvedBy::Quiet)) && !has_steps(&ended(ResolvedBy::Recovered)));
        assert!(headline(&ended(ResolvedBy::Withdrawn)).contains("nothing was wrong"));
        let merged = Message { part_of: Some(IncidentId(7)), ..ended(ResolvedBy::Merged) };
        assert!(headline(&merged).contains("part of incident #7"));
    }
}
