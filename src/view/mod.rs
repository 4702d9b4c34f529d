//! What a person sees: an incident, its timeline and the lists, in every form there is.

mod growth;
mod lists;
mod noted;
mod phrase;
mod style;
mod table;
mod timeline;

/// The forms that programs read.
pub mod json;

pub use json::IncidentRow;
pub use lists::{DeliveryRow, DeliveryState, RuleRow, rules};
pub use style::Style;
pub use table::{ListRow, Shown, table};
pub use timeline::{ClockOf, Entry, EntryKind, Timeline, timeline};
