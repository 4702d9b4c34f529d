//! Brings records into the store: files as they are read, polled sources page by page.

/// Exported files.
pub mod import;

/// Records that were set aside.
pub mod retry;

/// Polled sources.
pub mod poll;
mod reconcile;
mod walk;

mod attempts;
mod ends;
mod growing;
mod settled;

use std::borrow::Cow;
use std::str::FromStr;

use crate::model::{Event, Form, RawRecord, Rejected, SignInType};
use crate::normalise::normalise;
use crate::sources::Keep;
use crate::sources::files::RecordBatch;
use crate::store::{Fetched, Reject};

/// Where records are from, and which of them are wanted.
#[derive(Clone, Copy, Debug)]
pub struct Provenance<'a> {
    /// The file or request, as messages call it.
    pub origin: &'a str,
    /// Whose log it is where a record does not say, as none of Graph's does.
    pub tenant_id: &'a str,
    pub keep: Keep,
}

impl<'a> Provenance<'a> {
    /// Of which every record is wanted.
    #[must_use]
    pub fn of(origin: &'a str, tenant_id: &'a str) -> Self {
        Self { origin, tenant_id, keep: Keep::All }
    }

    fn wants(&self, event: &Event<'_>) -> bool {
        self.keep == Keep::All
            || event.error_code != 0
            || SignInType::from_str(&event.facet.sign_in_type).is_ok_and(SignInType::is_workload)
    }
}

/// Reads the records of a batch: each becomes an event, is recognised as another log's or as not
/// wanted, or is set aside with the reason.
#[must_use]
pub fn fetched(records: RecordBatch, from: &Provenance<'_>) -> Fetched {
    let (bytes, spans, misread) = records.into_parts();
    let mut fetched = Fetched::default();
    for span in spans {
        let raw =
            RawRecord { form: span.form, bytes: &bytes[span.start..span.end], place: span.place };
        match normalise(&raw) {
            Ok(event) if !from.wants(&event) => fetched.other += 1,
            Ok(mut event) => {
                if event.identity.tenant_id.is_empty() {
                    event.identity.tenant_id = Cow::Borrowed(from.tenant_id);
                }
                fetched.batch.push(&event, span.start..span.end);
            }
            Err(Rejected::Other(_)) => fetched.other += 1,
            Err(Rejected::Broken(reason)) => {
                let (bytes, form) = (raw.bytes.to_vec(), Some(span.form));
                fetched.rejects.push(reject(from.origin, span.place, reason, bytes, form));
            }
        }
    }
    fetched.rejects.extend(
        misread.into_iter().map(|it| reject(from.origin, it.place, it.reason, it.excerpt, None)),
    );
    fetched.bytes = bytes;
    fetched
}

fn reject(origin: &str, place: u64, reason: String, record: Vec<u8>, form: Option<Form>) -> Reject {
    Reject { origin: origin.to_owned(), place, reason, record, form }
}
