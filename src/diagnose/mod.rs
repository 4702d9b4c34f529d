//! What can be said of an incident: probable cause and remedy, from its findings and the error catalogue.

mod card;

pub use card::{Card, Cause, Confidence, Step, Who};
