//! `signinel rejects`: records that could not be read.

use anyhow::Context;
use clap::Subcommand;

use super::screen::Screen;
use super::settings::Global;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Where each was, and what is wrong with it
    List {
        /// As many at most
        #[arg(long, default_value_t = 1000)]
        limit: u32,
    },
    /// The record itself, its first 64 KiB
    Show {
        /// The rejected record's number
        id: i64,
    },
}

pub(super) async fn run(
    global: &Global,
    command: Command,
    screen: &mut Screen,
) -> anyhow::Result<()> {
    let store = global.store().await?;
    match command {
        Command::List { limit } => {
            screen.rows(&store.reject_overviews(limit).await?, global.is_json())?;
        }
        Command::Show { id } => {
            let record = store.rejected_record(id).await?;
            let record = record.with_context(|| {
                format!("there is no rejected record {id}; `signinel rejects list` shows those there are")
            })?;
            screen.bytes(&record)?;
        }
    }
    store.close().await;
    Ok(())
}
