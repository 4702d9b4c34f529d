//! Rule files that are edited while their rules are in force: a file with a fault stands as it was before.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::files::rule_files;
use super::matching::{CodeClasses, Matcher};
use super::rulebook::{RuleFault, Rulebook};

type Texts = BTreeMap<PathBuf, String>;

/// The files of a folder as they last were without fault.
#[derive(Debug, Default)]
pub struct RuleFiles {
    good: Texts,
}

/// What a folder holds now, with its faults left out.
pub struct Mended {
    pub book: Rulebook,
    pub matcher: Matcher,
    /// What is wrong; of these files, what stood there before is in force.
    pub faults: Vec<RuleFault>,
}

impl RuleFiles {
    /// Reads a folder. Gives the faults alone where no rules could be made of it, not even of what was there
    /// before.
    pub fn read(&mut self, folder: &Path, codes: &CodeClasses) -> Result<Mended, Vec<RuleFault>> {
        let (files, mut faults) = rule_files(folder)?;
        if files.is_empty() {
            return Err(faults);
        }
        let mut now: Texts = files.into_iter().collect();
        for fault in &faults {
            put_back(&mut now, &self.good, &fault.file);
        }
        let made = loop {
            let found = match made(&now, codes) {
                Ok(made) => break Some(made),
                Err(found) => found,
            };
            let before = now.clone();
            self.leave_out(&mut now, found, &mut faults);
            if now == before {
                // What refers to a file that is gone is as it was; so the file has to be there, too.
                for (path, text) in &self.good {
                    now.entry(path.clone()).or_insert_with(|| text.clone());
                }
            }
            if now == before {
                break None;
            }
        };
        let Some((book, matcher)) = made else { return Err(faults) };
        self.good = now;
        Ok(Mended { book, matcher, faults })
    }

    /// Makes files with faults what they were, and keeps the first reading of what is wrong with each.
    fn leave_out(&self, now: &mut Texts, found: Vec<RuleFault>, faults: &mut Vec<RuleFault>) {
        let known: Vec<PathBuf> = faults.iter().map(|fault| fault.file.clone()).collect();
        for fault in found {
            put_back(now, &self.good, &fault.file);
            if !known.contains(&fault.file) {
                faults.push(fault);
            }
        }
    }
}

fn made(texts: &Texts, codes: &CodeClasses) -> Result<(Rulebook, Matcher), Vec<RuleFault>> {
    let files: Vec<(PathBuf, String)> =
        texts.iter().map(|(path, text)| (path.clone(), text.clone())).collect();
    let book = Rulebook::read(&files)?;
    let matcher = Matcher::new(&book, codes.clone())?;
    Ok((book, matcher))
}

/// Makes a file what it was when it was good, or leaves it out where it never was.
fn put_back(now: &mut Texts, good: &Texts, path: &Path) {
    match good.get(path) {
        Some(text) => now.insert(path.to_path_buf(), text.clone()),
        None => now.remove(path),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    const DETECTION: &str = "title: a\nlevel: high\nlogsource: {product: azure}\ndetection:\n  \
                             sel:\n    status.errorCode: 1\n  condition: sel\n";
    const COUNT: &str = "title: b\ncorrelation:\n  type: event_count\n  rules: [one]\n  \
                         group-by: [identity]\n  timespan: 1h\n  condition: {gte: 3}\n";

    struct Folder(tempfile::TempDir, RuleFiles);

    impl Folder {
        fn new() -> Self {
            let folder = Self(tempfile::tempdir().unwrap(), RuleFiles::default());
            folder.write("one.yml", DETECTION);
            folder.write("many.yml", COUNT);
            folder
        }

        fn write(&self, name: &str, text: &str) {
            std::fs::write(self.0.path().join(name), text).unwrap();
        }

        /// The names of the rules with how much of each is asked for, and what is wrong.
        fn read(&mut self) -> (Vec<String>, Vec<String>) {
            let mended = self.1.read(self.0.path(), &CodeClasses::new()).ok().unwrap();
            let names = mended.book.rules.values();
            let name = |rule: &super::super::rule::Rule| {
                format!("{} {} {:?}", rule.name, rule.text.title, rule.kind)
            };
            let said = mended.faults.iter().map(|fault| {
                fault.to_string().replace(&format!("{}/", self.0.path().display()), "")
            });
            (names.map(name).collect(), said.collect())
        }
    }

    #[test]
    fn a_broken_file_stands_as_it_was_and_others_follow() {
        let mut folder = Folder::new();
        let (before, faults) = folder.read();
        assert_eq!((before.len(), faults.len()), (1, 0));
        folder.write("many.yml", &COUNT.replace("gte: 3", "gte: [3"));
        folder.write("two.yml", DETECTION);
        let (rules, faults) = folder.read();
        assert_eq!(rules.len(), 2);
        assert_eq!(rules[0], before[0]);
        assert!(faults[0].contains(": is no YAML: "), "{faults:?}");
        folder.write("many.yml", &COUNT.replace("gte: 3", "gte: 4"));
        let (rules, faults) = folder.read();
        assert_eq!(faults, Vec::<String>::new());
        assert_ne!(rules[0], before[0]);
    }

    #[test]
    fn a_file_that_others_refer_to_is_kept_when_it_goes() {
        let mut folder = Folder::new();
        let (before, _) = folder.read();
        std::fs::remove_file(folder.0.path().join("one.yml")).unwrap();
        let (rules, faults) = folder.read();
        assert_eq!(rules, before);
        assert_eq!(
            faults,
            [
                "many.yml:4: refers to `one`, and there is no such detection rule or correlation: write its \
                 name, or bring its file"
            ]
        );
    }

    #[test]
    fn what_cannot_be_compiled_is_found_among_the_edited_files() {
        let mut folder = Folder::new();
        folder.read();
        folder.write("two.yml", DETECTION);
        folder.write(
            "three.yml",
            &DETECTION.replace("status.errorCode: 1", "servicePrincipalName|re: '(a'"),
        );
        let (rules, faults) = folder.read();
        assert_eq!(rules.len(), 2, "{rules:?}");
        assert!(faults[0].starts_with("three.yml:6: "), "{faults:?}");
        assert_eq!(faults.len(), 1);
    }

    #[test]
    fn an_empty_folder_is_no_set_of_rules() {
        let mut folder = Folder::new();
        folder.read();
        for name in ["one.yml", "many.yml"] {
            std::fs::remove_file(folder.0.path().join(name)).unwrap();
        }
        let faults = folder.1.read(folder.0.path(), &CodeClasses::new()).err().unwrap();
        assert!(faults[0].to_string().contains("holds no rule file"), "{faults:?}");
    }
}
