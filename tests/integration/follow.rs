//! A folder whose files grow is read as they grow, whatever happens meanwhile.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::program::Place;
use crate::world;

/// Long enough for any machine; what is waited for takes a moment.
const PATIENCE: Duration = Duration::from_mins(2);

fn follow(place: &Place) -> Child {
    place
        .command("import --follow logs --every 100ms --no-notify")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits until the database has so many records.
fn until_stored(place: &Place, wanted: usize) {
    let begun = Instant::now();
    loop {
        if place.path("signinel.db").exists() {
            let listed = place.run("sources list --format json");
            let stored =
                serde_json::from_str::<serde_json::Value>(&listed.out).map_or(0, |sources| {
                    sources
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(|it| it["stored"].as_u64())
                        .sum::<u64>()
                });
            if usize::try_from(stored).unwrap() >= wanted {
                return;
            }
        }
        assert!(begun.elapsed() < PATIENCE, "{wanted} records do not come");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_appended_in_torn_pieces_under_kill_is_what_an_import_gives() {
    let records = world::tenant(6, 11);
    let whole = Place::new();
    whole.write("all.ndjson", world::lines(&records));
    whole.run("import all.ndjson --no-notify").says(0, &[]);
    let place = Place::new();
    let hour = |n: usize| format!("logs/tenantId=t/y=2026/m=07/d=16/h={n:02}/m=00/PT1H.json");
    place.write(&hour(0), "");
    let mut process = follow(&place);
    let parts = 5;
    for (n, part) in records.chunks(records.len().div_ceil(parts)).enumerate() {
        place.write(&hour(n), "");
        let text = world::lines(part);
        let path = place.path(&hour(n));
        let mut file = OpenOptions::new().append(true).open(path).unwrap();
        // Never at the end of a line but by chance.
        for piece in text.as_bytes().chunks(text.len() / 3 + 17) {
            file.write_all(piece).unwrap();
            file.flush().unwrap();
            std::thread::sleep(Duration::from_millis(120));
        }
        process.kill().unwrap();
        process.wait().unwrap();
        process = follow(&place);
    }
    until_stored(&place, records.len());
    process.kill().unwrap();
    process.wait().unwrap();
    // What the last one read, and had no time to evaluate.
    place.write("none.ndjson", "");
    place.run("import none.ndjson --no-notify").says(0, &[]);
    assert_eq!(world::outcome(&place).await, world::outcome(&whole).await);
    place.run("doctor --offline").says(0, &["every record read is accounted for"]);
}

#[cfg(unix)]
#[test]
fn a_signal_ends_it_well_and_a_shorter_file_is_read_again() {
    let place = Place::new();
    let records = world::tenant(6, 12);
    place.write("logs/a.ndjson", world::lines(&records[..60]));
    let process = follow(&place);
    until_stored(&place, 60);
    place.write("logs/a.ndjson", world::lines(&records[60..90]));
    until_stored(&place, 90);
    let pid = i32::try_from(process.id()).unwrap();
    terminate(pid);
    let ended = process.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(0), "{ended:?}");
}

/// As `kill PID` does.
fn terminate(pid: i32) {
    let status = std::process::Command::new("kill").arg(pid.to_string()).status().unwrap();
    assert!(status.success());
}

#[test]
fn what_cannot_be_followed_is_told() {
    let place = Place::new();
    place.write("a.json", "{}");
    place.run("import --follow a.json").says(2, &["`a.json` cannot be followed", "name a folder"]);
    place.run("import --follow gone").says(2, &["`gone` cannot be followed"]);
    place.run("import --follow a b").says(2, &["`--follow` follows one folder"]);
    place.run("import a.json --every 5s").says(2, &["--follow"]);
}
