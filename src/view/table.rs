//! A list as a table that fits the terminal: one column gives way, and never that of an id.

use comfy_table::{Attribute, Cell, Color, ContentArrangement, Table, presets};
use owo_colors::AnsiColors;

use super::phrase::{clean, shorten};
use super::style::Style;

/// Letters between two columns.
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
    /// The column that is shortened where the terminal is narrow, and goes under the row where it is
    /// narrower still.
    const GIVES_WAY: usize;
    /// With less space than this it goes under the row.
    const LEAST: usize = 24;
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
    let mut heads: Vec<&str> = R::COLUMNS.to_vec();
    let room = style.width.saturating_sub(others::<R>(&shown) + BETWEEN);
    let mut below = Vec::new();
    if room < R::LEAST {
        heads.remove(R::GIVES_WAY);
        below = shown.iter_mut().map(|row| row.remove(R::GIVES_WAY).text).collect();
    } else {
        for row in &mut shown {
            row[R::GIVES_WAY].text = fitted(&row[R::GIVES_WAY].text, room);
        }
    }
    let heights: Vec<usize> = shown.iter().map(|row| height(row)).collect();
    let mut lines = lines(&heads, shown, style);
    if !below.is_empty() {
        lines = under_rows(lines, &heights, &below, style.width, R::COLUMNS[R::GIVES_WAY]);
    }
    lines.join("\n") + "\n"
}

/// Each row with the text of the column that gave way under it.
fn under_rows(
    lines: Vec<String>,
    heights: &[usize],
    below: &[String],
    width: usize,
    head: &str,
) -> Vec<String> {
    let under = |text: &str| -> Vec<String> {
        let text = fitted(text, width.saturating_sub(BETWEEN));
        let told = text.lines().filter(|line| *line != "-");
        told.map(|line| format!("{:BETWEEN$}{line}", "")).collect()
    };
    let mut rest = lines.into_iter();
    let mut lines: Vec<String> = rest.by_ref().take(1).collect();
    lines.extend(under(head));
    for (height, below) in heights.iter().zip(below) {
        lines.extend(rest.by_ref().take(*height));
        lines.extend(under(below));
    }
    lines
}

fn fitted(text: &str, room: usize) -> String {
    text.lines().map(|line| shorten(line, room)).collect::<Vec<_>>().join("\n")
}

fn height(row: &[Shown]) -> usize {
    row.iter().map(|cell| cell.text.lines().count().max(1)).max().unwrap_or(1)
}

fn lines(heads: &[&str], shown: Vec<Vec<Shown>>, style: &Style) -> Vec<String> {
    let mut table = Table::new();
    table.load_style(presets::NOTHING);
    table.set_content_arrangement(ContentArrangement::Disabled);
    if style.colour {
        table.enforce_styling();
    } else {
        table.force_no_tty();
    }
    table.set_header(heads.iter().map(|name| Cell::new(name).add_attribute(Attribute::Bold)));
    for row in shown {
        table.add_row(row.into_iter().map(|shown| {
            let cell = Cell::new(shown.text);
            match shown.colour {
                Some(colour) if style.colour => cell.fg(terminal(colour)),
                _ => cell,
            }
        }));
    }
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.lines().map(|line| line.trim_end().to_owned()).collect()
}

/// Letters that the columns take that do not give way.
fn others<R: ListRow>(shown: &[Vec<Shown>]) -> usize {
    let longest = |text: &str| text.lines().map(|line| line.chars().count()).max().unwrap_or(0);
    R::COLUMNS
        .iter()
        .enumerate()
        .filter(|(place, _)| *place != R::GIVES_WAY)
        .map(|(place, name)| {
            let cells = shown.iter().filter_map(|row| row.get(place));
            let widest = cells.map(|cell| longest(&cell.text)).max().unwrap_or(0);
            widest.max(name.chars().count()) + BETWEEN
        })
        .sum()
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

#[cfg(test)]
mod tests {
    use super::*;

    struct Named(&'static str, &'static str);

    impl ListRow for Named {
        const COLUMNS: &'static [&'static str] = &["ID", "TITLE"];
        const GIVES_WAY: usize = 1;
        const NONE: &'static str = "nothing";

        fn columns(&self) -> Vec<Shown> {
            vec![Shown::coloured(self.0, AnsiColors::Red), self.1.into()]
        }
    }

    const ID: &str = "5a3e9d70-1c2b-4e8f-8f60-7b9c0d1e2f32";

    fn plain(width: usize) -> Style {
        Style { colour: false, width }
    }

    #[test]
    fn a_title_is_shortened_and_an_id_never() {
        let rows = [Named(ID, "a title that is longer than the room for it is")];
        let text = table(&rows, &plain(66));
        assert_eq!(text, format!("{:36}  TITLE\n{ID}  a title that is longer th…\n", "ID"));
    }

    #[test]
    fn where_there_is_no_room_the_title_goes_under_its_row() {
        let rows = [Named(ID, "one\ntwo"), Named("7", "-"), Named("8", "three")];
        let text = table(&rows, &plain(50));
        assert_eq!(text, format!("ID\n  TITLE\n{ID}\n  one\n  two\n7\n8\n  three\n"));
    }

    #[test]
    fn colours_come_only_when_told_and_never_from_a_row() {
        let rows = [Named("7", "\u{1b}[31mred\u{7}")];
        assert_eq!(table(&rows, &plain(60)), "ID  TITLE\n7   [31mred\n");
        let coloured = table(&rows, &Style { colour: true, width: 60 });
        assert!(coloured.contains("\u{1b}[38;5;1m7"), "{coloured:?}");
        assert!(!coloured.contains("\u{1b}[31mred"), "{coloured:?}");
    }

    #[test]
    fn no_rows_are_said_in_words() {
        assert_eq!(table::<Named>(&[], &plain(60)), "nothing\n");
    }
}
