# `just` lists what there is.
default:
    @just --list

# Everything that must pass before a change is done
ci: fmt-check lint test

# The tests, as the README says
test *args:
    cargo test {{ args }}

# Formatting and lints, with every warning a failure
lint:
    cargo clippy --all-targets --locked -- -D warnings

fmt:
    cargo fmt --all

fmt-check:
    cargo fmt --all -- --check

# See it work: a simulated fortnight through the whole path
demo:
    cargo run --release -- demo

# The figures of BENCHMARKS.md
bench:
    cargo bench

# Licences and advisories
deny:
    cargo deny check

image:
    docker build --tag signinel .
