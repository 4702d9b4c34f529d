//! `signinel simulate`: realistic records with labelled scenarios.

use std::path::PathBuf;

use chrono::{DateTime, Timelike, Utc};
use clap::Args as ClapArgs;

use super::incidents::moment;
use super::screen::{self, Screen};
use super::settings::Global;
use crate::clock::{Clock, SystemClock};
use crate::simulate::write::write;
use crate::simulate::{Scenarios, Settings, Simulation};

#[derive(Debug, ClapArgs)]
#[command(after_help = "Examples:
  signinel simulate --days 14 --identities 40 --seed 1 --out ./fortnight
  signinel import ./fortnight --no-notify

Writes one file of Graph records for each day, and labels.json: what was made to happen, to whom, when, and
which rules should be met. The same seed gives the same identities and the same story.")]
pub(super) struct Args {
    /// How long the story is
    #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(u32).range(1..=3650))]
    days: u32,
    /// How many workload identities
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    identities: u32,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// The folder, made where it is absent
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The last moment: a day or a time (UTC); this hour where it is not given
    #[arg(long, value_parser = moment)]
    end: Option<DateTime<Utc>>,
    /// `all`, `none`, or families by name: `stolen_token,wrong_secret`
    #[arg(long, default_value = "all")]
    scenarios: Scenarios,
    /// Everyday sign-ins as a multiple of the usual
    #[arg(long, default_value_t = 1.0, value_parser = intensity)]
    intensity: f64,
}

pub(super) fn run(global: &Global, args: &Args, screen: &mut Screen) -> anyhow::Result<()> {
    let end = args.end.unwrap_or_else(|| this_hour(SystemClock.now()));
    let simulation = Simulation::new(&Settings {
        days: args.days,
        identities: args.identities,
        seed: args.seed,
        end,
        scenarios: args.scenarios.clone(),
        intensity: args.intensity,
    });
    let bar = screen::spinner();
    let written = write(&simulation, &args.out, |so_far| {
        bar.set_message(format!("{} records", so_far.records));
    })
    .map_err(|error| anyhow::anyhow!("cannot write into {}: {error}", args.out.display()))?;
    bar.finish_and_clear();
    if global.is_json() {
        return screen.json(&written);
    }
    let removed = match written.removed {
        0 => String::new(),
        1 => "\n1 file of an earlier simulation was removed".to_owned(),
        number => format!("\n{number} files of an earlier simulation were removed"),
    };
    screen.text(&format!(
        "{} records in {} files, {} scenarios in labels.json: {}{removed}\n\nNext: signinel import {} --no-notify",
        written.records,
        written.files.len(),
        written.labels,
        args.out.display(),
        args.out.display()
    ))
}

/// A number of which a multiple can be made.
fn intensity(text: &str) -> Result<f64, String> {
    let number = text.parse::<f64>().map_err(|error| error.to_string())?;
    if number.is_finite() && number > 0.0 {
        return Ok(number);
    }
    Err("it is no number above 0".to_owned())
}

fn this_hour(now: DateTime<Utc>) -> DateTime<Utc> {
    now.with_minute(0)
        .and_then(|at| at.with_second(0))
        .and_then(|at| at.with_nanosecond(0))
        .unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_intensity_is_a_number_above_nothing() {
        assert_eq!(intensity("0.5"), Ok(0.5));
        for text in ["nan", "inf", "-1", "0", "much"] {
            assert!(intensity(text).is_err(), "{text}");
        }
    }
}
