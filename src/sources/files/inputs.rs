//! The files that a person named: folders are walked, `-` is standard input.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// One thing to read, with the name that messages call it by.
pub struct Input {
    pub origin: String,
    pub reader: Box<dyn Read + Send>,
}

impl std::fmt::Debug for Input {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Input").field("origin", &self.origin).finish_non_exhaustive()
    }
}

/// A path that cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("`{path}` cannot be read: {error}")]
pub struct Unreadable {
    path: String,
    #[source]
    error: io::Error,
}

/// Opens what the paths name, one after another and only when it is asked for. Folders are walked
/// with all below them, in the order of names; hidden files in them are left out, and so are links to
/// folders, which could go in circles.
pub fn inputs(
    paths: impl IntoIterator<Item = PathBuf>,
) -> impl Iterator<Item = Result<Input, Unreadable>> {
    let mut pending: Vec<PathBuf> = paths.into_iter().collect();
    pending.reverse();
    std::iter::from_fn(move || {
        loop {
            let path = pending.pop()?;
            if path == Path::new("-") {
                let reader = Box::new(io::stdin());
                return Some(Ok(Input { origin: "standard input".to_owned(), reader }));
            }
            match open(&path) {
                Ok(Opened::File(file)) => {
                    let origin = path.display().to_string();
                    return Some(Ok(Input { origin, reader: Box::new(file) }));
                }
                Ok(Opened::Folder(inside)) => pending.extend(inside),
                Err(error) => {
                    return Some(Err(Unreadable { path: path.display().to_string(), error }));
                }
            }
        }
    })
}

enum Opened {
    File(File),
    /// What is in it, last first.
    Folder(Vec<PathBuf>),
}

fn open(path: &Path) -> io::Result<Opened> {
    if !fs::metadata(path)?.is_dir() {
        return File::open(path).map(Opened::File);
    }
    let mut inside = Vec::new();
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let leads_away = kind.is_symlink() && entry.path().is_dir();
        let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        let is_readable = kind.is_dir() || entry.path().is_file();
        if is_readable && !leads_away && !is_hidden {
            inside.push(entry.path());
        }
    }
    inside.sort_unstable_by(|one, other| other.cmp(one));
    Ok(Opened::Folder(inside))
}
