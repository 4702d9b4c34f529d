//! Files that would fill the memory or the disk, or that change while they are read.

use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::process::Command;

use chrono::TimeDelta;
use flate2::Compression;
use flate2::write::GzEncoder;
use signinel::clock::{Clock, SystemClock};

use crate::program::{Place, record};
use crate::world;

/// Address space that an import may take, in KiB: threads and maps of the database included.
const ROOM: u64 = 420_000;

/// Runs the program with a limit that the shell sets.
fn limited(place: &Place, limit: &str, args: &str) -> (Option<i32>, String) {
    let program = place.command(args);
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(format!("{limit}; exec \"$0\" \"$@\"")).arg(program.get_program());
    shell.args(program.get_args()).current_dir(program.get_current_dir().unwrap());
    let output = shell.output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code(), String::from_utf8(said).unwrap())
}

fn one(place: u32) -> String {
    record("func-orders-prod", place, SystemClock.now() - TimeDelta::minutes(5), 0).to_string()
}

#[test]
fn a_gzip_bomb_and_a_line_of_half_a_gigabyte_are_survived_in_little_memory() {
    let place = Place::new();
    let mut bomb =
        GzEncoder::new(File::create(place.path("bomb.json.gz")).unwrap(), Compression::best());
    bomb.write_all(format!("{}\n{{\"id\":\"", one(1)).as_bytes()).unwrap();
    let spaces = vec![b' '; 1 << 20];
    for _ in 0..500 {
        bomb.write_all(&spaces).unwrap();
    }
    bomb.finish().unwrap();
    let mut line = File::create(place.path("line.ndjson")).unwrap();
    line.write_all(format!("{}\n{{\"id\":\"x", one(2)).as_bytes()).unwrap();
    // A hole in the file: it is read as zeros and takes no room.
    line.seek(SeekFrom::Start(500 << 20)).unwrap();
    line.write_all(format!("\"}}\n{}\n", one(3)).as_bytes()).unwrap();
    drop(line);
    for (file, stored) in [("bomb.json.gz", "1 stored"), ("line.ndjson", "2 stored")] {
        let (code, said) = limited(&place, &format!("ulimit -v {ROOM}"), &format!("import {file}"));
        assert!(said.contains(stored), "{file}: {code:?}: {said}");
        assert!(said.contains("set aside"), "{file}: {said}");
    }
    place.run("doctor --offline").says(0, &["every record read is accounted for"]);
}

#[test]
fn a_hundred_thousand_files_are_read() {
    let place = Place::new();
    for folder in 0..100 {
        let folder = place.path(&format!("logs/{folder}"));
        std::fs::create_dir_all(&folder).unwrap();
        for file in 0..1000 {
            File::create(folder.join(format!("{file}.json"))).unwrap();
        }
    }
    place.write("logs/50/500.json", one(1));
    let (code, said) = limited(&place, &format!("ulimit -v {ROOM}; ulimit -n 256"), "import logs");
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("1 records read from 100000 files: 1 stored"), "{said}");
}

#[test]
fn a_file_that_grows_while_it_is_read_loses_nothing() {
    let place = Place::new();
    let path = place.path("growing.ndjson");
    std::fs::write(&path, one(0) + "\n").unwrap();
    let writer = std::thread::spawn(move || {
        let mut file =
            BufWriter::with_capacity(100, File::options().append(true).open(path).unwrap());
        for place in 1..2000 {
            writeln!(file, "{}", one(place)).unwrap();
        }
    });
    for _ in 0..3 {
        assert!(place.run("import growing.ndjson --no-notify").code <= 1);
    }
    writer.join().unwrap();
    place.run("import growing.ndjson --no-notify").says(0, &[]);
    let sources = place.json("sources list");
    assert_eq!(sources[0]["stored"], 2000, "{sources}");
    place.run("doctor --offline").says(0, &["every record read is accounted for"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_said_and_loses_nothing() {
    let records = world::tenant(14, 31);
    let (whole, full) = (Place::new(), Place::new());
    for place in [&whole, &full] {
        place.write("all.ndjson", world::lines(&records));
    }
    whole.run("import all.ndjson --no-notify").says(0, &[]);
    // No file may grow past this; the signal is ignored so that the program hears of it as of a full disk.
    let mut failed = 0;
    for blocks in [100, 300, 600, 900] {
        let limit = format!("trap '' XFSZ; ulimit -f {blocks}");
        let (code, said) = limited(&full, &limit, "import all.ndjson --no-notify");
        assert!(!said.contains("panicked"), "{said}");
        if code != Some(0) {
            failed += 1;
            assert_eq!(code, Some(1), "{said}");
            assert!(said.contains("error: ") && said.contains("disk"), "{said}");
        }
    }
    assert!(failed > 1, "the limits were too wide to test anything");
    full.run("import all.ndjson --no-notify").says(0, &[]);
    let (is, should) = (world::outcome(&full).await, world::outcome(&whole).await);
    assert!(is == should, "{}", world::difference(&is, &should));
    full.run("doctor --offline").says(0, &["every record read is accounted for"]);
}
