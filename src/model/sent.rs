//! What one application sent to one tenant's logs of late, and what it was told.

use chrono::{DateTime, Utc};

/// All that a start has to know of the one before it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// When requests were about to be sent, and how many, the first first.
    pub requests: Vec<(DateTime<Utc>, u32)>,
    /// When the service asked for a rest, and until when.
    pub rest: Option<(DateTime<Utc>, DateTime<Utc>)>,
    /// How many requests it was found to bear in 10 s, and when.
    pub bears: Option<(u32, DateTime<Utc>)>,
}
