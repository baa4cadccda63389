//! The frame that every coordinator fills: groups, transactions, share partitions, streams.
//!
//! A coordinator is a replicated state machine over one partition of an internal topic. It decides a
//! request against its state and puts what follows into [`Effects`]: records to append, answers to give.
//! Its owner appends the records, feeds them back to the machine, and keeps what must wait for them in a
//! [`ParkQueue`] until they are committed. Time is data: a machine tells its next deadline, which
//! [`Deadlines`] keeps.
//!
//! Does not know: what the records say, partitions, connections, clocks.
#![forbid(unsafe_code)]
#![warn(missing_docs)]

mod deadlines;
mod effects;
mod hash;
mod park;
mod record;

pub use deadlines::Deadlines;
pub use effects::{Effects, Ticket};
pub use hash::{java_string_hash, partition_for};
pub use park::ParkQueue;
pub use record::{CoordinatorRecord, PutRecord};
