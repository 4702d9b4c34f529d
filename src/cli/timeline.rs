//! `signinel timeline`: the story of one incident.

use clap::Args as ClapArgs;

use super::incidents::find;
use super::screen::Screen;
use super::settings::{Format, Global};
use crate::app;
use crate::clock::{Clock, SystemClock};
use crate::model::{IncidentId, Silence};
use crate::view;

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  signinel timeline 12
  signinel timeline 12 --format html > incident-12.html       one page, to be kept or sent
  signinel timeline 12 --format markdown                      for the post-mortem
  signinel timeline 12 --format timesketch > incident-12.jsonl")]
pub(super) struct Args {
    /// The incident's number
    id: i64,
}

pub(super) async fn run(global: &Global, args: &Args, screen: &mut Screen) -> anyhow::Result<()> {
    let store = global.store().await?;
    let incident = find(&store, IncidentId(args.id)).await?;
    let rulebook = app::read_rules(global.rules.as_deref())?;
    let catalogue = app::read_catalogue(global.rules.as_deref())?;
    let timeline = view::timeline(&store, &rulebook, &catalogue, &incident).await?;
    let text = match global.format {
        Format::Text => view::text::timeline(&timeline, &screen.style),
        Format::Json => {
            let now = SystemClock.now();
            let silences = store.silences(Some(now)).await?;
            view::json::timeline(&timeline, Silence::over(&silences, &incident, now))
        }
        Format::Markdown => view::markdown::timeline(&timeline),
        Format::Html => view::html::page(&timeline),
        Format::Csv => view::export::csv(&timeline),
        Format::Timesketch => view::export::timesketch(&timeline),
    };
    store.close().await;
    screen.text(&text)
}
