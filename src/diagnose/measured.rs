//! A finding in numbers: what was seen and over how long, what was usual, how rare it is, and what would have
//! been enough.

use super::phrase;
use crate::detect::Rule;
use crate::model::Draft;
use crate::store::time;

/// The numbers of one finding. `new` is what its rule had never seen, as people call it.
pub(crate) fn numbers(kind: &str, draft: &Draft, new: &[String], enough: &str) -> String {
    let mut parts: Vec<String> = sign_ins(kind, draft).into_iter().collect();
    if !new.is_empty() {
        parts.push(format!("new {}", phrase::list(new)));
    }
    parts.extend(phrase::measures(&draft.measures));
    format!("{}; {enough} would have been enough", parts.join(", "))
}

/// The same without what it takes.
pub(crate) fn seen(kind: &str, draft: &Draft) -> String {
    let measures = phrase::measures(&draft.measures);
    sign_ins(kind, draft).into_iter().chain(measures).collect::<Vec<_>>().join(", ")
}

/// What came of events, and over how long; nothing where it is that none came.
fn sign_ins(kind: &str, draft: &Draft) -> Option<String> {
    let sign_ins = phrase::count(draft.event_count, "sign-in");
    let span = phrase::within(time(draft.started_at), time(draft.last_at));
    match kind {
        "absence" => None,
        "streak" => Some(format!("{sign_ins} in a row {span}")),
        _ => Some(format!("{sign_ins} {span}")),
    }
}

/// What would have been enough, by the numbers of the finding where it has some.
pub(crate) fn enough(rule: &Rule, draft: &Draft) -> String {
    let of_rule = || match rule.kind_name() {
        "detection" => "one".to_owned(),
        _ => rule.kind.enough(),
    };
    draft.measures.get("enough").cloned().unwrap_or_else(of_rule)
}
