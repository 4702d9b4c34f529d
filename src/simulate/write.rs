//! Puts a simulation into a folder: a file of records for each day, and the labels.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use chrono::NaiveDate;
use serde::Serialize;

use super::{Label, Simulation};

/// What was written so far.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Written {
    pub records: u64,
    /// Bytes of records, with the ends of lines.
    pub bytes: u64,
    pub labels: u64,
    /// The files of records, one a day.
    pub files: Vec<PathBuf>,
}

/// Writes `sign-ins-YYYY-MM-DD.ndjson` for each day with records and `labels.json` into `dir`, which is made if
/// need be. A file has its name only when it is whole. `progress` is told after each day.
pub fn write(
    simulation: &Simulation,
    dir: &Path,
    mut progress: impl FnMut(&Written),
) -> io::Result<Written> {
    fs::create_dir_all(dir)?;
    let mut written = Written::default();
    let mut open: Option<(NaiveDate, Whole)> = None;
    for record in simulation.records() {
        let date = record.created_at.date_naive();
        if open.as_ref().is_some_and(|(of, _)| *of != date)
            && let Some((_, file)) = open.take()
        {
            written.files.push(file.finish()?);
            progress(&written);
        }
        let (_, file) = match &mut open {
            Some(file) => file,
            none => none.insert((date, Whole::create(dir, &format!("sign-ins-{date}.ndjson"))?)),
        };
        file.out.write_all(record.json.as_bytes())?;
        file.out.write_all(b"\n")?;
        written.records += 1;
        written.bytes += u64::try_from(record.json.len()).unwrap_or(0) + 1;
    }
    if let Some((_, file)) = open {
        written.files.push(file.finish()?);
    }
    written.labels = write_labels(&simulation.labels(), dir)?;
    progress(&written);
    Ok(written)
}

fn write_labels(labels: &[Label], dir: &Path) -> io::Result<u64> {
    let mut file = Whole::create(dir, "labels.json")?;
    serde_json::to_writer_pretty(&mut file.out, labels)?;
    file.out.write_all(b"\n")?;
    file.finish()?;
    Ok(u64::try_from(labels.len()).unwrap_or(u64::MAX))
}

/// A file that gets its name when it is finished.
struct Whole {
    out: BufWriter<File>,
    unfinished: PathBuf,
    name: PathBuf,
}

impl Whole {
    fn create(dir: &Path, name: &str) -> io::Result<Self> {
        let unfinished = dir.join(format!("{name}.unfinished"));
        let out = BufWriter::with_capacity(1 << 18, File::create(&unfinished)?);
        Ok(Self { out, unfinished, name: dir.join(name) })
    }

    fn finish(mut self) -> io::Result<PathBuf> {
        self.out.flush()?;
        fs::rename(&self.unfinished, &self.name)?;
        Ok(self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulate::{Scenarios, Settings};

    #[test]
    fn a_folder_holds_a_whole_file_for_each_day_and_the_labels() {
        let simulation = Simulation::new(&Settings {
            days: 3,
            identities: 20,
            seed: 1,
            end: "2026-03-01T06:00:00Z".parse().unwrap(),
            scenarios: Scenarios::All,
            intensity: 0.2,
        });
        let dir = tempfile::tempdir().unwrap();
        let mut told = Vec::new();
        let written =
            write(&simulation, &dir.path().join("new"), |so_far| told.push(so_far.records))
                .unwrap();
        let names: Vec<_> = fs::read_dir(dir.path().join("new"))
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        assert_eq!(names.len(), 5, "{names:?}");
        let lines: Vec<String> = written
            .files
            .iter()
            .flat_map(|file| {
                let text = fs::read_to_string(file).unwrap();
                let day =
                    file.file_stem().unwrap().to_str().unwrap().trim_start_matches("sign-ins-");
                let start = format!("\"createdDateTime\":\"{day}T");
                text.lines()
                    .map(|line| {
                        assert!(line.contains(&start), "{line} is not of {day}");
                        line.to_owned()
                    })
                    .collect::<Vec<_>>()
            })
            .collect();
        assert!(simulation.records().map(|record| record.json).eq(lines.iter().cloned()));
        assert_eq!(written.records, lines.len() as u64);
        assert_eq!(written.bytes, lines.iter().map(|line| line.len() as u64 + 1).sum::<u64>());
        let labels: Vec<Label> =
            serde_json::from_slice(&fs::read(dir.path().join("new/labels.json")).unwrap()).unwrap();
        assert_eq!(labels, simulation.labels());
        assert_eq!(written.labels, labels.len() as u64);
        assert_eq!(told.len(), 4, "once for each day: {told:?}");
        assert_eq!(told.last(), Some(&written.records));
    }
}
