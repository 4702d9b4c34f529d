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
    /// Files of records of an earlier simulation that were in the way.
    pub removed: u64,
}

/// Writes `sign-ins-YYYY-MM-DD.ndjson` for each day with records and `labels.json` into `dir`, which is made if
/// need be. Files so named of an earlier simulation go: two stories are not told as one. A file has its name only when
/// it is whole. `progress` is told after each day.
pub fn write(
    simulation: &Simulation,
    dir: &Path,
    mut progress: impl FnMut(&Written),
) -> io::Result<Written> {
    fs::create_dir_all(dir)?;
    let mut written = Written { removed: clear(dir)?, ..Written::default() };
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

/// Removes the files of records that an earlier simulation wrote. Without its labels beside them they are
/// somebody's own.
fn clear(dir: &Path) -> io::Result<u64> {
    let is_ours = dir.join("labels.json").exists();
    let mut removed = 0;
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let date = name.strip_prefix("sign-ins-").and_then(|it| it.strip_suffix(".ndjson"));
        if date.is_some_and(|date| date.parse::<NaiveDate>().is_ok()) {
            if !is_ours {
                let said = format!("{name} is there, and no labels.json of a simulation");
                return Err(io::Error::new(io::ErrorKind::AlreadyExists, said));
            }
            fs::remove_file(&path)?;
            removed += 1;
        }
    }
    Ok(removed)
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

    #[test]
    fn another_story_in_the_same_folder_takes_the_place_of_the_first() {
        let of = |days: u32| {
            Simulation::new(&Settings {
                days,
                identities: 5,
                seed: 1,
                end: "2026-03-01T06:00:00Z".parse().unwrap(),
                scenarios: Scenarios::None,
                intensity: 0.2,
            })
        };
        let dir = tempfile::tempdir().unwrap();
        let first = write(&of(4), dir.path(), |_| ()).unwrap();
        fs::write(dir.path().join("sign-ins-mine.ndjson"), "").unwrap();
        let second = write(&of(2), dir.path(), |_| ()).unwrap();
        assert_eq!(second.removed, first.files.len() as u64);
        let there = fs::read_dir(dir.path()).unwrap().count();
        assert_eq!(
            there,
            second.files.len() + 2,
            "its records, its labels, and what is not its own"
        );
        // Records without labels are somebody's export.
        fs::remove_file(dir.path().join("labels.json")).unwrap();
        assert!(write(&of(2), dir.path(), |_| ()).is_err());
        assert!(second.files.iter().all(|file| file.exists()));
    }
}
