//! Snapshots of the metadata log: their names, and when the next one is due (KIP-630).

use ottla_base::{LeaderEpoch, MonoTime, Offset};

/// Ending of a finished snapshot.
pub const SUFFIX: &str = ".checkpoint";
/// Ending of a snapshot that is being written; worthless after a crash.
pub const PART_SUFFIX: &str = ".checkpoint.part";

/// A snapshot: everything before `end_offset`, whose last record has `epoch`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotId {
    /// Offset of the first record that it does not hold.
    pub end_offset: Offset,
    /// Epoch of the last record that it holds.
    pub epoch: LeaderEpoch,
}

impl SnapshotId {
    /// What a formatted directory begins with: the voters and features of the first start.
    pub const BOOTSTRAP: Self = Self {
        end_offset: Offset(0),
        epoch: LeaderEpoch(0),
    };

    /// The file's name.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{:020}-{:010}{SUFFIX}", self.end_offset.0, self.epoch.0)
    }

    /// Reads the name of a finished snapshot; `None` for any other file.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let (offset, epoch) = name.strip_suffix(SUFFIX)?.split_once('-')?;
        let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
        if offset.len() != 20 || epoch.len() != 10 || !digits(offset) || !digits(epoch) {
            return None;
        }
        Some(Self {
            end_offset: Offset(offset.parse().ok()?),
            epoch: LeaderEpoch(epoch.parse().ok()?),
        })
    }
}

/// When to write a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SnapshotPolicy {
    /// `metadata.log.max.record.bytes.between.snapshots`.
    pub max_bytes: u64,
    /// `metadata.log.max.snapshot.interval.ms`; 0 for never by time.
    pub max_interval_ms: u64,
}

impl SnapshotPolicy {
    /// Whether a snapshot is due, `bytes` of committed records and the time since the last one given.
    #[must_use]
    pub fn is_due(&self, bytes: u64, last: MonoTime, now: MonoTime) -> bool {
        let interval_ns = self.max_interval_ms.saturating_mul(1_000_000);
        let by_time = self.max_interval_ms > 0 && now.0.saturating_sub(last.0) >= interval_ns;
        bytes > 0 && (bytes >= self.max_bytes || by_time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kafkas() {
        let id = SnapshotId {
            end_offset: Offset(1234),
            epoch: LeaderEpoch(5),
        };
        assert_eq!(id.file_name(), "00000000000000001234-0000000005.checkpoint");
        assert_eq!(SnapshotId::parse(&id.file_name()), Some(id));
        for other in [
            "bootstrap.checkpoint",
            "00000000000000001234-0000000005.checkpoint.part",
            "00000000000000001234-0000000005.checkpoint.deleted",
            "0000000000000001234-0000000005.checkpoint",
            "0000000000000000+234-0000000005.checkpoint",
            "99999999999999999999-0000000005.checkpoint",
        ] {
            assert_eq!(SnapshotId::parse(other), None, "{other}");
        }
    }

    #[test]
    fn due_by_bytes_or_by_time_but_never_for_nothing() {
        let policy = SnapshotPolicy {
            max_bytes: 100,
            max_interval_ms: 1000,
        };
        let at = |ms: u64| MonoTime(ms * 1_000_000);
        assert!(!policy.is_due(99, at(0), at(999)));
        assert!(policy.is_due(100, at(0), at(0)));
        assert!(policy.is_due(1, at(0), at(1000)));
        assert!(!policy.is_due(0, at(0), at(5000)));
        let never = SnapshotPolicy {
            max_bytes: 100,
            max_interval_ms: 0,
        };
        assert!(!never.is_due(1, at(0), at(u64::MAX / 1_000_000)));
    }
}
