//! What Signinel speaks to, on loopback, so that the real clients run in the demonstration and the tests.

mod counts;
mod gate;
mod mishap;
mod query;
mod shelf;

/// Microsoft Graph and the endpoint of managed identities.
pub mod graph;
/// A mail server.
pub mod mailbox;
/// A receiver of webhooks.
pub mod receiver;
