//! What the machine tells: CPU spent, memory, descriptors, cores.

mod affinity;
mod cpu;
mod machine;
mod memory;
mod process;

pub(crate) use affinity::{Placement, pin_client, spawn_server};
pub(crate) use cpu::{Snapshot, Spent};
pub(crate) use machine::Machine;
pub(crate) use memory::WarmPages;
pub(crate) use process::{descriptors, resident_mib};
