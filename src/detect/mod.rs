//! **Stage**: what the rules say of the events that arrived.
//!
//! The findings are a pure function of the events and the rules: neither the order of arrival nor the
//! cut into passes, repeats or restarts changes them. Each kind of rule is a fold over the events of a
//! group in the order of time (`kinds`); `replay` takes folds up where they were put away.

mod amend;
mod arrived;
mod chained;
mod change;
mod data;
mod document;
mod explain;
mod extension;
mod feeds;
mod fields;
mod files;
mod folding;
mod folds;
mod going_back;
mod groups;
mod kind_of;
mod kinds;
mod lineage;
mod matching;
mod meanings;
mod mending;
mod pass;
mod pieces;
mod places;
mod reading;
mod replay;
mod rule;
mod rulebook;
mod stage;
mod tails;
mod text;
mod traced;
mod trial;
mod walk;

pub use data::Dataless;
pub use explain::{ExplainError, Explanation, Folded, GroupValue, InGroup, Judged, Told, explain};
pub use fields::Field;
pub use kinds::{Measure, Standing};
pub use matching::{CodeClasses, Matcher};
pub use mending::{Mended, RuleFiles};
pub use pass::{Found, Pace};
pub use rule::{Detection, Rule};
pub use rulebook::{RuleFault, Rulebook};
pub use stage::Detector;
pub use text::RuleText;
pub use traced::{Asked, Node};
pub use trial::{TrialFault, try_rules};
