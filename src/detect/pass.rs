//! What a pass of the stage does at once, and what it came to.

/// How much is done at once. It decides the cost of a pass and nothing of what it finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pace {
    /// Events of one transaction, which are put into the order of time together: an export that begins with
    /// its latest records then sends few folds back.
    pub chunk: i64,
    /// Events read at once when a fold goes back.
    pub page: i64,
    /// Events folded before a checkpoint is worth a row of its own: a late event goes back no further.
    pub spacing: i64,
    /// Groups, meanings and folds remembered between transactions; past that they are read again.
    pub remembered: usize,
}

impl Default for Pace {
    fn default() -> Self {
        Self { chunk: 300_000, page: 5_000, spacing: 256, remembered: 200_000 }
    }
}

/// What a walk of the stage did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Found {
    pub events: u64,
    pub new: u64,
    pub changed: u64,
    pub withdrawn: u64,
    /// Folds that went back for late events.
    pub replays: u64,
}
