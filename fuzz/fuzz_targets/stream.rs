//! A file of any form, gzip or not, read as a stream.
#![no_main]

use std::io::Cursor;

use libfuzzer_sys::fuzz_target;
use signinel::ingest::{Provenance, fetched};
use signinel::sources::files::{More, RecordBatch, Records};

fuzz_target!(|bytes: &[u8]| {
    let Ok(mut records) = Records::open(Box::new(Cursor::new(bytes.to_vec()))) else { return };
    let mut batch = RecordBatch::default();
    loop {
        let filled = records.fill(&mut batch);
        let (cut, misread) = (batch.len(), batch.misread().len());
        let fetched = fetched(std::mem::take(&mut batch), &Provenance::of("fuzz", ""));
        let accounted = fetched.batch.len() + fetched.rejects.len() + usize::try_from(fetched.other).unwrap();
        assert_eq!(accounted, cut + misread);
        match filled {
            Ok(More::Yes) => {}
            Ok(More::No) | Err(_) => return,
        }
    }
});
