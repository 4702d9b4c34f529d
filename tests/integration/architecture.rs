//! Holds `src` to the order that `src/lib.rs` shows: a module imports only from those above it, heavy
//! crates stay in their home, files say what they are for and stay small.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The modules of the path, each with those it may import.
const PATH: &[(&str, &str)] = &[
    ("model", ""),
    ("clock", ""),
    ("config", "model"),
    ("sources", "model clock config"),
    ("normalise", "model"),
    ("store", "model"),
    ("ingest", "model clock sources normalise store"),
    ("detect", "model store"),
    ("incidents", "model config store"),
    ("diagnose", "model store detect"),
    ("notify", "model config store detect diagnose"),
    ("app", "model clock config sources store detect diagnose notify"),
    ("pipeline", "app sources store ingest detect incidents notify"),
    ("backtest", "model clock config store detect notify app pipeline"),
    ("view", "model store detect diagnose backtest"),
    ("simulate", "model"),
    ("standin", "model clock"),
    (
        "cli",
        "model clock config sources normalise store ingest detect incidents diagnose notify app pipeline backtest view simulate standin",
    ),
];

/// Crates that one part of the house knows, so that replacing one touches one folder.
const HOMES: &[(&str, &str)] = &[
    ("sqlx", "store"),
    ("zstd", "store"),
    ("azure_identity", "sources"),
    ("azure_core", "sources"),
    ("azure_storage_blob", "sources"),
    ("reqwest", "sources notify"),
    ("rsigma_eval", "detect"),
    ("rsigma_parser", "detect"),
    ("lettre", "notify"),
    ("axum", "standin"),
    ("mailin", "standin"),
    ("rand_chacha", "simulate standin"),
    ("clap", "cli"),
    ("anyhow", "cli"),
    ("indicatif", "cli"),
    ("tracing_subscriber", "cli"),
];

/// Lines of code that a file may hold; its unit tests do not count.
const LINES_AT_MOST: usize = 400;

struct File {
    shown: String,
    module: String,
    /// Without comments and without the unit tests at the foot.
    code: String,
    opens_with_purpose: bool,
    lines: usize,
}

fn files() -> Vec<File> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    walk(&root, &mut paths);
    let tests = test_modules(&root, &paths);
    let is_test = |path: &PathBuf| {
        tests.iter().any(|module| path.starts_with(module) || path.with_extension("") == *module)
    };
    let files: Vec<File> =
        paths.iter().filter(|path| !is_test(path)).map(|path| file(&root, path)).collect();
    assert!(files.len() > 60, "the walk over src found only {} files", files.len());
    files
}

fn walk(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
    paths.sort();
}

fn file(root: &Path, path: &Path) -> File {
    let text = fs::read_to_string(path).unwrap();
    let inside = path.strip_prefix(root).unwrap();
    let module = inside.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs").to_owned();
    let body = text.split("#[cfg(test)]\nmod tests").next().unwrap_or_default();
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    File {
        shown: inside.display().to_string(),
        module,
        code: body.lines().filter(is_code).collect::<Vec<_>>().join("\n"),
        opens_with_purpose: text.starts_with("//! "),
        lines: body.lines().count(),
    }
}

/// Files that only unit tests see: declared under `#[cfg(test)]` by the file above them.
fn test_modules(root: &Path, paths: &[PathBuf]) -> BTreeSet<PathBuf> {
    let mut modules = BTreeSet::new();
    for path in paths.iter().filter(|path| path.ends_with("mod.rs") || path.parent() == Some(root))
    {
        let text = fs::read_to_string(path).unwrap();
        for declared in text.split("#[cfg(test)]\nmod ").skip(1) {
            let name = declared.split(';').next().unwrap_or_default();
            modules.insert(path.with_file_name(name));
        }
    }
    modules
}

fn is_root(file: &File) -> bool {
    matches!(file.module.as_str(), "lib" | "main")
}

/// The top-level modules that a text names from `crate::`.
fn imports(code: &str) -> BTreeSet<&str> {
    let name = |rest: &'_ str| {
        rest.find(|sign: char| !sign.is_alphanumeric() && sign != '_').unwrap_or(rest.len())
    };
    code.split("crate::")
        .skip(1)
        .map(|rest| &rest[..name(rest)])
        .filter(|name| !name.is_empty())
        .collect()
}

#[test]
fn the_path_never_turns_back() {
    for (place, (module, allowed)) in PATH.iter().enumerate() {
        for import in allowed.split_whitespace() {
            let is_above = PATH[..place].iter().any(|(above, _)| *above == import);
            assert!(is_above, "{module} imports {import}, which is not above it");
        }
    }
}

#[test]
fn modules_import_only_what_the_path_allows() {
    let mut faults = Vec::new();
    for file in files().iter().filter(|file| !is_root(file)) {
        let Some((module, allowed)) = PATH.iter().find(|(module, _)| *module == file.module) else {
            faults.push(format!("{} is off the path", file.shown));
            continue;
        };
        for import in imports(&file.code) {
            if import != *module && !allowed.split_whitespace().any(|name| name == import) {
                faults.push(format!("{}: {module} imports {import}", file.shown));
            }
        }
        for habit in ["use crate::{", "super::super"] {
            if file.code.contains(habit) {
                faults.push(format!(
                    "{} writes `{habit}`: one path, in full, for each module",
                    file.shown
                ));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn the_library_lists_the_modules_in_the_order_of_the_path() {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs")).unwrap();
    let listed: Vec<&str> = text
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    let path: Vec<&str> = PATH.iter().map(|(module, _)| *module).collect();
    assert_eq!(listed, path);
}

#[test]
fn crates_stay_at_home() {
    let mut faults = Vec::new();
    for file in files() {
        for (name, homes) in HOMES {
            let is_used = file.code.contains(&format!("{name}::"));
            if is_used && !homes.split_whitespace().any(|home| home == file.module) {
                faults.push(format!("{} uses {name}, whose home is {homes}", file.shown));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn every_file_says_what_it_is_for_and_stays_small() {
    let mut faults = Vec::new();
    for file in files() {
        if !file.opens_with_purpose {
            faults.push(format!("{} does not open with its purpose", file.shown));
        }
        if file.lines > LINES_AT_MOST {
            faults.push(format!("{} has {} lines", file.shown, file.lines));
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}
