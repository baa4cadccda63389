//! The metadata quorum (KRaft: KIP-595, 853, 996) as an event machine.
//!
//! Decides who leads, how far the log is committed and what is cut off; elects with a round of
//! pre-votes so that a node that was away disturbs nobody. Owned by the quorum thread. It sees the log
//! through [`LogView`] and has no clock, no file and no socket: events come in with their time, effects
//! go out in durability order - what stands after [`Effect::Persist`] may not leave before it is durable.
//!
//! ```text
//!                    vote granted to another, or newer epoch
//!        +---------------------------------------------------------+
//!        v                                                         |
//!   Unattached --timeout--> Prospective --majority--> Candidate --majority--> Leader
//!        |                     |  pre-votes              | votes                | epoch is over
//!        | leader is known     |                         |                      v
//!        +------> Follower <---+-------------------------+--------------- Unattached
//! ```
//!
//! A voter that restarts as the leader of its epoch has forgotten who holds what, so it never leads the
//! same epoch again ([`machine::Raft::start`]).
#![forbid(unsafe_code)]

pub mod election_state;
pub mod machine;
pub mod message;
mod role;
pub mod snapshot;
pub mod voters;

pub use election_state::{ElectionState, ElectionStateError};
pub use machine::{Effect, LogView, Raft, Setup, Timeouts};
pub use voters::{Endpoint, ReplicaKey, Voter, VoterSet};
