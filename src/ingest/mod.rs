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
mod length;
mod settled;
mod unwrap;

use std::borrow::Cow;
use std::str::FromStr;

use crate::model::{Event, Form, RawRecord, Rejected, SignInType};
use crate::normalise::normalise;
use crate::sources::Keep;
use crate::sources::files::{RecordBatch, Span};
use crate::store::{Fetched, Reject};

/// What records are counted as that the source's `keep` leaves out.
const UNWANTED: &str = "unwanted";

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
/// wanted, or is set aside with the reason. What nothing is known of may hold records inside.
#[must_use]
pub fn fetched(records: RecordBatch, from: &Provenance<'_>) -> Fetched {
    let (mut bytes, spans, misread) = records.into_parts();
    let mut fetched = Fetched::default();
    let mut wrapped = Vec::new();
    for span in spans {
        if let Err(reason) = take(&mut fetched, &bytes, &span, from) {
            wrapped.push((span, reason));
        }
    }
    for (span, reason) in wrapped {
        let Some(inside) = unwrap::unwrap(&bytes[span.start..span.end]) else {
            let record = bytes[span.start..span.end].to_vec();
            fetched.rejects.push(reject(from.origin, span.place, reason, record, Some(span.form)));
            continue;
        };
        if inside.is_empty() {
            fetched.passes_over("frame of an answer");
        }
        for (form, record) in inside {
            let start = bytes.len();
            bytes.extend_from_slice(record.as_bytes());
            let span = Span { start, end: bytes.len(), place: span.place, form };
            if let Err(reason) = take(&mut fetched, &bytes, &span, from) {
                let record = record.into_bytes();
                fetched.rejects.push(reject(from.origin, span.place, reason, record, Some(form)));
            }
        }
    }
    fetched.rejects.extend(
        misread.into_iter().map(|it| reject(from.origin, it.place, it.reason, it.excerpt, None)),
    );
    fetched.bytes = bytes;
    fetched
}

/// Reads one record. The reason comes back where nothing says what it is.
fn take(
    fetched: &mut Fetched,
    bytes: &[u8],
    span: &Span,
    from: &Provenance<'_>,
) -> Result<(), String> {
    let bytes = &bytes[span.start..span.end];
    match normalise(&RawRecord { form: span.form, bytes, place: span.place }) {
        Ok(event) if !from.wants(&event) => fetched.passes_over(UNWANTED),
        Ok(mut event) => {
            if event.identity.tenant_id.is_empty() {
                event.identity.tenant_id = Cow::Borrowed(from.tenant_id);
            }
            fetched.batch.push(&event, span.start..span.end);
        }
        Err(Rejected::Other(log)) => fetched.passes_over(log),
        Err(Rejected::Unrecognised(reason)) => return Err(reason),
        Err(Rejected::Broken(reason)) => {
            let form = Some(span.form);
            fetched.rejects.push(reject(from.origin, span.place, reason, bytes.to_vec(), form));
        }
    }
    Ok(())
}

fn reject(origin: &str, place: u64, reason: String, record: Vec<u8>, form: Option<Form>) -> Reject {
    Reject { origin: origin.to_owned(), place, reason, record, form }
}
