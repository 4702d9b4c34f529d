//! A row of CSV with its header.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signinel::model::{Form, RawRecord};
use signinel::normalise::normalise;

fuzz_target!(|bytes: &[u8]| {
    let _ = normalise(&RawRecord { form: Form::Csv, bytes, place: 1 });
});
