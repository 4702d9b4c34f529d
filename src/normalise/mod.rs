//! Turns a record of any form into an event, or says why it is none.
//!
//! It never guesses an identity: a sign-in whose time is known is an event, however little else it
//! holds.

mod dates;
mod event;
mod fields;
mod json;
mod key;
mod kind;
mod lenient;
mod result;
mod row;
mod spelling;
mod text;
mod time;
mod value;

use crate::model::{Event, Form, RawRecord, Rejected};

use fields::{Fields, Mark};
use key::Key;

/// Reads one record. The event borrows from its bytes wherever they can stay as they are.
pub fn normalise<'a>(record: &RawRecord<'a>) -> Result<Event<'a>, Rejected> {
    if let Ok(text) = std::str::from_utf8(record.bytes) {
        read(record.form, text)
    } else {
        let text = String::from_utf8_lossy(record.bytes);
        read(record.form, &text).map(Event::into_owned)
    }
}

fn read(form: Form, text: &str) -> Result<Event<'_>, Rejected> {
    let reader = match form {
        Form::Json => json::read,
        Form::Table => row::of_table,
        Form::Csv => return recognise(row::of_csv(text)?, text),
    };
    let error = match reader(text) {
        Ok(fields) => return recognise(fields, text),
        Err(error) => error,
    };
    // Published pages have bare commas, exports have raw line ends in strings.
    let repaired = lenient::to_json(text);
    match reader(&repaired) {
        Ok(fields) => recognise(fields, &repaired).map(Event::into_owned),
        Err(_) => Err(Rejected::Broken(format!("it is not JSON: {error}"))),
    }
}

fn recognise<'a>(fields: Fields<'a>, text: &str) -> Result<Event<'a>, Rejected> {
    let is_wrapped =
        fields.is(Mark::Elastic) && !fields.has(Key::Category) && !fields.has(Key::Type);
    if !is_wrapped {
        return event::from_fields(fields);
    }
    if memchr::memmem::find(text.as_bytes(), b"signinlogs").is_none() {
        return Err(Rejected::Other("different Elastic"));
    }
    Err(Rejected::Broken(
        "it is an Elastic document without the record it was made from: export it with \
         `event.original`, which the integration keeps when `preserve_original_event` is on"
            .to_owned(),
    ))
}

#[cfg(test)]
mod tests;
