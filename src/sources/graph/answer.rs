//! What Graph answers, and what to say of it.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::settings::Settings;
use crate::sources::http;
use crate::sources::http::quoted;
use crate::sources::{Ask, FetchError};

const READ_ALL_LOGS: &str = "b0afded3-3588-46d8-8b3d-9842eff778da";
const READ_DIRECTORY: &str = "7ab1d382-f21e-4acd-a863-ba3e13f7da61";
/// Microsoft Graph itself, the same in every tenant.
const GRAPH_APP: &str = "00000003-0000-0000-c000-000000000000";

/// What is read of a page here: that it is one, and where the next is.
#[derive(Deserialize)]
struct Envelope {
    #[serde(rename = "@odata.nextLink")]
    next: Option<String>,
    value: Option<Vec<IgnoredAny>>,
}

/// The `nextLink` of a page, or why the body is none.
pub(super) fn next_link(body: &[u8]) -> Result<Option<String>, String> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Err("the answer is empty".to_owned());
    }
    match serde_json::from_slice::<Envelope>(body) {
        Ok(Envelope { value: Some(_), next }) => Ok(next),
        Ok(Envelope { value: None, .. }) => Err("the answer has no `value`".to_owned()),
        Err(error) if error.is_eof() => Err("the answer breaks off".to_owned()),
        Err(_) => Err("the answer is not a page in JSON".to_owned()),
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    error: GraphError,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct GraphError {
    code: String,
    message: String,
}

/// An answer that is not a page.
pub(super) struct Refusal<'a> {
    pub(super) settings: &'a Settings,
    pub(super) head: &'a str,
    pub(super) ask: &'a Ask,
    pub(super) now: DateTime<Utc>,
    /// Struck out of what is quoted.
    pub(super) token: &'a str,
}

impl Refusal<'_> {
    pub(super) fn explain(
        &self,
        status: StatusCode,
        headers: &HeaderMap,
        body: &[u8],
    ) -> FetchError {
        let error = serde_json::from_slice::<ErrorBody>(body).unwrap_or_default().error;
        let said = self.said(status, &error);
        let root = self.root();
        match status {
            StatusCode::BAD_REQUEST => self.bad_request(&said),
            StatusCode::UNAUTHORIZED => FetchError::permanent(format!(
                "{root} refused the token for tenant `{}` with scope `{}` ({said}); check that \
                 `tenant_id` is the tenant of the identity, and that `cloud`, `endpoint` and `scope` \
                 are of one cloud",
                self.settings.tenant_id, self.settings.scope
            )),
            StatusCode::FORBIDDEN => self.forbidden(&error, &said),
            StatusCode::NOT_FOUND => FetchError::permanent(format!(
                "{root} has no sign-in logs ({said}); check `endpoint` and `cloud`"
            )),
            StatusCode::TOO_MANY_REQUESTS => FetchError::Transient {
                sentence: format!(
                    "{root} asks for fewer requests ({said}); if this comes often, another program \
                     signs in as the same application: set a lower `requests_per_10s`"
                ),
                retry_after: self.retry_after(headers),
            },
            _ if status.is_redirection() => FetchError::permanent(format!(
                "{root} sends elsewhere ({said}), which is not followed because the token is not \
                 for there; set `endpoint` to where Graph is"
            )),
            _ if status.is_server_error() => FetchError::TooMuch {
                sentence: format!(
                    "{root} failed ({said}); if it stays so, set a shorter `window`, so that it has \
                     less to look for at once"
                ),
                retry_after: self.retry_after(headers),
            },
            _ => FetchError::Transient {
                sentence: format!("{root} gave an answer that is not known ({said})"),
                retry_after: self.retry_after(headers),
            },
        }
    }

    fn root(&self) -> String {
        root(self.settings)
    }

    /// The status, and what Graph says of it.
    fn said(&self, status: StatusCode, error: &GraphError) -> String {
        let said: Vec<String> = [&error.code, &error.message]
            .into_iter()
            .map(|text| quoted(text, &[self.token]))
            .filter(|text| !text.is_empty())
            .collect();
        if said.is_empty() {
            status.to_string()
        } else {
            format!("{}, {}", status.as_u16(), said.join(": "))
        }
    }

    fn bad_request(&self, said: &str) -> FetchError {
        let (root, head) = (self.root(), self.head);
        match self.ask {
            // The link is Graph's own; the window that is asked for next has a fresh one.
            Ask::Next(_) => FetchError::Stale {
                sentence: format!("{root} no longer takes its own nextLink ({said})"),
            },
            Ask::Window { from, .. } => FetchError::OutOfReach {
                sentence: format!(
                    "{root} does not take the request for {head} sign-ins since {} ({said}); if \
                     the type is not known there, take it out of `sign_in_types`",
                    super::time(*from)
                ),
            },
        }
    }

    fn forbidden(&self, error: &GraphError, said: &str) -> FetchError {
        let tenant = &self.settings.tenant_id;
        if error.code == "Authentication_RequestFromNonPremiumTenantOrB2CTenant" {
            return FetchError::permanent(format!(
                "tenant `{tenant}` has no Entra ID P1 or P2, without which Graph gives no sign-ins \
                 ({said}); buy at least one licence, or set `tenant_id` to a tenant that has one"
            ));
        }
        let root = self.settings.cloud.graph_root();
        FetchError::permanent(format!(
            "the identity may not read the sign-ins of tenant `{tenant}` ({said}); grant it the \
             application permission `AuditLog.Read.All`: az rest --method POST --uri \
             {root}/v1.0/servicePrincipals/<object id of the identity>/appRoleAssignments --body \
             '{{\"principalId\":\"<object id of the identity>\",\"resourceId\":\"<object id of \
             Graph>\",\"appRoleId\":\"{READ_ALL_LOGS}\"}}', where `az ad sp show --id {GRAPH_APP} \
             --query id` gives the object id of Graph; if it stays so, grant `Directory.Read.All` \
             ({READ_DIRECTORY}) in the same way; Azure keeps the token of a managed identity for up \
             to 24 hours, so that a permission can take as long to show"
        ))
    }

    /// How long to wait, where Graph says it. Without it, the caller decides.
    fn retry_after(&self, headers: &HeaderMap) -> Option<Duration> {
        http::wait(headers.get(RETRY_AFTER)?.to_str().ok()?, self.now)
    }
}

/// What is said of a request that got no answer, or half of one.
pub(super) fn broken(settings: &Settings, error: &reqwest::Error) -> FetchError {
    let root = root(settings);
    if error.is_timeout() {
        return timed_out(settings);
    }
    let cause = http::cause(error);
    if error.is_connect() {
        return FetchError::transient(format!(
            "cannot reach {root}: {cause}; check the network, the proxy, and `endpoint`"
        ));
    }
    FetchError::transient(format!("the connection to {root} broke: {cause}"))
}

/// What is said of a request that took too long.
pub(super) fn timed_out(settings: &Settings) -> FetchError {
    let (root, waited) = (root(settings), settings.timeout.as_secs());
    let sentence = format!(
        "{root} did not answer within {waited} s; if it stays so, set a shorter `window`, or a \
         longer `timeout`"
    );
    FetchError::TooMuch { sentence, retry_after: None }
}

/// Where Graph is, as a person writes it.
pub(super) fn root(settings: &Settings) -> String {
    settings.endpoint.as_str().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PAGE: &str = r#"{"@odata.nextLink":"https://x/?a=1","value":[{"id":"a","b":[1,null]}]}"#;

    #[test]
    fn a_page_tells_where_the_next_is() {
        let link = |body: &str| next_link(body.as_bytes());
        assert_eq!(link("{\"value\":[{\"a\":[1]}]}"), Ok(None));
        let with = "{\"@odata.nextLink\":\"https://x/?a=\\u0026\",\"value\":[]}";
        assert_eq!(link(with), Ok(Some("https://x/?a=&".to_owned())));
        assert!(link(" \n").is_err() && link("[]").is_err() && link("{\"value\":null}").is_err());
    }

    proptest! {
        #[test]
        fn a_page_that_is_not_whole_is_never_taken_for_the_last(cut in 0..PAGE.len(), at in 0..PAGE.len(), byte in any::<u8>()) {
            prop_assert!(next_link(&PAGE.as_bytes()[..cut]).is_err());
            let mut page = PAGE.as_bytes().to_vec();
            page[at] = byte;
            // A changed name of a key is all that may hide the link.
            if next_link(&page) == Ok(None) {
                prop_assert!((1..17).contains(&at), "{}", String::from_utf8_lossy(&page));
            }
        }
    }
}
