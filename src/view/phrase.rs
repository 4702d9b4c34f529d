//! Texts as views show them: moments to the second, and nothing that could break out of its place.

use chrono::{DateTime, Utc};

/// A moment to the second.
pub(super) fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A text on one line without characters that steer a terminal or turn the reading direction.
pub(super) fn clean(text: &str) -> String {
    let mut cleaned = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            letter if letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}') => {
                cleaned.push(' ');
            }
            '\u{200b}'..='\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
            | '\u{e0000}'..='\u{e007f}' => {}
            letter => cleaned.push(letter),
        }
    }
    cleaned.trim().to_owned()
}

/// The same with a capital at the front.
pub(super) fn sentence_case(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// At most so many letters, the last of them `…` where some are missing.
pub(super) fn shorten(text: &str, at_most: usize) -> String {
    if text.chars().count() <= at_most {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(at_most.saturating_sub(1)).collect();
    short.truncate(short.trim_end().len());
    short.push('…');
    short
}

/// A part of a sentence: as it reads, or in backticks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece {
    pub(super) is_code: bool,
    pub(super) text: String,
}

/// A cleaned sentence cut at its pairs of backticks. One that has no partner stays a letter.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let cleaned = clean(text);
    let mut rest = cleaned.as_str();
    let mut pieces: Vec<Piece> = Vec::new();
    let mut plain = String::new();
    while let Some((before, after)) = rest.split_once('`') {
        plain.push_str(before);
        match after.split_once('`') {
            Some((code, after)) if !code.trim().is_empty() => {
                push(&mut pieces, false, &std::mem::take(&mut plain));
                push(&mut pieces, true, code);
                rest = after;
            }
            _ => {
                plain.push('`');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    push(&mut pieces, false, &plain);
    pieces
}

fn push(pieces: &mut Vec<Piece>, is_code: bool, text: &str) {
    if !text.is_empty() {
        pieces.push(Piece { is_code, text: text.to_owned() });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn piece(is_code: bool, text: &str) -> Piece {
        Piece { is_code, text: text.to_owned() }
    }

    #[test]
    fn what_steers_a_terminal_is_taken_out() {
        assert_eq!(clean("a\u{1b}[31mred\u{7}\r\nb"), "a [31mred   b");
        assert_eq!(clean("\u{9b}2Ja\u{202e}txt.exe"), "2Jatxt.exe");
    }

    #[test]
    fn backticks_make_code_only_in_pairs() {
        assert_eq!(
            pieces("the `a|b` is `x"),
            [piece(false, "the "), piece(true, "a|b"), piece(false, " is `x")]
        );
        assert_eq!(pieces("``"), [piece(false, "``")]);
        assert_eq!(pieces("`a``b`"), [piece(true, "a"), piece(true, "b")]);
    }

    #[test]
    fn a_shortened_text_says_so() {
        assert_eq!(shorten("abcdef", 6), "abcdef");
        assert_eq!(shorten("ab cdef", 4), "ab…");
        assert_eq!(shorten("äöüß", 3), "äö…");
    }
}
