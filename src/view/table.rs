//! A list as a table that fits the terminal: one column gives way, and never that of an id.

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};
use owo_colors::AnsiColors;

use super::phrase::{clean, shorten};
use super::style::Style;

/// The space that the column which gives way keeps at least.
const LEAST: usize = 12;

const BETWEEN: usize = 2;

/// What a row shows in one column.
pub struct Shown {
    text: String,
    colour: Option<AnsiColors>,
}

impl Shown {
    pub(super) fn coloured(text: impl Into<String>, colour: AnsiColors) -> Self {
        Self { text: text.into(), colour: Some(colour) }
    }
}

impl<T: Into<String>> From<T> for Shown {
    fn from(text: T) -> Self {
        Self { text: text.into(), colour: None }
    }
}

/// A row of a list.
pub trait ListRow {
    /// What stands above the columns.
    const COLUMNS: &'static [&'static str];
    /// The column that is shortened where the terminal is narrow.
    const GIVES_WAY: usize;
    /// What to say where there are no rows.
    const NONE: &'static str;

    /// What stands in the columns; a line break makes a second line.
    fn columns(&self) -> Vec<Shown>;
}

/// A list for a terminal; ends with a line break.
#[must_use]
pub fn table<R: ListRow>(rows: &[R], style: &Style) -> String {
    if rows.is_empty() {
        return format!("{}\n", R::NONE);
    }
    let mut shown: Vec<Vec<Shown>> = rows.iter().map(ListRow::columns).collect();
    for cell in shown.iter_mut().flatten() {
        cell.text = cell.text.lines().map(clean).collect::<Vec<_>>().join("\n");
    }
    let room = room::<R>(&shown, style.width);
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    if style.colour {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_header(R::COLUMNS.iter().map(|name| Cell::new(name).add_attribute(Attribute::Bold)));
    for row in shown {
        table.add_row(row.into_iter().enumerate().map(|(place, shown)| {
            let text = match place == R::GIVES_WAY {
                true => shown
                    .text
                    .lines()
                    .map(|line| shorten(line, room))
                    .collect::<Vec<_>>()
                    .join("\n"),
                false => shown.text,
            };
            let cell = Cell::new(text);
            match shown.colour {
                Some(colour) if style.colour => cell.fg(terminal(colour)),
                _ => cell,
            }
        }));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, BETWEEN as u16));
    }
    let mut text =
        table.lines().map(|line| line.trim_end().to_owned()).collect::<Vec<_>>().join("\n");
    text.push('\n');
    text
}

/// Letters that are left for the column that gives way.
fn room<R: ListRow>(shown: &[Vec<Shown>], width: usize) -> usize {
    let longest = |text: &str| text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    let others: usize = R::COLUMNS
        .iter()
        .enumerate()
        .filter(|(place, _)| *place != R::GIVES_WAY)
        .map(|(place, name)| {
            let cells = shown.iter().filter_map(|row| row.get(place));
            let widest = cells.map(|cell| longest(&cell.text)).max().unwrap_or(0);
            widest.max(name.chars().count()) + BETWEEN
        })
        .sum();
    width.saturating_sub(others + BETWEEN).max(LEAST)
}

fn terminal(colour: AnsiColors) -> Color {
    match colour {
        AnsiColors::BrightRed => Color::Red,
        AnsiColors::Red => Color::DarkRed,
        AnsiColors::Yellow => Color::DarkYellow,
        AnsiColors::Green => Color::DarkGreen,
        AnsiColors::Cyan => Color::DarkCyan,
        _ => Color::Reset,
    }
}
