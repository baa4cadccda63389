//! The seam between Ottla and the world: clock, randomness and disk as traits.
//!
//! The operating system stands behind them in production, a seeded simulation in `sim/`.

mod disk;

pub use disk::{DirEntry, Disk, DiskFile, DiskSpace, FileLock, FileStat, OpenMode};
