//! A copy of the database is whole, whatever is written meanwhile, and no file is written over.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use signinel::standin::graph::Options;

use crate::program::{Place, spike};
use crate::world;

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_made_while_run_runs_opens_and_is_whole() {
    let records = world::tenant(14, 51);
    let graph = world::graph(&records, Options::default(), |_, _| None);
    let place = Place::new();
    place.write("signinel.toml", world::polling(&graph, ""));
    let mut command = place.command("run");
    command.envs(world::identity(&graph)).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap()).lines();
    // From the first records on there is something to copy, and more is being written.
    assert!(said.any(|line| line.unwrap().contains("watching")));
    let mut sizes: Vec<u64> = Vec::new();
    while sizes.iter().filter(|events| **events > 0).count() < 4 {
        let copied = place.json(&format!("backup copy-{}.db", sizes.len()));
        sizes.push(copied["events"].as_u64().unwrap());
    }
    let stopped = std::process::Command::new("kill").arg(child.id().to_string()).status().unwrap();
    assert!(stopped.success());
    assert!(said.any(|line| line.unwrap().contains("stopped")));
    assert!(child.wait().unwrap().success());
    assert!(sizes.is_sorted(), "{sizes:?}");
    place.write("none.json", "{\"value\": []}");
    for (turn, events) in sizes.iter().enumerate().rev().take(4) {
        let restored = format!("--db sqlite://copy-{turn}.db");
        // It opens, every count in it agrees with every other, and it can be gone on with.
        let counted = format!("copy-{turn}.db: {events} events");
        place.run(&format!("doctor --offline {restored}")).says(0, &[&counted]);
        place.run(&format!("import none.json --no-notify {restored}")).says(0, &[]);
    }
}

#[test]
fn a_copy_holds_what_the_database_holds_and_nothing_is_written_over() {
    let place = Place::new();
    place.write("spike.json", spike());
    place.run("import spike.json --no-notify").says(0, &[]);
    let ran = place.run("backup copy.db");
    ran.says(0, &["copy.db: ", " sign-ins, read through", "To restore it: stop `signinel run`"]);
    let before = std::fs::read(place.path("copy.db")).unwrap();
    place.run("backup copy.db").says(2, &["copy.db is there already"]);
    assert!(std::fs::read(place.path("copy.db")).unwrap() == before);
    assert_eq!(place.json("incidents list --db sqlite://copy.db"), place.json("incidents list"));
    place.run("backup nowhere/copy.db").says(1, &["cannot write the copy nowhere/copy.db"]);
    place.run("backup other.db --db sqlite://absent.db").says(1, &["there is no database"]);
    let left: Vec<String> = std::fs::read_dir(place.path("."))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with(".signinel-backup"))
        .collect();
    assert_eq!(left, Vec::<String>::new());
}
