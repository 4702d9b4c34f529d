//! How a sign-in came out: the AADSTS number, however a record tells it.

use crate::model::Rejected;

use super::fields::Fields;
use super::key::Key;

/// What a failure without a number is.
const UNNUMBERED: i64 = -1;

/// The number; 0 is success. Where two places differ the failure is believed. A Graph object or an envelope
/// that says nothing of its result is a success, for Entra states every failure there; a row has only the
/// columns that somebody asked for, and must not pass for one.
pub(super) fn code(fields: &Fields<'_>) -> Result<i64, Rejected> {
    let stated = [Key::ErrorCode, Key::ResultType].map(|key| number(fields.get(key)));
    if let Some(code) = stated.into_iter().flatten().find(|code| *code != 0) {
        return Ok(code);
    }
    let is_numbered = stated.into_iter().any(|code| code.is_some());
    let word = [fields.get(Key::ErrorCode), fields.get(Key::ResultType), &fields.status]
        .into_iter()
        .find(|text| !text.is_empty() && number(text).is_none())
        .or_else(|| {
            Some(fields.get(Key::ResultSignature))
                .filter(|text| !is_numbered && !text.is_empty() && *text != "None")
        });
    match word {
        Some(word) if is_success(word) => Ok(0),
        Some(word) => Ok(told(fields, word)),
        None if is_numbered => Ok(0),
        None if !fields.is_row() => Ok(described(fields).unwrap_or(0)),
        None => described(fields).ok_or_else(|| {
            Rejected::Broken(
                "it says nothing of its result: neither `ResultType` nor `Status` is there; \
                 export it again with these columns"
                    .to_owned(),
            )
        }),
    }
}

fn is_success(word: &str) -> bool {
    ["success", "succeeded", "succeeded.", "200"]
        .iter()
        .any(|known| word.eq_ignore_ascii_case(known))
}

/// The number that the texts beside a word like `Failure` tell.
fn told(fields: &Fields<'_>, word: &str) -> i64 {
    number(word).or_else(|| described(fields)).unwrap_or(UNNUMBERED)
}

fn described(fields: &Fields<'_>) -> Option<i64> {
    [Key::ResultDescription, Key::FailureReason, Key::ResultSignature]
        .into_iter()
        .find_map(|key| number(fields.get(key)).filter(|code| *code > 0))
}

/// `7000222`, `0.0` as pandas writes it, `50126: …`, or the number in `… AADSTS7000222: …`.
fn number(text: &str) -> Option<i64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    if text.is_empty() {
        return None;
    }
    if let Some(whole) = text.strip_suffix(".0") {
        return whole.parse().ok();
    }
    let length = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let leading = length(text);
    if leading > 0 && text[leading..].trim_start().starts_with(':') {
        return text[..leading].parse().ok();
    }
    let at = text.as_bytes().windows(6).position(|part| part.eq_ignore_ascii_case(b"AADSTS"))?;
    let rest = text[at + 6..].trim_start_matches([' ', ':', '-']);
    rest[..length(rest)].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_found_in_what_stands_around_it() {
        for (text, code) in [
            ("7000222", Some(7_000_222)),
            ("0.0", Some(0)),
            ("50126: Invalid username or password", Some(50_126)),
            ("aadsts700016", Some(700_016)),
            (
                "Failed. AADSTS7000222: The provided client secret keys are expired.",
                Some(7_000_222),
            ),
            ("Failure", None),
            ("2 of 3", None),
            ("AADSTS", None),
            ("", None),
        ] {
            assert_eq!(number(text), code, "{text}");
        }
    }
}
