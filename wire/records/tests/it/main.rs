//! Tests of the crate from outside.
#![expect(clippy::indexing_slicing, reason = "a test may panic")]

mod roundtrip;
