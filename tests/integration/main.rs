//! The tests that walk along the path, in its order.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on should stop")]
#![expect(clippy::print_stdout, reason = "a test that is skipped says so")]

/// What each source gave is counted, shown, and adds up.
mod accounts;
/// What an application may send, whoever sends it.
mod allowance;
/// The house holds the order that `src/lib.rs` shows.
mod architecture;
/// The arrangements in which records stand in files.
mod arranged;
/// A storage account on loopback.
mod azurite;
/// The stored history under other rules: what would have been found and told, and nothing is touched.
mod backtest;
/// A copy of the database is whole, whatever is written meanwhile.
mod backup;
/// That a source is not read is told.
mod blind;
/// What went by is read oldest first.
mod catching_up;
/// One cause, one incident.
mod causes;
/// Rules that count what others find.
mod chained;
/// Every command helps, and ends well when its reader goes away.
mod commands;
/// Published records, where they are at hand.
mod corpus;
/// What was read, what was not, and that late records are found.
mod coverage;
/// Killed at any instruction, it finishes what it began.
mod crash;
/// Findings are a pure function of events and rules, against an evaluator that knows no shortcuts.
mod detect;
/// The documents tell what is so.
mod documents;
/// Why a rule did or did not match.
mod explain;
/// A clock that runs as fast as the work allows.
mod fast;
/// All that is wrong with a folder of rules, told at once.
mod faults;
/// What the folds cost, what they let go, and what they are not misled by.
mod folds;
/// A folder that is followed as its files grow.
mod follow;
/// Files of records that were changed in every way in which files go wrong.
mod garbled;
/// A credential that has its token already.
mod given;
/// The Graph source against a Graph on loopback.
mod graph;
/// Files that would fill the memory or the disk, or that change while they are read.
mod grown;
mod hostile;
/// Each thing that can go wrong, alone.
mod mishaps;
/// A source that is told to refuse, and a clock that tests move.
mod moody;
/// Who has the name of one that was before inherits what is known of it.
mod namesakes;
/// Every finding says what was seen, over how long, and what would have been enough.
mod numbers;
/// An evaluator that looks at the whole history at once.
mod oracle;
/// Everything that can go wrong, at once.
mod ordeal;
mod order;
/// By file or by poll, in any order and form: the same findings and incidents.
mod path;
/// The program, run as a person runs it.
mod program;
/// Whatever bytes come, in whatever form, every record is accounted for.
mod readers;
/// Rules that are edited while it runs are taken up.
mod reload;
/// Every rule file is complete, and passes its own tests.
mod rules;
/// Rules in shadow are watched and never told.
mod shadow;
/// SigmaHQ's rules load as they are.
mod sigmahq;
/// When silence is an incident.
mod silence;
/// What somebody silenced is told when the silence ends.
mod silences;
/// The storage source against an account on loopback.
mod storage;
/// What is told arrives: at a real mail server, and at the reference verifier of Standard Webhooks.
mod told;
/// Sign-ins of people.
mod users;
/// What people read says as much as is known, and in words that they know.
mod wording;
/// A simulated tenant, and what of a database may not depend on how its records came.
mod world;
/// Whatever is wrong is told in a sentence, with the exit code that fits.
mod wrong;
