//! A row of a Log Analytics table.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signinel::model::{Form, RawRecord};
use signinel::normalise::normalise;

fuzz_target!(|bytes: &[u8]| {
    let _ = normalise(&RawRecord { form: Form::Table, bytes, place: 1 });
});
