//! Memory that a virtual machine's host has not handed out yet costs up to twelve times as much to touch. A run
//! on it would measure the hypervisor.

use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;

use anyhow::{Context, Result};

/// Bytes written and read at a time.
const BLOCK: usize = 1 << 20;

/// Writes a file of `bytes` in `dir`, reads it once and removes it, so that the page cache has had its memory before.
///
/// # Errors
/// If the disk refuses.
pub(crate) fn warm_page_cache(dir: &Path, bytes: u64) -> Result<()> {
    let path = dir.join("warm-up");
    let mut block = vec![0x5a_u8; BLOCK];
    let blocks = bytes.div_ceil(BLOCK as u64);
    {
        let mut file = File::create(&path).with_context(|| path.display().to_string())?;
        for _ in 0..blocks {
            file.write_all(&block)?;
        }
    }
    let mut file = File::open(&path)?;
    while file.read(&mut block)? > 0 {}
    std::fs::remove_file(&path)?;
    Ok(())
}
