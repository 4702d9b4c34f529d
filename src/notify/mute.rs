//! A channel that tells nobody: what would be told to the channel of its name can be planned and counted.

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::channel::{Channel, SendError};
use super::message::Message;
use super::outbox::Outbox;
use crate::config::Config;

/// What the one channel is called that is planned for where the configuration has none.
pub const ANY_CHANNEL: &str = "any";

struct Mute(String);

#[async_trait]
impl Channel for Mute {
    fn name(&self) -> &str {
        &self.0
    }

    fn kind(&self) -> &'static str {
        "mute"
    }

    async fn send(&self, _: &Message, _: DateTime<Utc>) -> Result<String, SendError> {
        Err(never())
    }

    async fn check(&self) -> Result<String, SendError> {
        Err(never())
    }
}

fn never() -> SendError {
    SendError::Permanent { sentence: "what is only planned is told to nobody".to_owned() }
}

impl Outbox {
    /// One that plans for the channels of a configuration and can tell nobody, so that it asks for no
    /// secret. Where there is no channel it plans for [`ANY_CHANNEL`], for there is something to count.
    #[must_use]
    pub fn mute(config: &Config) -> Self {
        let mut names: Vec<&str> =
            config.channels.iter().map(|section| section.name.as_str()).collect();
        if names.is_empty() {
            names.push(ANY_CHANNEL);
        }
        let channels = names.into_iter().map(|name| Box::new(Mute(name.to_owned())) as Box<_>);
        Self::new(channels.collect(), config)
    }
}
