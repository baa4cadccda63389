//! Formatting: what it leaves, whenever it is cut short.

use std::path::Path;

use ottla_env::{Clock, Disk};
use ottla_sim::{Fault, SimDisk};
use ottla_storage::format::{FormatError, World, format_if_new};

use crate::world::{config, open, put, sim_env, text};

const SNAPSHOT: &str = "__cluster_metadata-0/00000000000000000000-0000000000.checkpoint";

fn format(disk: &SimDisk, dirs: &[&str]) -> Result<Option<String>, FormatError> {
    let env = sim_env(disk);
    let (clock, rng) = (&*env.clock as &dyn Clock, &*env.rng);
    format_if_new(World { disk, clock, rng }, &config(dirs), &mut |_| {})
}

#[test]
fn new_node_can_start_on_what_formatting_leaves() {
    let disk = SimDisk::new();
    let cluster = format(&disk, &["/n/a", "/n/b"]).unwrap().unwrap();
    disk.crash(1);
    let dirs = open(&sim_env(&disk), &["/n/a", "/n/b"]).unwrap();
    assert_eq!(dirs.cluster_id(), cluster);
    assert_eq!(dirs.directory_ids().len(), 2);
    assert!(disk.stat(&Path::new("/n/a").join(SNAPSHOT)).unwrap().len > 0);
    assert!(disk.stat(&Path::new("/n/b").join(SNAPSHOT)).is_err());
    let meta = text(&disk, "/n/a/meta.properties").unwrap();
    let id = dirs.metadata_directory_id();
    assert_eq!(
        meta,
        format!(
            "#\n#Tue Nov 24 18:14:42 UTC 2026\ncluster.id={cluster}\ndirectory.id={id}\nnode.id=1\n\
             version=1\n"
        ),
        "as Apache Kafka writes it"
    );
}

#[test]
fn formatted_directories_are_left_as_they_are() {
    let disk = SimDisk::new();
    format(&disk, &["/a"]).unwrap().unwrap();
    let before = text(&disk, "/a/meta.properties");
    assert_eq!(format(&disk, &["/a"]).unwrap(), None);
    assert_eq!(text(&disk, "/a/meta.properties"), before);
}

#[test]
fn directory_that_comes_later_joins_the_cluster() {
    let disk = SimDisk::new();
    let cluster = format(&disk, &["/a"]).unwrap();
    assert_eq!(format(&disk, &["/a", "/b"]).unwrap(), cluster);
    assert!(open(&sim_env(&disk), &["/a", "/b"]).is_ok());
}

#[test]
fn lost_metadata_directory_is_not_made_anew_beside_data() {
    let disk = SimDisk::new();
    format(&disk, &["/a", "/b"]).unwrap().unwrap();
    disk.remove_dir_all(Path::new("/a")).unwrap();
    assert_eq!(format(&disk, &["/a", "/b"]).unwrap(), None);
    assert_eq!(text(&disk, "/a/meta.properties"), None);
}

#[test]
fn formatting_that_is_cut_short_is_finished_by_the_next() {
    let steps = {
        let disk = SimDisk::new();
        format(&disk, &["/n/a", "/n/b"]).unwrap();
        disk.operations()
    };
    for step in 0..steps {
        for seed in 0..10 {
            let disk = SimDisk::new();
            disk.plan(step, Fault::Stop);
            let first = format(&disk, &["/n/a", "/n/b"]);
            disk.crash(seed);
            if text(&disk, "/n/a/meta.properties").is_some() {
                let snapshot = disk.stat(&Path::new("/n/a").join(SNAPSHOT));
                assert!(snapshot.is_ok_and(|stat| stat.len > 0), "{step} {seed}");
            }
            format(&disk, &["/n/a", "/n/b"]).unwrap();
            let dirs = open(&sim_env(&disk), &["/n/a", "/n/b"]).unwrap();
            if let Ok(Some(cluster)) = first {
                assert_eq!(dirs.cluster_id(), cluster, "{step} {seed}");
            }
        }
    }
}

#[test]
fn full_disk_is_told_with_its_directory() {
    let disk = SimDisk::new();
    disk.set_capacity(100);
    let error = format(&disk, &["/a"]).unwrap_err();
    assert_eq!(error.to_string(), "/a cannot be formatted");
    disk.set_capacity(100_000);
    assert!(format(&disk, &["/a"]).unwrap().is_some());
}

#[test]
fn what_is_no_directory_is_not_formatted() {
    let disk = SimDisk::new();
    put(&disk, "/n/file", "x");
    let error = format(&disk, &["/a", "/n/file"]).unwrap_err();
    assert_eq!(error.to_string(), "/n/file is not a directory");
    assert_eq!(text(&disk, "/a/meta.properties"), None);
}
