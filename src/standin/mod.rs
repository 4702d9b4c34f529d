//! Services that Signinel talks to, on loopback: for `demo` and the tests.

/// The part of Microsoft Graph that Signinel reads.
pub mod graph;

mod mishap;
mod query;
mod shelf;
