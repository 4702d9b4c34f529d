//! Makes JSON of what is nearly JSON: bare commas, single quotes, Python's words, raw line ends in
//! strings.

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
                Some((_, escaped)) => {
                    json.push('\\');
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
}
