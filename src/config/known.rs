//! What to say of a word that is not known: the one that was probably meant, or all that are known.

/// That a word is not known, as the rest of a sentence: with the known word it resembles, or with all
/// of them after `are`.
#[must_use]
pub fn unknown(word: &str, are: &str, known: &[&str]) -> String {
    match nearest(word, known) {
        Some(meant) => format!("is not known here; did you mean `{meant}`?"),
        None => format!("is not known here; {are} {}", known.join(", ")),
    }
}

/// ", did you mean …?" as the end of a sentence, where a known word resembles this one.
#[must_use]
pub fn meant(word: &str, known: &[&str]) -> String {
    nearest(word, known).map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"))
}

/// The known word that most resembles this one, where no more than a third of it is different.
#[must_use]
pub(super) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let apart = known.iter().map(|other| (distance(word, other), *other));
    let (apart, meant) = apart.min()?;
    (apart * 3 <= word.chars().count().max(3)).then_some(meant)
}

/// How many letters must be put in, taken out or replaced to make one word of the other (Levenshtein).
fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (place, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = place + 1;
        for (column, opposite) in other.chars().enumerate() {
            let replaced = diagonal + usize::from(letter != opposite);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_letters_that_differ_are_counted() {
        for (one, other, apart) in
            [("kitten", "sitting", 3), ("", "abc", 3), ("abc", "", 3), ("same", "same", 0)]
        {
            assert_eq!(distance(one, other), apart, "{one} {other}");
        }
    }

    #[test]
    fn a_slip_is_recognised_and_another_word_is_not() {
        let known = ["password", "password_file", "host", "to"];
        for (word, meant) in [
            ("pasword", Some("password")),
            ("passwordfile", Some("password_file")),
            ("hots", None),
            ("hosts", Some("host")),
            ("colour", None),
        ] {
            assert_eq!(nearest(word, &known), meant, "{word}");
        }
        assert_eq!(nearest("x", &[]), None);
        assert_eq!(
            unknown("colour", "the keys are", &known),
            "is not known here; the keys are password, password_file, host, to"
        );
    }
}
