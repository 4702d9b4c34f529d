//! Rows of tables, as CSV and as JSON.

use super::{json, read, refused};
use crate::model::{Form, Rejected};

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
