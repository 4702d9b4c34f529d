//! Whole records of every form, written by hand after what was published of each.

/// Records that are JSON: of Graph, in envelopes, in documents.
mod json;
/// Rows of tables, as CSV and as JSON.
mod rows;

use proptest::prelude::*;

use super::normalise;
use crate::model::{Event, Form, RawRecord, Rejected};

#[track_caller]
fn json(text: &str) -> Event<'_> {
    read(Form::Json, text).unwrap()
}

fn read(form: Form, text: &str) -> Result<Event<'_>, Rejected> {
    normalise(&RawRecord { form, bytes: text.as_bytes(), place: 1 })
}

const GRAPH: &str = r#"{"id":"5d8b1f6a-2c4e-4f73-9b0a-6e1d7c3f8a00","createdDateTime":"2026-11-20T02:04:11.1234567Z",
 "appId":"0C1D2E3F-0000-4000-8000-00000000000A","appDisplayName":"func-orders","servicePrincipalId":"aa11bb22-0000-4000-8000-000000000001",
 "servicePrincipalName":"func-orders-prod","ipAddress":"","resourceId":"797f4846-ba00-4fd7-ba43-dac1f8f63013",
 "resourceDisplayName":"Windows Azure Service Management API","signInEventTypes":["managedIdentity"],
 "status":{"errorCode":700016,"failureReason":"Application not found.","additionalDetails":null},
 "managedServiceIdentity":{"msiType":"SystemAssigned","associatedResourceId":"/subscriptions/s/resourceGroups/g/providers/Microsoft.Web/sites/func-orders"},
 "location":{"city":"","countryOrRegion":"","geoCoordinates":{"latitude":0.0}}}"#;

#[track_caller]
fn refused(form: Form, text: &str, why: &str) {
    match read(form, text) {
        Err(Rejected::Broken(reason)) => assert!(reason.contains(why), "{text}: {reason}"),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn other_logs_are_recognised_and_not_called_broken() {
    for (text, log) in [
        (
            r#"{"time":"2026-11-20T02:04:11Z","category":"AuditLogs","properties":{"activityDisplayName":"Add owner"}}"#,
            "directory audit",
        ),
        (
            r#"{"time":"2026-11-20T02:04:11Z","category":"Administrative","resourceId":"/SUBSCRIPTIONS/1"}"#,
            "subscription activity",
        ),
        (
            r#"{"id":"1","riskEventType":"unfamiliarFeatures","detectedDateTime":"2026-11-20T02:04:11Z"}"#,
            "risk",
        ),
        (
            r#"{"id":"1","signInCount":5,"appId":"x","servicePrincipalId":"y","createdDateTime":"2026-11-20T02:04:11Z"}"#,
            "sign-in summary",
        ),
    ] {
        assert_eq!(read(Form::Json, text), Err(Rejected::Other(log)), "{text}");
    }
}

#[test]
fn what_cannot_be_read_says_why() {
    for (text, why) in [
        ("{", "it is not JSON"),
        ("{}", "it is no sign-in"),
        (r#"{"category":"SignInLogs","properties":{"id":"1","appId":"x"}}"#, "it has no time"),
        (
            r#"{"category":"SignInLogs","properties":{"id":"1","createdDateTime":"soon"}}"#,
            "`createdDateTime` holds `soon`",
        ),
    ] {
        let Err(Rejected::Broken(reason) | Rejected::Unrecognised(reason)) = read(Form::Json, text)
        else {
            panic!("{text}")
        };
        assert!(reason.contains(why), "{text}: {reason}");
    }
}

#[test]
fn a_sign_in_without_an_id_always_gets_the_same() {
    let text = r#"{"createdDateTime":"2026-11-20T02:04:11Z","appId":"b","servicePrincipalId":"c","status":{"errorCode":0}}"#;
    let other = text.replace(":11Z", ":12Z");
    assert_eq!(json(text).id, json(text).id);
    assert_ne!(json(text).id, json(&other).id);
}

#[test]
fn words_for_nothing_unite_no_strangers() {
    for word in ["None", "N/A", "nan", "-", "undefined", "(null)", "Unknown", "null"] {
        let text = format!(
            r#"{{"id":"1","createdDateTime":"2026-11-20T02:04:11Z","appId":"b","servicePrincipalId":"{word}","servicePrincipalName":"{word}",
            "appDisplayName":"func","resourceDisplayName":"x","status":{{"errorCode":0}}}}"#
        );
        let identity = json(&text).identity;
        assert_eq!((&*identity.service_principal_id, &*identity.name), ("", "func"), "{word}");
    }
}

proptest! {
    #[test]
    fn nothing_that_is_fed_in_breaks_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        for form in [Form::Json, Form::Csv, Form::Table] {
            let _ = normalise(&RawRecord { form, bytes: &bytes, place: 1 });
        }
    }

    #[test]
    fn a_mutated_record_is_read_or_refused(
        edits in prop::collection::vec((0..GRAPH.len(), 0..4_u8, any::<u8>()), 1..8),
    ) {
        let mut bytes = GRAPH.as_bytes().to_vec();
        for (place, kind, byte) in edits {
            let Some(last) = bytes.len().checked_sub(1) else { break };
            let place = place.min(last);
            match kind {
                0 => bytes[place] = byte,
                1 => bytes.insert(place, byte),
                2 => drop(bytes.remove(place)),
                _ => bytes.truncate(place.max(1)),
            }
        }
        for form in [Form::Json, Form::Csv, Form::Table] {
            if let Err(Rejected::Broken(reason)) = normalise(&RawRecord { form, bytes: &bytes, place: 1 }) {
                prop_assert!(!reason.is_empty());
            }
        }
    }
}
