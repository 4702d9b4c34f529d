//! `rules check` tells every fault of a folder at once, each with its file and line.

use std::fs;
use std::path::Path;

use crate::program::Place;

/// Copies the faulty rules to where a person has them.
fn place() -> Place {
    let place = Place::new();
    fs::create_dir_all(place.path("bad/again")).unwrap();
    for folder in ["", "again"] {
        let from =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/faulty_rules").join(folder);
        for entry in fs::read_dir(from).unwrap().map(|entry| entry.unwrap()) {
            if entry.path().is_file() {
                let to = place.path("bad").join(folder).join(entry.file_name());
                fs::copy(entry.path(), to).unwrap();
            }
        }
    }
    place
}

#[test]
fn all_faults_of_all_files_are_told_at_once_with_their_lines() {
    let ran = place().run("rules check bad");
    ran.says(1, &["46 faults in 12 files"]);
    insta::assert_snapshot!(ran.out);
    let lines: Vec<&str> = ran.out.lines().collect();
    let mut once = lines.clone();
    once.dedup();
    assert_eq!(lines, once, "each is told once");
}

#[test]
fn faults_are_told_in_json_too_and_the_exit_code_says_so() {
    let place = place();
    let (text, ran) = (place.run("rules check bad"), place.run("rules check bad --format json"));
    ran.says(1, &["46 faults"]);
    let told: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let faults = told["faults"].as_array().unwrap();
    assert_eq!(faults.len(), text.out.lines().count());
    for (fault, line) in faults.iter().zip(text.out.lines()) {
        let place = fault["line"].as_u64().map_or_else(String::new, |line| format!("{line}:"));
        let [file, sentence] = ["file", "sentence"].map(|key| fault[key].as_str().unwrap());
        assert_eq!(format!("{file}:{place} {sentence}"), line);
        assert_eq!(fault["line"].is_u64(), fault["column"].is_u64(), "{fault}");
    }
}

#[test]
fn a_folder_in_which_nothing_is_wrong_says_so() {
    let place = place();
    for file in fs::read_dir(place.path("bad")).unwrap().map(|entry| entry.unwrap()) {
        if file.path().is_file() && file.file_name() != "good.yml" {
            fs::remove_file(file.path()).unwrap();
        }
    }
    fs::remove_dir_all(place.path("bad/again")).unwrap();
    place.run("rules check bad").says(0, &["1 rule, 1 detection, 0 filters: no fault"]);
    assert_eq!(place.json("rules check bad")["faults"], serde_json::json!([]));
}

#[test]
fn a_rule_that_cannot_be_tested_is_told_with_what_to_do() {
    let place = Place::new();
    place
        .run("rules test token_bursts")
        .says(1, &["the rule `token_bursts` is not known here; did you mean `token_burst`?"]);
    place
        .run("rules test x")
        .says(1, &["the rule `x` is not known here; `signinel rules list` shows the names"]);
    place.run("rules test sign_in_failed").says(0, &["3 tests passed"]);
    place
        .run("rules check nowhere")
        .says(2, &["nowhere: cannot be read", "name a folder of rule files"]);
}
