//! `signinel deliveries`: what was told, to whom, and what is still to be.

use clap::Subcommand;

use super::screen::Screen;
use super::settings::Global;
use crate::clock::{Clock, SystemClock};
use crate::model::{DeliveryId, IncidentId};
use crate::view::{DeliveryRow, DeliveryState};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Newest first
    #[command(after_help = "Examples:
  signinel deliveries list --state dead
  signinel deliveries list --incident 12")]
    List {
        /// Only of this incident
        #[arg(long)]
        incident: Option<i64>,
        /// Only these
        #[arg(long, value_enum)]
        state: Option<State>,
    },
    /// Try it again at the next pass of `run`, with the same id
    Retry { id: i64 },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum State {
    Pending,
    Sent,
    Dead,
}

impl From<State> for DeliveryState {
    fn from(state: State) -> Self {
        match state {
            State::Pending => Self::Pending,
            State::Sent => Self::Sent,
            State::Dead => Self::Dead,
        }
    }
}

pub(super) async fn run(global: &Global, command: Command, screen: &mut Screen) -> anyhow::Result<()> {
    let store = global.store().await?;
    match command {
        Command::List { incident, state } => {
            let deliveries = store.deliveries(incident.map(IncidentId)).await?;
            let rows: Vec<DeliveryRow> = deliveries
                .into_iter()
                .map(DeliveryRow::from)
                .filter(|row| state.is_none_or(|state| row.state == state.into()))
                .collect();
            screen.rows(&rows, global.is_json())?;
        }
        Command::Retry { id } => {
            if !store.retry_delivery(DeliveryId(id), SystemClock.now()).await? {
                anyhow::bail!("there is no delivery {id} that was not sent; `signinel deliveries list` shows all");
            }
            screen.text(&format!("delivery {id} is due now: `signinel run` sends it"))?;
        }
    }
    store.close().await;
    Ok(())
}
