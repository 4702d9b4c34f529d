//! Texts as views show them: moments to the second, and nothing that could break out of its place.

use chrono::{DateTime, Utc};

use crate::diagnose::Catalogue;

/// A moment to the second.
#[must_use]
pub fn moment(at: DateTime<Utc>) -> String {
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A text on one line without characters that steer a terminal or turn the reading direction.
#[must_use]
pub fn clean(text: &str) -> String {
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

/// A part of a sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Piece {
    Plain(String),
    /// What stood in backticks.
    Code(String),
    /// The page of an error code. No other address becomes a link: names come from strangers.
    Link(String),
}

/// A cleaned sentence cut at its pairs of backticks and its links. A backtick that has no partner stays
/// a letter.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let cleaned = clean(text);
    let mut rest = cleaned.as_str();
    let mut pieces: Vec<Piece> = Vec::new();
    let mut plain = String::new();
    while let Some((before, after)) = rest.split_once('`') {
        plain.push_str(before);
        match after.split_once('`') {
            Some((code, after)) if !code.trim().is_empty() => {
                push_linked(&mut pieces, &std::mem::take(&mut plain));
                pieces.push(Piece::Code(code.to_owned()));
                rest = after;
            }
            _ => {
                plain.push('`');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    push_linked(&mut pieces, &plain);
    pieces
}

fn push_linked(pieces: &mut Vec<Piece>, mut text: &str) {
    let zero = Catalogue::link(0);
    let page = zero.trim_end_matches('0');
    while let Some(from) = text.find(page) {
        let code = &text[from + page.len()..];
        let digits = code.chars().take_while(char::is_ascii_digit).count();
        let (link, after) = text[from..].split_at(page.len() + digits);
        push_plain(pieces, &text[..from]);
        pieces.push(Piece::Link(link.to_owned()));
        text = after;
    }
    push_plain(pieces, text);
}

fn push_plain(pieces: &mut Vec<Piece>, text: &str) {
    if !text.is_empty() {
        pieces.push(Piece::Plain(text.to_owned()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: &str) -> Piece {
        Piece::Plain(text.to_owned())
    }

    fn code(text: &str) -> Piece {
        Piece::Code(text.to_owned())
    }

    #[test]
    fn what_steers_a_terminal_is_taken_out() {
        assert_eq!(clean("a\u{1b}[31mred\u{7}\r\nb"), "a [31mred   b");
        assert_eq!(clean("\u{9b}2Ja\u{202e}txt.exe"), "2Jatxt.exe");
    }

    #[test]
    fn backticks_make_code_only_in_pairs() {
        assert_eq!(pieces("the `a|b` is `x"), [plain("the "), code("a|b"), plain(" is `x")]);
        assert_eq!(pieces("``"), [plain("``")]);
        assert_eq!(pieces("`a``b`"), [code("a"), code("b")]);
    }

    #[test]
    fn a_shortened_text_says_so() {
        assert_eq!(shorten("abcdef", 6), "abcdef");
        assert_eq!(shorten("ab cdef", 4), "ab…");
        assert_eq!(shorten("äöüß", 3), "äö…");
    }

    #[test]
    fn only_pages_of_error_codes_are_links() {
        let page = Catalogue::link(700_016);
        let text = format!("see {page}. Not https://a.b/");
        assert_eq!(pieces(&text), [plain("see "), Piece::Link(page), plain(". Not https://a.b/")]);
    }
}
