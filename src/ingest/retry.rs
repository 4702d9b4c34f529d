//! Reads rejected records again: after an update the program may know their form.

use std::collections::BTreeMap;
use std::io::Cursor;

use chrono::{DateTime, Utc};

use super::{Provenance, fetched};
use crate::sources::files::{More, RecordBatch, Records};
use crate::store::rejects::{KEPT_BYTES, KeptReject};
use crate::store::{Store, StoreError, Tally};

/// Rejected records that are looked at together.
const AT_ONCE: u32 = 500;

/// What became of rejected records.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Retried {
    /// Read now, and new.
    pub stored: u64,
    /// Read now, and known already.
    pub duplicates: u64,
    /// Recognised now as records of another log.
    pub other: u64,
    /// Still not to be read.
    pub rejected: u64,
}

/// Reads every rejected record again, or the one that is asked for. `tenant_ids` tells whose logs a
/// source reads.
pub async fn retry(
    store: &Store,
    only: Option<i64>,
    tenant_ids: &BTreeMap<String, String>,
    now: DateTime<Utc>,
) -> Result<Retried, StoreError> {
    let mut retried = Retried::default();
    let mut after = only.map_or(0, |id| id - 1);
    loop {
        let rejects = store.kept_rejects(after, only.map_or(AT_ONCE, |_| 1)).await?;
        let Some(last) = rejects.last() else { break };
        after = last.id;
        for reject in &rejects {
            if only.is_some_and(|only| only != reject.id) {
                continue;
            }
            let tenant_id = tenant_ids.get(&reject.source.0).map_or("", String::as_str);
            match again(store, reject, tenant_id, now).await? {
                Some(tally) => {
                    retried.stored += tally.stored;
                    retried.duplicates += tally.duplicates;
                    retried.other += tally.other;
                }
                None => retried.rejected += 1,
            }
        }
        if only.is_some() {
            break;
        }
    }
    store.settle().await?;
    Ok(retried)
}

/// What no record could be cut from, as if it were a file of its own: it may be a table, or several records.
/// `None` where there is still none in it, or more than one batch holds.
fn cut_anew(bytes: Vec<u8>) -> Option<RecordBatch> {
    let mut batch = RecordBatch::default();
    let more = Records::open(Cursor::new(bytes)).ok()?.fill(&mut batch).ok()?;
    (more == More::No && !batch.is_empty()).then_some(batch)
}

/// `None` where it still cannot be read.
async fn again(
    store: &Store,
    reject: &KeptReject,
    tenant_id: &str,
    now: DateTime<Utc>,
) -> Result<Option<Tally>, StoreError> {
    // Of a longer one only the beginning is there.
    if reject.record.len() >= KEPT_BYTES {
        return Ok(None);
    }
    let batch = match reject.form {
        Some(form) => RecordBatch::of(form, reject.place, reject.record.clone()),
        None => match cut_anew(reject.record.clone()) {
            Some(batch) => batch,
            None => return Ok(None),
        },
    };
    let mut read = fetched(batch, &Provenance::of(&reject.origin, tenant_id));
    if !read.rejects.is_empty() {
        return Ok(None);
    }
    read.retried = vec![reject.id];
    let source = (reject.source.0.as_str(), reject.source.1.as_str());
    Ok(Some(store.add(source, read, None, now).await?))
}
