//! The steps of `migrations/`, in order, inside the binary.

use std::borrow::Cow;

use sqlx::SqlStr;
use sqlx::migrate::{Migration, MigrationType, Migrator};

macro_rules! steps {
    ($($version:literal $name:literal),+ $(,)?) => {
        &[$(($version, $name, include_str!(concat!("../../migrations/", $name, ".sql")))),+]
    };
}

/// Number, name and text of each step. A new step is one line here.
const STEPS: &[(i64, &str, &str)] = steps![
    1 "0001_events",
    2 "0002_heads",
    3 "0003_findings",
    4 "0004_incidents",
    5 "0005_deliveries",
    6 "0006_telling",
    7 "0007_coverage",
    8 "0008_feeds",
    9 "0009_marks",
    10 "0010_reconciled",
    12 "0012_subjects",
    21 "0021_shadow",
    22 "0022_silences",
    23 "0023_beginning",
    31 "0031_learnt",
    41 "0041_files_known_again",
    42 "0042_replaced",
    51 "0051_others",
    52 "0052_allowances",
    53 "0053_rests",
    54 "0054_renamed",
    55 "0055_ended",
    56 "0056_tails_by_group",
];

/// All steps.
pub(super) fn all() -> Migrator {
    let steps = STEPS
        .iter()
        .map(|(version, name, sql)| {
            Migration::new(
                *version,
                Cow::Borrowed(*name),
                MigrationType::Simple,
                SqlStr::from_static(sql),
                false,
            )
        })
        .collect();
    Migrator::with_migrations(steps)
}

#[cfg(test)]
mod tests {
    /// Databases know the steps that they have gone by what these were: one that was ever published stays as it is, and
    /// what it lacks is a step of its own.
    #[test]
    fn no_step_is_other_than_it_was() {
        let steps: Vec<String> = super::all()
            .iter()
            .map(|step| {
                let sum = step.checksum.iter().take(8).map(|byte| format!("{byte:02x}"));
                format!("{} {}", step.description, sum.collect::<String>())
            })
            .collect();
        insta::assert_snapshot!(steps.join("\n"));
    }
}
