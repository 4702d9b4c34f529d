//! What a person sees: an incident, its timeline and the lists, in every form there is.

mod backtest;
mod explained;
mod growth;
mod lists;
mod met;
#[cfg(test)]
mod night;
mod noted;
mod phrase;
mod silences;
mod style;
mod table;
mod timeline;

/// For other tools: CSV and Timesketch.
pub mod export;
/// One self-contained page.
pub mod html;
/// The forms that programs read.
pub mod json;
/// For tickets and post-mortems.
pub mod markdown;
/// For a terminal.
pub mod text;

pub use backtest::backtest;
pub use explained::explained;
pub use json::IncidentRow;
pub use lists::{DeliveryRow, RuleRow, rules};
pub use phrase::{clean, moment};
pub use silences::SilenceRow;
pub use style::Style;
pub use table::{ListRow, Shown, table};
pub use timeline::{ClockOf, Entry, EntryKind, Timeline, timeline};
