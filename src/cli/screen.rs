//! Standard output and error: text, JSON, progress.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::view::{ListRow, Style, json, table};

/// Where answers go. Nothing else writes to standard output.
#[derive(Debug)]
pub(super) struct Screen {
    pub(super) style: Style,
    out: io::Stdout,
}

impl Screen {
    pub(super) fn new() -> Self {
        let is_terminal = io::stdout().is_terminal();
        let wants_colour = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        let width = if is_terminal { comfy_width() } else { 132 };
        Self { style: Style { colour: is_terminal && wants_colour, width }, out: io::stdout() }
    }

    pub(super) fn text(&mut self, text: &str) -> anyhow::Result<()> {
        let mut out = self.out.lock();
        out.write_all(text.as_bytes())?;
        if !text.is_empty() && !text.ends_with('\n') {
            out.write_all(b"\n")?;
        }
        Ok(out.flush()?)
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let mut out = self.out.lock();
        out.write_all(bytes)?;
        Ok(out.flush()?)
    }

    /// Rows as a table, or as a JSON array.
    pub(super) fn rows<R: ListRow + Serialize>(
        &mut self,
        rows: &[R],
        is_json: bool,
    ) -> anyhow::Result<()> {
        if is_json {
            return self.text(&json::document(rows));
        }
        self.text(&table(rows, &self.style.clone()))
    }

    pub(super) fn json(&mut self, value: &impl Serialize) -> anyhow::Result<()> {
        self.text(&json::document(value))
    }
}

/// Columns of the terminal, within what reads well.
fn comfy_width() -> usize {
    comfy_table::Table::new().width().map_or(100, usize::from).clamp(60, 140)
}

/// Whether the reader of standard output went away, as `| head` does.
pub(super) fn is_closed(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}

/// Says on standard error what went wrong.
pub(super) fn complain(sentence: &str) {
    // There is nowhere left to say that this cannot be said.
    let _ = writeln!(io::stderr(), "error: {sentence}");
}

/// Says something on standard error that is not an answer.
pub(super) fn mention(sentence: &str) {
    let _ = writeln!(io::stderr(), "{sentence}");
}

/// A line on standard error that shows that work goes on; hidden unless that is a terminal.
pub(super) fn spinner() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{spinner} {msg} {elapsed}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner());
    let bar = ProgressBar::new_spinner().with_style(style);
    bar.enable_steady_tick(Duration::from_millis(120));
    bar
}

/// A bar on standard error for work whose length is known; hidden unless that is a terminal.
pub(super) fn bar() -> ProgressBar {
    if !io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let style =
        ProgressStyle::with_template("{wide_bar} {human_pos} of {human_len} sign-ins, {eta} left")
            .unwrap_or_else(|_| ProgressStyle::default_bar());
    ProgressBar::new(0).with_style(style)
}
