//! An incident and its timeline for a terminal.

use super::phrase::{clean, moment};
use super::style::{Style, wrap};
use super::timeline::{ClockOf, Entry, Timeline};
use crate::diagnose::phrase;
use crate::diagnose::{Card, Cause, Step, Who};
use crate::model::Incident;

/// How far the lines below a heading stand in.
const INDENT: usize = 2;

/// Where the words of a timeline begin: behind the moment and the mark of the clock.
const BEHIND_MOMENT: usize = 26;

/// Lines in the making.
struct Page<'a> {
    style: &'a Style,
    text: String,
}

impl Page<'_> {
    fn line(&mut self, text: &str) {
        self.text.push_str(text.trim_end());
        self.text.push('\n');
    }

    fn blank(&mut self) {
        self.text.push('\n');
    }

    fn heading(&mut self, text: &str) {
        self.blank();
        let text = self.style.strong(text);
        self.line(&text);
    }

    /// A wrapped paragraph behind a mark; its further lines stand under the first.
    fn paragraph(&mut self, indent: usize, mark: &str, text: &str) {
        let behind = indent + mark.chars().count();
        let room = self.style.prose().saturating_sub(behind);
        for (place, line) in wrap(&clean(text), room).iter().enumerate() {
            let front = if place == 0 {
                format!("{}{mark}", " ".repeat(indent))
            } else {
                " ".repeat(behind)
            };
            self.line(&format!("{front}{line}"));
        }
    }

    /// A text on a line of its own that is never wrapped, so that it can be copied.
    fn verbatim(&mut self, indent: usize, text: &str) {
        let text = self.style.strong(&clean(text));
        self.line(&format!("{}{text}", " ".repeat(indent)));
    }
}

/// An incident, explained.
#[must_use]
pub fn card(card: &Card, style: &Style) -> String {
    let mut page = Page { style, text: String::new() };
    head(&mut page, &card.incident);
    answers(&mut page, card);
    page.text
}

/// What happened when.
#[must_use]
pub fn timeline(timeline: &Timeline, style: &Style) -> String {
    let mut page = Page { style, text: String::new() };
    head(&mut page, &timeline.card.incident);
    page.blank();
    page.paragraph(0, "", &timeline.card.what);
    page.blank();
    for entry in &timeline.entries {
        moment_line(&mut page, entry);
    }
    page.blank();
    page.paragraph(0, "", "* by the clock of this program, the others by that of the sign-ins");
    page.text
}

fn head(page: &mut Page<'_>, incident: &Incident) {
    let style = page.style;
    let number = format!("{} ", incident.id);
    let room = style.prose().saturating_sub(number.len());
    for (place, line) in wrap(&clean(&incident.title), room).iter().enumerate() {
        let front = if place == 0 { number.clone() } else { " ".repeat(number.len()) };
        page.line(&style.strong(&format!("{front}{line}")));
    }
    page.line(&format!(
        "{}, {}, {}",
        style.severity(incident.severity),
        style.state(incident.state()),
        phrase::count(incident.event_count, "sign-in")
    ));
    page.paragraph(0, "", &interval(incident));
    if let Some(ending) = ending(incident) {
        page.paragraph(0, "", &ending);
    }
}

/// From when to when, and how long that is.
pub(super) fn interval(incident: &Incident) -> String {
    let (from, to) = (incident.started_at, incident.last_seen_at);
    format!("{} to {} ({})", moment(from), moment(to), phrase::span(to - from))
}

/// Who is at it, and how it ended.
pub(super) fn ending(incident: &Incident) -> Option<String> {
    let acknowledged = incident.acknowledged_at.map(|at| {
        let by = incident.acknowledged_by.as_deref().unwrap_or("somebody");
        format!("acknowledged by {} at {}", clean(by), moment(at))
    });
    let resolved = incident.resolved_at.map(|at| {
        let how = incident.resolved_by.map_or_else(String::new, |by| format!(" ({})", by.as_str()));
        let why = incident.resolved_why.as_deref();
        let why = why.map_or_else(String::new, |why| format!(": {}", clean(why)));
        format!("resolved at {}{how}{why}", moment(at))
    });
    match (acknowledged, resolved) {
        (Some(acknowledged), Some(resolved)) => Some(format!("{acknowledged}, {resolved}")),
        (acknowledged, resolved) => acknowledged.or(resolved),
    }
}

fn answers(page: &mut Page<'_>, card: &Card) {
    page.heading("What happened");
    page.paragraph(INDENT, "", &card.what);
    page.heading("Who");
    for (place, who) in card.who.iter().enumerate() {
        if place > 0 {
            page.blank();
        }
        identity(page, who);
    }
    page.heading("How unusual");
    for sentence in &card.unusual {
        page.paragraph(INDENT, "- ", sentence);
    }
    page.heading("Why, probably");
    for cause in &card.causes {
        reason(page, cause);
    }
    page.heading("What to do now");
    for (place, step) in card.steps.iter().enumerate() {
        command(page, place + 1, step);
    }
    page.heading("What is unknown");
    for sentence in &card.unknown {
        page.paragraph(INDENT, "- ", sentence);
    }
}

/// The names and ids of an identity with what they are; those it does not have are left out.
pub(super) fn ids(who: &Who) -> Vec<(&'static str, String)> {
    [
        ("name", &who.name),
        ("service principal", &who.service_principal_id),
        ("client id", &who.app_id),
        ("tenant", &who.tenant_id),
        ("Azure resource", &who.arm_resource_id),
    ]
    .into_iter()
    .map(|(name, value)| (name, clean(value)))
    .chain(who.last_good_at.map(|at| ("last good sign-in", moment(at))))
    .filter(|(_, value)| !value.is_empty())
    .collect()
}

fn identity(page: &mut Page<'_>, who: &Who) {
    for (name, value) in ids(who) {
        let name = page.style.faint(&format!("{name:<18}"));
        page.line(&format!("{}{name} {value}", " ".repeat(INDENT)));
    }
}

fn reason(page: &mut Page<'_>, cause: &Cause) {
    page.paragraph(INDENT, "- ", &format!("{} ({})", cause.sentence, confidence(cause)));
    for because in &cause.because {
        page.paragraph(INDENT + 4, "because ", because);
    }
}

/// How sure a cause is, in words.
pub(super) fn confidence(cause: &Cause) -> &'static str {
    match cause.confidence {
        crate::diagnose::Confidence::High => "high confidence",
        crate::diagnose::Confidence::Medium => "medium confidence",
        crate::diagnose::Confidence::Low => "low confidence",
    }
}

fn command(page: &mut Page<'_>, number: usize, step: &Step) {
    page.paragraph(INDENT, &format!("{number}. "), &step.sentence);
    if let Some(command) = &step.command {
        page.verbatim(INDENT + 4, command);
    }
}

fn moment_line(page: &mut Page<'_>, entry: &Entry) {
    let style = page.style;
    let mark = if entry.clock == ClockOf::Signinel { "*" } else { " " };
    let room = style.prose().saturating_sub(BEHIND_MOMENT);
    let at = style.faint(&moment(entry.at));
    for (place, line) in wrap(&clean(&entry.sentence), room).iter().enumerate() {
        if place == 0 {
            page.line(&format!("{at} {mark} {line}"));
        } else {
            page.line(&format!("{}{line}", " ".repeat(BEHIND_MOMENT)));
        }
    }
    let id = entry.event_id.as_ref().map(|id| format!("sign-in {}", clean(id)));
    for more in entry.detail.iter().cloned().chain(id) {
        for line in wrap(&clean(&more), room) {
            let line = style.faint(&line);
            page.line(&format!("{}{line}", " ".repeat(BEHIND_MOMENT)));
        }
    }
}
