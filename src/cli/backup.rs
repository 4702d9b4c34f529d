//! `signinel backup`: a copy of the database as it is now, while `run` goes on.

use std::path::PathBuf;

use clap::Args as ClapArgs;
use serde::Serialize;

use super::screen::{self, Screen};
use super::settings::{Global, Wrong};
use crate::store::BackupError;

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  signinel backup signinel-2026-11-23.db
  signinel backup --db sqlite:///data/signinel.db /backup/monday.db

The copy is of one moment, whatever `run` writes meanwhile, and is read through before it gets its name. No file is
ever written over. To restore: stop `signinel run`, move the database aside together with its -wal and -shm files, put
the copy in its place, and start `run` again. It reads again what Graph still has since then, and stores nothing twice;
incidents of that time are told again.")]
pub(super) struct Args {
    /// The copy, which must not be there yet
    file: PathBuf,
}

/// What `--format json` prints.
#[derive(Serialize)]
struct Copy {
    file: PathBuf,
    size_bytes: u64,
    events: u64,
}

pub(super) async fn run(global: &Global, args: Args, screen: &mut Screen) -> anyhow::Result<()> {
    let file = args.file;
    let store = global.store().await?;
    let bar = screen::spinner();
    bar.set_message("copying");
    let copied = store.back_up(&file).await;
    bar.finish_and_clear();
    let db = store.path().display().to_string();
    store.close().await;
    let copied = copied.map_err(|error| match error {
        BackupError::Exists(_) => anyhow::Error::new(Wrong(error.to_string())),
        error => error.into(),
    })?;
    if global.is_json() {
        let (size_bytes, events) = (copied.size_bytes, copied.events);
        return screen.json(&Copy { file, size_bytes, events });
    }
    screen.text(&format!(
        "{}: {}, {} sign-ins, read through\n\n\
         To restore it: stop `signinel run`, move {db}, {db}-wal and {db}-shm aside, and\n  cp {} {db}\n",
        file.display(),
        size(copied.size_bytes),
        copied.events,
        file.display()
    ))
}

/// Bytes as people say them.
fn size(bytes: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "a size is shown to a tenth")]
    let mut number = bytes as f64;
    let mut unit = "B";
    for larger in ["KiB", "MiB", "GiB", "TiB"] {
        if number < 1024.0 {
            break;
        }
        number /= 1024.0;
        unit = larger;
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{number:.1} {unit}") }
}
