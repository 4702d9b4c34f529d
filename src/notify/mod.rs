//! **Stage**: incidents become deliveries, and deliveries arrive.
//!
//! What is told follows from the incident and from what each channel was told before. It is planned
//! as rows and sent from these, so that neither a crash nor a channel that is down loses any of it.

mod address;
mod channel;
mod decide;
mod deliver;
mod email;
mod letter;
mod message;
mod mute;
mod outbox;
mod payload;
#[cfg(test)]
mod sample;
mod signature;
mod silences;
#[cfg(test)]
mod tests;
mod webhook;
mod words;

pub use channel::{Channel, SendError};
pub use deliver::Delivered;
pub use message::{Before, Message};
pub use mute::ANY_CHANNEL;
pub use outbox::{Outbox, Planned};
pub use silences::{SilenceError, begin as begin_silence, end as end_silence};

use crate::config::{Fault, NotifyConfig, Section};

/// Makes the channel that a `[[channel]]` asks for.
pub fn build(section: &Section, config: &NotifyConfig) -> Result<Box<dyn Channel>, Vec<Fault>> {
    match section.kind.as_str() {
        "email" => Ok(Box::new(email::Email::new(section, config)?)),
        "webhook" => Ok(Box::new(webhook::Webhook::new(section)?)),
        other => Err(vec![
            section.fault(format!("there is no kind `{other}`: write \"email\" or \"webhook\"")),
        ]),
    }
}
