//! Worlds for tests: a simulated disk with formatted directories.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_base::{NodeId, Uuid, WallMillis};
use ottla_config::MetaProperties;
use ottla_disk::FileCache;
use ottla_env::Disk;
use ottla_sim::{SimClock, SimDisk, SimRng};

use crate::dirs::{Expect, LogDirs};
use crate::env::StorageEnv;
use crate::format::write_meta_properties;

/// A node's world.
pub(crate) struct World {
    pub(crate) disk: SimDisk,
    pub(crate) env: Arc<StorageEnv>,
}

impl World {
    /// A disk with these directories, formatted for node 1.
    pub(crate) fn new(dirs: &[&str]) -> Self {
        let disk = SimDisk::new();
        for (number, dir) in (7..).zip(dirs) {
            disk.create_dir_all(Path::new(dir)).unwrap();
            let meta = MetaProperties {
                version: 1,
                cluster_id: Some("cluster".to_owned()),
                node_id: Some(NodeId(1)),
                directory_id: Some(Uuid([number; 16])),
            };
            write_meta_properties(&disk, Path::new(dir), &meta, WallMillis(0)).unwrap();
        }
        let clock = Arc::new(SimClock::new(WallMillis(1_000_000)));
        let shared: Arc<dyn Disk> = Arc::new(disk.clone());
        let env = Arc::new(StorageEnv {
            files: FileCache::new(Arc::clone(&shared), 100),
            disk: shared,
            clock,
            rng: Arc::new(SimRng::new(1)),
        });
        Self { disk, env }
    }

    /// Opens the directories, the first of which has the metadata log.
    pub(crate) fn open(&self, dirs: &[&str]) -> Arc<LogDirs> {
        let paths: Vec<PathBuf> = dirs.iter().map(PathBuf::from).collect();
        let expect = Expect {
            node_id: NodeId(1),
            cluster_id: None,
            metadata_dir: paths[0].clone(),
        };
        Arc::new(LogDirs::open(&self.env, &paths, &expect).unwrap())
    }
}
