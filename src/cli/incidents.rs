//! `signinel incidents`: what was found, and what people did about it.

use chrono::{DateTime, NaiveDate, Utc};
use clap::{Subcommand, ValueEnum};

use super::screen::Screen;
use super::settings::{Global, Wrong};
use crate::app;
use crate::clock::{Clock, SystemClock};
use crate::diagnose;
use crate::incidents;
use crate::model::{Incident, IncidentId, IncidentState, Severity, Silence};
use crate::store::Store;
use crate::view::{self, IncidentRow};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Newest first
    #[command(after_help = "Examples:
  signinel incidents list --state open --min-severity high
  signinel incidents list --since 2026-11-01 --format json")]
    List {
        /// Only these
        #[arg(long, value_enum)]
        state: Option<State>,
        /// This severity and graver: informational, low, medium, high, critical
        #[arg(long)]
        min_severity: Option<Severity>,
        /// Begun at or after this day or time (UTC)
        #[arg(long, value_parser = moment)]
        since: Option<DateTime<Utc>>,
    },
    /// What, who, how unusual, why, what to do now, what is unknown
    Show {
        /// The incident's number
        id: i64,
    },
    /// Say that somebody is at it: from then on only what is graver is told
    #[command(after_help = "Example:\n  signinel incidents acknowledge 12 --by ada")]
    Acknowledge {
        /// The incident's number
        id: i64,
        /// Who; the user of this shell where it is not given
        #[arg(long)]
        by: Option<String>,
    },
    /// Say that it is over; it opens again when more of it comes
    #[command(
        after_help = "Example:\n  signinel incidents resolve 12 --why \"the new client id is deployed\""
    )]
    Resolve {
        /// The incident's number
        id: i64,
        /// Who; the user of this shell where it is not given
        #[arg(long)]
        by: Option<String>,
        /// The reason, for the timeline
        #[arg(long)]
        why: Option<String>,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum State {
    Open,
    Acknowledged,
    Resolved,
}

impl From<State> for IncidentState {
    fn from(state: State) -> Self {
        match state {
            State::Open => Self::Open,
            State::Acknowledged => Self::Acknowledged,
            State::Resolved => Self::Resolved,
        }
    }
}

pub(super) async fn run(
    global: &Global,
    command: Command,
    screen: &mut Screen,
) -> anyhow::Result<()> {
    let store = global.store().await?;
    let now = SystemClock.now();
    let done = match command {
        Command::List { state, min_severity, since } => {
            let is_asked_for = |incident: &Incident| {
                state.is_none_or(|state| incident.state() == state.into())
                    && min_severity.is_none_or(|least| incident.severity >= least)
                    && since.is_none_or(|since| incident.started_at >= since)
            };
            list(global, &store, is_asked_for, screen).await
        }
        Command::Show { id } => show(global, &store, IncidentId(id), screen).await,
        Command::Acknowledge { id, by } => {
            let by = by.unwrap_or_else(user);
            let incident = incidents::acknowledge(&store, IncidentId(id), &by, now).await?;
            answer(global, &incident, &format!("incident {id} acknowledged by {by}"), screen)
        }
        Command::Resolve { id, by, why } => {
            let by = by.unwrap_or_else(user);
            let incident =
                incidents::resolve(&store, IncidentId(id), &by, why.as_deref(), now).await?;
            answer(global, &incident, &format!("incident {id} resolved by {by}"), screen)
        }
    };
    store.close().await;
    done
}

/// An incident, or the sentence that there is none.
pub(super) async fn find(store: &Store, id: IncidentId) -> anyhow::Result<Incident> {
    store.incident(id).await?.ok_or_else(|| {
        anyhow::anyhow!(
            "there is no incident {id}; `signinel incidents list` shows those there are"
        )
    })
}

async fn list(
    global: &Global,
    store: &Store,
    is_asked_for: impl Fn(&Incident) -> bool,
    screen: &mut Screen,
) -> anyhow::Result<()> {
    let incidents = store.incidents().await?;
    let now = SystemClock.now();
    let silences = store.silences(Some(now)).await?;
    let rows: Vec<IncidentRow> = incidents
        .iter()
        .filter(|incident| is_asked_for(incident))
        .map(|incident| IncidentRow::under(incident, &silences, now))
        .collect();
    screen.rows(&rows, global.is_json())
}

async fn show(
    global: &Global,
    store: &Store,
    id: IncidentId,
    screen: &mut Screen,
) -> anyhow::Result<()> {
    let incident = find(store, id).await?;
    let rulebook = app::read_rules(global.rules.as_deref())?;
    let catalogue = app::read_catalogue(global.rules.as_deref())?;
    let card = diagnose::card(store, &rulebook, &catalogue, &incident).await?;
    let now = SystemClock.now();
    let silences = store.silences(Some(now)).await?;
    let silence = Silence::over(&silences, &incident, now);
    if global.is_json() {
        return screen.text(&view::json::card(&card, silence));
    }
    if let Some(silence) = silence {
        screen.text(&format!(
            "silenced until {} by {} (silence {}): {}",
            view::moment(silence.ends_at),
            view::clean(&silence.created_by),
            silence.id,
            view::clean(&silence.reason)
        ))?;
    }
    screen.text(&view::text::card(&card, &screen.style.clone()))
}

fn answer(
    global: &Global,
    incident: &Incident,
    sentence: &str,
    screen: &mut Screen,
) -> anyhow::Result<()> {
    if global.is_json() {
        return screen.json(&IncidentRow::from(incident));
    }
    screen.text(sentence)
}

/// Who sits at this shell.
pub(super) fn user() -> String {
    ["USER", "LOGNAME"]
        .into_iter()
        .find_map(|name| std::env::var(name).ok().filter(|user| !user.is_empty()))
        .unwrap_or_else(|| "somebody".to_owned())
}

/// A day, or a time of RFC 3339.
pub(super) fn moment(text: &str) -> Result<DateTime<Utc>, Wrong> {
    let wrong = || {
        Wrong(format!("`{text}` is neither a day (2026-11-23) nor a time (2026-11-23T02:14:00Z)"))
    };
    if let Ok(day) = text.parse::<NaiveDate>() {
        return day.and_hms_opt(0, 0, 0).map(|at| at.and_utc()).ok_or_else(wrong);
    }
    DateTime::parse_from_rfc3339(text).map(|at| at.to_utc()).map_err(|_| wrong())
}
