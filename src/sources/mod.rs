//! Where records come from: one folder for each kind of source.

/// Exported files, read as streams.
pub mod files;
/// Microsoft Graph, polled.
pub mod graph;

mod source;
mod tls;

use crate::config::{Fault, Section};

pub use source::{Ask, FetchError, Keep, Page, Plan, Source};

/// Makes what a `[[source]]` asks for.
pub fn build(section: &Section) -> Result<Box<dyn Source>, Vec<Fault>> {
    match section.kind.as_str() {
        "graph" => graph::build(section),
        other => {
            Err(vec![section.fault(format_args!(
                "there is no source of kind `{other}`; write kind = \"graph\""
            ))])
        }
    }
}
