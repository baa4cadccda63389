//! What can be done with the names of the simulated disk, and with the disk as a whole.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Weak};

use ottla_base::WallMillis;
use ottla_env::{DirEntry, Disk, DiskFile, DiskSpace, FileLock, FileStat, OpenMode};

use super::file::SimFile;
use super::{FileId, Inode, SimDisk, World};

impl Disk for SimDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut world = self.world();
        world.look()?;
        let id = match (world.names.get(path).copied(), mode) {
            (Some(_), OpenMode::CreateNew) => return Err(io::ErrorKind::AlreadyExists.into()),
            (Some(id), _) => id,
            (None, OpenMode::Read | OpenMode::ReadWrite) => {
                return Err(io::ErrorKind::NotFound.into());
            }
            (None, OpenMode::Create | OpenMode::CreateNew) => {
                world.operate()?;
                let folder = path.parent().unwrap_or_else(|| Path::new("/"));
                if !world.directories.contains(folder) {
                    return Err(io::ErrorKind::NotFound.into());
                }
                let id = world.next_id;
                world.next_id += 1;
                world.files.insert(id, Inode::default());
                world.names.insert(path.to_owned(), id);
                id
            }
        };
        Ok(Arc::new(SimFile {
            disk: self.clone(),
            id,
            life: world.life,
        }))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.operate()?;
        if let Some(id) = world.names.remove(from) {
            world.names.insert(to.to_owned(), id);
            return Ok(());
        }
        if !world.directories.remove(from) {
            return Err(io::ErrorKind::NotFound.into());
        }
        // Directories are renamed at once on stable storage: the tests that need more know their names.
        world.directories.insert(to.to_owned());
        let moved = |path: &Path| path.strip_prefix(from).ok().map(|rest| to.join(rest));
        let rename = |names: &BTreeMap<PathBuf, FileId>| {
            names
                .iter()
                .map(|(path, id)| (moved(path).unwrap_or_else(|| path.clone()), *id))
                .collect()
        };
        world.names = rename(&world.names);
        world.stable_names = rename(&world.stable_names);
        let directories = world.directories.iter();
        world.directories = directories
            .map(|path| moved(path).unwrap_or_else(|| path.clone()))
            .collect();
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.operate()?;
        world
            .names
            .remove(path)
            .map(|_| ())
            .ok_or_else(|| io::ErrorKind::NotFound.into())
    }

    fn remove_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.operate()?;
        if !world.directories.contains(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        world.directories.retain(|one| !one.starts_with(path));
        world.names.retain(|one, _| !one.starts_with(path));
        world.stable_names.retain(|one, _| !one.starts_with(path));
        Ok(())
    }

    fn create_dir_all(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.operate()?;
        world
            .directories
            .extend(path.ancestors().map(Path::to_owned));
        Ok(())
    }

    fn read_dir(&self, path: &Path) -> io::Result<Vec<DirEntry>> {
        let world = self.world();
        world.look()?;
        if !world.directories.contains(path) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let entry = |one: &Path, is_dir| {
            let name = one.file_name().filter(|_| one.parent() == Some(path))?;
            Some(DirEntry {
                name: name.to_str()?.to_owned(),
                is_dir,
            })
        };
        let files = world.names.keys().filter_map(|one| entry(one, false));
        let directories = world.directories.iter().filter_map(|one| entry(one, true));
        let mut entries: Vec<_> = files.chain(directories).collect();
        entries.sort();
        Ok(entries)
    }

    fn stat(&self, path: &Path) -> io::Result<FileStat> {
        let world = self.world();
        world.look()?;
        let is_dir = world.directories.contains(path);
        let len = match world.names.get(path).and_then(|id| world.files.get(id)) {
            Some(file) => u64::try_from(file.bytes.len()).expect("small"),
            None if is_dir => 0,
            None => return Err(io::ErrorKind::NotFound.into()),
        };
        Ok(FileStat {
            len,
            is_dir,
            modified: WallMillis(0),
        })
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut world = self.world();
        world.operate()?;
        let inside = |one: &Path| one.parent() == Some(path);
        world.stable_names.retain(|one, _| !inside(one));
        let now: Vec<_> = world
            .names
            .iter()
            .filter(|(one, _)| inside(one))
            .map(|(one, id)| (one.clone(), *id))
            .collect();
        world.stable_names.extend(now);
        Ok(())
    }

    fn sync_files(&self, files: &[Arc<dyn DiskFile>]) -> io::Result<()> {
        files.iter().try_for_each(|file| file.sync())
    }

    fn space(&self, _path: &Path) -> io::Result<DiskSpace> {
        let world = self.world();
        let total = world.capacity.unwrap_or(1 << 40);
        Ok(DiskSpace {
            total,
            available: total.saturating_sub(world.used()),
        })
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FileLock>> {
        drop(self.open(path, OpenMode::Create)?);
        let mut world = self.world();
        if !world.locked.insert(path.to_owned()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(SimLock {
            world: Arc::downgrade(&self.0),
            path: path.to_owned(),
        }))
    }
}

#[derive(Debug)]
struct SimLock {
    world: Weak<Mutex<World>>,
    path: PathBuf,
}

impl FileLock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        if let Some(world) = self.world.upgrade() {
            world
                .lock()
                .expect("nobody panics while holding it")
                .locked
                .remove(&self.path);
        }
    }
}
