//! **Stage**: findings that belong together become incidents, and incidents end.
//!
//! What an incident is follows from the findings and events alone, so it is worked out again whenever
//! these change; only what people do (acknowledge, resolve) is kept from before.

mod actions;
mod coverage;
mod describe;
mod endings;
mod grouping;
mod lifecycle;
mod newcomers;
mod notes;
mod shadow;
mod stage;
mod symptoms;

pub use actions::{ActionError, acknowledge, resolve};
pub use coverage::watch;
pub use stage::{Grouped, run};
