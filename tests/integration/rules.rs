//! Every rule file that ships is plain Sigma, complete, and tells a person what to do.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use rsigma_parser::lint;
use rsigma_parser::{SigmaCollection, parse_sigma_yaml};
use signinel::diagnose::unknown_placeholders;
use yaml_serde::Value;

fn rules_folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("rules")
}

/// The text of every rule file by its stem.
fn rule_files() -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    for folder in fs::read_dir(rules_folder()).unwrap().map(|entry| entry.unwrap().path()) {
        if !folder.is_dir() {
            continue;
        }
        for file in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            let stem = file.file_stem().unwrap().to_str().unwrap().to_owned();
            files.insert(stem, fs::read_to_string(&file).unwrap());
        }
    }
    assert!(files.len() > 30, "only {} rules found", files.len());
    files
}

fn document(text: &str) -> Value {
    yaml_serde::from_str(text).unwrap()
}

fn ours<'v>(document: &'v Value, key: &str) -> &'v Value {
    &document["signinel"][key]
}

fn texts(list: &Value) -> Vec<&str> {
    list.as_sequence().into_iter().flatten().filter_map(Value::as_str).collect()
}

fn parsed(name: &str, text: &str) -> SigmaCollection {
    let rules = parse_sigma_yaml(text).unwrap_or_else(|fault| panic!("{name}: {fault}"));
    assert!(rules.errors.is_empty(), "{name}: {:?}", rules.errors);
    assert_eq!(rules.len(), 1, "{name}: one rule a file");
    rules
}

#[test]
fn every_rule_is_sigma_without_an_error() {
    for (name, text) in rule_files() {
        parsed(&name, &text);
    }
}

#[test]
fn every_rule_passes_the_lint_of_sigma() {
    // The whole folder at once, so that what rules say of each other is looked at, too.
    let read = lint::lint_yaml_directory(&rules_folder()).unwrap();
    assert_eq!(read.len(), rule_files().len());
    let faults: Vec<String> = read
        .iter()
        .flat_map(|file| {
            file.warnings.iter().map(|warning| format!("{}: {warning}", file.path.display()))
        })
        .collect();
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

#[test]
fn a_rule_has_the_name_of_its_file_and_an_id_of_its_own() {
    let mut ids = BTreeSet::new();
    for (name, text) in rule_files() {
        let rule = document(&text);
        assert_eq!(rule["name"].as_str(), Some(name.as_str()));
        let id = rule["id"].as_str().unwrap();
        assert!(uuid::Uuid::try_parse(id).is_ok(), "{name}: `{id}` is no UUID");
        assert!(ids.insert(id.to_owned()), "{name}: the id {id} is taken");
    }
}

#[test]
fn every_rule_that_a_rule_names_exists() {
    let files = rule_files();
    for (name, text) in &files {
        let rule = document(text);
        // With `generate`, what the inner rules find is told as well: they are no mere blocks.
        let is_generating = rule["correlation"]["generate"].as_bool() == Some(true);
        let counted = &rule["correlation"]["rules"];
        for list in [
            if is_generating { &Value::Null } else { counted },
            ours(&rule, "broken_by"),
            ours(&rule, "learn_from"),
            ours(&rule, "of"),
        ] {
            for other in texts(list) {
                assert!(files.contains_key(other), "{name} names `{other}`, which is no rule");
            }
        }
    }
}

#[test]
fn a_rule_that_finds_says_why_and_what_to_do_and_what_it_cannot_know() {
    for (name, text) in rule_files() {
        let rule = document(&text);
        for key in ["title", "status", "description", "author", "date", "level"] {
            assert!(!rule[key].is_null(), "{name} has no `{key}`");
        }
        assert!(!texts(&rule["tags"]).is_empty(), "{name} has no tags");
        assert!(!texts(&rule["falsepositives"]).is_empty(), "{name} has no falsepositives");
        assert!(ours(&rule, "why").as_str().is_some(), "{name} has no why");
        let category = ours(&rule, "category").as_str().unwrap();
        if category != "building_block" {
            assert!(!texts(ours(&rule, "first_steps")).is_empty(), "{name} has no first steps");
            assert!(!texts(ours(&rule, "unknown")).is_empty(), "{name} knows everything?");
        }
    }
}

#[test]
fn steps_use_only_placeholders_that_are_filled_in() {
    for (name, text) in rule_files() {
        let rule = document(&text);
        for sentence in
            texts(ours(&rule, "first_steps")).into_iter().chain(texts(ours(&rule, "unknown")))
        {
            let nobody_fills = unknown_placeholders(sentence);
            assert!(nobody_fills.is_empty(), "{name}: {nobody_fills:?} in `{sentence}`");
        }
    }
}

#[test]
fn every_rule_is_tested_both_ways_and_every_one_that_finds_with_what_is_late_or_unknown() {
    for (name, text) in rule_files() {
        let rule = document(&text);
        let tests = ours(&rule, "tests").as_sequence().unwrap();
        let (mut yes, mut no) = (0, 0);
        for test in tests {
            assert!(test["name"].as_str().is_some(), "{name}: a test without a name");
            assert!(!test["events"].as_sequence().unwrap().is_empty(), "{name}: no events");
            match (test["finds"].as_u64(), test["matches"].as_bool()) {
                (Some(0), None) | (None, Some(false)) => no += 1,
                (Some(_), None) | (None, Some(true)) => yes += 1,
                _ => panic!("{name}: a test says either `finds` or `matches`"),
            }
        }
        assert!(yes > 0 && no > 0, "{name}: {yes} tests find, {no} do not");
        // The loader holds that what is marked is late, or has no value there.
        let is_odd = |test: &Value| {
            test["late"].as_bool() == Some(true) || !texts(&test["unknown"]).is_empty()
        };
        let is_block = ours(&rule, "category").as_str() == Some("building_block");
        assert!(is_block || tests.iter().any(is_odd), "{name}: no test is `late` or `unknown`");
    }
}

#[test]
fn a_building_block_is_what_other_rules_build_on() {
    let files = rule_files();
    let mut named = BTreeSet::new();
    for text in files.values() {
        let rule = document(text);
        // With `generate`, what the inner rules find is told as well: they are no mere blocks.
        let is_generating = rule["correlation"]["generate"].as_bool() == Some(true);
        let counted = &rule["correlation"]["rules"];
        for list in [
            if is_generating { &Value::Null } else { counted },
            ours(&rule, "broken_by"),
            ours(&rule, "learn_from"),
            ours(&rule, "of"),
        ] {
            named.extend(texts(list).into_iter().map(str::to_owned));
        }
    }
    for (name, text) in &files {
        let is_block = ours(&document(text), "category").as_str() == Some("building_block");
        assert_eq!(is_block, named.contains(name), "{name}");
    }
}

#[test]
fn the_index_lists_every_rule() {
    let index = fs::read_to_string(rules_folder().join("README.md")).unwrap();
    for name in rule_files().keys() {
        assert!(index.contains(&format!("`{name}`")), "rules/README.md does not list `{name}`");
    }
}

#[tokio::test]
async fn every_rule_passes_its_own_tests_on_the_path_that_events_take() {
    let book = signinel::detect::Rulebook::embedded().unwrap();
    let codes = signinel::diagnose::Catalogue::shipped().classes();
    let (ran, faults) = signinel::detect::try_rules(&book, &codes, None).await.unwrap();
    let told: Vec<String> = faults.iter().map(ToString::to_string).collect();
    assert!(told.is_empty(), "{}", told.join("\n"));
    assert!(ran > 100, "only {ran} tests ran");
}

#[test]
fn what_a_rule_hides_is_there() {
    let book = signinel::detect::Rulebook::embedded().unwrap();
    let hidden: Vec<&String> = book.rules.values().flat_map(|rule| &rule.hides).collect();
    assert!(!hidden.is_empty());
    for name in hidden {
        assert!(book.rules.contains_key(name), "{name}");
    }
}
