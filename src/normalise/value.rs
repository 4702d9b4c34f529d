//! What single values mean: which are absent, how ids and addresses are written.

use std::borrow::Cow;
use std::net::IpAddr;

/// Whether a trimmed value says "nothing": Entra and those who pass its records on write that in
/// many ways.
pub(super) fn is_absent(text: &str) -> bool {
    match text.as_bytes() {
        [] | b"-" | b"--" => true,
        [b'n' | b'N', rest @ ..] if rest.len() < 4 => {
            ["null", "n/a", "nan", "nat", "nil"].iter().any(|word| text.eq_ignore_ascii_case(word))
        }
        [b'<' | b'(', ..] => ["<null>", "<redacted>", "(null)", "<none>", "<n/a>"]
            .iter()
            .any(|word| text.eq_ignore_ascii_case(word)),
        [b'u' | b'U', ..] => text.eq_ignore_ascii_case("undefined"),
        [b'0', .., b'0'] => {
            matches!(text.len(), 32 | 36) && text.bytes().all(|sign| matches!(sign, b'0' | b'-'))
        }
        _ => false,
    }
}

/// An id in the one spelling that is compared: a GUID in lower case with hyphens. What is no GUID
/// stays as it is, for an id that is not understood still tells identities apart.
pub(super) fn id(text: Cow<'_, str>) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    if bytes.len() == 32
        && let Ok(guid) = uuid::Uuid::try_parse(&text)
    {
        return Cow::Owned(guid.to_string());
    }
    let mut upper = false;
    for byte in bytes {
        match byte {
            b'A'..=b'F' => upper = true,
            b'0'..=b'9' | b'a'..=b'f' | b'-' => {}
            _ => return unusual_id(text),
        }
    }
    if upper { Cow::Owned(text.to_ascii_lowercase()) } else { text }
}

/// A GUID in braces or with signs that do not show; a word that says that there is none, and would
/// unite strangers.
fn unusual_id(text: Cow<'_, str>) -> Cow<'_, str> {
    if says_none(&text) {
        return Cow::Borrowed("");
    }
    let is_around = |sign: char| {
        sign.is_whitespace()
            || matches!(sign, '{' | '}' | '\'' | '"' | '\u{200b}'..='\u{200f}' | '\u{feff}')
    };
    match uuid::Uuid::try_parse(text.trim_matches(is_around)) {
        Ok(guid) if guid.is_nil() => Cow::Borrowed(""),
        Ok(guid) => Cow::Owned(guid.to_string()),
        Err(_) => text,
    }
}

/// Words that stand where there is no name or id.
pub(super) fn says_none(text: &str) -> bool {
    ["none", "unknown"].iter().any(|word| text.eq_ignore_ascii_case(word))
}

/// Whether it is a GUID as `id` spells it.
pub(super) fn is_guid(text: &str) -> bool {
    text.len() == 36 && uuid::Uuid::try_parse(text).is_ok()
}

/// An IP address without its port; empty when the text is none (masked, a network, a GUID, all zeros,
/// …). Of several it is the first, which is the client's.
pub(super) fn ip(text: Cow<'_, str>) -> Cow<'_, str> {
    match text.parse::<IpAddr>() {
        Ok(address) if address.is_unspecified() => return Cow::Borrowed(""),
        Ok(_) => return text,
        Err(_) if text.is_empty() => return text,
        Err(_) => {}
    }
    if let Some(end) = text.find([',', ';', '%']) {
        return match text {
            Cow::Borrowed(text) => ip(Cow::Borrowed(text[..end].trim())),
            Cow::Owned(text) => ip(Cow::Owned(text[..end].trim().to_owned())),
        };
    }
    let bare = match text.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map(|(address, _)| address),
        None => text.rsplit_once(':').map(|(address, _)| address),
    };
    match bare {
        Some(address) if address.parse::<std::net::Ipv4Addr>().is_ok() || text.starts_with('[') => {
            let length = address.len();
            let from = usize::from(text.starts_with('['));
            if address.parse::<IpAddr>().is_err() {
                return Cow::Borrowed("");
            }
            match text {
                Cow::Borrowed(text) => Cow::Borrowed(&text[from..from + length]),
                Cow::Owned(text) => Cow::Owned(text[from..from + length].to_owned()),
            }
        }
        _ => Cow::Borrowed(""),
    }
}

/// The tenant inside `/tenants/<id>/providers/…`, in whatever case that is written.
pub(super) fn tenant_of_path(path: &str) -> Option<&str> {
    let (start, rest) = path.split_at_checked("/tenants/".len())?;
    let tenant = rest.split('/').next()?.trim();
    (start.eq_ignore_ascii_case("/tenants/") && !is_absent(tenant)).then_some(tenant)
}

/// A value as a message may show it: cut to 80 characters.
pub(super) fn shown(text: &str) -> String {
    match text.char_indices().nth(80) {
        Some((cut, _)) => format!("{}…", &text[..cut]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_spellings_mean_absent() {
        for text in [
            "n/a",
            "NaN",
            "-",
            "undefined",
            "(null)",
            "",
            "null",
            "<null>",
            "<Redacted>",
            "00000000-0000-0000-0000-000000000000",
        ] {
            assert!(is_absent(text), "{text}");
        }
        for text in [
            "no",
            "nancy",
            "u",
            "0",
            "none",
            "0.0.0.0",
            "00000003-0000-0000-c000-000000000000",
            "0000",
        ] {
            assert!(!is_absent(text), "{text}");
        }
    }

    #[test]
    fn ids_have_one_spelling() {
        assert_eq!(
            id("041D2FA0-CA18-4C0A-81AC-B9546C06F3ED".into()),
            "041d2fa0-ca18-4c0a-81ac-b9546c06f3ed"
        );
        assert_eq!(
            id("041d2fa0ca184c0a81acb9546c06f3ed".into()),
            "041d2fa0-ca18-4c0a-81ac-b9546c06f3ed"
        );
        for text in [
            "{041D2FA0-CA18-4C0A-81AC-B9546C06F3ED}",
            "041d2fa0-ca18-4c0a-81ac-b9546c06f3ed\u{200b}",
        ] {
            assert_eq!(id(text.into()), "041d2fa0-ca18-4c0a-81ac-b9546c06f3ed");
        }
        for text in ["None", "unknown", "{00000000-0000-0000-0000-000000000000}"] {
            assert_eq!(id(text.into()), "", "{text}");
        }
        assert_eq!(id("66EA54EB-blah".into()), "66EA54EB-blah");
        assert_eq!(id("urn:AppProxy:X".into()), "urn:AppProxy:X");
        assert!(matches!(id("041d2fa0-ca18-4c0a-81ac-b9546c06f3ed".into()), Cow::Borrowed(_)));
    }

    #[test]
    fn an_address_is_kept_only_when_it_is_one() {
        for (text, expected) in [
            ("5.5.5.5", "5.5.5.5"),
            ("5.5.5.5:3832", "5.5.5.5"),
            ("fde4:8dba:1::1", "fde4:8dba:1::1"),
            ("[fde4::1]:443", "fde4::1"),
            ("10.0.0.0/8", ""),
            ("12.13.XX.XX", ""),
            ("1:2:3:4:5:6:7:8:9", ""),
            ("8a4de8b5-095c-47d0-a96f-a75130c61d53", ""),
            ("[x]", ""),
            ("0.0.0.0", ""),
            ("::", ""),
            ("1.2.3.4, 5.6.7.8", "1.2.3.4"),
            ("fe80::1%eth0", "fe80::1"),
            ("", ""),
        ] {
            assert_eq!(ip(text.into()), expected, "{text}");
            assert_eq!(ip(Cow::Owned(text.to_owned())), expected, "{text}");
        }
    }

    #[test]
    fn a_tenant_is_found_in_a_path_of_any_case() {
        assert_eq!(tenant_of_path("/TeNaNtS/abc/providers/Microsoft.aadiam"), Some("abc"));
        assert_eq!(tenant_of_path("/subscriptions/abc/x"), None);
        assert_eq!(tenant_of_path("/tenants/"), None);
    }
}
