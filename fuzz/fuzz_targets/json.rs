//! A record of Graph, of diagnostic settings or of Log Analytics, as an object.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signinel::model::{Form, RawRecord};
use signinel::normalise::normalise;

fuzz_target!(|bytes: &[u8]| {
    let _ = normalise(&RawRecord { form: Form::Json, bytes, place: 1 });
});
