//! Where records come from: files that were exported, and logs that are polled.

mod source;

/// Exported files, read as streams.
pub mod files;

pub use source::{Ask, FetchError, Page, Plan, Source};
