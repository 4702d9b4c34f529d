//! An incident with its timeline as one page that needs nothing else.

use askama::Template;

use super::phrase::{Piece, clean, moment, pieces};
use super::text::{confidence, ending, ids, interval, left_out};
use super::timeline::{ClockOf, Entry, EntryKind, Timeline};
use crate::diagnose::phrase;
use crate::diagnose::{Card, Step};

#[derive(Template)]
#[template(path = "incident.html")]
struct Page {
    id: String,
    title: String,
    severity: &'static str,
    state: String,
    sign_ins: String,
    interval: String,
    ending: Option<String>,
    what: Vec<Piece>,
    who: Vec<Vec<(&'static str, String)>>,
    left_out: Option<String>,
    unusual: Vec<Vec<Piece>>,
    causes: Vec<Reason>,
    steps: Vec<Doing>,
    unknown: Vec<Vec<Piece>>,
    entries: Vec<Moment>,
}

struct Reason {
    sentence: Vec<Piece>,
    confidence: &'static str,
    because: Vec<Vec<Piece>>,
}

struct Doing {
    sentence: Vec<Piece>,
    command: Option<String>,
    is_page: bool,
}

struct Moment {
    at: String,
    class: &'static str,
    is_ours: bool,
    sentence: Vec<Piece>,
    detail: Vec<Piece>,
    event_id: Option<String>,
    /// How long the bar of a stretch of growth is, in percent of the longest.
    bar: Option<u64>,
}

/// The page.
#[must_use]
pub fn page(timeline: &Timeline) -> String {
    let card = &timeline.card;
    let incident = &card.incident;
    let growth = |entry: &&Entry| entry.kind == EntryKind::Growth;
    let most = timeline.entries.iter().filter(growth).filter_map(|entry| entry.count).max();
    let page = Page {
        id: incident.id.to_string(),
        title: clean(&incident.title),
        severity: incident.severity.as_str(),
        state: incident.state().to_string(),
        sign_ins: phrase::count(incident.event_count, "sign-in"),
        interval: interval(incident),
        ending: ending(incident),
        what: pieces(&card.what),
        who: card.who.iter().map(ids).collect(),
        left_out: left_out(card),
        unusual: sentences(&card.unusual),
        causes: causes(card),
        steps: card.steps.iter().map(doing).collect(),
        unknown: sentences(&card.unknown),
        entries: timeline.entries.iter().map(|entry| shown(entry, most.unwrap_or(1))).collect(),
    };
    page.render().expect("writing to memory does not fail")
}

fn sentences(texts: &[String]) -> Vec<Vec<Piece>> {
    texts.iter().map(|text| pieces(text)).collect()
}

fn causes(card: &Card) -> Vec<Reason> {
    card.causes
        .iter()
        .map(|cause| Reason {
            sentence: pieces(&cause.sentence),
            confidence: confidence(cause),
            because: sentences(&cause.because),
        })
        .collect()
}

fn doing(step: &Step) -> Doing {
    let command = step.command.as_deref().map(clean);
    Doing {
        sentence: pieces(&step.sentence),
        is_page: command.as_ref().is_some_and(|command| command.starts_with("https://")),
        command,
    }
}

fn shown(entry: &Entry, most: u64) -> Moment {
    let bar = entry.count.filter(|_| entry.kind == EntryKind::Growth);
    Moment {
        at: moment(entry.at),
        class: class(entry.kind),
        is_ours: entry.clock == ClockOf::Signinel,
        sentence: pieces(&entry.sentence),
        detail: entry.detail.as_deref().map(pieces).unwrap_or_default(),
        event_id: entry.event_id.as_deref().map(clean),
        bar: bar.map(|count| (count.saturating_mul(100) / most.max(1)).max(1)),
    }
}

/// How an entry is coloured.
fn class(kind: EntryKind) -> &'static str {
    match kind {
        EntryKind::LastGood | EntryKind::GoodBetween | EntryKind::Recovered | EntryKind::Sent => {
            "good"
        }
        EntryKind::First | EntryKind::Last | EntryKind::Growth => "seen",
        EntryKind::RuleMet | EntryKind::Dead => "bad",
        EntryKind::Arrived
        | EntryKind::Amended
        | EntryKind::Change
        | EntryKind::Planned
        | EntryKind::Attempt => "note",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::night;

    fn page_of(name: &'static str) -> String {
        night::block_on(async { page(&night::whole(name).await.timeline().await) })
    }

    #[test]
    fn a_hostile_name_is_text() {
        let page = page_of("<script>alert(1)</script>\" onload=\"x' <img src=//a.b/c>");
        assert!(!page.contains("<script") && !page.contains("<img"), "{page}");
        assert!(!page.contains("onload=\""), "{page}");
        assert!(page.contains("&#60;script&#62;alert(1)"), "{page}");
    }

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        let page = page_of("build-agent");
        for remote in ["src=", "<link", "@import", "url(", "<script", "<iframe"] {
            assert!(!page.contains(remote), "{remote}");
        }
        let links: Vec<&str> = page.split("href=\"").skip(1).collect();
        assert!(
            links
                .iter()
                .all(|link| link.starts_with("https://login.microsoftonline.com/error?code="))
        );
        assert!(page.contains("prefers-color-scheme: dark") && page.contains("@media print"));
    }

    #[test]
    fn the_page_tells_every_entry_and_every_answer() {
        let told = night::block_on(async { night::whole("build-agent").await.timeline().await });
        let page = page(&told);
        assert_eq!(page.matches("<time>").count(), told.entries.len());
        assert_eq!(page.matches("<h2>").count(), 7);
        assert!(page.contains("<code>c4b1e6a8-7d35-4c2e-9b1f-0e8d7a6b5c43</code>"));
        assert!(page.contains("style=\"width: 100%\""));
    }
}
