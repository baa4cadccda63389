//! Files of the operating system behind [`ottla_env::Disk`], a bounded cache of open ones, and small
//! files that are replaced whole.

mod atomic;
mod file_cache;
mod limits;
mod os;

pub use atomic::{read_small, write_atomically};
pub use file_cache::{CachedFile, FileCache};
pub use limits::raise_open_files;
pub use os::OsDisk;
