//! Writes a simulation into a folder: a file of records for each day, and the labels.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use serde::Serialize;

use super::Simulation;

/// What was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Written {
    pub files: u32,
    pub records: u64,
    pub bytes: u64,
    pub labels: u64,
}

/// Writes `sign-ins-YYYY-MM-DD.ndjson` for each day and `labels.json`, each complete or not at all.
/// `on_day` is told the days so far.
pub fn write(
    simulation: &Simulation,
    folder: &Path,
    mut on_day: impl FnMut(u32),
) -> io::Result<Written> {
    fs::create_dir_all(folder)?;
    let mut written = Written::default();
    for day in 0..simulation.settings.days {
        let date = simulation.start() + chrono::TimeDelta::days(i64::from(day));
        let name = format!("sign-ins-{}.ndjson", date.format("%Y-%m-%d"));
        whole(folder, &name, |out| {
            for record in simulation.day(day) {
                out.write_all(record.json.as_bytes())?;
                out.write_all(b"\n")?;
                written.records += 1;
                written.bytes += record.json.len() as u64 + 1;
            }
            Ok(())
        })?;
        written.files += 1;
        on_day(day + 1);
    }
    whole(folder, "labels.json", |out| {
        serde_json::to_writer_pretty(&mut *out, simulation.labels())?;
        out.write_all(b"\n")
    })?;
    written.labels = simulation.labels().len() as u64;
    Ok(written)
}

/// A file that appears under its name when it is complete.
fn whole(
    folder: &Path,
    name: &str,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> io::Result<()> {
    let unfinished = folder.join(format!(".{name}.part"));
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&unfinished)?);
    fill(&mut out)?;
    out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
    fs::rename(unfinished, folder.join(name))
}
