//! `signinel deliveries`: what was told, to whom, and what is still to be.

use clap::Subcommand;

use super::screen::Screen;
use super::settings::Global;
use crate::clock::{Clock, SystemClock};
use crate::model::{DeliveryId, IncidentId};
use crate::store::Store;
use crate::store::deliveries::{DeliveryFilter, DeliveryState, Resent};
use crate::view::DeliveryRow;

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
        /// Only to this channel
        #[arg(long)]
        channel: Option<String>,
        /// Only these
        #[arg(long, value_enum)]
        state: Option<State>,
        /// As many at most
        #[arg(long, default_value_t = 1000)]
        limit: u32,
    },
    /// Try it again at the next pass of `run`, with the same id
    #[command(after_help = "Example:
  signinel deliveries retry 7
  signinel run --once                           sends it, where no `run` is watching")]
    Retry {
        /// The delivery's number
        id: i64,
    },
    /// Switch a channel on again that its receiver switched off (410 Gone)
    #[command(after_help = "Example:\n  signinel deliveries enable automation")]
    Enable {
        /// The channel's name
        channel: String,
    },
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

pub(super) async fn run(
    global: &Global,
    command: Command,
    screen: &mut Screen,
) -> anyhow::Result<()> {
    let store = global.store().await?;
    match command {
        Command::List { incident, channel, state, limit } => {
            let filter = DeliveryFilter {
                incident_id: incident.map(IncidentId),
                channel,
                state: state.map(DeliveryState::from),
                limit: Some(limit),
            };
            let deliveries = store.deliveries(&filter).await?;
            let rows: Vec<DeliveryRow> = deliveries.into_iter().map(DeliveryRow::from).collect();
            screen.rows(&rows, global.is_json())?;
        }
        Command::Retry { id } => {
            let sentence = match store.resend(DeliveryId(id), SystemClock.now()).await? {
                Resent::Due => due(&store, DeliveryId(id)).await?,
                Resent::AlreadySent => anyhow::bail!("delivery {id} was sent already"),
                Resent::NotThere => {
                    anyhow::bail!(
                        "there is no delivery {id}; `signinel deliveries list` shows those there are"
                    )
                }
            };
            screen.text(&sentence)?;
        }
        Command::Enable { channel } => {
            let was_off = store.enable_channel(&channel).await?;
            let shown = crate::view::clean(&channel);
            anyhow::ensure!(was_off, "no channel called {shown} is switched off");
            screen.text(&format!(
                "channel {shown} is on again: what waits for it goes out; what was given up meanwhile \
                 needs `signinel deliveries retry`"
            ))?;
        }
    }
    store.close().await;
    Ok(())
}

/// How a delivery that was made due gets on its way.
async fn due(store: &Store, id: DeliveryId) -> anyhow::Result<String> {
    let off = store.disabled_channels().await?;
    let delivery = store.delivery(id).await?;
    let waits_for = delivery
        .map(|delivery| delivery.channel)
        .filter(|channel| off.iter().any(|disabled| disabled.name == *channel));
    Ok(match waits_for.as_deref().map(crate::view::clean) {
        None => format!(
            "delivery {id} is due now: `signinel run` sends it, or `signinel run --once` where none is watching"
        ),
        Some(channel) => format!(
            "delivery {id} is due, but its receiver switched channel {channel} off: when that is mended, \
             `signinel deliveries enable {channel}` sends it on"
        ),
    })
}
