//! The classic group protocol (KIP-62, 345, 394, 814).
//!
//! ```text
//!            join                    all joined, or time is up
//!  Empty ---------> PreparingRebalance ----------------------> CompletingRebalance
//!    ^                  ^   |                                   |  |
//!    | nobody left      |   +--> Empty (nobody left)            |  | assignments of the leader
//!    |                  |                                       |  v  are committed
//!    +------------------+<------ join, leave, expiry -----------+ Stable
//! ```
//!
//! Kafka's fifth state, Dead, is that of a group that is not there.
//!
//! `group` holds what a group is and how its parts change together; `join`, `sync` and `membership`
//! decide requests; `rebalance` moves a group from state to state and decides what time does;
//! `describe` tells what is seen from outside.

mod describe;
mod group;
mod join;
mod member;
mod membership;
mod rebalance;
mod sync;

pub use join::MAX_MEMBER_METADATA_BYTES;

pub use join::StaticReplacement;
pub use rebalance::StoredAssignments;

pub(crate) use group::{ClassicGroup, State};
pub(crate) use join::{Joining, check_request as check_join, join_refused};
pub use sync::check_request as check_sync;
pub(crate) use sync::sync_refused;
