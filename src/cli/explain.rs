//! `signinel rules explain`: why a rule did or did not match a sign-in.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use clap::Args as ClapArgs;
use tokio_util::sync::CancellationToken;

use super::rules::no_such_rule;
use super::screen::Screen;
use super::settings::Global;
use crate::app;
use crate::clock::{Clock as _, SystemClock};
use crate::detect::{Explanation, Rulebook, explain};
use crate::ingest::import::{Import, import};
use crate::model::EventId;
use crate::store::{EventRow, Store, Stretch};
use crate::view;

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  signinel rules explain application_not_found_spike 5d8b1f6a-2c4e-4f73-9b0a-6e1d7c3f8a00
  signinel --rules ./my-rules rules explain my_rule record.json
  az rest … | signinel rules explain failure_streak -

Of a stored sign-in the whole group is known, as it is stored now; of a record from a file only that.")]
pub(super) struct Args {
    /// The rule's name
    rule: String,
    /// The id of a stored sign-in, or a file with one record; `-` is standard input
    event: String,
}

pub(super) async fn run(global: &Global, args: Args, screen: &mut Screen) -> anyhow::Result<()> {
    let rulebook = app::read_rules(global.rules.as_deref())?;
    let codes = app::read_catalogue(global.rules.as_deref())?.classes();
    let rule = known(&rulebook, &args.rule)?;
    let path = Path::new(&args.event);
    let is_file = args.event == "-" || path.is_file();
    let mut explanation: Explanation;
    if is_file {
        let folder = tempfile::tempdir().context("no room for a database of one record")?;
        let address = format!("sqlite://{}", folder.path().join("one.db").display());
        let store = Store::open(&address).await?;
        let row = only_one(&store, path.to_path_buf()).await?;
        explanation = explain((&rulebook, &codes), rule, (&store, &row)).await?;
        explanation.is_one_record = true;
        store.close().await;
    } else {
        let store = global.store().await?;
        let row = store.event(EventId::from_text(&args.event)).await?.with_context(|| {
            format!(
                "there is no sign-in with the id {0}, nor a file {0}; `signinel timeline ID` shows the sign-ins of an incident",
                view::clean(&args.event)
            )
        })?;
        explanation = explain((&rulebook, &codes), rule, (&store, &row)).await?;
        store.close().await;
    }
    if global.is_json() {
        return screen.json(&explanation);
    }
    screen.text(&view::explained(&explanation))
}

/// The rule of a name.
fn known<'r>(rulebook: &'r Rulebook, name: &str) -> anyhow::Result<&'r str> {
    let mut names: Vec<&str> = rulebook.rules.keys().map(String::as_str).collect();
    names.extend(rulebook.detections.keys().map(String::as_str));
    names.extend(rulebook.dataless.keys().map(String::as_str));
    names.sort_unstable();
    names.dedup();
    names
        .iter()
        .find(|known| **known == name)
        .copied()
        .with_context(|| format!("the rule `{}` {}", view::clean(name), no_such_rule(name, &names)))
}

/// The sign-in of a file that holds one.
async fn only_one(store: &Store, path: PathBuf) -> anyhow::Result<EventRow> {
    let shown = view::clean(&path.display().to_string());
    let with = Import {
        store,
        tenant_id: String::new(),
        now: SystemClock.now(),
        stop: &CancellationToken::new(),
        on_batch: &|_| (),
    };
    let imported = import(vec![path], with).await?;
    if let Some(fault) = imported.unreadable.first().or(imported.rejected.first()) {
        anyhow::bail!("{}", view::clean(fault));
    }
    let stretch = Stretch { up_to_seq: i64::MAX, ..Stretch::default() };
    match store.stretch(&stretch, 2).await?.as_slice() {
        [row] => Ok(*row),
        [] => anyhow::bail!("{shown} holds no sign-in"),
        _ => anyhow::bail!(
            "{shown} holds {} sign-ins: one is explained at a time, import them and name it by its id",
            imported.tally.stored
        ),
    }
}
