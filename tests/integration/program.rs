//! The program, run as a person runs it: in a folder of its own, and never with a secret or a panic in
//! what it says.

use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde_json::{Value, json};
use signinel::clock::{Clock, SystemClock};
use tempfile::TempDir;

/// Stands in every secret that a test writes.
pub(crate) const MARK: &str = "hunter2";

/// A signing secret with the mark in it.
pub(crate) const SIGNING: &str = "whsec_hunter2hunter2hunter2hunter2abcd";

/// A folder with what one test needs; the database and the configuration have their default names.
pub(crate) struct Place(TempDir);

/// What came of a run.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file, and the folders to it.
    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// Puts the rules of the program into a folder, to be edited.
    pub(crate) fn write_rules(&self, folder: &str) {
        let shipped = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("rules/sign_in");
        for file in std::fs::read_dir(shipped).unwrap() {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            self.write(&format!("{folder}/{name}"), std::fs::read(file.path()).unwrap());
        }
    }

    /// Replaces a text in a file, which must be there.
    pub(crate) fn edit(&self, name: &str, from: &str, to: &str) {
        let text = std::fs::read_to_string(self.path(name)).unwrap();
        assert!(text.contains(from), "{name} does not hold {from:?}");
        self.write(name, text.replacen(from, to, 1));
    }

    /// The program here, with nothing from the environment of whoever runs the tests.
    pub(crate) fn command(&self, args: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_signinel"));
        for (name, _) in std::env::vars_os() {
            let name = name.to_string_lossy();
            if ["SIGNINEL_", "IDENTITY_", "AZURE_", "MSI_"].iter().any(|own| name.starts_with(own))
            {
                command.env_remove(&*name);
            }
        }
        command.args(args.split_whitespace()).current_dir(self.0.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, args: &str) -> Ran {
        self.run_with(args, &[])
    }

    pub(crate) fn run_with(&self, args: &str, variables: &[(&str, &str)]) -> Ran {
        let output = self.command(args).envs(variables.iter().copied()).output().unwrap();
        Ran::of(&output, args)
    }

    /// The answer of a command that prints JSON and nothing else.
    pub(crate) fn json(&self, args: &str) -> Value {
        let ran = self.run(&format!("{args} --format json"));
        assert_eq!(ran.code, 0, "{args}: {ran:?}");
        serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{args}: {error}: {ran:?}"))
    }
}

impl Ran {
    fn of(output: &Output, args: &str) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let code = output.status.code().unwrap_or_else(|| panic!("{args}: ended by a signal"));
        let ran = Self { code, out: text(&output.stdout), err: text(&output.stderr) };
        for said in [&ran.out, &ran.err] {
            assert!(!said.contains("panicked at"), "{args}: {ran:?}");
            assert!(!said.contains(MARK), "{args} prints a secret: {ran:?}");
        }
        ran
    }

    /// Holds the run to its exit code, and what it said on either output to its important words.
    #[track_caller]
    pub(crate) fn says(&self, code: i32, words: &[&str]) -> &Self {
        assert_eq!(self.code, code, "{self:?}");
        for word in words {
            let is_there = self.err.contains(word) || self.out.contains(word);
            assert!(is_there, "`{word}` is missing: {self:?}");
        }
        self
    }
}

/// A record of Graph: a managed identity of the name asks for a token and is refused with the code.
pub(crate) fn record(name: &str, place: u32, at: DateTime<Utc>, code: u32) -> Value {
    json!({
        "id": format!("00000000-0000-4000-8000-{place:012}"),
        "createdDateTime": at.to_rfc3339_opts(SecondsFormat::Micros, true),
        "signInEventTypes": ["managedIdentity"],
        "servicePrincipalId": "2f6c1f8e-58c4-4d3b-9a55-3b0a6f3f2a10",
        "servicePrincipalName": name,
        "appId": "8d0b7c1e-2f0a-4f1c-b7c5-1d6c3a2e9f41",
        "resourceId": "cfa8b339-82a2-471a-a3c9-0fc0be7a4093",
        "resourceDisplayName": "Azure Key Vault",
        "status": {"errorCode": code, "failureReason": "Application with identifier was not found."},
    })
}

/// The sign-ins of an identity that was deleted, up to now: one incident.
pub(crate) fn spike() -> String {
    let first = SystemClock.now() - TimeDelta::minutes(10);
    let records: Vec<Value> = (0..12)
        .map(|place| {
            let at = first + TimeDelta::seconds(30) * i32::try_from(place).unwrap();
            record("func-orders-prod", place, at, 700_016)
        })
        .collect();
    json!({"value": records}).to_string()
}
