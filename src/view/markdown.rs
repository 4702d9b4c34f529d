//! An incident and its timeline as Markdown, for tickets and post-mortems.

use super::phrase::{Piece, clean, moment, pieces};
use super::text::{confidence, ending, ids, interval, left_out};
use super::timeline::{ClockOf, Entry, Timeline};
use crate::diagnose::phrase;
use crate::diagnose::{Card, Step};

/// An incident, explained.
#[must_use]
pub fn card(card: &Card) -> String {
    document(&answers(card))
}

/// An incident, explained, and what happened when.
#[must_use]
pub fn timeline(timeline: &Timeline) -> String {
    let mut lines = answers(&timeline.card);
    section(&mut lines, "Timeline");
    lines.extend(["| When | What | Detail |", "|---|---|---|"].map(str::to_owned));
    lines.extend(timeline.entries.iter().map(row));
    let legend = "\\* by the clock of this program, the others by that of the sign-ins";
    lines.extend([String::new(), legend.to_owned()]);
    document(&lines)
}

fn document(lines: &[String]) -> String {
    lines.join("\n") + "\n"
}

fn section(lines: &mut Vec<String>, title: &str) {
    lines.extend([String::new(), format!("## {title}"), String::new()]);
}

fn answers(card: &Card) -> Vec<String> {
    let incident = &card.incident;
    let ending = ending(incident).map(|ending| format!(", {}", inline(&ending)));
    let mut lines = vec![
        format!("# Incident {}: {}", incident.id, inline(&incident.title)),
        String::new(),
        format!(
            "**{}**, {}, {}, {}{}",
            incident.severity,
            incident.state(),
            phrase::count(incident.event_count, "sign-in"),
            interval(incident),
            ending.unwrap_or_default()
        ),
    ];
    section(&mut lines, "What happened");
    lines.push(inline(&card.what));
    if !card.who.is_empty() {
        lines.extend([String::new(), "## Who".to_owned()]);
    }
    for who in &card.who {
        lines.extend(["", "| | |", "|---|---|"].map(str::to_owned));
        let rows = ids(who).into_iter();
        lines.extend(rows.map(|(name, value)| format!("| {name} | {} |", code(&value))));
    }
    lines.extend(left_out(card).into_iter().flat_map(|others| [String::new(), others]));
    section(&mut lines, "How unusual");
    lines.extend(bullets(&card.unusual));
    section(&mut lines, "Why, probably");
    for cause in &card.causes {
        lines.push(format!("- {} ({})", inline(&cause.sentence), confidence(cause)));
        let because = cause.because.iter();
        lines.extend(because.map(|because| format!("  - because {}", inline(because))));
    }
    section(&mut lines, "What to do now");
    for (place, step) in card.steps.iter().enumerate() {
        lines.extend(numbered(place + 1, step));
    }
    section(&mut lines, "What is unknown");
    lines.extend(bullets(&card.unknown));
    lines
}

fn row(entry: &Entry) -> String {
    let mark = if entry.clock == ClockOf::Signinel { " \\*" } else { "" };
    let detail = entry.detail.as_deref().map(inline);
    let id = entry.event_id.as_deref().map(|id| format!("sign-in {}", code(id)));
    let more: Vec<String> = detail.into_iter().chain(id).collect();
    let (at, sentence, more) = (moment(entry.at), inline(&entry.sentence), more.join("; "));
    format!("| {at}{mark} | {sentence} | {more} |")
}

fn bullets(sentences: &[String]) -> impl Iterator<Item = String> {
    sentences.iter().map(|sentence| format!("- {}", inline(sentence)))
}

fn numbered(number: usize, step: &Step) -> Vec<String> {
    let mut lines = vec![format!("{number}. {}", inline(&step.sentence))];
    if let Some(command) = &step.command {
        let command = clean(command);
        let fence = "`".repeat(longest_run(&command).max(2) + 1);
        let indent = " ".repeat(number.to_string().len() + 2);
        let block = [&fence, &command, &fence].map(|line| format!("{indent}{line}"));
        lines.push(String::new());
        lines.extend(block);
        lines.push(String::new());
    }
    lines
}

/// A text that says in Markdown what it says, on one line, also within a table.
fn inline(text: &str) -> String {
    pieces(text)
        .into_iter()
        .map(|piece| match piece {
            Piece::Plain(text) => escaped(&text),
            Piece::Code(text) => code(&text),
            Piece::Link(address) => format!("<{address}>"),
        })
        .collect()
}

/// A text as code. Within a table only `|` has a meaning left, and `\|` takes it away.
fn code(text: &str) -> String {
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
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code("`"), "`` ` ``");
        let step = Step { sentence: "Do".to_owned(), command: Some("echo ```\n# x".to_owned()) };
        assert_eq!(numbered(1, &step), ["1. Do", "", "   ````", "   echo ``` # x", "   ````", ""]);
    }
}
