//! `signinel rules`: what is looked for; whether the files are right, and do what their tests say.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde::Serialize;

use super::screen::Screen;
use super::settings::Global;
use crate::app::{self, BuildError};
use crate::config::meant;
use crate::detect::{Matcher, RuleFault, Rulebook, try_rules};
use crate::diagnose::{CatalogueError, phrase};

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// What is looked for, gravest first
    List,
    /// Read every file and name all faults
    #[command(after_help = "Example:\n  signinel rules check ./my-rules")]
    Check {
        /// Rules to check in place of `--rules`
        dir: Option<PathBuf>,
    },
    /// Run the tests inside the files, on the path that events take
    #[command(
        after_help = "Examples:\n  signinel rules test\n  signinel rules test application_not_found_spike"
    )]
    Test {
        /// Only this rule
        name: Option<String>,
    },
    /// Why a rule did or did not match a sign-in, field by field, and how near a finding was
    Explain(super::explain::Args),
}

#[derive(Serialize)]
struct Tried {
    tests: usize,
    faults: Vec<String>,
}

pub(super) async fn run(
    global: &Global,
    command: Command,
    screen: &mut Screen,
) -> anyhow::Result<()> {
    match command {
        Command::List => list(global, screen),
        Command::Check { dir } => check(global, dir, screen),
        Command::Explain(args) => super::explain::run(global, args, screen).await,
        Command::Test { name } => test(global, name.as_deref(), screen).await,
    }
}

fn list(global: &Global, screen: &mut Screen) -> anyhow::Result<()> {
    let mut rulebook = app::read_rules(global.rules.as_deref())?;
    app::shade(&mut rulebook, &global.config()?.rules).map_err(BuildError::Config)?;
    screen.rows(&crate::view::rules(&rulebook), global.is_json())
}

/// What a check came to.
#[derive(Serialize)]
struct Checked {
    rules: usize,
    detections: usize,
    filters: usize,
    without_data: Vec<WithoutData>,
    faults: Vec<RuleFault>,
}

#[derive(Serialize)]
struct WithoutData {
    name: String,
    lacks: Vec<String>,
}

fn check(global: &Global, dir: Option<PathBuf>, screen: &mut Screen) -> anyhow::Result<()> {
    let folder = dir.or_else(|| global.rules.clone());
    let checked = checked(folder.as_deref())?;
    if global.is_json() {
        screen.json(&checked)?;
    } else {
        screen.text(&words(&checked)?)?;
    }
    let Checked { faults, .. } = checked;
    let files: BTreeSet<&PathBuf> = faults.iter().map(|fault| &fault.file).collect();
    match (faults.len(), files.len()) {
        (0, _) => Ok(()),
        (faults, files) => {
            let [faults, files] = [(faults, "fault"), (files, "file")]
                .map(|(number, noun)| phrase::count(number as u64, noun));
            anyhow::bail!("{faults} in {files}: mend these lines and check again")
        }
    }
}

fn checked(folder: Option<&Path>) -> Result<Checked, BuildError> {
    let (rulebook, mut faults) = match app::read_rules(folder) {
        Ok(rulebook) => (rulebook, Vec::new()),
        // There is nothing to check.
        Err(BuildError::Rules(faults))
            if faults.iter().any(|fault| folder == Some(fault.file.as_path())) =>
        {
            return Err(BuildError::Rules(faults));
        }
        Err(BuildError::Rules(faults)) => (Rulebook::default(), faults),
        Err(other) => return Err(other),
    };
    match app::read_catalogue(folder) {
        Ok(catalogue) if faults.is_empty() => {
            faults.extend(Matcher::new(&rulebook, catalogue.classes()).err().unwrap_or_default());
        }
        Ok(_) => {}
        Err(BuildError::Catalogue(CatalogueError::Faulty { path, faults: more })) => {
            faults.extend(more.into_iter().map(|fault| RuleFault {
                file: PathBuf::from(&path),
                line: None,
                column: None,
                sentence: fault.0.lines().collect::<Vec<_>>().join(" "),
            }));
        }
        Err(other) => return Err(other),
    }
    faults.sort();
    let Rulebook { detections, filters, rules, dataless } = rulebook;
    let without_data =
        dataless.into_values().map(|it| WithoutData { name: it.name, lacks: it.lacks });
    Ok(Checked {
        rules: rules.len(),
        detections: detections.len(),
        filters: filters.len(),
        without_data: without_data.collect(),
        faults,
    })
}

fn words(checked: &Checked) -> Result<String, std::fmt::Error> {
    let Checked { rules, detections, filters, without_data, faults } = checked;
    let mut text = String::new();
    if !faults.is_empty() {
        for fault in faults {
            writeln!(text, "{fault}")?;
        }
        return Ok(text);
    }
    let counted = [(*rules, "rule"), (*detections, "detection"), (*filters, "filter")]
        .map(|(number, noun)| phrase::count(number as u64, noun));
    writeln!(text, "{}: no fault", counted.join(", "))?;
    if !without_data.is_empty() {
        writeln!(text, "{} more find nothing, for want of data:", without_data.len())?;
    }
    for WithoutData { name, lacks } in without_data {
        writeln!(text, "  {name}: {}", lacks.join("; "))?;
    }
    Ok(text)
}

async fn test(global: &Global, name: Option<&str>, screen: &mut Screen) -> anyhow::Result<()> {
    let rulebook = app::read_rules(global.rules.as_deref())?;
    let catalogue = app::read_catalogue(global.rules.as_deref())?;
    if let Some(name) = name {
        is_tested(&rulebook, name)?;
    }
    let (tests, faults) = try_rules(&rulebook, &catalogue.classes(), name).await?;
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let failed = faults.len();
    let passed = phrase::count(tests as u64, "test");
    let told = match failed {
        0 if tests == 0 => "no rule of the folder has data, so there is nothing to test".to_owned(),
        0 => format!("{passed} passed"),
        _ => faults.join("\n"),
    };
    if global.is_json() {
        screen.json(&Tried { tests, faults })?;
    } else {
        screen.text(&told)?;
    }
    match failed {
        0 => Ok(()),
        _ => anyhow::bail!("{} among {passed}", phrase::count(failed as u64, "failure")),
    }
}

/// Says why a name is of no rule that can be tested.
fn is_tested(rulebook: &Rulebook, name: &str) -> anyhow::Result<()> {
    let Rulebook { detections, rules, dataless, .. } = rulebook;
    if let Some(rule) = dataless.get(name) {
        anyhow::bail!(
            "rule `{name}` is without data, so it cannot be tested: {}",
            rule.lacks.join("; ")
        );
    }
    if rules.contains_key(name) || detections.contains_key(name) {
        return Ok(());
    }
    let names: Vec<&str> = rules.keys().chain(detections.keys()).map(String::as_str).collect();
    anyhow::bail!("the rule `{name}` {}", no_such_rule(name, &names))
}

/// That no rule has a name, as the rest of a sentence. There are too many to name them all.
pub(super) fn no_such_rule(name: &str, names: &[&str]) -> String {
    match meant(name, names) {
        none if none.is_empty() => {
            "is not known here; `signinel rules list` shows the names".to_owned()
        }
        meant => format!("is not known here{meant}"),
    }
}
