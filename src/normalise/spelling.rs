//! Names of keys and columns in other spellings: with signs between their words, with the path that
//! leads to them, with a zone or a type behind them.

use super::key::Key;

/// A longer name is none of ours.
const NAME_AT_MOST: usize = 96;

/// Objects that a path to a value may lead through.
const PATH: [&str; 7] = [
    "azure",
    "signinlogs",
    "properties",
    "status",
    "location",
    "locationdetails",
    "managedserviceidentity",
];

/// What the head of a column says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Column {
    pub(super) key: Key,
    pub(super) zone: Zone,
}

/// The zone that a column's times are in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Zone {
    /// As each says; UTC if it says nothing.
    Own,
    /// So many minutes ahead of UTC.
    Ahead(i32),
    /// Of the screen that the export was made at, or one with a name: nothing tells how far from UTC.
    Untold,
}

/// The key of a name that is not written as we do.
pub(super) fn other(name: &str) -> Key {
    let bytes = name.as_bytes();
    if bytes.len() > NAME_AT_MOST || matches!(bytes, [] | [b'_' | b'@', ..]) {
        return Key::Unknown;
    }
    if memchr::memchr3(b'_', b'.', b' ', bytes).is_none() {
        return counted(name);
    }
    let column = column_of_signs(name);
    if column.zone == Zone::Untold { Key::Unknown } else { column.key }
}

/// A column: exports add `[UTC]`, `(UTC)`, `_dynamic` or `_string` to the name.
pub(super) fn column(name: &str) -> Column {
    let name = name.trim();
    match Key::known(name) {
        Key::Unknown => column_of_signs(name),
        key => Column { key, zone: Zone::Own },
    }
}

fn column_of_signs(name: &str) -> Column {
    let (bare, zone) = match name.rfind(['(', '[']).filter(|_| name.ends_with([']', ')'])) {
        Some(at) => match zone(name[at + 1..name.len() - 1].trim()) {
            Some(zone) => (name[..at].trim_end(), zone),
            None => (name, Zone::Own),
        },
        None => (name, Zone::Own),
    };
    let key = [bare, bare.trim_end_matches("_dynamic").trim_end_matches("_string"), untyped(bare)]
        .into_iter()
        .map(joined)
        .find(|key| *key != Key::Unknown);
    Column { key: key.unwrap_or_else(|| counted(bare)), zone }
}

/// The zone that is written behind a name; `None` when it is part of the name.
fn zone(said: &str) -> Option<Zone> {
    let ahead = said.strip_prefix("UTC").or_else(|| said.strip_prefix("GMT")).unwrap_or(said);
    match super::time::offset(ahead.as_bytes()) {
        Some(0) => return Some(Zone::Own),
        Some(minutes) => return Some(Zone::Ahead(minutes)),
        None => {}
    }
    let is_type = ["dynamic", "string", "datetime"].contains(&said);
    let is_abbreviation = said.len() < 6 && said.bytes().all(|sign| sign.is_ascii_uppercase());
    let is_untold = is_abbreviation || said.to_ascii_lowercase().contains("local");
    match (is_type, is_untold) {
        (true, _) => Some(Zone::Own),
        (_, true) => Some(Zone::Untold),
        _ => None,
    }
}

/// Without the letter of its type, which the older way of sending logs of one's own adds.
fn untyped(name: &str) -> &str {
    match name.as_bytes() {
        [.., b'_', b's' | b'g' | b't' | b'd' | b'b'] => &name[..name.len() - 2],
        _ => name,
    }
}

/// The key of `createdDateTime`, `created_date_time`, `status.errorCode`, `properties_appId`, …
fn joined(name: &str) -> Key {
    let known = Key::known(name);
    if known != Key::Unknown {
        return known;
    }
    let (path, last) = match name.rsplit_once('.') {
        Some((path, last)) => (path, last),
        None => match name.split_once('_') {
            Some((first, rest)) if PATH[2..].iter().any(|it| first.eq_ignore_ascii_case(it)) => {
                (first, rest)
            }
            _ => return Key::known(&squeezed(name)),
        },
    };
    let mut innermost = "";
    for step in path.split('.') {
        let step = squeezed(step);
        match PATH.iter().find(|known| **known == step) {
            Some(step) => innermost = step,
            None => return Key::Unknown,
        }
    }
    let key = match Key::known(last) {
        Key::Unknown => Key::known(&squeezed(last)),
        key => key,
    };
    match (innermost, key) {
        ("properties", Key::ResourceId) => Key::ResourceIdentity,
        ("properties", Key::TenantId | Key::Category | Key::Type | Key::ResultType | Key::Time) => {
            Key::Unknown
        }
        ("status", key) if !matches!(key, Key::ErrorCode | Key::FailureReason) => Key::Unknown,
        ("location" | "locationdetails", key) if key != Key::Country => Key::Unknown,
        (_, key) => key,
    }
}

/// Letters and digits alone, in lower case.
fn squeezed(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).map(|sign| sign.to_ascii_lowercase()).collect()
}

/// `count_`, `FailureCount`, `dcount_AppId`: what a query counted.
fn counted(name: &str) -> Key {
    let ends = |with: &str| {
        name.len()
            .checked_sub(with.len())
            .and_then(|at| name.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(with))
    };
    // Most names show by one letter that they are none.
    let is_counted = match name.as_bytes() {
        [.., b't' | b'T'] if ends("count") => true,
        [.., b'_'] if ends("count_") => true,
        [b'c' | b'd', ..] => {
            ["count_", "dcount_", "countif_"].iter().any(|it| name.starts_with(it))
        }
        _ => false,
    };
    if is_counted { Key::Counted } else { Key::Unknown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_with_their_decorations() {
        for (name, key) in [
            ("CreatedDateTime [UTC]", Key::CreatedDateTime),
            ("Date (UTC)", Key::CreatedDateTime),
            ("Status_dynamic", Key::Status),
            ("LocationDetails_string", Key::Location),
            ("Application ID ", Key::AppId),
            ("Sign-in error code", Key::ErrorCode),
            ("properties_appId_g", Key::AppId),
            ("ResultType_s", Key::ResultType),
        ] {
            assert_eq!(column(name), Column { key, zone: Zone::Own }, "{name}");
        }
    }

    #[test]
    fn a_column_tells_the_zone_of_its_times() {
        assert_eq!(column("TimeGenerated [Local Time]").zone, Zone::Untold);
        assert_eq!(column("CreatedDateTime [UTC+02:00]").zone, Zone::Ahead(120));
        assert_eq!(column("CreatedDateTime [UTC-5]").zone, Zone::Ahead(-300));
        assert_eq!(column("CreatedDateTime [CET]").zone, Zone::Untold);
        assert_eq!(column("IP address (seen by resource)").key, Key::Unknown);
        assert_eq!(column("Date (UTC+5:30)").zone, Zone::Ahead(330));
    }

    #[test]
    fn words_may_be_apart_and_paths_written_out() {
        for (name, key) in [
            ("created_date_time", Key::CreatedDateTime),
            ("service_principal_id", Key::ServicePrincipalId),
            ("result_type", Key::ResultType),
            ("status.errorCode", Key::ErrorCode),
            ("azure.signinlogs.properties.resource_id", Key::ResourceIdentity),
            ("azure.resource.id", Key::Unknown),
            ("properties.tenantId", Key::Unknown),
            ("location.city", Key::Unknown),
            ("_ResourceId", Key::Unknown),
            ("__UDI_RequiredFields_TenantId", Key::Unknown),
            ("FailureCount", Key::Counted),
            ("dcount_AppId", Key::Counted),
            ("discount_rate", Key::Unknown),
        ] {
            assert_eq!(Key::of(name), key, "{name}");
        }
    }
}
