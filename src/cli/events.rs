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
        /// The original record, byte for byte; where one came later that said more, that one first
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
    let records = store.records_of(&row).await?;
    store.close().await;
    anyhow::ensure!(
        !records.is_empty(),
        "the record behind this sign-in is gone: it was past its age"
    );
    if raw {
        return screen.bytes(&records.join(&b"\n"[..]));
    }
    let events = records.iter().map(|record| event(record)).collect::<anyhow::Result<Vec<_>>>()?;
    if global.is_json() {
        return screen.json(&with_earlier(&events)?);
    }
    let mut text = String::new();
    let [latest, earlier @ ..] = events.as_slice() else { return Ok(()) };
    let (latest, mut shown) = (fields(latest), Vec::new());
    for (name, value) in &latest {
        writeln!(text, "{name:32} {}", view::clean(value))?;
    }
    for (name, value) in earlier.iter().flat_map(fields) {
        if !latest.contains(&(name.clone(), value.clone()))
            && !shown.contains(&(name.clone(), value.clone()))
        {
            writeln!(text, "{name:32} {} (said by an earlier record)", view::clean(&value))?;
            shown.push((name, value));
        }
    }
    screen.text(&text)
}

/// What a record says. Its form is not kept beside it: only one of them reads it.
fn event(record: &[u8]) -> anyhow::Result<serde_json::Value> {
    let event = [Form::Json, Form::Table, Form::Csv]
        .into_iter()
        .find_map(|form| normalise(&RawRecord { form, bytes: record, place: 1 }).ok())
        .context("the record behind this sign-in can no longer be read; `--raw` shows it")?;
    Ok(serde_json::to_value(&event)?)
}

/// The latest of what records say, with the others in `earlier`, where there are any.
fn with_earlier(events: &[serde_json::Value]) -> anyhow::Result<serde_json::Value> {
    let [latest, earlier @ ..] = events else { anyhow::bail!("no record is left of it") };
    let mut event = latest.clone();
    if let (Some(event), false) = (event.as_object_mut(), earlier.is_empty()) {
        event.insert("earlier".to_owned(), earlier.into());
    }
    Ok(event)
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
