//! `signinel coverage`: what was read to its end, what is missing, how late records come.

use serde::Serialize;

use super::screen::Screen;
use super::settings::Global;
use crate::store::HeadCoverage;
use crate::store::gaps::Gap;
use crate::view::table;

pub(super) const EXAMPLES: &str = "Examples:
  signinel coverage
  signinel coverage --format json

COMPLETE TO is the time up to which every interval was read to its end. Records that come later than
that are looked for again: by the overlap of each read, and by sweeps hours and days later.";

/// What `--format json` prints.
#[derive(Serialize)]
struct Coverage {
    heads: Vec<HeadCoverage>,
    gaps: Vec<Gap>,
}

pub(super) async fn run(global: &Global, screen: &mut Screen) -> anyhow::Result<()> {
    let store = global.store().await?;
    let coverage = Coverage { heads: store.coverage().await?, gaps: store.gaps().await? };
    store.close().await;
    if global.is_json() {
        return screen.json(&coverage);
    }
    let style = screen.style;
    screen.text(&table(&coverage.heads, &style))?;
    if coverage.gaps.is_empty() {
        return screen.text("\nNo gaps.\n");
    }
    screen.text(&format!("\n{}", table(&coverage.gaps, &style)))
}
