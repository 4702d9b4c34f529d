//! Graph's own counts of sign-ins by the hour, as the stand-in gives them.

use axum::extract;
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};

use super::graph::{Asked, Shares, unknown_path};
use super::query;

/// `getSummarizedMSISignIns` and its siblings.
pub(super) async fn answer(
    extract::State(shared): Shares,
    extract::Path(function): extract::Path<String>,
    extract::Query(options): Asked,
    headers: HeaderMap,
) -> Response {
    let kind = match function.split('(').next() {
        Some("getSummarizedMSISignIns") => "managedIdentity",
        Some("getSummarizedServicePrincipalSignIns") => "servicePrincipal",
        Some("getSummarizedNonInteractiveSignIns") => "nonInteractiveUser",
        _ => return unknown_path(extract::State(shared)).await,
    };
    if let Some(refusal) = shared.let_in(&headers, kind) {
        return refusal;
    }
    let filter = options.get("$filter").map_or("", String::as_str);
    let window = query::window(&filter.replace("firstSignInDateTime", "createdDateTime"));
    match window {
        Ok((from, to)) if shared.options.counts => {
            axum::Json(serde_json::json!({"value": shared.shelf.counts(kind, from, to)}))
                .into_response()
        }
        _ => unknown_path(extract::State(shared)).await,
    }
}
