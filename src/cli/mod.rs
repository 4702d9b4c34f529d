//! The command line: every command is one file, and what they share stands here.

mod backtest;
mod backup;
mod coverage;
mod deliveries;
mod demo;
mod doctor;
mod events;
mod explain;
mod identities;
mod import;
mod incidents;
mod log;
mod rejects;
mod rules;
mod run;
mod screen;
mod settings;
mod silence;
mod simulate;
mod sources;
mod timeline;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::app::BuildError;

use screen::Screen;
use settings::{Global, Wrong};

const EXAMPLES: &str = "\
Examples:
  signinel demo                                   see it work, without an account
  signinel import sign-ins.json.gz                take exported files through the whole path
  signinel incidents list                         what was found
  signinel timeline 12                            the story of one incident
  signinel run --config signinel.toml             watch, until stopped
  signinel doctor --config signinel.toml          what is missing, and how to mend it

Exit codes: 0 done, 1 could not do it, 2 wrong usage or configuration.";

/// Watches Microsoft Entra sign-in logs for managed identities and other workload identities.
#[derive(Debug, Parser)]
#[command(name = "signinel", version, after_help = EXAMPLES, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Poll, detect, group and tell, until stopped
    Run(run::Args),
    /// Take exported sign-in logs through the same path
    Import(import::Args),
    /// What was found, and what was done about it
    #[command(subcommand)]
    Incidents(incidents::Command),
    /// The story of one incident, in order
    Timeline(timeline::Args),
    /// The rules: list them, check their files, run their own tests
    #[command(subcommand)]
    Rules(rules::Command),
    /// What a set of rules would have found and told over the stored history
    Backtest(backtest::Args),
    /// Single sign-ins
    #[command(subcommand)]
    Events(events::Command),
    /// The identities that signed in
    #[command(subcommand)]
    Identities(identities::Command),
    /// What was told, to whom, and what is still to be
    #[command(subcommand)]
    Deliveries(deliveries::Command),
    /// What is not to be told for a while
    #[command(subcommand)]
    Silence(silence::Command),
    /// Records that could not be read
    #[command(subcommand)]
    Rejects(rejects::Command),
    /// Where records came from, and how many
    #[command(subcommand)]
    Sources(sources::Command),
    /// What was read of each source to its end, what is missing, and how late records come
    #[command(after_help = coverage::EXAMPLES)]
    Coverage,
    /// Copy the database as it is now, while `run` goes on
    Backup(backup::Args),
    /// Check configuration, database, rules, sources and channels, and say what to do
    Doctor(doctor::Args),
    /// Write realistic sign-in records with labelled scenarios
    Simulate(simulate::Args),
    /// See the whole path at work on a simulated fortnight, without an account
    Demo(demo::Args),
}

/// Runs the program with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to standard output and is no failure; clap knows.
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            return match error.print() {
                Err(closed) if closed.kind() != std::io::ErrorKind::BrokenPipe => ExitCode::FAILURE,
                _ => ExitCode::from(code),
            };
        }
    };
    log::begin(matches!(cli.command, Command::Run(_)), cli.global.verbose);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return ended(Err(anyhow::anyhow!("no thread can be started: {error}"))),
    };
    ended(runtime.block_on(command(cli)))
}

async fn command(cli: Cli) -> anyhow::Result<()> {
    let Cli { global, command } = cli;
    let mut screen = Screen::new();
    global.allows(matches!(command, Command::Timeline(_)))?;
    match command {
        Command::Run(args) => run::run(&global, &args).await,
        Command::Import(args) => import::run(&global, args, &mut screen).await,
        Command::Incidents(command) => incidents::run(&global, command, &mut screen).await,
        Command::Timeline(args) => timeline::run(&global, &args, &mut screen).await,
        Command::Rules(command) => rules::run(&global, command, &mut screen).await,
        Command::Backtest(args) => backtest::run(&global, &args, &mut screen).await,
        Command::Events(command) => events::run(&global, command, &mut screen).await,
        Command::Identities(command) => identities::run(&global, command, &mut screen).await,
        Command::Deliveries(command) => deliveries::run(&global, command, &mut screen).await,
        Command::Silence(command) => silence::run(&global, command, &mut screen).await,
        Command::Rejects(command) => rejects::run(&global, command, &mut screen).await,
        Command::Sources(command) => sources::run(&global, &command, &mut screen).await,
        Command::Coverage => coverage::run(&global, &mut screen).await,
        Command::Backup(args) => backup::run(&global, args, &mut screen).await,
        Command::Doctor(args) => doctor::run(&global, &args, &mut screen).await,
        Command::Simulate(args) => simulate::run(&global, &args, &mut screen),
        Command::Demo(args) => demo::run(&args, &mut screen).await,
    }
}

/// The exit code of what came out, after the sentence of what went wrong.
fn ended(result: anyhow::Result<()>) -> ExitCode {
    let Err(error) = result else { return ExitCode::SUCCESS };
    if screen::is_closed(&error) {
        return ExitCode::SUCCESS;
    }
    screen::complain(&sentence(&error));
    let is_wrong = error.downcast_ref::<Wrong>().is_some()
        || error.downcast_ref::<BuildError>().is_some_and(BuildError::is_of_the_operator);
    ExitCode::from(if is_wrong { 2 } else { 1 })
}

/// What went wrong, and below it each cause that adds something: many repeat the one beneath them.
fn sentence(error: &anyhow::Error) -> String {
    let mut said = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !said.contains(&cause) {
            said = format!("{said}: {cause}");
        }
    }
    said
}
