//! Brings records into the store: files as they are read, polled sources page by page.

/// Exported files.
pub mod import;

/// Polled sources.
pub mod poll;
mod walk;

use std::borrow::Cow;

use crate::model::{RawRecord, Rejected};
use crate::normalise::normalise;
use crate::sources::files::RecordBatch;
use crate::store::{Fetched, Reject};

/// Reads the records of a batch: each becomes an event, is recognised as another log's, or is set
/// aside with the reason. `origin` is the file or request, as messages call it; `tenant_id` is whose
/// log it is where a record does not say, as none of Graph's does.
#[must_use]
pub fn fetched(records: RecordBatch, origin: &str, tenant_id: &str) -> Fetched {
    let (bytes, spans, misread) = records.into_parts();
    let mut fetched = Fetched::default();
    for span in spans {
        let raw =
            RawRecord { form: span.form, bytes: &bytes[span.start..span.end], place: span.place };
        match normalise(&raw) {
            Ok(mut event) => {
                if event.identity.tenant_id.is_empty() {
                    event.identity.tenant_id = Cow::Borrowed(tenant_id);
                }
                fetched.batch.push(&event, span.start..span.end);
            }
            Err(Rejected::Other(_)) => fetched.other += 1,
            Err(Rejected::Broken(reason)) => {
                fetched.rejects.push(reject(origin, span.place, reason, raw.bytes.to_vec()));
            }
        }
    }
    fetched
        .rejects
        .extend(misread.into_iter().map(|it| reject(origin, it.place, it.reason, it.excerpt)));
    fetched.bytes = bytes;
    fetched
}

fn reject(origin: &str, place: u64, reason: String, record: Vec<u8>) -> Reject {
    Reject { origin: origin.to_owned(), place, reason, record }
}
