//! Where in the text of a rule file a key stands, so that a fault can name its line.

/// A line and a column, both from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

/// A key or an item that begins on a line of its own.
struct Entry {
    /// Its keys from without to within; an item of a list goes by its number.
    path: Vec<String>,
    place: Place,
}

/// The keys of one file.
pub(super) struct Places<'t> {
    lines: Vec<&'t str>,
    entries: Vec<Entry>,
}

/// A level of the lines above: how far it is indented, and what it is.
struct Level {
    indent: usize,
    path: Vec<String>,
    /// How many items it has had.
    items: usize,
    is_item: bool,
}

impl<'t> Places<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        let lines: Vec<&str> = text.lines().collect();
        let root = Level { indent: 0, path: Vec::new(), items: 0, is_item: true };
        let (mut levels, mut entries) = (vec![root], Vec::new());
        // Of a text that goes on over lines, its key's indent.
        let mut text_of = None;
        for (number, line) in lines.iter().enumerate() {
            let mut indent = line.len() - line.trim_start().len();
            let mut rest = line.trim();
            if rest.is_empty() || rest.starts_with('#') || text_of.is_some_and(|of| indent > of) {
                continue;
            }
            text_of = None;
            loop {
                let place = Place { line: number + 1, column: indent + 1 };
                if let Some(after) = rest.strip_prefix("- ").or((rest == "-").then_some("")) {
                    let path = item(&mut levels, indent);
                    entries.push(Entry { path, place });
                    indent += rest.len() - after.trim_start().len();
                    rest = after.trim_start();
                } else if let Some((key, value)) = key_of(rest) {
                    leave(&mut levels, |level| level.indent >= indent);
                    let path = below(&levels, key);
                    levels.push(Level { indent, path: path.clone(), items: 0, is_item: false });
                    entries.push(Entry { path, place });
                    text_of = value.starts_with(['|', '>']).then_some(indent);
                    break;
                } else {
                    break;
                }
            }
        }
        Self { lines, entries }
    }

    /// Where a path stands, or else the nearest above it that stands somewhere.
    pub(super) fn of_path(&self, path: &[String]) -> Option<Place> {
        (1..=path.len()).rev().find_map(|length| {
            let (known, rest) = path.split_at(length);
            let entry = self.entries.iter().position(|entry| entry.path == known)?;
            // What stands within braces has no line of its own.
            let mut place = self.entries[entry].place;
            for word in rest {
                place = self.word(word, entry, place).unwrap_or(place);
            }
            Some(place)
        })
    }

    /// Where a file begins that has something in it.
    pub(super) fn start(&self) -> Option<Place> {
        self.lines.first().map(|_| Place { line: 1, column: 1 })
    }

    /// Where a sentence about the file points to, by the words that it has in backticks: the first is a key
    /// or a text, the others stand in what belongs to it.
    pub(super) fn of_sentence(&self, sentence: &str) -> Option<Place> {
        let words: Vec<&str> = sentence.split('`').skip(1).step_by(2).collect();
        let (key, value) = words.first()?.split_once(": ").unwrap_or((words[0], ""));
        let keys: Vec<String> = key.split('.').map(str::to_owned).collect();
        let entry_of = |keys: &[String]| {
            self.entries.iter().position(|entry| !keys.is_empty() && entry.path.ends_with(keys))
        };
        // The last key may stand within braces, behind that which is above it.
        let (last, above) = keys.split_last()?;
        let entry = entry_of(&keys).or_else(|| entry_of(above));
        let others =
            || words[1..].iter().copied().chain([value, last]).filter(|word| !word.is_empty());
        match entry {
            Some(entry) => {
                let place = self.entries[entry].place;
                Some(others().find_map(|word| self.word(word, entry, place)).unwrap_or(place))
            }
            // What is missing belongs to what it would stand in.
            None if sentence.contains("is missing") => ["signinel", "correlation"]
                .iter()
                .find_map(|section| self.of_path(&[(*section).to_owned()])),
            None => [key].into_iter().chain(others()).find_map(|word| self.anywhere(word)),
        }
    }

    /// Where a word stands in what belongs to an entry, from a place on.
    fn word(&self, word: &str, entry: usize, from: Place) -> Option<Place> {
        let path = &self.entries[entry].path;
        let end = self.entries[entry..].iter().find(|entry| !entry.path.starts_with(path));
        let end = end.map_or(self.lines.len(), |entry| entry.place.line - 1).max(from.line);
        (from.line..=end).find_map(|line| {
            let begin = if line == from.line { from.column - 1 } else { 0 };
            word_in(self.lines[line - 1], word, begin).map(|column| Place { line, column })
        })
    }

    fn anywhere(&self, word: &str) -> Option<Place> {
        self.lines
            .iter()
            .zip(1..)
            .find_map(|(text, line)| word_in(text, word, 0).map(|column| Place { line, column }))
    }
}

fn leave(levels: &mut Vec<Level>, is_left: impl Fn(&Level) -> bool) {
    while levels.len() > 1 && levels.last().is_some_and(&is_left) {
        levels.pop();
    }
}

fn below(levels: &[Level], name: &str) -> Vec<String> {
    let above = levels.last().map_or(&[][..], |level| &level.path);
    above.iter().cloned().chain([name.to_owned()]).collect()
}

/// Begins the next item of a list; its dash may stand right below the key of the list.
fn item(levels: &mut Vec<Level>, indent: usize) -> Vec<String> {
    leave(levels, |level| level.indent > indent || level.indent == indent && level.is_item);
    let number = levels.last().map_or(0, |level| level.items);
    let path = below(levels, &number.to_string());
    if let Some(list) = levels.last_mut() {
        list.items += 1;
    }
    levels.push(Level { indent, path: path.clone(), items: 0, is_item: true });
    path
}

/// The key of a line, and what stands behind it.
fn key_of(line: &str) -> Option<(&str, &str)> {
    if line.starts_with(['{', '[', '"']) {
        return None;
    }
    let (key, value) = match line.split_once(": ") {
        Some((key, value)) => (key, value.trim_start()),
        None => (line.strip_suffix(':')?, ""),
    };
    Some((key.trim().trim_matches('\''), value))
}

/// The column of a word that stands for itself in a line.
fn word_in(line: &str, word: &str, begin: usize) -> Option<usize> {
    let is_of_word = |sign: char| sign.is_alphanumeric() || sign == '_';
    line.match_indices(word).map(|(at, _)| at).find_map(|at| {
        let is_alone =
            !line[..at].ends_with(is_of_word) && !line[at + word.len()..].starts_with(is_of_word);
        (at >= begin && is_alone && !word.is_empty()).then(|| line[..at].chars().count() + 1)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
title: 'a: b'
detection:
    one:
        appId|cidr: x
    two:
    - appId: y
      resource|re: z
    condition: one and nowhere
signinel:
    why: >-
        two: lines
        of text
    tests:
        - name: first
          events: [{ at: 0m }]
        - { name: second, events: [{ at: 5q }] }
";

    #[test]
    fn a_path_leads_to_its_line() {
        let places = Places::of(TEXT);
        let at = |path: &str| {
            let path: Vec<String> = path.split('/').map(str::to_owned).collect();
            places.of_path(&path).map(|place| (place.line, place.column))
        };
        assert_eq!(at("title"), Some((1, 1)));
        assert_eq!(at("detection/one/appId|cidr"), Some((4, 9)));
        assert_eq!(at("detection/two/0/resource|re"), Some((7, 7)));
        assert_eq!(at("signinel/tests/0/events/0/at"), Some((15, 22)));
        assert_eq!(at("signinel/tests/1/events/0/at"), Some((16, 38)));
        assert_eq!(at("detection/three"), Some((2, 1)));
        assert_eq!(at("nothing"), None);
    }

    #[test]
    fn a_sentence_leads_to_what_it_names() {
        let places = Places::of(TEXT);
        let at = |text: &str| places.of_sentence(text).map(|place| place.line);
        assert_eq!(at("`condition` names `nowhere`"), Some(8));
        assert_eq!(at("`signinel.why` is short"), Some(10));
        assert_eq!(at("there is no `z` here"), Some(7));
        assert_eq!(at("it is wrong"), None);
    }
}
