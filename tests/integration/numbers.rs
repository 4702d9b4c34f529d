//! Every finding, of whatever kind, says in numbers what was seen, over how long, and what would have been enough:
//! in the timeline and beside the explanation.

use std::collections::BTreeSet;
use std::path::Path;

use chrono::{DateTime, Utc};
use signinel::config::IncidentsConfig;
use signinel::detect::{CodeClasses, Detector, Matcher, Rulebook};
use signinel::diagnose::Catalogue;
use signinel::store::{Fetched, Store};
use signinel::view::{Entry, EntryKind, Timeline, timeline};
use signinel::{detect, incidents};

use crate::detect::{rules, worlds};
use crate::oracle::Small;

/// A world walked to its incidents, and their timelines.
async fn told(book: &Rulebook, events: &[Small]) -> Vec<Timeline> {
    let folder = tempfile::tempdir().unwrap();
    let address = format!("sqlite://{}", folder.path().join("test.db").display());
    let store = Store::open(&address).await.unwrap();
    let now = DateTime::<Utc>::from_timestamp(1_800_000_000, 0).unwrap();
    let mut fetched = Fetched::default();
    for event in events {
        fetched.batch.push(&event.event(), 0..0);
    }
    store.add(("test", "test"), fetched, None, now).await.unwrap();
    let mut detector = Detector::new(Matcher::new(book, CodeClasses::new()).unwrap());
    detector.run(&store, now, |_| ()).await.unwrap();
    let config = IncidentsConfig::default();
    incidents::run(&store, &book.facts(), &config, now).await.unwrap();
    let mut told = Vec::new();
    for incident in store.incidents().await.unwrap() {
        told.push(timeline(&store, book, &Catalogue::shipped(), &incident).await.unwrap());
    }
    store.close().await;
    told
}

/// Whether a text holds a number followed by one of these words.
fn counts(text: &str, words: &[&str]) -> bool {
    let all: Vec<&str> = text.split([' ', ';', ',']).collect();
    all.windows(2).any(|pair| pair[0].parse::<u64>().is_ok() && words.contains(&pair[1]))
}

/// What is missing of the numbers of a finding.
fn lacks(kind: &str, numbers: &str) -> Vec<&'static str> {
    let mut lacks = Vec::new();
    let is_seen = match kind {
        "absence" => numbers.starts_with("nothing came for "),
        "streak" => numbers.contains(" in a row ") && counts(numbers, &["sign-in", "sign-ins"]),
        _ => counts(numbers, &["sign-in", "sign-ins"]),
    };
    if !is_seen {
        lacks.push("seen");
    }
    let (before, enough) = numbers.rsplit_once("; ").unwrap_or((numbers, ""));
    if !enough.contains(" would have been enough") || enough.starts_with(' ') {
        lacks.push("enough");
    }
    let spans = ["s", "min", "h", "day", "days"];
    if !counts(before, &spans) && !before.contains("at one moment") {
        lacks.push("over how long");
    }
    let usual = match kind {
        "absence" | "baseline" | "awakening" | "rhythm" => "expected ",
        "first_seen" => "learnt for ",
        "newcomer" => "known for ",
        "ratio" => "%",
        "value_count" => " different ones",
        "value_sum" => "sum ",
        "value_avg" => "average ",
        "value_percentile" => "percentile ",
        "value_median" => "median ",
        _ => "",
    };
    if !numbers.contains(usual) {
        lacks.push("its own measure");
    }
    if kind == "baseline" && !numbers.contains(" hours had as many") {
        lacks.push("how rare");
    }
    lacks
}

#[tokio::test]
async fn findings_of_every_kind_say_what_was_seen_and_what_would_have_been_enough() {
    let mut files = rules();
    // What a rule counts that is met is not told beside it, and no other rule of the kind is there.
    files.retain(|(file, _)| file != Path::new("deserted.yml"));
    let book = Rulebook::read(&files).unwrap();
    let kinds: BTreeSet<&str> = book.rules.values().map(detect::Rule::kind_name).collect();
    let (mut told_kinds, mut explained) = (BTreeSet::new(), BTreeSet::new());
    for events in worlds() {
        for timeline in told(&book, &events).await {
            told_kinds.extend(in_entries(&book, &timeline));
            explained.extend(beside_the_explanation(&book, &timeline));
        }
        if told_kinds == kinds && explained == kinds {
            return;
        }
    }
    panic!("of {kinds:?}, told: {told_kinds:?}, explained: {explained:?}");
}

/// The kinds whose findings the timeline tells of, each with all its numbers.
fn in_entries<'b>(book: &'b Rulebook, told: &Timeline) -> BTreeSet<&'b str> {
    let met = told.entries.iter().filter(|entry| entry.kind == EntryKind::RuleMet);
    let of_rules = met.filter_map(|entry| Some((rule_of(book, &entry.sentence)?, entry)));
    let kind = |(rule, entry): (&'b detect::Rule, &Entry)| {
        let (kind, detail) = (rule.kind_name(), entry.detail.as_deref().unwrap());
        assert_eq!(lacks(kind, detail), [""; 0], "{kind}: {detail}");
        assert!(detail.ends_with(" would have been enough"), "{detail}");
        kind
    };
    of_rules.map(kind).collect()
}

/// The kinds that the explanation has a line for, each with all its numbers.
fn beside_the_explanation<'b>(book: &'b Rulebook, told: &Timeline) -> BTreeSet<&'b str> {
    let of_rules = told.card.unusual.iter().filter_map(|line| {
        let title = line.split([':', '(']).next()?.trim();
        Some((book.rules.get(title)?.kind_name(), line.split_once(": ")?.1))
    });
    let kind = |(kind, numbers)| {
        assert_eq!(lacks(kind, numbers), [""; 0], "{kind}: {numbers}");
        kind
    };
    of_rules.map(kind).collect()
}

/// The rule that an entry says was met; none where it sums up.
fn rule_of<'b>(book: &'b Rulebook, sentence: &str) -> Option<&'b detect::Rule> {
    let (name, rest) = sentence.strip_prefix("Rule `")?.split_once('`')?;
    rest.starts_with(" was met: ").then(|| &book.rules[name])
}
