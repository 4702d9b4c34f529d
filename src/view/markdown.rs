//! An incident and its timeline as Markdown, for tickets and post-mortems.

use super::phrase::{Piece, clean, moment, pieces};
use super::text::{confidence, ending, ids, interval};
use super::timeline::{ClockOf, Timeline};
use crate::diagnose::phrase;
use crate::diagnose::{Card, Step};

/// An incident, explained.
#[must_use]
pub fn card(card: &Card) -> String {
    let incident = &card.incident;
    let mut text = format!("# Incident {}: {}\n\n", incident.id, inline(&incident.title));
    text += &format!(
        "**{}**, {}, {}, {}",
        incident.severity,
        incident.state(),
        phrase::count(incident.event_count, "sign-in"),
        interval(incident)
    );
    text += &ending(incident).map_or_else(String::new, |ending| format!(", {}", inline(&ending)));
    text += "\n\n## What happened\n\n";
    text += &inline(&card.what);
    text += "\n\n## Who\n";
    for who in &card.who {
        text += "\n| | |\n|---|---|\n";
        for (name, value) in ids(who) {
            text += &format!("| {name} | {} |\n", cell_code(&value));
        }
    }
    text += "\n## How unusual\n\n";
    text += &bullets(&card.unusual);
    text += "\n## Why, probably\n\n";
    for cause in &card.causes {
        text += &format!("- {} ({})\n", inline(&cause.sentence), confidence(cause));
        for because in &cause.because {
            text += &format!("  - because {}\n", inline(because));
        }
    }
    text += "\n## What to do now\n\n";
    for (place, step) in card.steps.iter().enumerate() {
        text += &numbered(place + 1, step);
    }
    text += "\n## What is unknown\n\n";
    text += &bullets(&card.unknown);
    text
}

/// An incident, explained, and what happened when.
#[must_use]
pub fn timeline(timeline: &Timeline) -> String {
    let mut text = card(&timeline.card);
    text += "\n## Timeline\n\n| When | What | Detail |\n|---|---|---|\n";
    for entry in &timeline.entries {
        let mark = if entry.clock == ClockOf::Signinel { " \\*" } else { "" };
        let detail = entry.detail.as_deref().map(inline);
        let id = entry.event_id.as_deref().map(|id| format!("sign-in {}", cell_code(id)));
        let more: Vec<String> = detail.into_iter().chain(id).collect();
        let row = format!(
            "{}{mark} | {} | {}",
            moment(entry.at),
            inline(&entry.sentence),
            more.join("; ")
        );
        text += &format!("| {} |\n", row.trim_end());
    }
    text += "\n\\* by the clock of this program, the others by that of the sign-ins\n";
    text
}

fn bullets(sentences: &[String]) -> String {
    sentences.iter().map(|sentence| format!("- {}\n", inline(sentence))).collect()
}

fn numbered(number: usize, step: &Step) -> String {
    let mut text = format!("{number}. {}\n", inline(&step.sentence));
    if let Some(command) = &step.command {
        let command = clean(command);
        let fence = "`".repeat(longest_run(&command).max(2) + 1);
        let indent = " ".repeat(number.to_string().len() + 2);
        text += &format!("\n{indent}{fence}\n{indent}{command}\n{indent}{fence}\n\n");
    }
    text
}

/// A text that says in Markdown what it says, on one line, also within a table.
fn inline(text: &str) -> String {
    pieces(text)
        .into_iter()
        .map(|piece| match piece {
            Piece::Plain(text) => escaped(&text),
            Piece::Code(text) => cell_code(&text),
            Piece::Link(address) => format!("<{address}>"),
        })
        .collect()
}

/// A text as code. Within a table only `|` has a meaning left, and `\|` takes it away.
fn cell_code(text: &str) -> String {
    let text = clean(text);
    let fence = "`".repeat(longest_run(&text) + 1);
    let space = if text.starts_with('`') || text.ends_with('`') { " " } else { "" };
    format!("{fence}{space}{}{space}{fence}", text.replace('|', "\\|"))
}

fn longest_run(text: &str) -> usize {
    text.split(|letter| letter != '`').map(str::len).max().unwrap_or(0)
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + 8);
    for (at, letter) in text.char_indices() {
        let is_list = at == 0 && matches!(letter, '-' | '+' | '=');
        // A bare address in a name must not become a link.
        let is_link = letter == ':' && text[at..].starts_with("://")
            || letter == '.' && text[..at].to_ascii_lowercase().ends_with("www");
        match letter {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '#' | '|' | '~' | '!' | '$' | '@' => {
                escaped.extend(['\\', letter]);
            }
            _ if is_list || is_link => escaped.extend(['\\', letter]),
            _ => escaped.push(letter),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::night;

    #[test]
    fn a_hostile_name_leaves_tables_and_headings_as_they_are() {
        let told = |name| night::block_on(async move { night::whole(name).await.timeline().await });
        let hostile = timeline(&told("a|b*c\n# d\n| x | `"));
        let plain = timeline(&told("build-agent"));
        let rows = |text: &str| -> Vec<usize> {
            let bars = |line: &str| line.replace("\\|", "").matches('|').count();
            text.lines().map(bars).filter(|bars| *bars > 0).collect()
        };
        assert_eq!(rows(&hostile), rows(&plain));
        let headings = |text: &str| {
            text.lines().filter(|line| line.starts_with('#')).map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(headings(&hostile)[1..], headings(&plain)[1..]);
        assert!(plain.contains("<https://login.microsoftonline.com/error?code=700016>"), "{plain}");
    }

    #[test]
    fn a_name_cannot_break_a_table_or_make_markup() {
        assert_eq!(inline("x `a|b*c` y"), "x `a\\|b*c` y");
        assert_eq!(inline("a|b*c\n# d"), "a\\|b\\*c \\# d");
        assert_eq!(inline("<img src=x>&"), "&lt;img src=x&gt;&amp;");
        assert_eq!(inline("[go](https://a.b) www.c.d"), "\\[go\\](https\\://a.b) www\\.c.d");
    }

    #[test]
    fn code_outlasts_the_backticks_in_it() {
        assert_eq!(cell_code("a`b"), "``a`b``");
        assert_eq!(cell_code("`"), "`` ` ``");
        let step = Step { sentence: "Do".to_owned(), command: Some("echo ```\n# x".to_owned()) };
        assert_eq!(numbered(1, &step), "1. Do\n\n   ````\n   echo ``` # x\n   ````\n\n");
    }
}
