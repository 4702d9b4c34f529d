//! Tests of whole records.
