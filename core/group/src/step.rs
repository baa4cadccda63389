//! What a decision is given, and where it leaves its effects.

use std::time::Duration;

use ottla_base::{MonoTime, WallMillis};
use ottla_config::rows::group::GroupSettings;
use ottla_protocol::messages::{JoinGroupResponse, SyncGroupResponse};

use crate::coordinator::GroupEffects;

/// The present moment on both clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Now {
    /// For timeouts.
    pub mono: MonoTime,
    /// For what is written down.
    pub wall: WallMillis,
}

/// Who sent a request, and in which version.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller<'a> {
    /// Client id of the request's header.
    pub client_id: &'a str,
    /// Address of the peer as Java prints it, such as `/127.0.0.1`.
    pub client_host: &'a str,
    /// Version of the request.
    pub version: i16,
}

/// The answer to a request that was kept.
#[derive(Debug, Clone, PartialEq)]
pub enum GroupReply {
    /// To JoinGroup.
    Join(JoinGroupResponse),
    /// To SyncGroup.
    Sync(SyncGroupResponse),
}

/// One decision on its way.
pub(crate) struct Step<'a> {
    pub(crate) now: Now,
    pub(crate) settings: &'a GroupSettings,
    pub(crate) fx: &'a mut GroupEffects,
}

/// A duration of a request or a setting; negative counts as zero.
pub(crate) fn millis(ms: i32) -> Duration {
    Duration::from_millis(u64::try_from(ms).unwrap_or(0))
}
