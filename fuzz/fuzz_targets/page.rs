//! The body of an answer of Graph: whatever is cut out of it is read, and every piece is accounted for.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signinel::ingest::{Provenance, fetched};
use signinel::sources::files::cut_page;

fuzz_target!(|bytes: &[u8]| {
    let records = cut_page(bytes.to_vec());
    let (cut, misread) = (records.len(), records.misread().len());
    let fetched = fetched(records, &Provenance::of("fuzz", ""));
    let accounted = fetched.batch.len() + fetched.rejects.len() + usize::try_from(fetched.other).unwrap();
    assert_eq!(accounted, cut + misread);
});
