//! What service principals prove themselves with, refused.

use chrono::TimeDelta;

use super::{Act, Stage};
use crate::simulate::fleet::Proof;

/// One way to be refused.
struct Refusal {
    family: &'static str,
    proof: Proof,
    rules: &'static [&'static str],
    code: i64,
    /// Before the end.
    hours: i64,
    /// Between two tries.
    seconds: i64,
    tries: i32,
    /// Until somebody mends it.
    mended: Option<i64>,
}

const REFUSALS: [Refusal; 6] = [
    Refusal {
        family: "secret_expired",
        proof: Proof::Secret,
        rules: &["credential_rejected_streak"],
        code: 7_000_222,
        hours: 92,
        seconds: 2_700,
        tries: 12,
        mended: Some(10),
    },
    Refusal {
        family: "wrong_secret",
        proof: Proof::Secret,
        rules: &["credential_rejected_spike", "credential_rejected_streak"],
        code: 7_000_215,
        hours: 66,
        seconds: 80,
        tries: 30,
        mended: Some(1),
    },
    Refusal {
        family: "certificate_expired",
        proof: Proof::Certificate,
        rules: &["credential_rejected_streak"],
        code: 1_000_502,
        hours: 50,
        seconds: 3_600,
        tries: 6,
        mended: Some(8),
    },
    Refusal {
        family: "federation_changed",
        proof: Proof::Federation,
        rules: &["federation_mismatch"],
        code: 700_213,
        hours: 38,
        seconds: 400,
        tries: 8,
        mended: Some(2),
    },
    Refusal {
        family: "disabled",
        proof: Proof::Certificate,
        rules: &["application_disabled"],
        code: 7_000_112,
        hours: 26,
        seconds: 1_900,
        tries: 4,
        mended: None,
    },
    Refusal {
        family: "blocked",
        proof: Proof::Federation,
        rules: &["blocked_by_conditional_access"],
        code: 53_003,
        hours: 14,
        seconds: 600,
        tries: 3,
        mended: Some(3),
    },
];

impl Stage<'_> {
    /// What service principals prove themselves with, refused.
    pub(super) fn credentials(&mut self) {
        for Refusal { family, proof, rules, code, hours, seconds, tries, mended } in REFUSALS {
            let Some(identity) = self.take(proof, None) else { continue };
            let from = self.before_end(hours);
            let times = self.again(from, TimeDelta::seconds(seconds), tries);
            let recovered_at = mended.map(|hours| from + TimeDelta::hours(hours));
            let resource = self.resource(identity);
            self.play(&Act { family, rules, identity, code, resource, times, recovered_at });
        }
    }
}
