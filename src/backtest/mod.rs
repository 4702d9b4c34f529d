//! The stored history lived through again under a set of rules, in a database of its own: what would have
//! been found and told. The stages are those of the path, in their order.

mod compare;
mod report;
mod walk;

pub use compare::{Apart, IncidentApart, KeyApart, compare};
pub use report::{ChannelTold, Day, KeyNoise, Report, RuleReport};
pub use walk::{Backtest, BacktestError, Lived, live};
