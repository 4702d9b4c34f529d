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

/// Where records come from.
pub mod sources;

/// What a record says.
pub mod normalise;

/// The rows that the stages meet at.
pub mod store;

/// How records come into the store.
pub mod ingest;

/// What the rules say of events.
pub mod detect;

/// What belongs together, and when it is over.
pub mod incidents;

/// What can be said of an incident.
pub mod diagnose;

/// Who is told what, and that it arrives.
pub mod notify;

/// What a pass works with.
pub mod app;

/// The order of the stages.
pub mod pipeline;

/// The stored history, lived through again under other rules.
pub mod backtest;

/// What a person sees of it.
pub mod view;

/// A fleet that is made up, with scenarios.
pub mod simulate;

/// What the program talks to, on loopback, for `demo` and the tests.
pub mod standin;

/// The command line.
pub mod cli;
