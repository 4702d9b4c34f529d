//! Where rule files are: in the binary, or in a folder and the folders in it.

use std::fs;
use std::path::{Path, PathBuf};

use include_dir::{Dir, include_dir};

use super::rulebook::RuleFault;

/// The rules that come with the program.
static DEFAULT_RULES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/rules");

/// A file by its path, and its text.
pub(super) type RuleFile = (PathBuf, String);

/// The rule files in the binary.
pub(super) fn embedded_files() -> Vec<RuleFile> {
    let mut files = Vec::new();
    embedded_below(&DEFAULT_RULES, &mut files);
    files
}

/// Whether a rule of this name is in the binary.
pub(super) fn is_shipped(name: &str) -> bool {
    embedded_files().iter().any(|(path, _)| path.file_stem().is_some_and(|stem| stem == name))
}

/// The texts of the rule files of a folder and the folders in it, in order, and which cannot be read.
pub(super) fn rule_files(folder: &Path) -> Result<(Vec<RuleFile>, Vec<RuleFault>), Vec<RuleFault>> {
    let mut files = Vec::new();
    let mut faults = Vec::new();
    below(folder, &mut files, &mut faults).map_err(|error| {
        vec![RuleFault::of(folder, format!("cannot be read: {error}; name a folder of rule files"))]
    })?;
    if files.is_empty() && faults.is_empty() {
        faults.push(RuleFault::of(
            folder,
            "holds no rule file (.yml or .yaml), so nothing would ever be found; name a folder that does",
        ));
    }
    files.sort();
    Ok((files, faults))
}

fn embedded_below(folder: &Dir<'_>, files: &mut Vec<(PathBuf, String)>) {
    for file in folder.files().filter(|file| is_rule(file.path())) {
        let text = file.contents_utf8().unwrap_or_default().to_owned();
        files.push((Path::new("rules").join(file.path()), text));
    }
    for folder in folder.dirs() {
        embedded_below(folder, files);
    }
}

/// Reads what can be read; the rest becomes faults, so that all of them are told at once.
fn below(
    folder: &Path,
    files: &mut Vec<(PathBuf, String)>,
    faults: &mut Vec<RuleFault>,
) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let read = if path.is_dir() {
            below(&path, files, faults)
        } else if is_rule(&path) {
            fs::read_to_string(&path).map(|text| files.push((path.clone(), text)))
        } else {
            Ok(())
        };
        if let Err(error) = read {
            let sentence = format!("cannot be read: {error}; let this program read it, as UTF-8");
            faults.push(RuleFault::of(&path, sentence));
        }
    }
    Ok(())
}

fn is_rule(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "yml" || extension == "yaml")
}
