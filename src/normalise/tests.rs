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

#[track_caller]
fn refused(form: Form, text: &str, why: &str) {
    match read(form, text) {
        Err(Rejected::Broken(reason)) => assert!(reason.contains(why), "{text}: {reason}"),
        other => panic!("{text}: {other:?}"),
    }
}

#[test]
fn words_of_keys_may_be_apart() {
    let snake = r#"{"id":"x-1","created_date_time":"2026-11-20T02:04:11Z","app_id":"0c1d2e3f-0000-4000-8000-00000000000a",
        "service_principal_id":"aa11bb22-0000-4000-8000-000000000001","resource_id":"797f4846-ba00-4fd7-ba43-dac1f8f63013",
        "status":{"error_code":700016,"failure_reason":"not found"}}"#;
    let envelope = format!(
        r#"{{"time":"2026-11-20T02:16:40Z","category":"ManagedIdentitySignInLogs","result_type":"700016","properties":{snake}}}"#
    );
    for (text, kind) in [(snake, "servicePrincipal"), (&envelope, "managedIdentity")] {
        let event = json(text);
        assert_eq!((event.error_code, &*event.facet.sign_in_type), (700_016, kind), "{text}");
        assert_eq!(event.created_at.to_rfc3339(), "2026-11-20T02:04:11+00:00");
        assert_eq!(event.identity.service_principal_id, "aa11bb22-0000-4000-8000-000000000001");
        assert_eq!(event.resource.id, "797f4846-ba00-4fd7-ba43-dac1f8f63013");
    }
}

#[test]
fn properties_that_cannot_be_read_make_no_event() {
    let envelope = |properties: &str| {
        format!(
            r#"{{"time":"2026-11-20T02:16:40Z","category":"ManagedIdentitySignInLogs","resultType":"700016","properties":{properties}}}"#
        )
    };
    let text = |times: usize| {
        (0..times).fold(GRAPH.to_owned(), |text, _| serde_json::Value::String(text).to_string())
    };
    for times in 0..4 {
        let record = envelope(&text(times));
        assert_eq!(json(&record).id, json(GRAPH).id, "{times}");
        assert_eq!(json(&record).created_at, json(GRAPH).created_at, "{times}");
    }
    let cut_off = serde_json::Value::String(GRAPH[..200].to_owned()).to_string();
    refused(Form::Json, &envelope(&cut_off), "it was cut off");
    refused(Form::Json, &envelope("\"see above\""), "text that is no JSON");
    refused(Form::Json, &envelope("null"), "it does not say who signed in");
}

#[test]
fn a_row_that_says_nothing_of_its_result_is_no_success() {
    refused(
        Form::Json,
        r#"{"Id":"1","TimeGenerated":"2026-11-20T02:04:11Z","AppId":"b","Type":"AADServicePrincipalSignInLogs"}"#,
        "nothing of its result",
    );
    let of_graph = r#"{"id":"1","createdDateTime":"2026-11-20T02:04:11Z","appId":"b","servicePrincipalId":"c"}"#;
    assert_eq!(json(of_graph).error_code, 0);
    refused(
        Form::Csv,
        "TimeGenerated,Type,Id,AppId\n2026-11-20T02:04:11Z,AADManagedIdentitySignInLogs,1,b",
        "nothing of its result",
    );
}

#[test]
fn a_row_that_does_not_fit_its_header_is_refused() {
    let header = "TimeGenerated,Type,Id,AppId,ResultType";
    for row in [
        "2026-11-20T02:04:11Z,AADManagedIdentitySignInLogs,1,b",
        "2026-11-20T02:04:11Z,AADManagedIdentitySignInLogs,1,b,0,c",
    ] {
        refused(Form::Csv, &format!("{header}\n{row}"), "and the header 5");
    }
    let row = "2026-11-20T02:04:11Z,AADManagedIdentitySignInLogs,1,b,0,,";
    assert_eq!(read(Form::Csv, &format!("{header}\n{row}")).unwrap().error_code, 0);
}

#[test]
fn the_head_of_a_column_tells_the_zone_of_its_times() {
    let row = |zone: &str, time: &str| {
        format!(
            "CreatedDateTime [{zone}],Type,Id,AppId,ResultType\n{time},AADManagedIdentitySignInLogs,1,b,0"
        )
    };
    for (zone, time) in [
        ("UTC", "2026-11-20 02:04:11"),
        ("UTC+02:00", "2026-11-20 04:04:11"),
        ("UTC+02:00", "2026-11-20T02:04:11Z"),
    ] {
        let row = row(zone, time);
        let event = read(Form::Csv, &row).unwrap();
        assert_eq!(event.created_at.to_rfc3339(), "2026-11-20T02:04:11+00:00", "{zone} {time}");
    }
    refused(Form::Csv, &row("Local Time", "2026-11-20 04:04:11"), "set to UTC");
    let table = r#"{"columns":["CreatedDateTime [UTC-05:00]","Type","Id","AppId","ResultType"],
        "row":["2026-11-19 21:04:11","AADManagedIdentitySignInLogs","1","b","0"]}"#;
    let event = read(Form::Table, table).unwrap();
    assert_eq!(event.created_at.to_rfc3339(), "2026-11-20T02:04:11+00:00");
}

#[test]
fn what_a_query_counted_is_no_sign_in() {
    for (form, text) in [
        (
            Form::Csv,
            "TimeGenerated,Type,ServicePrincipalId,ResultType,count_\n2026-11-20T02:00:00Z,AADServicePrincipalSignInLogs,c,0,7",
        ),
        (
            Form::Json,
            r#"{"Type":"SigninLogs","AppId":"b","count_":7,"TimeGenerated":"2026-11-20T02:00:00Z","ResultType":"0"}"#,
        ),
        (
            Form::Json,
            r#"{"AppId":"b","FailureCount":7,"TimeGenerated":"2026-11-20T02:00:00Z","ResultType":"0"}"#,
        ),
    ] {
        assert_eq!(read(form, text), Err(Rejected::Other("query summary")), "{text}");
    }
    let text = "Managed identity ID,Managed identity name,Number of sign-ins\nc,func,7";
    assert_eq!(read(Form::Csv, text), Err(Rejected::Other("sign-in summary")));
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

#[test]
fn a_tenant_that_is_an_id_is_surer_than_one_that_is_none() {
    let tenant = "99990000-0000-4000-8000-000000000009";
    for (stated, path) in [
        ("tenantId", format!("/TENANTS/{tenant}/providers/Microsoft.aadiam")),
        ("66ea54eb-blah", format!("/tenants/{tenant}/providers/Microsoft.aadiam")),
        ("", tenant.to_owned()),
        (tenant, "/tenants/other/providers/Microsoft.aadiam".to_owned()),
    ] {
        let envelope = format!(
            r#"{{"category":"ManagedIdentitySignInLogs","tenantId":"{stated}","resourceId":"{path}","properties":{GRAPH}}}"#
        );
        assert_eq!(json(&envelope).identity.tenant_id, tenant, "{stated} {path}");
    }
}

#[test]
fn a_failure_is_known_by_its_number_wherever_that_stands() {
    for (result, code) in [
        (
            r#""ResultType":"Failure","ResultDescription":"AADSTS7000222: The keys are expired.""#,
            7_000_222,
        ),
        (r#""ResultType":"50126: Invalid username or password""#, 50_126),
        (r#""ResultType":"aadsts700016""#, 700_016),
        (r#""ResultType":"Failure""#, -1),
        (r#""ResultType":"700016","Status":{"errorCode":0}"#, 700_016),
        (r#""ResultType":"0","Status":{"errorCode":700016}"#, 700_016),
        (r#""ResultType":"Success""#, 0),
    ] {
        let text = format!(
            r#"{{"TimeGenerated":"2026-11-20T02:04:11Z","Type":"AADServicePrincipalSignInLogs","Id":"1","AppId":"b",{result}}}"#
        );
        assert_eq!(json(&text).error_code, code, "{text}");
    }
}

#[test]
fn rows_without_a_kind_are_known_by_their_columns() {
    for (form, text, kind) in [
        (
            Form::Csv,
            "$table,TimeGenerated [UTC],Id,ServicePrincipalId,ResultType\nAADManagedIdentitySignInLogs,2026-11-20T02:04:11Z,1,c,0",
            "managedIdentity",
        ),
        (
            Form::Csv,
            "TimeGenerated,ServicePrincipalName,AppId,ResultType\n2026-11-20T02:04:11Z,func,b,700016",
            "servicePrincipal",
        ),
        (
            Form::Json,
            r#"{"TimeGenerated":"2026-11-20T02:04:11Z","ServicePrincipalName":"func","AppId":"b","ResultType":"0"}"#,
            "servicePrincipal",
        ),
        (
            Form::Json,
            r#"{"TimeGenerated":"2026-11-20T02:04:11Z","Type":"AADManagedIdentitySignInLogs_SRCH","AppId":"b","ResultType":"0"}"#,
            "managedIdentity",
        ),
        (
            Form::Json,
            r#"{"Timestamp":"2026-11-20T02:04:11Z","ApplicationId":"b","IsManagedIdentity":true,"ErrorCode":0,"RequestId":"1","ServicePrincipalId":"c"}"#,
            "managedIdentity",
        ),
        (
            Form::Json,
            r#"{"Timestamp":"2026-11-20T02:04:11Z","ApplicationId":"b","IsManagedIdentity":0,"ErrorCode":0,"RequestId":"1","ServicePrincipalId":"c"}"#,
            "servicePrincipal",
        ),
    ] {
        assert_eq!(read(form, text).unwrap().facet.sign_in_type, kind, "{text}");
    }
}

#[test]
fn an_elastic_document_is_read_without_the_record_it_was_made_from() {
    let event = json(
        r#"{"@timestamp":"2026-11-20T02:16:40Z","azure":{"tenant_id":"99990000-0000-4000-8000-000000000009","resource":{"id":"/tenants/x"},
        "signinlogs":{"category":"ServicePrincipalSignInLogs","result_type":"7000222","properties":{"id":"x-1","created_at":"2026-11-20T02:04:11Z",
        "app_id":"b","service_principal_id":"c","resource_id":"d","status":{"error_code":7000222}}}}}"#,
    );
    assert_eq!((event.error_code, &*event.identity.service_principal_id), (7_000_222, "c"));
    assert_eq!(event.identity.tenant_id, "99990000-0000-4000-8000-000000000009");
    assert_eq!(event.created_at.to_rfc3339(), "2026-11-20T02:04:11+00:00");
}

#[test]
fn what_people_add_to_json_is_passed_over() {
    let text = GRAPH
        .replacen("{\"id\"", "{// the first\n/* of \"two\" */\"id\"", 1)
        .replace("func-orders-prod", "func-\\ud800")
        .replace("\"location\":", "..., \"location\":");
    let event = json(&text);
    assert_eq!((event.error_code, &*event.identity.name), (700_016, "func-\u{fffd}"));
    for time in [
        r#"{"$date":1795140251000}"#,
        r#"{"value":"\/Date(1795140251000)\/","DateTime":"20 November"}"#,
    ] {
        let text = GRAPH.replace("\"2026-11-20T02:04:11.1234567Z\"", time);
        assert_eq!(json(&text).created_at.to_rfc3339(), "2026-11-20T02:04:11+00:00", "{time}");
    }
}

#[test]
fn a_row_of_any_other_table_is_another_logs() {
    for text in [
        r#"{"TenantId":"w","TimeGenerated":"2026-11-20T02:04:11Z","Computer":"x","Type":"Heartbeat"}"#,
        r#"{"TenantId":"w","TimeGenerated":"2026-11-20T02:04:11Z","AlertName":"x","Type":"SecurityAlert"}"#,
        r#"{"id":"1","isProcessing":false,"riskLastUpdatedDateTime":null,"riskState":"atRisk","appId":"b"}"#,
        r#"{"id":"1","appId":"b","lastSignInActivity":{"lastSignInDateTime":"2026-11-20T02:04:11Z"}}"#,
        r#"{"CreationTime":"2026-11-20T02:04:11","Id":"1","Operation":"FileAccessed","RecordType":6}"#,
    ] {
        assert!(matches!(read(Form::Json, text), Err(Rejected::Other(_))), "{text}");
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
