//! Structured logs on standard error: text for a terminal, JSON otherwise.

use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::time::ChronoUtc;

/// Begins to log. `run` tells what it does; other commands only what went wrong, unless asked.
/// `SIGNINEL_LOG` overrides, in the syntax of `tracing`'s filters. What the checker of certificates says
/// stands in the sentence of whoever connected, too.
pub(super) fn begin(is_run: bool, verbose: u8) {
    let level = match (verbose, is_run) {
        (0, false) => "warn,rustls_platform_verifier=off",
        (0, true) => "signinel=info,warn,rustls_platform_verifier=off",
        (1, _) => "signinel=debug,info",
        _ => "trace",
    };
    let filter = EnvFilter::try_from_env("SIGNINEL_LOG").unwrap_or_else(|_| EnvFilter::new(level));
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    // A second subscriber can only come from a second call in one process, which keeps the first.
    let _ = if io::stderr().is_terminal() {
        let clock = ChronoUtc::new("%H:%M:%S".to_owned());
        builder.with_timer(clock).with_target(false).try_init()
    } else {
        builder.json().flatten_event(true).with_target(false).try_init()
    };
}
