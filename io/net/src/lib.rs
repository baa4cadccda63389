//! Listeners, connection limits, frames in, bytes and file regions out.
//!
//! Knows nothing of what a frame holds. A connection is driven by one task that polls
//! [`FrameReader::poll_read`] and [`OutQueue::poll_flush`]; both leave their state whole whenever they
//! return, so nothing is lost by not polling further.

mod budget;
mod frames;
mod limits;
mod listener;
mod out_queue;
pub mod pool;

pub use budget::FrameBudget;
pub use frames::{FrameReader, OnFrame, ReadError, Taken};
pub use limits::{ConnectionCounter, ConnectionLimits, ConnectionPermit, TurnedAway};
pub use listener::{SocketOptions, bind, host_name, prepare};
pub use out_queue::{FileRegion, OutQueue};
