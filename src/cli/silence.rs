//! `signinel silence`: what is not to be told for a while.

use std::collections::BTreeSet;

use chrono::{DateTime, TimeDelta, Utc};
use clap::{Args as ClapArgs, Subcommand};

use super::incidents::{moment, user};
use super::rules::no_such_rule;
use super::screen::{Screen, mention};
use super::settings::{Global, Wrong};
use crate::app;
use crate::clock::{Clock, SystemClock};
use crate::config::unknown;
use crate::model::{COVERAGE, Severity, Silence, SilenceId, SilenceScope};
use crate::notify::{self, SilenceError};
use crate::store::Store;
use crate::view::SilenceRow;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Tell nothing of some incidents until then
    #[command(after_help = "Examples:
  signinel silence add --identity func-orders-prod --for 2h --reason \"redeployed, ticket 4711\"
  signinel silence add --category spike --below critical --until 2026-11-24T06:00:00Z --reason \"load test\"
  signinel silence add --identity 'vmss-build-*' --rule failure_streak --for 7d --reason \"known, fixed by Friday\"

An incident is silenced where all of it is named: every identity, every rule, every category, every code that the
silence asks for. One that has more to it, or grows graver than `--below`, is told. Incidents go on being found and
shown. When the silence ends, what is still open then is told; what came and went meanwhile is not. Deliveries that
were planned before the silence still go out.")]
    Add(Add),
    /// Those that hold or will hold, and with `--all` those that have ended
    #[command(after_help = "Example:\n  signinel silence list --all")]
    List {
        /// Those that have ended, too
        #[arg(long)]
        all: bool,
    },
    /// End a silence now: what it held back is told, where it is still open
    #[command(after_help = "Example:\n  signinel silence end 3")]
    End {
        /// The silence's number
        id: i64,
        /// Who; the user of this shell where it is not given
        #[arg(long)]
        by: Option<String>,
    },
}

#[derive(Debug, ClapArgs)]
pub(super) struct Add {
    /// Its name, client id or service principal id; `*` stands for any letters. May be repeated
    #[arg(long, value_name = "NAME")]
    identity: Vec<String>,
    /// A rule by name. May be repeated
    #[arg(long, value_name = "RULE")]
    rule: Vec<String>,
    /// A category of rules. May be repeated
    #[arg(long, value_name = "CATEGORY")]
    category: Vec<String>,
    /// An AADSTS number. May be repeated
    #[arg(long, value_name = "CODE")]
    code: Vec<i64>,
    /// Only what is less grave than this severity
    #[arg(long, value_name = "SEVERITY")]
    below: Option<Severity>,
    /// How long, such as 2h or 7d
    #[arg(long = "for", value_name = "SPAN", value_parser = span, conflicts_with = "until", required_unless_present = "until")]
    length: Option<TimeDelta>,
    /// Until this day or time (UTC)
    #[arg(long, value_parser = moment)]
    until: Option<DateTime<Utc>>,
    /// From this day or time on (UTC); from now on where it is not given
    #[arg(long, value_parser = moment)]
    from: Option<DateTime<Utc>>,
    /// Why, for those who wonder
    #[arg(long)]
    reason: String,
    /// Who; the user of this shell where it is not given
    #[arg(long)]
    by: Option<String>,
}

pub(super) async fn run(
    global: &Global,
    command: Command,
    screen: &mut Screen,
) -> anyhow::Result<()> {
    let store = global.store().await?;
    let now = SystemClock.now();
    let done = match command {
        Command::Add(args) => add(global, &store, args, now, screen).await,
        Command::List { all } => {
            let silences = store.silences((!all).then_some(now)).await?;
            let rows: Vec<SilenceRow> =
                silences.into_iter().map(|silence| SilenceRow::at(silence, now)).collect();
            screen.rows(&rows, global.is_json())
        }
        Command::End { id, by } => {
            let by = by.unwrap_or_else(user);
            let silence = notify::end_silence(&store, SilenceId(id), &by, now).await?;
            let sentence = format!(
                "silence {id} ended by {by}: what it held back is told at the next pass of `signinel run`, where it is still open"
            );
            answer(global, silence, now, &sentence, screen)
        }
    };
    store.close().await;
    done
}

async fn add(
    global: &Global,
    store: &Store,
    args: Add,
    now: DateTime<Utc>,
    screen: &mut Screen,
) -> anyhow::Result<()> {
    let begins_at = args.from.unwrap_or(now);
    let ends_at = match (args.length, args.until) {
        (Some(length), _) => begins_at
            .checked_add_signed(length)
            .ok_or_else(|| Wrong("`--for` is longer than time itself".to_owned()))?,
        (None, Some(until)) => until,
        (None, None) => begins_at,
    };
    let scope = SilenceScope {
        identities: args.identity,
        rules: args.rule,
        categories: args.category,
        error_codes: args.code,
        below: args.below,
    };
    check_names(global, &scope)?;
    let silence = Silence {
        id: SilenceId(0),
        scope,
        begins_at,
        ends_at,
        reason: args.reason,
        created_at: now,
        created_by: args.by.unwrap_or_else(user),
        ended_by: None,
    };
    let silence = notify::begin_silence(store, silence).await.map_err(|error| match error {
        error if error.is_of_the_operator() => anyhow::Error::new(Wrong(error.to_string())),
        error => anyhow::Error::new::<SilenceError>(error),
    })?;
    for identity in &silence.scope.identities {
        if !store.knows_identity(identity).await? {
            mention(&format!(
                "no identity called {} has signed in so far; `signinel identities list` shows those that have",
                crate::view::clean(identity)
            ));
        }
    }
    let incidents = store.incidents().await?;
    let open = incidents.iter().filter(|it| it.resolved_at.is_none());
    let covered = open.filter(|it| silence.scope.covers(it)).count();
    let sentence = format!(
        "silence {} until {}: {}; {covered} open incidents are of it",
        silence.id,
        crate::view::moment(silence.ends_at),
        crate::view::clean(&silence.scope.to_string())
    );
    answer(global, silence, now, &sentence, screen)
}

/// A misspelt rule or category would be a silence of nothing.
fn check_names(global: &Global, scope: &SilenceScope) -> anyhow::Result<()> {
    if scope.rules.is_empty() && scope.categories.is_empty() {
        return Ok(());
    }
    let rulebook = app::read_rules(global.rules.as_deref())?;
    let rules: Vec<&str> = rulebook.rules.keys().map(String::as_str).collect();
    let categories: BTreeSet<&str> =
        rulebook.rules.values().map(|rule| rule.category.as_str()).chain([COVERAGE]).collect();
    let categories: Vec<&str> = categories.into_iter().filter(|name| !name.is_empty()).collect();
    let of_rules: fn(&str, &[&str]) -> String = no_such_rule;
    let of_categories = |name: &str, known: &[&str]| unknown(name, "the categories are", known);
    for (option, asked, why, known) in [
        ("--rule", &scope.rules, of_rules, &rules),
        ("--category", &scope.categories, of_categories, &categories),
    ] {
        if let Some(name) = asked.iter().find(|name| !known.contains(&name.as_str())) {
            let why = why(name, known);
            return Err(Wrong(format!("{option}: `{name}` {why}")).into());
        }
    }
    Ok(())
}

fn answer(
    global: &Global,
    silence: Silence,
    now: DateTime<Utc>,
    sentence: &str,
    screen: &mut Screen,
) -> anyhow::Result<()> {
    if global.is_json() {
        return screen.json(&SilenceRow::at(silence, now));
    }
    screen.text(sentence)
}

fn span(text: &str) -> Result<TimeDelta, Wrong> {
    humantime::parse_duration(text)
        .ok()
        .and_then(|span| TimeDelta::from_std(span).ok())
        .filter(|span| *span > TimeDelta::zero())
        .ok_or_else(|| Wrong(format!("`{text}` is not a span of time: write 30m, 2h or 7d")))
}
