//! Tests of the whole, one binary: `rules` reads every rule file that ships.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should fail where it stands")]

mod rules;
