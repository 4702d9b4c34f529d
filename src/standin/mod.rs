//! Stand-ins on loopback for what the program talks to, so that it can be shown and tested whole.

/// Takes mails and keeps them.
pub mod mailbox;

/// Takes webhooks and keeps them.
pub mod receiver;
