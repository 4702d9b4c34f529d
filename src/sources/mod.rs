//! Where records come from: one folder for each kind of source.

/// Exported files, read as streams.
pub mod files;
/// A folder of files that grow, followed.
pub mod folder;
/// Microsoft Graph, polled.
pub mod graph;
/// Containers of Azure Storage, polled.
pub mod storage;

mod entra;
mod http;
mod keys;
mod source;
mod tls;

use std::sync::Arc;

use crate::clock::Clock;
use crate::config::{Fault, Section};

pub use source::{
    Access, Ask, Counts, FetchError, GrowingFile, GrowingFiles, Keep, Memory, Page, Pages, Plan,
    Source,
};

/// Makes what a `[[source]]` asks for.
pub fn build(section: &Section, clock: &Arc<dyn Clock>) -> Result<Box<dyn Source>, Vec<Fault>> {
    match section.kind.as_str() {
        "graph" => graph::build(section, clock),
        "storage" => storage::build(section),
        other => Err(vec![section.fault(format_args!(
            "there is no source of kind `{other}`; write kind = \"graph\" or kind = \"storage\""
        ))]),
    }
}
