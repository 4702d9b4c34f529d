//! Makes JSON of what is nearly JSON: bare commas, single quotes, Python's words, comments, raw line ends
//! and halves of characters in strings.

use std::fmt::Write;

/// The same text as JSON where it can be told what was meant. It may still not be JSON.
pub(super) fn to_json(text: &str) -> String {
    let mut json = String::with_capacity(text.len() + 16);
    let mut comma = false;
    let mut rest = text;
    while let Some(sign) = rest.chars().next() {
        if sign.is_whitespace() {
            rest = &rest[sign.len_utf8()..];
            continue;
        }
        if let Some(behind) = left_out(rest) {
            if json.ends_with(':') {
                json.push_str("null");
            }
            rest = behind;
            continue;
        }
        if sign == ',' {
            comma = true;
            rest = &rest[1..];
            continue;
        }
        // A comma stands only between two members.
        if comma && !matches!(sign, '}' | ']') && !json.ends_with(['{', '[']) {
            json.push(',');
        }
        comma = false;
        rest = match sign {
            '"' | '\'' => string(sign, &rest[1..], &mut json),
            '{' | '}' | '[' | ']' | ':' => {
                json.push(sign);
                &rest[1..]
            }
            _ => word(rest, &mut json),
        };
    }
    json
}

/// What follows a comment, or the dots of one who left something out.
fn left_out(text: &str) -> Option<&str> {
    if let Some(comment) = text.strip_prefix("//") {
        return Some(comment.split_once('\n').map_or("", |(_, rest)| rest));
    }
    if let Some(comment) = text.strip_prefix("/*") {
        return Some(comment.split_once("*/").map_or("", |(_, rest)| rest));
    }
    text.strip_prefix("...").or_else(|| text.strip_prefix('…'))
}

/// Copies a string up to its closing quote; gives what follows.
fn string<'t>(quote: char, text: &'t str, json: &mut String) -> &'t str {
    json.push('"');
    let mut signs = text.char_indices();
    while let Some((at, sign)) = signs.next() {
        match sign {
            _ if sign == quote => {
                json.push('"');
                return &text[at + 1..];
            }
            '\\' => match signs.next() {
                Some((_, '\'')) => json.push('\''),
                Some((at, 'u')) if half_of_character(&text[at - 1..]) => {
                    json.push_str("\\ufffd");
                    signs.nth(3);
                }
                Some((at, 'u')) if code_unit(&text[at - 1..]).is_some_and(is_first_half) => {
                    json.push_str(&text[at - 1..at + 11]);
                    signs.nth(9);
                }
                Some((_, escaped)) => {
                    json.push_str(if "\"\\/bfnrtu".contains(escaped) { "\\" } else { "\\\\" });
                    json.push(escaped);
                }
                None => {}
            },
            '"' => json.push_str("\\\""),
            '\u{0}'..='\u{1f}' => {
                write!(json, "\\u{:04x}", u32::from(sign)).expect("a string takes everything");
            }
            _ => json.push(sign),
        }
    }
    ""
}

/// The number of `\ud83d…`.
fn code_unit(text: &str) -> Option<u32> {
    u32::from_str_radix(text.strip_prefix("\\u")?.get(..4)?, 16).ok()
}

fn is_first_half(unit: u32) -> bool {
    (0xd800..0xdc00).contains(&unit)
}

/// Whether half a character is escaped here, and the other half does not follow.
fn half_of_character(text: &str) -> bool {
    let is_second = |unit| (0xdc00..0xe000).contains(&unit);
    match code_unit(text) {
        Some(unit) if is_first_half(unit) => !code_unit(&text[6..]).is_some_and(is_second),
        Some(unit) => is_second(unit),
        None => false,
    }
}

/// Copies a number or a word, in JSON's spelling; gives what follows.
fn word<'t>(text: &'t str, json: &mut String) -> &'t str {
    let end = text
        .find(|sign: char| sign.is_whitespace() || ",:{}[]\"'".contains(sign))
        .unwrap_or(text.len());
    json.push_str(match &text[..end] {
        "True" => "true",
        "False" => "false",
        "None" | "NaN" | "nan" | "NaT" | "Infinity" | "-Infinity" => "null",
        other => other,
    });
    &text[end..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bare_commas_go() {
        assert_eq!(to_json(r#"{"a":[1,2,],,"b":{"c":1 , },},"#), r#"{"a":[1,2],"b":{"c":1}}"#);
    }

    #[test]
    fn single_quotes_and_words_of_python_become_json() {
        assert_eq!(
            to_json(r#"{'a': None, 'b': [True, "it's"], 'c': 'say "x"', 'd': NaN}"#),
            r#"{"a":null,"b":[true,"it's"],"c":"say \"x\"","d":null}"#
        );
    }

    #[test]
    fn line_ends_in_strings_are_escaped() {
        assert_eq!(to_json("{\"a\":\"x\ny\"}"), r#"{"a":"x\u000ay"}"#);
    }

    #[test]
    fn comments_and_dots_go() {
        assert_eq!(
            to_json("{\"a\": 1, // one\n/* two */ \"b\": ..., \"c\": [\"//\", ...], ...}"),
            r#"{"a":1,"b":null,"c":["//"]}"#
        );
    }

    #[test]
    fn half_a_character_is_replaced_and_a_whole_one_kept() {
        assert_eq!(
            to_json(r#"{"a":"\ud800x \ud83d\ude00 \udc00","b":"C:\dir"}"#),
            r#"{"a":"\ufffdx \ud83d\ude00 \ufffd","b":"C:\\dir"}"#
        );
    }
}
