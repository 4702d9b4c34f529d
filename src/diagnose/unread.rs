//! What can be said of a source that was not read, and of incidents meanwhile.

use super::card::{Card, Cause, Confidence, Step};
use super::phrase;
use crate::model::Incident;
use crate::store::gaps::{Gap, GapState};

/// Explains an incident of coverage by its gaps.
pub(super) fn card(incident: &Incident, gaps: &[Gap]) -> Card {
    let source = gaps.first().map_or("the source", |gap| gap.source.as_str());
    Card {
        incident: incident.clone(),
        what: what(incident, source, gaps),
        who: Vec::new(),
        identity_count: 0,
        unusual: gaps.iter().map(measure).collect(),
        causes: causes(gaps),
        steps: steps(incident, source),
        unknown: unknown(gaps),
    }
}

/// What incidents of an interval must tell of the gaps in it.
pub(super) fn sentence(gaps: &[Gap]) -> Option<String> {
    let told: Vec<String> = gaps
        .iter()
        .map(|gap| format!("{} of {} {}", gap.head, gap.source, interval(gap)))
        .collect();
    (!told.is_empty()).then(|| {
        format!(
            "Not everything was read: nothing of {}. What happened there is unknown.",
            phrase::list(&told)
        )
    })
}

fn interval(gap: &Gap) -> String {
    let from = phrase::time(gap.from);
    match gap.to {
        Some(to) => format!("from {from} to {}", phrase::time(to)),
        None => format!("since {from}"),
    }
}

fn what(incident: &Incident, source: &str, gaps: &[Gap]) -> String {
    let source = phrase::quoted(source);
    let lost: Vec<String> = gaps
        .iter()
        .filter(|gap| gap.state == GapState::Lost)
        .map(|gap| format!("{} {}", gap.head, interval(gap)))
        .collect();
    if !lost.is_empty() {
        return format!(
            "Sign-ins of {source} are lost to this program: the source no longer has {}.",
            phrase::list(&lost)
        );
    }
    let heads: Vec<String> = gaps.iter().map(|gap| gap.head.clone()).collect();
    let since = phrase::time(incident.started_at);
    match incident.resolved_at {
        None => format!(
            "No sign-ins of {source} ({}) have been read since {since}: whatever goes wrong there goes unseen.",
            phrase::list(&heads)
        ),
        Some(at) => format!(
            "No sign-ins of {source} ({}) were read between {since} and {}; they have been read since.",
            phrase::list(&heads),
            phrase::time(at)
        ),
    }
}

fn measure(gap: &Gap) -> String {
    let length =
        gap.to.map_or_else(String::new, |to| format!(" ({})", phrase::span(to - gap.from)));
    let became = match gap.state {
        GapState::Open => "not read yet",
        GapState::Filled => "read later, nothing is missing",
        GapState::Lost => "lost for good",
    };
    format!("{} {}{length}: {became}", gap.head, interval(gap))
}

/// The failures, each once.
fn causes(gaps: &[Gap]) -> Vec<Cause> {
    let mut causes: Vec<Cause> = Vec::new();
    for gap in gaps {
        let (sentence, confidence) = if gap.reason.is_empty() {
            ("The program was not running, or could not keep up.".to_owned(), Confidence::Medium)
        } else {
            (format!("The last attempt ended with: {}", gap.reason), Confidence::High)
        };
        if causes.iter().all(|cause| cause.sentence != sentence) {
            causes.push(Cause { sentence, because: Vec::new(), confidence });
        }
    }
    causes
}

fn steps(incident: &Incident, source: &str) -> Vec<Step> {
    let step = |sentence: &str, command: &str| Step {
        sentence: sentence.to_owned(),
        command: Some(command.to_owned()),
    };
    let look = step("See what was read and what is missing.", "signinel coverage");
    if incident.resolved_at.is_some() {
        return vec![look];
    }
    vec![
        step(
            &format!(
                "Find out what keeps {} from being read, with the fix.",
                phrase::quoted(source)
            ),
            "signinel doctor",
        ),
        look,
    ]
}

fn unknown(gaps: &[Gap]) -> Vec<String> {
    gaps.iter()
        .filter(|gap| gap.state != GapState::Filled)
        .map(|gap| format!("Whether anything failed or was abused: {} {}", gap.head, interval(gap)))
        .collect()
}
