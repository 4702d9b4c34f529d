//! Graph's own counts of sign-ins by the hour: `auditLogs/getSummarizedMSISignIns` and its siblings (beta).

use serde::Deserialize;

use crate::model::Summary;

/// The function that counts a sign-in type; users' interactive sign-ins have none.
pub(super) fn function(head: &str) -> Option<&'static str> {
    match head {
        "managedIdentity" => Some("getSummarizedMSISignIns"),
        "servicePrincipal" => Some("getSummarizedServicePrincipalSignIns"),
        "nonInteractiveUser" => Some("getSummarizedNonInteractiveSignIns"),
        _ => None,
    }
}

#[derive(Deserialize)]
struct Body {
    value: Vec<Row>,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Row {
    service_principal_id: Option<String>,
    app_id: Option<String>,
    resource_id: Option<String>,
    status: Status,
    sign_in_count: u64,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    error_code: i64,
}

/// The counts of one page; `None` where it is not one.
pub(super) fn read(body: &[u8]) -> Option<Vec<Summary>> {
    let Body { value } = serde_json::from_slice(body).ok()?;
    let id = |text: Option<String>| {
        text.filter(|text| !text.starts_with("00000000-0000-0000-0000-00000000000"))
            .map(|text| text.to_lowercase())
            .unwrap_or_default()
    };
    Some(
        value
            .into_iter()
            .map(|row| Summary {
                service_principal_id: id(row.service_principal_id),
                app_id: id(row.app_id),
                resource_id: id(row.resource_id),
                error_code: row.status.error_code,
                count: row.sign_in_count,
            })
            .collect(),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAGE: &str = r#"{"value":[{"servicePrincipalId":"A","appId":"b","status":{"errorCode":7},"signInCount":5}]}"#;

    #[test]
    fn a_page_of_counts_is_read() {
        let read = read(PAGE.as_bytes()).unwrap();
        assert_eq!(
            (read[0].service_principal_id.as_str(), read[0].error_code, read[0].count),
            ("a", 7, 5)
        );
    }

    proptest! {
        #[test]
        fn counts_that_break_off_are_none(cut in 0..PAGE.len(), at in 0..PAGE.len(), byte in any::<u8>()) {
            prop_assert_eq!(read(&PAGE.as_bytes()[..cut]), None);
            let mut page = PAGE.as_bytes().to_vec();
            page[at] = byte;
            prop_assert!(read(&page).is_none_or(|rows| rows.len() == 1));
        }
    }
}
