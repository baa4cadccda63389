//! One open file of the simulated disk.

use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;

use ottla_env::DiskFile;

use super::{FileId, Inode, SECTOR, SimDisk, World, stopped};

#[derive(Debug)]
pub(super) struct SimFile {
    pub(super) disk: SimDisk,
    pub(super) id: FileId,
    pub(super) life: u64,
}

impl SimFile {
    fn with<T>(
        &self,
        counts: bool,
        body: impl FnOnce(&mut World, FileId) -> io::Result<T>,
    ) -> io::Result<T> {
        let mut world = self.disk.world();
        if world.life != self.life {
            return Err(stopped());
        }
        if counts {
            world.operate()?;
        } else {
            world.look()?;
        }
        body(&mut world, self.id)
    }
}

fn inode(world: &mut World, id: FileId) -> io::Result<&mut Inode> {
    world
        .files
        .get_mut(&id)
        .ok_or_else(|| io::ErrorKind::NotFound.into())
}

impl DiskFile for SimFile {
    fn len(&self) -> io::Result<u64> {
        self.with(false, |world, id| {
            Ok(u64::try_from(inode(world, id)?.bytes.len()).expect("small"))
        })
    }

    fn read_at(&self, buf: &mut [u8], offset: u64) -> io::Result<usize> {
        self.with(false, |world, id| {
            let bytes = &inode(world, id)?.bytes;
            let offset = usize::try_from(offset).unwrap_or(usize::MAX);
            let rest = bytes.get(offset..).unwrap_or_default();
            let len = rest.len().min(buf.len());
            buf[..len].copy_from_slice(&rest[..len]);
            Ok(len)
        })
    }

    fn write_all_at(&self, parts: &[IoSlice<'_>], offset: u64) -> io::Result<()> {
        self.with(true, |world, id| {
            let mut at = usize::try_from(offset).expect("small");
            for part in parts {
                let old = inode(world, id)?.bytes.len();
                let end = at + part.len();
                world.grow(end.saturating_sub(old))?;
                let file = inode(world, id)?;
                file.bytes.resize(old.max(end), 0);
                file.bytes[at..end].copy_from_slice(part);
                if at < end {
                    let sectors = at / SECTOR..=(end - 1) / SECTOR;
                    file.unwritten.retain(|sector| !sectors.contains(sector));
                    file.dirty.extend(sectors);
                }
                at = end;
            }
            Ok(())
        })
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with(true, |world, id| {
            let len = usize::try_from(len).expect("small");
            let old = inode(world, id)?.bytes.len();
            world.grow(len.saturating_sub(old))?;
            inode(world, id)?.bytes.resize(len, 0);
            Ok(())
        })
    }

    fn sync(&self) -> io::Result<()> {
        let synced = self.with(true, |world, id| {
            inode(world, id)?.flush();
            Ok(())
        });
        if synced.is_err() {
            let mut world = self.disk.world();
            if let Some(file) = world.files.get_mut(&self.id) {
                file.fail_flush();
            }
        }
        synced
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}
