//! `signinel events`: single sign-ins, and the records they were read from.

use anyhow::Context;
use clap::Subcommand;
use std::fmt::Write as _;

use super::screen::Screen;
use super::settings::Global;
use crate::model::{EventId, Form, RawRecord};
use crate::normalise::normalise;
use crate::view;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// One sign-in, as it was read, or byte for byte as its source gave it
    #[command(after_help = "Examples:
  signinel events show 5d8b1f6a-2c4e-4f73-9b0a-6e1d7c3f8a00
  signinel events show 5d8b1f6a-2c4e-4f73-9b0a-6e1d7c3f8a00 --raw")]
    Show {
        /// The sign-in's id (`id` in Graph)
        id: String,
        /// The original record, byte for byte
        #[arg(long)]
        raw: bool,
    },
}

pub(super) async fn run(
    global: &Global,
    command: Command,
    screen: &mut Screen,
) -> anyhow::Result<()> {
    let Command::Show { id, raw } = command;
    let store = global.store().await?;
    let row = store.event(EventId::from_text(&id)).await?.with_context(|| {
        format!(
            "there is no sign-in with the id {}; `signinel timeline ID` shows those of an incident",
            view::clean(&id)
        )
    })?;
    let record = store
        .record(row.seq)
        .await?
        .context("the record behind this sign-in is gone: it was past its age")?;
    store.close().await;
    if raw {
        return screen.bytes(&record);
    }
    // The form is not kept beside the record: only one of them reads it.
    let event = [Form::Json, Form::Table, Form::Csv]
        .into_iter()
        .find_map(|form| normalise(&RawRecord { form, bytes: &record, place: 1 }).ok())
        .context("the record behind this sign-in can no longer be read; `--raw` shows it")?;
    if global.is_json() {
        return screen.json(&event);
    }
    let mut text = String::new();
    for (name, value) in fields(&serde_json::to_value(&event)?) {
        writeln!(text, "{name:32} {}", view::clean(&value))?;
    }
    screen.text(&text)
}

/// The values of an event, by their path.
fn fields(value: &serde_json::Value) -> Vec<(String, String)> {
    let serde_json::Value::Object(map) = value else { return Vec::new() };
    map.iter()
        .flat_map(|(name, value)| match value {
            serde_json::Value::Object(_) => fields(value)
                .into_iter()
                .map(|(inner, text)| (format!("{name}.{inner}"), text))
                .collect(),
            serde_json::Value::String(text) => vec![(name.clone(), text.clone())],
            other => vec![(name.clone(), other.to_string())],
        })
        .filter(|(_, text)| !text.is_empty())
        .collect()
}
