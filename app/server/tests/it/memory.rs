//! How much memory this process uses.

/// Resident memory in bytes; `None` where the system does not tell.
pub(crate) fn resident() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kib * 1024)
}

/// Bytes by which memory may grow in a test whose peer would like it to grow by gigabytes. Wide, because
/// the other tests of this process run beside it.
const GROWTH_MAX: u64 = 1 << 30;

/// Asserts that memory has not grown much since `before` was taken.
pub(crate) fn assert_bounded(before: Option<u64>) {
    if let (Some(before), Some(now)) = (before, resident()) {
        let growth = now.saturating_sub(before);
        assert!(growth < GROWTH_MAX, "grew by {} MiB", growth >> 20);
    }
}
