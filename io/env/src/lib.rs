//! The seam between Ottla and the world: clock, randomness, disk, threads and tasks.
//!
//! The operating system stands behind the traits in production, a seeded simulation in `sim/`.

mod clock;
mod disk;
mod rng;
mod spawn;

pub use clock::{Clock, SystemClock};
pub use disk::{DirEntry, Disk, DiskFile, DiskSpace, FileLock, FileStat, OpenMode};
pub use rng::{OsRng, Rng};
pub use spawn::{
    connection_panics, in_connection, run_local, run_threads, spawn_connection, spawn_thread,
};
