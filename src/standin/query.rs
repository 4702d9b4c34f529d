//! What a request to the stand-in for Graph asks for.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

/// Graph gives no more at once.
const LARGEST_PAGE: usize = 1000;

/// One request for sign-ins.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Query {
    /// Half-open: `from <= createdDateTime < to`.
    pub(super) from: DateTime<Utc>,
    pub(super) to: DateTime<Utc>,
    pub(super) kind: String,
    pub(super) top: usize,
    pub(super) is_ascending: bool,
    /// The place that the page begins at.
    pub(super) start: Option<usize>,
}

impl Query {
    /// Reads the options of a request. The error is a sentence in Graph's manner.
    pub(super) fn parse(options: &BTreeMap<String, String>) -> Result<Self, String> {
        let mut query = Self {
            from: DateTime::<Utc>::MIN_UTC,
            to: DateTime::<Utc>::MAX_UTC,
            // Graph too takes this type where no other is named.
            kind: "interactiveUser".to_owned(),
            top: LARGEST_PAGE,
            is_ascending: false,
            start: None,
        };
        for (name, value) in options {
            match name.as_str() {
                "$filter" => query.filter(value)?,
                "$top" => query.top = top(value)?,
                "$orderby" => query.is_ascending = is_ascending(value)?,
                "$skiptoken" => query.start = Some(place(value)?),
                other => return Err(format!("Query option '{other}' is not allowed.")),
            }
        }
        Ok(query)
    }

    fn filter(&mut self, filter: &str) -> Result<(), String> {
        for clause in filter.split(" and ") {
            let invalid = || format!("Invalid filter clause: {clause}");
            if let Some(kind) = clause.strip_prefix("signInEventTypes/any(t: t eq '") {
                let kind = kind.strip_suffix("')").filter(|kind| !kind.contains('\''));
                kind.ok_or_else(invalid)?.clone_into(&mut self.kind);
                continue;
            }
            // The documentation writes the two clauses of the time in one pair of parentheses.
            let words: Vec<&str> =
                clause.trim_matches(['(', ')']).split_ascii_whitespace().collect();
            let [field, operator, time] = words[..] else { return Err(invalid()) };
            let time = DateTime::parse_from_rfc3339(time).map_err(|_| invalid())?.to_utc();
            let just_behind = time.checked_add_signed(TimeDelta::nanoseconds(1)).unwrap_or(time);
            match (field, operator) {
                ("createdDateTime", "ge") => self.from = time,
                ("createdDateTime", "gt") => self.from = just_behind,
                ("createdDateTime", "lt") => self.to = time,
                ("createdDateTime", "le") => self.to = just_behind,
                _ => return Err(invalid()),
            }
        }
        Ok(())
    }
}

fn top(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|top| (1..=LARGEST_PAGE).contains(top)).ok_or_else(|| {
        format!("Invalid page size specified: '{text}'. Must be between 1 and 1000.")
    })
}

fn is_ascending(text: &str) -> Result<bool, String> {
    match text {
        "createdDateTime" | "createdDateTime asc" => Ok(true),
        "createdDateTime desc" => Ok(false),
        other => Err(format!("The $orderby expression '{other}' is not supported.")),
    }
}

/// What a `$skiptoken` says, and no one else reads.
pub(super) fn token(place: usize) -> String {
    format!("p{place:x}")
}

fn place(token: &str) -> Result<usize, String> {
    token
        .strip_prefix('p')
        .and_then(|place| usize::from_str_radix(place, 16).ok())
        .ok_or_else(|| "Invalid Skip Token".to_owned())
}

/// The half-open time that a filter is for. The error is a sentence in Graph's manner.
pub(super) fn window(filter: &str) -> Result<(DateTime<Utc>, DateTime<Utc>), String> {
    let options = BTreeMap::from([("$filter".to_owned(), filter.to_owned())]);
    Query::parse(&options).map(|query| (query.from, query.to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(options: &[(&str, &str)]) -> Result<Query, String> {
        let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        Query::parse(&options.iter().map(owned).collect())
    }

    #[test]
    fn a_filter_is_read_as_the_documentation_writes_it_and_as_we_do() {
        let time = |text: &str| text.parse::<DateTime<Utc>>().unwrap();
        let ours = "createdDateTime ge 2026-01-13T14:00:00.000000Z and createdDateTime lt \
                    2026-01-14T14:00:00Z and signInEventTypes/any(t: t eq 'managedIdentity')";
        let query = parse(&[("$filter", ours), ("$orderby", "createdDateTime asc"), ("$top", "9")]);
        let expected = Query {
            from: time("2026-01-13T14:00:00Z"),
            to: time("2026-01-14T14:00:00Z"),
            kind: "managedIdentity".to_owned(),
            top: 9,
            is_ascending: true,
            start: None,
        };
        assert_eq!(query.unwrap(), expected);
        let theirs = "(createdDateTime ge 2026-01-13T14:00:00Z and createdDateTime le \
                      2026-01-14T14:00:00Z) and signInEventTypes/any(t: t eq 'managedIdentity')";
        let query = parse(&[("$filter", theirs), ("$skiptoken", &token(300))]).unwrap();
        assert_eq!(query.to, time("2026-01-14T14:00:00.000000001Z"));
        assert_eq!((query.start, query.is_ascending, query.top), (Some(300), false, 1000));
    }

    #[test]
    fn what_graph_would_refuse_is_refused() {
        for option in [
            ("$filter", "createdDateTime ge '2026-01-13T14:00:00Z'"),
            ("$filter", "status/errorCode ne 0"),
            ("$filter", "signInEventTypes/any(t: t eq 'a' or t eq 'b')"),
            ("$top", "1001"),
            ("$orderby", "appId"),
            ("$skiptoken", ""),
            ("$skip", "5"),
        ] {
            assert!(parse(&[option]).is_err(), "{option:?}");
        }
    }
}
