//! Small files that are whole or absent: checkpoints and properties.

use std::ffi::OsString;
use std::io::{self, IoSlice};
use std::path::Path;

use ottla_env::{Disk, OpenMode};

/// Replaces `path` by `bytes`: a temporary file, a flush, a rename, a flush of the directory. After a
/// crash at any point the old or the new content is there, never a mixture.
///
/// # Errors
/// The operating system's; the old content is then still there.
pub fn write_atomically(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut temporary = OsString::from(path.as_os_str());
    temporary.push(".tmp"); // The name that Kafka gives it, and removes at start.
    let temporary = Path::new(&temporary);
    let file = disk.open(temporary, OpenMode::Create)?;
    file.set_len(0)?;
    file.write_all_at(&[IoSlice::new(bytes)], 0)?;
    file.sync()?;
    disk.rename(temporary, path)?;
    path.parent().map_or(Ok(()), |folder| disk.sync_dir(folder))
}

/// Reads a small file whole.
///
/// # Errors
/// `InvalidData` if it is longer than `max` bytes, or the operating system's.
pub fn read_small(disk: &dyn Disk, path: &Path, max: u64) -> io::Result<Vec<u8>> {
    let file = disk.open(path, OpenMode::Read)?;
    let len = file.len()?;
    let size = usize::try_from(len).ok().filter(|_| len <= max);
    let mut bytes = vec![0; size.ok_or(io::ErrorKind::InvalidData)?];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::OsDisk;

    #[test]
    fn content_is_replaced_whole() {
        let folder = tempfile::tempdir().expect("a temporary directory");
        let path = folder.path().join("checkpoint");
        write_atomically(&OsDisk, &path, b"a longer text").expect("room");
        write_atomically(&OsDisk, &path, b"short").expect("room");
        assert_eq!(read_small(&OsDisk, &path, 100).expect("there"), b"short");
        assert_eq!(OsDisk.read_dir(folder.path()).expect("there").len(), 1);
        let error = read_small(&OsDisk, &path, 4).expect_err("five bytes");
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
