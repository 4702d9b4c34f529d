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
    let title = clean(&format!("Incident {}: {}", incident.id, incident.title));
    for line in wrap(&title, style.prose()) {
        page.line(&style.strong(&line));
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

/// Who is at it, how it ended, and what of it is in shadow.
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
    let shadow = incident.is_shadow.then(|| "in shadow: nobody is told".to_owned());
    let beside = (!incident.shadow_rules.is_empty())
        .then(|| format!("met beside it in shadow: {}", incident.shadow_rules.join(", ")));
    let parts: Vec<String> =
        [acknowledged, resolved, shadow, beside].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn answers(page: &mut Page<'_>, card: &Card) {
    page.heading("What happened");
    page.paragraph(INDENT, "", &card.what);
    if !card.who.is_empty() {
        page.heading("Who");
    }
    for (place, who) in card.who.iter().enumerate() {
        if place > 0 {
            page.blank();
        }
        identity(page, who);
    }
    if let Some(others) = left_out(card) {
        page.blank();
        page.paragraph(INDENT, "", &others);
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

/// How many identities of the incident are not shown.
pub(super) fn left_out(card: &Card) -> Option<String> {
    card.left_out(card.who.len()).map(|others| format!("and {others}"))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::night;

    const PLAIN: Style = Style { colour: false, width: 90 };

    const NIGHT: &str = "\
Incident 1: Application not found, many times: build-agent
high, resolved, 16 sign-ins
2026-11-23 02:14:07 UTC to 2026-11-23 05:41:00 UTC (3 h 26 min)
acknowledged by anna at 2026-11-23 02:30:00 UTC, resolved at 2026-11-23 07:30:00 UTC
(recovered)

The managed identity `build-agent` was refused a token for `Azure Key Vault` 16 times
within 3 h 26 min: the tenant knows no application with this client id (AADSTS700016).

2026-11-22 23:00:11 UTC   Last good sign-in before it
                          3 h 13 min earlier
2026-11-23 02:14:07 UTC   First sign-in of it: `build-agent` was refused a token for
                          `Azure Key Vault`, AADSTS700016
                          the tenant knows no application with this client id
                          sign-in 05050505-0505-0505-0505-050505050505
2026-11-23 02:14:07 UTC   2 sign-ins in 1 min
2026-11-23 02:15:07 UTC   5 sign-ins in 1 min, 7 so far
2026-11-23 02:15:30 UTC   Rule `failure_streak` was met: Nothing but failures (medium)
                          16 sign-ins in a row within 3 h 26 min; 5 in a row would have
                          been enough
2026-11-23 02:16:07 UTC   2 sign-ins in 1 min, 9 so far
2026-11-23 02:17:07 UTC   2 sign-ins in 1 min, 11 so far
2026-11-23 02:17:07 UTC   Rule `application_not_found_spike` was met: Application not
                          found, many times (high)
                          14 sign-ins within 5 min; 10 within 10 min would have been
                          enough
2026-11-23 02:18:07 UTC   2 sign-ins in 1 min, 13 so far
2026-11-23 02:19:07 UTC   1 sign-in, 14 so far
2026-11-23 02:21:00 UTC * Incident opened: high severity, 11 sign-ins: Application not
                          found, many times: build-agent
2026-11-23 02:21:00 UTC * Delivery 2 to `chat` planned: opened, high severity, 11 sign-ins
2026-11-23 02:21:00 UTC * Delivery 1 to `on-call` planned: opened, high severity, 11
                          sign-ins
2026-11-23 02:21:00 UTC * Delivery 2 to `chat` was tried in vain
                          no answer within 10 s
2026-11-23 02:21:00 UTC * Delivery 1 to `on-call` sent after 1 attempt
                          250 queued
2026-11-23 02:22:00 UTC * Delivery 2 to `chat` was tried in vain
                          no answer within 10 s
2026-11-23 02:23:00 UTC * Delivery 2 to `chat` was tried in vain
                          no answer within 10 s
2026-11-23 02:24:00 UTC * Delivery 2 to `chat` was tried in vain
                          no answer within 10 s
2026-11-23 02:25:00 UTC * Delivery 2 to `chat` was tried in vain 3 times more
                          until 2026-11-23 02:27:00 UTC
2026-11-23 02:28:00 UTC * Delivery 2 to `chat` was tried in vain
                          no answer within 10 s
2026-11-23 02:30:00 UTC * Incident acknowledged by anna
2026-11-23 03:21:00 UTC * Delivery 2 to `chat` given up after 9 attempts
                          refused: 404 Not Found
2026-11-23 05:40:00 UTC   1 sign-in, 15 so far
                          after 3 h 20 min without one
2026-11-23 05:40:00 UTC   Rule `application_not_found_streak` was met: Application not
                          found, and nothing else (high)
                          16 sign-ins in a row within 3 h 26 min; 3 in a row over 30 min
                          or longer would have been enough
2026-11-23 05:41:00 UTC   1 sign-in, 16 so far
2026-11-23 05:41:00 UTC   Last sign-in of it: `build-agent` was refused a token for `Azure
                          Key Vault`, AADSTS700016
                          the tenant knows no application with this client id
                          sign-in 11111111-1111-1111-1111-111111111111
2026-11-23 05:43:00 UTC * Incident grew: high severity, 13 sign-ins; met as well:
                          application_not_found_streak
2026-11-23 07:17:20 UTC * 3 sign-ins were read more than 15 min after they happened, from
                          `contoso`; the oldest 5 h 2 min after
2026-11-23 07:17:20 UTC * The finding of `application_not_found_spike` changed: 3 events
                          were read late, the oldest 5 h 2 min after it happened: 14
                          sign-ins where there were 11
2026-11-23 07:17:20 UTC * The finding of `application_not_found_streak` changed: 3 events
                          were read late, the oldest 5 h 2 min after it happened: 16
                          sign-ins where there were 13
2026-11-23 07:17:20 UTC * The finding of `failure_streak` changed: 3 events were read
                          late, the oldest 5 h 2 min after it happened: 16 sign-ins where
                          there were 13
2026-11-23 07:30:00 UTC   First good sign-in again
                          1 h 49 min after the last failure
2026-11-23 07:33:00 UTC * Incident resolved: it signed in again at 2026-11-23 07:30:00 UTC

* by the clock of this program, the others by that of the sign-ins
";

    #[test]
    fn a_night_reads_from_its_last_good_sign_in_to_its_end() {
        let told = night::block_on(async { night::whole("build-agent").await.timeline().await });
        assert_eq!(timeline(&told, &PLAIN), NIGHT);
    }

    #[test]
    fn an_incident_gives_six_answers_in_order() {
        let told = night::block_on(async { night::whole("build-agent").await.timeline().await });
        let text = card(&told.card, &PLAIN);
        let headings: Vec<&str> =
            text.lines().skip(4).filter(|line| line.starts_with(char::is_alphabetic)).collect();
        assert_eq!(
            headings,
            [
                "What happened",
                "Who",
                "How unusual",
                "Why, probably",
                "What to do now",
                "What is unknown"
            ]
        );
        let command = told.card.steps.iter().find_map(|step| step.command.clone()).unwrap();
        assert!(text.lines().any(|line| line.trim() == command), "a command stays on one line");
    }

    #[test]
    fn a_name_cannot_steer_the_terminal_and_lines_keep_to_the_width() {
        let name = "evil\u{1b}[2J\u{1b}]0;x\u{7}\r\nIncident 2: fine\u{202e}";
        let told = night::block_on(async { night::whole(name).await.timeline().await });
        let style = Style { colour: false, width: 80 };
        for text in [timeline(&told, &style), card(&told.card, &style)] {
            let steers =
                |letter: char| letter.is_control() && letter != '\n' || letter == '\u{202e}';
            assert!(!text.contains(steers), "{text}");
            assert!(!text.lines().any(|line| line.starts_with("Incident 2")), "{text}");
            let is_prose = |line: &&str| !line.contains("az ");
            assert!(text.lines().filter(is_prose).all(|line| line.chars().count() <= 80), "{text}");
        }
        let coloured = card(&told.card, &Style { colour: true, ..style });
        assert!(coloured.contains("\u{1b}[31mhigh"), "{coloured}");
        assert!(!coloured.contains("\u{1b}[2J"), "{coloured}");
    }
}
