//! Every command helps, and ends well when its reader goes away.

use std::io::Read;
use std::process::Stdio;

use crate::program::{Place, spike};

/// The names below "Commands:" in a help.
fn commands(help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| line.starts_with("  "))
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .map(str::to_owned)
        .collect()
}

/// Every command with the commands in it, as they are typed.
fn all(place: &Place) -> Vec<String> {
    let mut all = Vec::new();
    let mut pending = commands(&place.run("--help").out);
    assert!(pending.len() >= 13, "{pending:?}");
    while let Some(command) = pending.pop() {
        let inner = commands(&place.run(&format!("{command} --help")).out);
        pending.extend(inner.iter().map(|name| format!("{command} {name}")));
        all.push(command);
    }
    all
}

#[test]
fn every_command_explains_itself() {
    let place = Place::new();
    let all = all(&place);
    assert!(all.len() >= 28, "{all:?}");
    for command in &all {
        let ran = place.run(&format!("{command} --help"));
        ran.says(0, &["Usage: signinel", "--config <FILE>", "--db <URL>"]);
        assert_eq!(ran.err, "", "{command}");
        let purpose = ran.out.lines().next().unwrap_or_default();
        assert!(purpose.len() > 10 && !purpose.starts_with("Usage"), "{command}: {purpose}");
    }
}

#[test]
fn commands_that_are_more_than_their_name_show_an_example() {
    let place = Place::new();
    for command in [
        "",
        "run",
        "import",
        "incidents list",
        "incidents resolve",
        "timeline",
        "rules check",
        "rules test",
        "rules explain",
        "events show",
        "identities show",
        "deliveries list",
        "deliveries retry",
        "backtest",
        "backup",
        "doctor",
        "silence add",
        "silence end",
        "simulate",
        "demo",
    ] {
        place.run(&format!("{command} --help")).says(0, &["Example", "  signinel "]);
    }
}

#[test]
fn the_version_is_that_of_the_package() {
    let ran = Place::new().run("--version");
    assert_eq!((ran.code, ran.out), (0, format!("signinel {}\n", env!("CARGO_PKG_VERSION"))));
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let place = Place::new();
    place.write("spike.json", spike());
    assert_eq!(place.run("import spike.json").code, 0);
    for args in [
        "--help",
        "import --help",
        "--version",
        "import spike.json",
        "incidents list",
        "incidents show 1",
        "incidents list --format json",
        "timeline 1",
        "timeline 1 --format html",
        "rules list",
        "rules check",
        "identities list",
        "sources list",
        "deliveries list",
        "events show 00000000-0000-4000-8000-000000000003 --raw",
        "doctor --offline",
    ] {
        let mut command = place.command(args);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        drop(child.stdout.take());
        let mut said = String::new();
        child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
        let status = child.wait().unwrap();
        assert_eq!((status.code(), said.as_str()), (Some(0), ""), "{args}");
    }
}
