//! Memory that a virtual machine's host has not handed out yet costs up to twelve times as much to touch. A run
//! on it would measure the hypervisor. Nor is it enough to touch memory once: what the page cache frees goes back to the
//! host within seconds (free page reporting).

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Bytes written and read at a time.
const BLOCK: usize = 1 << 20;

/// Pages that were touched and are given back piece by piece, each to be used again at once.
#[derive(Debug)]
pub(crate) struct WarmPages {
    file: File,
    path: PathBuf,
    left: u64,
}

impl WarmPages {
    /// Fills a file of `bytes` in `dir` and reads it once.
    ///
    /// # Errors
    /// If the disk refuses.
    pub(crate) fn touch(dir: &Path, bytes: u64) -> Result<Self> {
        let path = dir.join("warm-pages");
        let mut block = vec![0x5a_u8; BLOCK];
        let mut file = File::options()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)
            .with_context(|| path.display().to_string())?;
        let blocks = bytes.div_ceil(BLOCK as u64);
        for _ in 0..blocks {
            file.write_all(&block)?;
        }
        file.rewind()?;
        while file.read(&mut block)? > 0 {}
        let left = blocks * BLOCK as u64;
        Ok(Self { file, path, left })
    }

    /// Gives `bytes` back, for somebody who is about to write as much.
    ///
    /// # Errors
    /// If the disk refuses.
    pub(crate) fn give(&mut self, bytes: u64) -> Result<()> {
        self.left = self.left.saturating_sub(bytes);
        Ok(self.file.set_len(self.left)?)
    }
}

impl Drop for WarmPages {
    fn drop(&mut self) {
        // What is left is removed with the directory.
        let _ = std::fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_given_back_and_nothing_is_left() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        let mut pages = WarmPages::touch(dir.path(), 3 << 20).expect("a disk");
        pages.give(1 << 20).expect("a disk");
        let len = |pages: &WarmPages| pages.file.metadata().expect("a file").len();
        assert_eq!(len(&pages), 2 << 20);
        pages.give(5 << 20).expect("a disk");
        assert_eq!(len(&pages), 0);
        drop(pages);
        assert_eq!(
            std::fs::read_dir(dir.path()).expect("a directory").count(),
            0
        );
    }
}
