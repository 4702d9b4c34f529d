//! The tests that walk along the path, in its order.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]

/// The house holds the order that `src/lib.rs` shows.
mod architecture;
/// Every command helps, and ends well when its reader goes away.
mod commands;
/// Published records, where they are at hand.
mod corpus;
/// Findings are a pure function of events and rules, against an evaluator that knows no shortcuts.
mod detect;
/// The Graph source against a Graph on loopback.
mod graph;
/// The program, run as a person runs it.
mod program;
/// Every rule file is complete, and passes its own tests.
mod rules;
/// What is told arrives at a real mail server and a real receiver, once.
mod told;
/// Every wrong input gets a sentence and its exit code.
mod wrong;
