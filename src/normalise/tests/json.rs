//! Records that are JSON: of Graph, in envelopes, in documents.

use super::{GRAPH, json, refused};
use crate::model::{EventId, Form};

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
