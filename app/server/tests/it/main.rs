//! A node from outside, over sockets.
//!
//! The front of a node alone (no quorum, no partition) is enough for what concerns connections and frames.

mod accepted;
mod admin;
mod bodies;
mod frames;
mod front;
mod fuzz;
mod games;
mod harness;
mod memory;
mod node;
mod peer;
mod pressure;
mod produce;
mod random;
mod whole;
