//! Whole records of every form, written by hand after what was published of each.

use proptest::prelude::*;

use super::normalise;
use crate::model::{Event, EventId, Form, RawRecord, Rejected};

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

#[test]
fn a_sign_in_of_graph_says_who_what_and_how() {
    let event = json(GRAPH);
    assert_eq!(event.id, EventId::from_text("5d8b1f6a-2c4e-4f73-9b0a-6e1d7c3f8a00"));
    assert_eq!(event.created_at.to_rfc3339(), "2026-11-20T02:04:11.123456+00:00");
    assert_eq!(event.identity.app_id, "0c1d2e3f-0000-4000-8000-00000000000a");
    assert_eq!(event.identity.name, "func-orders-prod");
    assert!(event.identity.arm_resource_id.ends_with("/sites/func-orders"));
    assert_eq!(event.facet.sign_in_type, "managedIdentity");
    assert_eq!(event.facet.msi_type, "systemassigned");
    assert_eq!(event.error_code, 700_016);
    assert_eq!(event.facet.failure_reason, "Application not found.");
    assert_eq!(event.ip_address, "");
    assert_eq!(event.facet.country, "");
}

#[test]
fn an_envelope_says_the_same_and_its_time_is_not_the_events() {
    let envelope = format!(
        r#"{{"time":"2026-11-20T02:16:40Z","resourceId":"/TeNaNtS/99990000-0000-4000-8000-000000000009/providers/Microsoft.aadiam",
        "category":"ManagedIdentitySignInLogs","resultType":"700016","level":4,"properties":{GRAPH}}}"#
    );
    let (event, plain) = (json(&envelope), json(GRAPH));
    assert_eq!(event.created_at, plain.created_at);
    assert_eq!(event.id, plain.id);
    assert_eq!(event.resource, plain.resource);
    assert_eq!(event.identity.tenant_id, "99990000-0000-4000-8000-000000000009");
}

#[test]
fn keys_of_any_case_numbers_as_text_and_json_in_text_are_read() {
    let event = json(
        r#"{"TIME":"2026-11-20T02:16:40Z","CATEGORY":"ServicePrincipalSignInLogs","RESULTTYPE":"7000222",
        "PROPERTIES":"{\"id\":\"x-1\",\"createdDateTime\":\"11/20/2026 2:04:11 AM\",\"servicePrincipalName\":\"deployer\",\"status\":{\"errorCode\":\"7000222\"}}"}"#,
    );
    assert_eq!((event.error_code, &*event.identity.name), (7_000_222, "deployer"));
    assert_eq!(event.created_at.to_rfc3339(), "2026-11-20T02:04:11+00:00");
}

#[test]
fn duplicate_keys_bare_commas_and_single_quotes_are_survived() {
    let event = json(
        r#"{"id":"a","homeTenantId":"1","homeTenantId":"2","createdDateTime":"2026-11-20T02:04:11Z","appId":"b","servicePrincipalId":"c","status":{"errorCode":0,},},"#
            .trim_end_matches(','),
    );
    assert_eq!(event.error_code, 0);
    let event = json(
        "{'id':'a','createdDateTime':'2026-11-20T02:04:11Z','appId':'b','resourceDisplayName':'its','signInEventTypes':['servicePrincipal'],'status':{'errorCode':53003}}",
    );
    assert_eq!(event.error_code, 53_003);
}

#[test]
fn a_row_of_log_analytics_is_read_as_table_and_as_csv() {
    let table = r#"{"columns":["TenantId","TimeGenerated","Category","Id","ServicePrincipalName","ResultType","ResourceIdentity","AADTenantId"],
        "row":["workspace","2026-11-20T02:04:11Z","ManagedIdentitySignInLogs","a","func","700016","797f4846-ba00-4fd7-ba43-dac1f8f63013","tenant-1"]}"#;
    let event = read(Form::Table, table).unwrap();
    assert_eq!((event.error_code, &*event.identity.tenant_id), (700_016, "tenant-1"));
    assert_eq!(event.resource.id, "797f4846-ba00-4fd7-ba43-dac1f8f63013");
    let csv = "TimeGenerated [UTC],Category,Id,ServicePrincipalName,ResultType,Status_dynamic\n\
               \"11/20/2026, 2:04:11.000 AM\",ManagedIdentitySignInLogs,a,func,700016,\"{\"\"errorCode\"\":700016}\"";
    let event = read(Form::Csv, csv).unwrap();
    assert_eq!(
        (event.error_code, event.created_at.to_rfc3339().as_str()),
        (700_016, "2026-11-20T02:04:11+00:00")
    );
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
        let Err(Rejected::Broken(reason)) = read(Form::Json, text) else { panic!("{text}") };
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
