//! What the simulated disk keeps, and what it loses.

use std::collections::BTreeSet;
use std::io::{self, IoSlice};
use std::path::Path;
use std::sync::Arc;

use ottla_env::{Disk as _, DiskFile, OpenMode};

use super::{Fault, SimDisk};

const FILE: &str = "/data/log";

fn disk() -> (SimDisk, Arc<dyn DiskFile>) {
    let disk = SimDisk::new();
    disk.create_dir_all(Path::new("/data")).expect("room");
    let file = disk.open(Path::new(FILE), OpenMode::Create).expect("room");
    disk.sync_dir(Path::new("/data")).expect("works");
    (disk, file)
}

fn write(file: &Arc<dyn DiskFile>, bytes: &[u8], offset: u64) -> io::Result<()> {
    file.write_all_at(&[IoSlice::new(bytes)], offset)
}

fn content(disk: &SimDisk) -> io::Result<Vec<u8>> {
    let file = disk.open(Path::new(FILE), OpenMode::Read)?;
    let mut bytes = vec![0; usize::try_from(file.len()?).expect("small")];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}

#[test]
fn flushed_bytes_survive_and_unflushed_ones_may_not() {
    let mut outcomes = BTreeSet::new();
    for seed in 0..50 {
        let (disk, file) = disk();
        write(&file, &[1; 600], 0).expect("room");
        file.sync().expect("works");
        write(&file, &[2; 2000], 600).expect("room");
        disk.crash(seed);
        let bytes = content(&disk).expect("its name was flushed");
        assert_eq!(bytes[..600], [1; 600], "seed {seed}");
        outcomes.insert((bytes.len(), bytes.contains(&2)));
    }
    assert!(outcomes.contains(&(600, false)), "sometimes all is lost");
    assert!(
        outcomes.iter().any(|(_, there)| *there),
        "sometimes something is there"
    );
}

#[test]
fn killed_process_loses_nothing_but_its_handles() {
    let (disk, file) = disk();
    write(&file, b"abc", 0).expect("room");
    let lock = disk.lock(Path::new("/data/.lock")).expect("free");
    disk.kill();
    assert_eq!(content(&disk).expect("there"), b"abc");
    assert!(write(&file, b"x", 0).is_err());
    assert!(disk.lock(Path::new("/data/.lock")).is_ok());
    drop(lock);
}

#[test]
fn unflushed_names_may_vanish() {
    let survives = |seed| {
        let disk = SimDisk::new();
        disk.create_dir_all(Path::new("/data")).expect("room");
        let file = disk.open(Path::new(FILE), OpenMode::Create).expect("room");
        file.sync().expect("works");
        disk.crash(seed);
        content(&disk).is_ok()
    };
    let alive = (0..50).filter(|seed| survives(*seed)).count();
    assert!((1..50).contains(&alive), "{alive} of 50");
}

#[test]
fn faults_come_when_planned() {
    let (disk, file) = disk();
    let now = disk.operations();
    disk.plan(now, Fault::Fail(io::ErrorKind::StorageFull));
    disk.plan(now + 2, Fault::Stop);
    assert_eq!(
        write(&file, b"a", 0).expect_err("planned").kind(),
        io::ErrorKind::StorageFull
    );
    write(&file, b"b", 0).expect("not planned");
    assert!(file.sync().is_err());
    assert!(file.len().is_err(), "the world has stopped");
    disk.kill();
    assert_eq!(content(&disk).expect("there"), b"b");
}

#[test]
fn full_disk_takes_what_fits() {
    let (disk, file) = disk();
    disk.set_capacity(10);
    write(&file, &[1; 10], 0).expect("fits");
    assert_eq!(
        write(&file, &[1; 1], 10).expect_err("full").kind(),
        io::ErrorKind::StorageFull
    );
    assert_eq!(disk.space(Path::new("/")).expect("works").available, 0);
}

#[test]
fn failed_flush_is_not_made_good_by_the_next() {
    let lost = (0..50).any(|seed| {
        let (disk, file) = disk();
        write(&file, &[7; 100], 0).expect("room");
        disk.plan(disk.operations(), Fault::Fail(io::ErrorKind::Other));
        assert!(file.sync().is_err());
        file.sync()
            .expect("the second one says nothing of the first's bytes");
        disk.crash(seed);
        content(&disk).expect("there") != [7; 100]
    });
    assert!(lost, "what a failed flush left behind is not on the disk");
}
