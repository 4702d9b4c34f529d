//! What to say of a word that is not known: the one that was probably meant, or all that are known.

/// More known words than this are no help in a sentence.
const LISTED_AT_MOST: usize = 20;

/// Words that are named as those which may have been meant.
const MEANT_AT_MOST: usize = 3;

/// That a word is not known, as the rest of a sentence: with the known word it resembles, or with all
/// of them after `are` where they are few.
#[must_use]
pub fn unknown(word: &str, are: &str, known: &[&str]) -> String {
    match meant(word, known) {
        none if none.is_empty() && known.len() <= LISTED_AT_MOST => {
            format!("is not known here; {are} {}", known.join(", "))
        }
        meant => format!("is not known here{meant}"),
    }
}

/// "; did you mean …?" as the end of a sentence, where known words resemble this one.
#[must_use]
pub fn meant(word: &str, known: &[&str]) -> String {
    let meant = match nearest(word, known) {
        Some(meant) => vec![meant],
        None => akin(word, known),
    };
    let quoted: Vec<String> = meant.iter().map(|word| format!("`{word}`")).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((one, [])) => format!("; did you mean {one}?"),
        Some((last, others)) => format!("; did you mean {} or {last}?", others.join(", ")),
    }
}

/// The known words that have most of the parts of this one, those between `_`; fewest others first.
fn akin<'a>(word: &str, known: &[&'a str]) -> Vec<&'a str> {
    let parts = |word: &str| -> Vec<String> {
        let parts = word.split(|c: char| !c.is_alphanumeric()).filter(|part| part.len() > 2);
        parts.map(str::to_lowercase).collect()
    };
    let wanted = parts(word);
    let shared = |other: &str| parts(other).iter().filter(|part| wanted.contains(part)).count();
    let mut akin: Vec<&str> = known.iter().copied().filter(|other| shared(other) > 0).collect();
    akin.sort_by_key(|other| (std::cmp::Reverse(shared(other)), parts(other).len(), *other));
    akin.truncate(MEANT_AT_MOST);
    akin
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
            meant("file_of_password", &known),
            "; did you mean `password_file` or `password`?"
        );
        let many: Vec<String> = (0..30).map(|number| format!("word{number}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert_eq!(unknown("colour", "the keys are", &many), "is not known here");
        assert_eq!(
            unknown("colour", "the keys are", &known),
            "is not known here; the keys are password, password_file, host, to"
        );
    }
}
