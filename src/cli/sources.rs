//! `signinel sources`: where records came from, and how many.

use clap::Subcommand;

use super::screen::Screen;
use super::settings::Global;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// How far each was read, and what became of its records
    List,
}

pub(super) async fn run(
    global: &Global,
    command: &Command,
    screen: &mut Screen,
) -> anyhow::Result<()> {
    let Command::List = command;
    let store = global.store().await?;
    screen.rows(&store.source_overviews().await?, global.is_json())?;
    store.close().await;
    Ok(())
}
