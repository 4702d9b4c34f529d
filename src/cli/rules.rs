//! `signinel rules`: what is looked for; whether the files are right, and do what their tests say.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Subcommand;
use serde::Serialize;

use super::screen::Screen;
use super::settings::Global;
use crate::app::{self, BuildError};
use crate::detect::{Matcher, Rulebook, try_rules};

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

fn check(global: &Global, dir: Option<PathBuf>, screen: &mut Screen) -> anyhow::Result<()> {
    let folder = dir.or_else(|| global.rules.clone());
    let rulebook = app::read_rules(folder.as_deref())?;
    let catalogue = app::read_catalogue(folder.as_deref())?;
    Matcher::new(&rulebook, catalogue.classes()).map_err(BuildError::Rules)?;
    let Rulebook { detections, filters, rules, dataless } = &rulebook;
    if global.is_json() {
        let without_data: Vec<_> = dataless
            .values()
            .map(|rule| serde_json::json!({"name": rule.name, "lacks": rule.lacks}))
            .collect();
        return screen.json(&serde_json::json!({
            "rules": rules.len(), "detections": detections.len(), "filters": filters.len(),
            "without_data": without_data, "faults": [],
        }));
    }
    let mut text = format!(
        "{} rules, {} detections, {} filters: no fault\n",
        rules.len(),
        detections.len(),
        filters.len()
    );
    if !dataless.is_empty() {
        writeln!(text, "{} more find nothing, for want of data:", dataless.len())?;
    }
    for rule in dataless.values() {
        writeln!(text, "  {}: {}", rule.name, rule.lacks.join("; "))?;
    }
    screen.text(&text)
}

async fn test(global: &Global, name: Option<&str>, screen: &mut Screen) -> anyhow::Result<()> {
    let rulebook = app::read_rules(global.rules.as_deref())?;
    let catalogue = app::read_catalogue(global.rules.as_deref())?;
    let (tests, faults) = try_rules(&rulebook, &catalogue.classes(), name).await?;
    if tests == 0 {
        anyhow::bail!("no test was found; `signinel rules list` shows the names of the rules");
    }
    let faults: Vec<String> = faults.iter().map(ToString::to_string).collect();
    let failed = faults.len();
    let told = if failed == 0 { format!("{tests} tests passed") } else { faults.join("\n") };
    if global.is_json() {
        screen.json(&Tried { tests, faults })?;
    } else {
        screen.text(&told)?;
    }
    if failed == 0 { Ok(()) } else { anyhow::bail!("{failed} of {tests} tests failed") }
}
