//! Holds the documents to what is there: paths exist, commands are understood, the example
//! configuration is the default.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use signinel::clock::{Clock, SystemClock};
use signinel::config::Config;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(document: &str) -> String {
    fs::read_to_string(root().join(document)).unwrap()
}

#[test]
fn every_path_that_the_documents_name_exists() {
    let mut missing = Vec::new();
    for document in
        ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "BENCHMARKS.md", "rules/README.md"]
    {
        let text = read(document);
        for quoted in text.split('`').skip(1).step_by(2) {
            let is_path = ["src/", "tests/", "rules/", "migrations/", "benches/", "templates/"]
                .iter()
                .any(|folder| quoted.starts_with(folder));
            if is_path && !quoted.contains([' ', '<', '*', '…']) && !root().join(quoted).exists()
            {
                missing.push(format!("{document}: {quoted}"));
            }
        }
    }
    assert!(missing.is_empty(), "documents name what is gone:\n{}", missing.join("\n"));
}

#[test]
fn every_command_that_the_documents_show_is_understood() {
    let mut shown = 0;
    for document in ["README.md", "CONTRIBUTING.md", "config.example.toml"] {
        for line in read(document).lines() {
            let Some(command) = line.trim().trim_start_matches("$ ").strip_prefix("signinel ")
            else {
                continue;
            };
            let words: Vec<&str> = command
                .split("  ")
                .next()
                .unwrap_or_default()
                .split_whitespace()
                .take_while(|word| word.chars().all(|sign| sign.is_ascii_lowercase()))
                .collect();
            assert_cmd::Command::cargo_bin("signinel")
                .unwrap()
                .args(&words)
                .arg("--help")
                .assert()
                .success();
            shown += 1;
        }
    }
    assert!(shown > 5, "the documents show {shown} commands");
}

#[test]
fn the_example_configuration_loads_and_shows_the_defaults() {
    let example = Config::parse(&read("config.example.toml"), &[]).unwrap();
    let default = Config::default();
    assert_eq!(example.incidents.gather_for, default.incidents.gather_for);
    assert_eq!(example.incidents.reopen_within, default.incidents.reopen_within);
    assert_eq!(example.incidents.quiet_for, default.incidents.quiet_for);
    assert_eq!(example.notify.hold_resolved_for, default.notify.hold_resolved_for);
    assert_eq!(example.notify.host, default.notify.host);
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    for section in &example.sources {
        let fault = signinel::sources::build(section, &clock).err();
        assert!(fault.is_none(), "{fault:?}");
    }
}
