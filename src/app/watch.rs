//! Takes up rules that are edited while the program runs, between two passes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use super::{App, Ruleset, read_catalogue, shade};
use crate::detect::{Detector, Mended, RuleFault, RuleFiles};

/// Between two looks at the folder. What has changed is read when it has not changed again by the next
/// look, so that half of a file is not read.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Path, size and time of change of each file of a folder.
type Stamp = BTreeSet<(PathBuf, u64, Option<SystemTime>)>;

/// The folder of rules, as it was last looked at.
pub struct Watch {
    folder: Option<PathBuf>,
    files: RuleFiles,
    /// As it was when its rules were last read, and at the last look.
    read: Stamp,
    seen: Stamp,
    looked_at: Option<Instant>,
    /// Sentences that were said and still hold.
    said: BTreeSet<String>,
}

impl Watch {
    /// Watches the folder that rules come from; those in the binary never change.
    #[must_use]
    pub fn new(folder: Option<PathBuf>) -> Self {
        Self {
            folder,
            files: RuleFiles::default(),
            read: Stamp::new(),
            seen: Stamp::new(),
            looked_at: None,
            said: BTreeSet::new(),
        }
    }

    /// Looks at the folder, where that is due, and takes up what has changed. `true` when other rules are in
    /// force now.
    pub async fn look(&mut self, app: &App) -> bool {
        let Some(folder) = self.folder.clone() else { return false };
        let is_first = self.looked_at.is_none();
        if self.looked_at.is_some_and(|at| at.elapsed() < LOOK_EVERY) {
            return false;
        }
        self.looked_at = Some(Instant::now());
        let stamp = stamp(&folder);
        let is_still = std::mem::replace(&mut self.seen, stamp.clone()) == stamp;
        if !is_first && (!is_still || stamp == self.read) {
            return false;
        }
        self.take_up(app, &folder, stamp).await
    }

    /// Reads the folder now, whether it has changed or not.
    pub async fn read_again(&mut self, app: &App) -> bool {
        let Some(folder) = self.folder.clone() else {
            tracing::info!("the rules are those in the program: there is no folder to read again");
            return false;
        };
        let stamp = stamp(&folder);
        let is_other = self.take_up(app, &folder, stamp).await;
        if !is_other && self.said.is_empty() {
            tracing::info!("the rules were read again: they are the same");
        }
        is_other
    }

    async fn take_up(&mut self, app: &App, folder: &Path, stamp: Stamp) -> bool {
        self.read = stamp;
        let before = app.rules();
        let mut faults = Vec::new();
        let catalogue = read_catalogue(Some(folder)).unwrap_or_else(|error| {
            faults.push(error.to_string());
            before.catalogue.clone()
        });
        let mended = self.files.read(folder, &catalogue.classes());
        let sentences = |found: &[RuleFault]| found.iter().map(ToString::to_string).collect();
        let found: Vec<String> = match &mended {
            Ok(Mended { faults, .. }) | Err(faults) => sentences(faults),
        };
        faults.extend(found);
        let Ok(Mended { mut book, matcher, .. }) = mended else {
            self.say(faults);
            return false;
        };
        if let Err(unknown) = shade(&mut book, &app.config.rules) {
            faults.extend(unknown.iter().map(ToString::to_string));
        }
        self.say(faults);
        let rules = Ruleset::over(book, catalogue);
        let changes = changes(&before, &rules);
        if changes.is_empty() && before.catalogue == rules.catalogue {
            return false;
        }
        tracing::info!(
            rules = rules.rulebook.rules.len(),
            "rules read again: {}",
            if changes.is_empty() { "other error codes".to_owned() } else { changes }
        );
        *app.detector.lock().await = Detector::new(matcher);
        app.put_rules(rules);
        true
    }

    /// Says each fault once, and when it is no more.
    fn say(&mut self, faults: Vec<String>) {
        let faults: BTreeSet<String> = faults.into_iter().collect();
        for fault in faults.difference(&self.said) {
            tracing::error!("{fault}; until it is mended, what was there before stays in force");
        }
        for mended in self.said.difference(&faults) {
            tracing::info!("mended: {mended}");
        }
        self.said = faults;
    }
}

/// Which rules are new, gone or changed, in words.
fn changes(before: &Ruleset, after: &Ruleset) -> String {
    let (old, new) = (&before.rulebook.rules, &after.rulebook.rules);
    let is_other = |name: &&String| {
        old.get(*name).is_some_and(|rule| {
            let now = &new[*name];
            (&rule.fingerprint, rule.is_shadow, rule.level, &rule.category, &rule.text)
                != (&now.fingerprint, now.is_shadow, now.level, &now.category, &now.text)
        })
    };
    let listed = |what: &str, names: Vec<&String>| {
        let names: Vec<&str> = names.into_iter().map(String::as_str).collect();
        (!names.is_empty()).then(|| format!("{what} {}", names.join(", ")))
    };
    [
        listed("new", new.keys().filter(|name| !old.contains_key(*name)).collect()),
        listed("changed", new.keys().filter(is_other).collect()),
        listed("gone", old.keys().filter(|name| !new.contains_key(*name)).collect()),
    ]
    .into_iter()
    .flatten()
    .collect::<Vec<_>>()
    .join("; ")
}

/// What can be told of the files without reading them; what cannot be looked at is left out.
fn stamp(folder: &Path) -> Stamp {
    let mut stamp = Stamp::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let Ok(about) = std::fs::metadata(entry.path()) else { continue };
            if about.is_dir() {
                folders.push(entry.path());
            } else {
                stamp.insert((entry.path(), about.len(), about.modified().ok()));
            }
        }
    }
    stamp
}
