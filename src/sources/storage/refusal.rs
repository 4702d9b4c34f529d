//! What Azure Storage answers in place of what was asked for, and what to say of it.

use azure_core::Error;
use azure_core::error::ErrorKind;
use azure_core::http::StatusCode;
use azure_core::http::headers::RETRY_AFTER;
use chrono::{DateTime, Utc};

use super::settings::Settings;
use crate::sources::FetchError;
use crate::sources::http;

/// Whether the service gave this code.
pub(super) fn has_code(error: &Error, codes: &[&str]) -> bool {
    code(error).is_some_and(|code| codes.contains(&code))
}

fn code(error: &Error) -> Option<&str> {
    match error.kind() {
        ErrorKind::HttpResponse { error_code, .. } => error_code.as_deref(),
        _ => None,
    }
}

/// Where the account is, as a person writes it.
pub(super) fn root(settings: &Settings) -> &str {
    settings.endpoint.as_str().trim_end_matches('/')
}

/// Says what came in place of what was asked for of a container.
pub(super) fn explain(
    settings: &Settings,
    container: &str,
    error: &Error,
    now: DateTime<Utc>,
) -> FetchError {
    match error.kind() {
        ErrorKind::HttpResponse { status, raw_response, .. } => {
            let header = raw_response
                .as_ref()
                .and_then(|response| response.headers().get_optional_str(&RETRY_AFTER));
            let retry_after = header.and_then(|text| http::wait(text, now));
            match answered(settings, container, *status, code(error)) {
                FetchError::Transient { sentence, .. } => {
                    FetchError::Transient { sentence, retry_after }
                }
                other => other,
            }
        }
        // The sentence of our own tokens, which were asked for more than once.
        ErrorKind::Credential => FetchError::permanent(error.to_string()),
        ErrorKind::DataConversion => FetchError::transient(format!(
            "{} gave a listing of `{container}` that cannot be read: {}",
            root(settings),
            http::cause(error)
        )),
        _ => broken(settings, error),
    }
}

/// What is said of an answer with an error in it.
fn answered(
    settings: &Settings,
    container: &str,
    status: StatusCode,
    code: Option<&str>,
) -> FetchError {
    let (root, number) = (root(settings), u16::from(status));
    let said = match code {
        Some(code) => format!("{number}, {}", http::quoted(code, &[])),
        None => number.to_string(),
    };
    match (number, code) {
        (403, Some("AuthorizationPermissionMismatch")) => {
            FetchError::permanent(may_not_read(settings, &said))
        }
        (403, Some("AuthorizationFailure")) => FetchError::permanent(format!(
            "{root} lets nobody in from here ({said}); let this machine through the networking rules \
             of the storage account, or give it a private endpoint there"
        )),
        (403, _) => FetchError::permanent(format!(
            "{root} refuses to show `{container}` ({said}); check that `credential` is of the tenant \
             of the storage account, and that the account is enabled"
        )),
        (401, _) => FetchError::permanent(format!(
            "{root} refused the token of tenant `{}` ({said}); check that the subscription of the \
             storage account is in that tenant",
            settings.tenant_id
        )),
        (404, _) => FetchError::permanent(format!(
            "{root} has no such place ({said}); check `account` and `endpoint`"
        )),
        (400, _) => FetchError::permanent(format!(
            "{root} does not take the request for `{container}` ({said}); check `endpoint` and \
             `containers`"
        )),
        (300..400, _) => FetchError::permanent(format!(
            "{root} sends elsewhere ({said}), which is not followed because the token is not for \
             there; set `endpoint` to where the account is"
        )),
        (429 | 503, _) => FetchError::transient(format!(
            "{root} asks for fewer requests ({said}); if this comes often, set a longer `interval`"
        )),
        _ => FetchError::transient(format!("{root} failed over `{container}` ({said})")),
    }
}

/// What to type so that the identity may read: being the owner of an account is not enough for that.
fn may_not_read(settings: &Settings, said: &str) -> String {
    let account = settings.account.as_deref().unwrap_or("<account>");
    format!(
        "the identity may not read the blobs of {} ({said}); give it the role `Storage Blob Data \
         Reader`, which `Owner` and `Contributor` do not hold: az role assignment create --role \
         \"Storage Blob Data Reader\" --assignee-object-id <object id of the identity> \
         --assignee-principal-type ServicePrincipal --scope \"$(az storage account show --name \
         {account} --query id --output tsv)\"; it can take ten minutes to show",
        root(settings)
    )
}

/// What is said of a request that got no answer, or half of one.
fn broken(settings: &Settings, error: &Error) -> FetchError {
    let (root, cause) = (root(settings), http::cause(error));
    if is_timeout(error) {
        let waited = settings.timeout.as_secs();
        return FetchError::transient(format!(
            "{root} did not answer within {waited} s; if it stays so, set a longer `timeout`"
        ));
    }
    if matches!(error.kind(), ErrorKind::Connection) {
        return FetchError::transient(format!(
            "cannot reach {root}: {cause}; check `account` or `endpoint`, the network and the proxy, and \
             for a certificate of your own authority `ca_file`"
        ));
    }
    FetchError::transient(format!("the connection to {root} broke: {cause}"))
}

fn is_timeout(error: &Error) -> bool {
    let mut inner: Option<&dyn std::error::Error> = Some(error);
    while let Some(error) = inner {
        if error.downcast_ref::<reqwest::Error>().is_some_and(reqwest::Error::is_timeout) {
            return true;
        }
        inner = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    use crate::config::Section;

    #[test]
    fn an_identity_without_the_role_is_told_what_to_type() {
        let text = "tenant_id = \"72f988bf-86f1-41af-91ab-2d7cd011db47\"\naccount = \"logs\"";
        let section = Section::of("source", "storage", "blobs", text.parse().unwrap());
        let settings = Settings::read(&section).unwrap();
        let told = |status: u16, code| match answered(&settings, "c", status.into(), code) {
            FetchError::Permanent { sentence } => (true, sentence),
            other => (false, other.to_string()),
        };
        let (is_permanent, sentence) = told(403, Some("AuthorizationPermissionMismatch"));
        assert!(is_permanent && sentence.contains("`Storage Blob Data Reader`"), "{sentence}");
        assert!(sentence.contains("az role assignment create"), "{sentence}");
        assert!(sentence.contains("--name logs"), "{sentence}");
        let (is_permanent, sentence) = told(403, Some("AuthorizationFailure"));
        assert!(is_permanent && sentence.contains("networking rules"), "{sentence}");
        let (is_permanent, sentence) = told(503, Some("ServerBusy"));
        assert!(!is_permanent && sentence.contains("503, ServerBusy"), "{sentence}");
        assert!(told(301, None).0 && !told(500, None).0);
    }
}
