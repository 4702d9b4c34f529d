//! What was made to happen, so that it can be compared with what is found.

use chrono::{DateTime, Utc};
use serde::Serialize;

/// One scenario.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Label {
    pub family: &'static str,
    /// It only looks like trouble: nothing should be found.
    pub is_benign: bool,
    /// The rules that should be met, one at least.
    pub rules: &'static [&'static str],
    pub service_principal_id: String,
    pub app_id: String,
    pub name: String,
    /// The first and the last bad sign-in.
    pub started_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    /// The first good one after; absent where it goes on, or heals without one.
    pub recovered_at: Option<DateTime<Utc>>,
    /// AADSTS numbers, 0 for tokens issued.
    pub error_codes: Vec<i64>,
    /// Bad sign-ins.
    pub sign_ins: u64,
}
