//! What can be said of an incident: probable cause and remedy, from its findings and the error catalogue.

mod advice;
mod card;
mod catalogue;
mod cause;
mod explain;
mod facts;
mod gather;
pub(crate) mod measured;
mod oddity;
pub(crate) mod phrase;
mod spray;
mod step;
mod unread;
mod unusual;

pub use card::{Card, Cause, Confidence, Step, Who};
pub use catalogue::{Catalogue, CatalogueError, CatalogueFault, ErrorClass, ErrorEntry, Origin};
pub use explain::explain;
pub use facts::{Baseline, Facts, FindingFacts, IdentityFacts, Shared, Successor, TriedFrom};
pub use gather::card;
pub(crate) use gather::value_names;
pub use step::{PLACEHOLDERS, unknown_placeholders};
