//! A folder whose files grow is read as they grow, whatever happens meanwhile.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::write::GzEncoder;
use signinel::simulate::SimulatedRecord;

use crate::program::Place;
use crate::world;

/// Long enough for any machine; what is waited for takes a moment.
const PATIENCE: Duration = Duration::from_mins(5);

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

fn values(records: &[SimulatedRecord]) -> Vec<serde_json::Value> {
    records.iter().map(|record| serde_json::from_str(&record.json).unwrap()).collect()
}

fn lines(records: &[serde_json::Value]) -> String {
    records.iter().flat_map(|record| [record.to_string(), "\n".to_owned()]).collect()
}

#[test]
fn a_file_rewritten_in_its_place_is_read_from_its_beginning() {
    let place = Place::new();
    let records = values(&world::tenant(6, 12));
    place.write("logs/longer.ndjson", lines(&records[..30]));
    place.write("logs/same.ndjson", lines(&records[30..31]));
    let mut process = follow(&place);
    until_stored(&place, 31);
    place.write("logs/longer.ndjson", lines(&records[40..100]));
    let same = lines(&records[30..31]);
    let id = records[30]["id"].as_str().unwrap();
    let other = format!("{}{}", if id.starts_with('0') { "1" } else { "0" }, &id[1..]);
    place.write("logs/same.ndjson", same.replace(id, &other));
    until_stored(&place, 92);
    process.kill().unwrap();
    process.wait().unwrap();
    let sources = place.json("sources list");
    assert_eq!(sources[0]["rejected"], 0, "{sources}");
}

#[test]
fn lists_pages_tables_and_what_is_packed_are_read_when_they_settle() {
    let place = Place::new();
    let records = values(&world::tenant(6, 13));
    let mut parts = records.chunks(20);
    let mut part = || parts.next().unwrap().to_vec();
    let page = |records: &[serde_json::Value]| serde_json::json!({ "value": records });
    let pretty =
        |records: &[serde_json::Value]| serde_json::to_string_pretty(&page(records)).unwrap();
    let packed = |text: &str| {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(text.as_bytes()).unwrap();
        packer.finish().unwrap()
    };
    let utf16 = |text: &str| -> Vec<u8> {
        [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect()
    };
    place.write("logs/list.json", serde_json::to_string_pretty(&part()).unwrap());
    place.write("logs/one-line.json", page(&part()).to_string());
    place.write("logs/packed.json.gz", packed(&lines(&part())));
    place.write("logs/utf16.json", utf16(&lines(&part())));
    place.write("logs/marked.log", format!("\u{feff}{}", lines(&part())));
    // Longer than a piece of what is read at once, with a page in one line.
    let mut long = part();
    long[3]["filler"] = "x".repeat(5 << 20).into();
    place.write("logs/long.json", page(&long).to_string());
    place.write(
        "logs/long-line.ndjson",
        lines(&{
            let mut long = part();
            long[3]["filler"] = "x".repeat(5 << 20).into();
            long
        }),
    );
    place.write("logs/notes.md", "nothing of a log");
    let staged = pretty(&part());
    let (first, rest) = staged.split_at(staged.len() / 2);
    place.write("logs/staged.json", first);
    let mut process = follow(&place);
    until_stored(&place, 7 * 20 + 5);
    let staged = place.path("logs/staged.json");
    OpenOptions::new().append(true).open(staged).unwrap().write_all(rest.as_bytes()).unwrap();
    place.write(
        "logs/table.csv",
        "TimeGenerated,Id,ServicePrincipalName,ServicePrincipalId,ResultType,Category\n\
         2026-07-16T13:30:00Z,12345678-0000-4000-8000-000000000001,a,aa11bb22-0000-4000-8000-000000000001,0,ManagedIdentitySignInLogs\n",
    );
    until_stored(&place, 8 * 20 + 1);
    process.kill().unwrap();
    process.wait().unwrap();
    place.run("doctor --offline").says(0, &["every record read is accounted for"]);
}
