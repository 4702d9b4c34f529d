//! How well the default rules find what is there and leave alone what is not, over labelled tenants.
//!
//! `cargo bench --bench quality` prints the tables of `BENCHMARKS.md`. `SIGNINEL_QUALITY_SEEDS` says how many tenants
//! are made up, `SIGNINEL_QUALITY_FIRST_SEED` the seed of the first.
#![expect(clippy::print_stdout, reason = "the tables are what it is for")]
#![expect(clippy::unwrap_used, reason = "a measurement that cannot go on should stop")]
#![expect(clippy::cast_precision_loss, reason = "shares for people")]

mod peers;
mod score;
mod tenant;

use std::path::{Path, PathBuf};

use signinel::simulate::Scenarios;

use peers::PEERS;
use score::{Claim, Score};
use tenant::Tenant;

/// SigmaHQ's rules for Azure, where a copy of them is at hand.
fn sigmahq() -> Option<PathBuf> {
    let corpus = std::env::var_os("SIGNINEL_CORPUS").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/corpus"),
        PathBuf::from,
    );
    Some(corpus.join("sigma-azure")).filter(|folder| folder.is_dir())
}

const IDENTITIES: u32 = 80;
const WEEKS: u32 = 2;
const QUIET_WEEKS: u32 = 8;

fn main() {
    // `cargo test --benches` only wants to know that it builds and starts.
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(measure());
}

fn number(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).map_or(usual, |text| text.parse().unwrap())
}

async fn measure() {
    let first = number("SIGNINEL_QUALITY_FIRST_SEED", 1_001);
    let seeds = number("SIGNINEL_QUALITY_SEEDS", 20);
    let sigmahq = sigmahq();
    let (mut ours, mut all, mut theirs) = (Score::default(), Score::default(), Score::default());
    let mut peers: Vec<Score> = PEERS.iter().map(|_| Score::default()).collect();
    for seed in first..first + seeds {
        let tenant = Tenant::new(seed, WEEKS, Scenarios::All);
        ours.add(seed, &tenant.labels, &tenant.incidents(None).await);
        let records = tenant.records();
        let mut claims = Vec::new();
        for (peer, score) in PEERS.iter().zip(&mut peers) {
            let of_one = (peer.claims)(&records);
            score.add(seed, &tenant.labels, &of_one);
            claims.extend(of_one);
        }
        if let Some(folder) = &sigmahq {
            let of_one = anybody(tenant.incidents(Some(folder)).await);
            theirs.add(seed, &tenant.labels, &of_one);
            claims.extend(of_one);
        }
        all.add(seed, &tenant.labels, &claims);
    }
    println!(
        "{seeds} tenants (seeds {first} to {}), {IDENTITIES} identities, {WEEKS} weeks each.\n",
        first + seeds - 1
    );
    ours.summary(seeds);
    println!(
        "\n| what looks | recall | precision | false per identity and week | minutes to detect, median |"
    );
    println!("|---|---|---|---|---|");
    ours.row("Signinel", seeds);
    for (peer, score) in PEERS.iter().zip(&peers) {
        score.row(peer.name, seeds);
    }
    if sigmahq.is_some() {
        theirs.row("SigmaHQ's rules for Azure that have data", seeds);
    }
    all.row("all of them but Signinel together", seeds);
    if sigmahq.is_none() {
        println!("\nSigmaHQ's rules are left out: there is no copy of them at hand.");
    }
    ours.families();
    ours.list_mistaken();
    quiet(first).await;
}

/// Claims as if there were one rule alone: whatever is told of a scenario counts.
fn anybody(claims: Vec<Claim>) -> Vec<Claim> {
    claims.into_iter().map(|claim| Claim { rules: Vec::new(), ..claim }).collect()
}

/// A tenant in which nothing happens.
async fn quiet(seed: u64) {
    let tenant = Tenant::new(seed, QUIET_WEEKS, Scenarios::None);
    let incidents = tenant.incidents(None).await;
    println!(
        "\nA tenant without scenarios, {IDENTITIES} identities, {QUIET_WEEKS} weeks: {} incidents.",
        incidents.len()
    );
    for incident in &incidents {
        println!("- {} ({}): {}", incident.started_at, incident.rules.join(", "), incident.title);
    }
}
