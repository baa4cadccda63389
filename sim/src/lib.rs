//! A world without chance: a disk that tears, loses and fails, a clock that is moved by hand and
//! randomness from a seed.

mod clock;
mod disk;

pub use clock::{SimClock, SimRng};
pub use disk::{Fault, SimDisk};
