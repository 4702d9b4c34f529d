//! Signinel: watches Microsoft Entra sign-in logs for workload identities.
//!
//! The modules stand in the order in which a sign-in walks through them. A module imports only from
//! those above it; `tests/integration/architecture.rs` holds the order.

/// The words that all others share.
pub mod model;

/// The time, and nothing else.
pub mod clock;

/// What the operator decides.
pub mod config;

/// The rows that the stages meet at.
pub mod store;

/// What the rules say of events.
pub mod detect;

/// What belongs together, and when it is over.
pub mod incidents;

/// What can be said of an incident.
pub mod diagnose;

/// Who is told what, and that it arrives.
pub mod notify;

/// Stand-ins on loopback for what the program talks to, for `demo` and the tests.
pub mod standin;
