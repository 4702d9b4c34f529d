//! How text for a terminal looks: its width, its colours, its lines.

use owo_colors::{AnsiColors, OwoColorize};

use crate::model::{IncidentState, Severity};

/// What the terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    pub colour: bool,
    /// Letters in a line.
    pub width: usize,
}

/// Narrower than this, lines stop making sense.
const NARROWEST: usize = 40;

/// Longer lines than this are hard to read, however wide the terminal is.
const WIDEST_PROSE: usize = 100;

impl Style {
    /// The width of running text.
    pub(super) fn prose(&self) -> usize {
        self.width.clamp(NARROWEST, WIDEST_PROSE)
    }

    pub(super) fn strong(&self, text: &str) -> String {
        if self.colour { text.bold().to_string() } else { text.to_owned() }
    }

    pub(super) fn faint(&self, text: &str) -> String {
        if self.colour { text.dimmed().to_string() } else { text.to_owned() }
    }

    pub(super) fn coloured(&self, text: &str, colour: AnsiColors) -> String {
        if self.colour { text.color(colour).to_string() } else { text.to_owned() }
    }

    pub(super) fn severity(&self, severity: Severity) -> String {
        self.coloured(severity.as_str(), severity_colour(severity))
    }

    pub(super) fn state(&self, state: IncidentState) -> String {
        self.coloured(&state.to_string(), state_colour(state))
    }
}

pub(super) fn severity_colour(severity: Severity) -> AnsiColors {
    match severity {
        Severity::Critical => AnsiColors::BrightRed,
        Severity::High => AnsiColors::Red,
        Severity::Medium => AnsiColors::Yellow,
        Severity::Low => AnsiColors::Cyan,
        Severity::Informational => AnsiColors::Default,
    }
}

pub(super) fn state_colour(state: IncidentState) -> AnsiColors {
    match state {
        IncidentState::Open => AnsiColors::Red,
        IncidentState::Acknowledged => AnsiColors::Yellow,
        IncidentState::Resolved => AnsiColors::Green,
    }
}

/// Lines of at most `width` letters. A word that is longer, such as an id, is never cut.
pub(super) fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut line, mut length) = (String::new(), 0);
    for word in text.split_whitespace() {
        let letters = word.chars().count();
        if length > 0 && length + 1 + letters > width {
            lines.push(std::mem::take(&mut line));
            length = 0;
        }
        if length > 0 {
            line.push(' ');
            length += 1;
        }
        line.push_str(word);
        length += letters;
    }
    if !line.is_empty() {
        lines.push(line);
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_keep_to_the_width_and_never_cut_an_id() {
        assert_eq!(wrap("one two  three", 7), ["one two", "three"]);
        assert_eq!(wrap("see 5a3e9d70-1c2b now", 8), ["see", "5a3e9d70-1c2b", "now"]);
        assert!(wrap("", 8).is_empty());
    }

    #[test]
    fn colours_come_only_when_told() {
        let plain = Style { colour: false, width: 80 };
        assert_eq!(plain.severity(Severity::High), "high");
        let coloured = Style { colour: true, ..plain };
        assert_eq!(coloured.severity(Severity::High), "\u{1b}[31mhigh\u{1b}[39m");
    }
}
