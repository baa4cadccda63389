//! Opening, locking and losing log directories.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use ottla_base::{BrokerEpoch, NodeId, Offset, Uuid};
use ottla_env::{Disk, OpenMode};
use ottla_sim::{Fault, SimDisk};
use ottla_storage::{DirIndex, Expect, LogDirs, StorageError};

use crate::world::{meta, open, os_env, put, sim_env, text};

const ID_A: &str = "JYpazmsR8KaxU9vqXuawQA";
const ID_B: &str = "joIkzCkrTIe0OQREb87HHA";
const MARK: &str = ".kafka_cleanshutdown";

/// Two directories of node 1.
fn formatted() -> SimDisk {
    let disk = SimDisk::new();
    put(&disk, "/a/meta.properties", &meta("c", 1, ID_A));
    put(&disk, "/b/meta.properties", &meta("c", 1, ID_B));
    disk
}

fn refusal(disk: &SimDisk, dirs: &[&str]) -> String {
    open(&sim_env(disk), dirs).unwrap_err().to_string()
}

/// Every file with its bytes.
fn files(disk: &SimDisk, dir: &str) -> Vec<(String, Option<String>)> {
    let entries = disk.read_dir(Path::new(dir)).unwrap().into_iter();
    entries
        .map(|entry| {
            let content = text(disk, Path::new(dir).join(&entry.name));
            (entry.name, content)
        })
        .collect()
}

#[test]
fn directories_of_a_node_are_known_by_their_ids() {
    let disk = formatted();
    let dirs = open(&sim_env(&disk), &["/a", "/b"]).unwrap();
    assert_eq!(dirs.cluster_id(), "c");
    assert_eq!(dirs.metadata_dir(), Path::new("/a"));
    assert_eq!(dirs.metadata_directory_id().to_string(), ID_A);
    let ids = [ID_A, ID_B].map(|id| id.parse().unwrap());
    assert_eq!(dirs.directory_ids(), ids);
    assert_eq!(dirs.offline_directory_ids(), []);
    assert_eq!(
        dirs.path_of(DirIndex(1), "t", 3),
        Path::new("/b/t-3").to_path_buf()
    );
}

#[test]
fn what_does_not_fit_is_refused_in_one_sentence_and_nothing_is_changed() {
    let cases: [(&str, &str, &str); 7] = [
        (
            "/b/meta.properties",
            "",
            "No `meta.properties` found in /b (have you run `ottla storage format` to format the \
             directory?)",
        ),
        (
            "/b/meta.properties",
            &meta("d", 1, ID_B),
            "Invalid cluster.id in: /b/meta.properties. Expected c, but read d",
        ),
        (
            "/b/meta.properties",
            &meta("c", 7, ID_B),
            "Stored node id 7 doesn't match previous node id 1 in /b/meta.properties. If you moved \
             your data, make sure your configured node id matches. If you intend to create a new \
             node, you should remove all data in your data directories.",
        ),
        (
            "/b/meta.properties",
            &meta("c", 1, ID_A),
            "Duplicate directory ID JYpazmsR8KaxU9vqXuawQA found. It was the ID of /a, but also of /b",
        ),
        (
            "/a/meta.properties",
            "version=9\n",
            "Encountered I/O error in metadata log directory /a. Cannot continue. Unknown \
             meta.properties version number 9",
        ),
        (
            "/b/__cluster_metadata-0/quorum-state",
            "{}",
            "Found unexpected metadata location in data directory `/b` (the configured metadata \
             directory is /a).",
        ),
        (
            "/a/meta.properties",
            "",
            "No `meta.properties` found in /a (have you run `ottla storage format` to format the \
             directory?)",
        ),
    ];
    for (path, content, sentence) in cases {
        let disk = formatted();
        put(&disk, "/a/.kafka_cleanshutdown", "{}");
        match content {
            "" => disk.remove_file(Path::new(path)).unwrap(),
            content => put(&disk, path, content),
        }
        let before = files(&disk, "/a");
        assert_eq!(refusal(&disk, &["/a", "/b"]), sentence);
        let mut after = files(&disk, "/a");
        after.retain(|(name, _)| name != ".lock");
        assert_eq!(after, before, "{sentence}");
    }
}

#[test]
fn directory_named_twice_is_refused() {
    assert_eq!(
        refusal(&formatted(), &["/a", "/b", "/a"]),
        "Duplicate log directory found: /a"
    );
}

#[test]
fn directory_in_use_is_refused_until_its_user_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_str().unwrap();
    put(
        &ottla_disk::OsDisk,
        folder.path().join("meta.properties"),
        &meta("c", 1, ID_A),
    );
    let first = open(&os_env(), &[path]).unwrap();
    assert_eq!(
        open(&os_env(), &[path]).unwrap_err().to_string(),
        format!(
            "Failed to acquire lock on file .lock in {path}. A Kafka instance in another process or \
             thread is using this directory."
        )
    );
    drop(first);
    let second = open(&os_env(), &[path]).unwrap();
    assert!(second.close(Vec::new(), 1, None));
    open(&os_env(), &[path]).unwrap();
}

#[test]
fn directory_that_does_not_work_is_offline_and_the_others_go_on() {
    let disk = formatted();
    put(&disk, "/file", "x");
    put(&disk, "/broken/meta.properties", "version=9\n");
    let dirs = open(&sim_env(&disk), &["/a", "/file", "/b", "/broken"]).unwrap();
    let online: Vec<bool> = (0..4).map(|dir| dirs.is_online(DirIndex(dir))).collect();
    assert_eq!(online, [true, false, true, false]);
    assert_eq!(dirs.directory_ids().len(), 2);
    assert_eq!(dirs.directory_id(DirIndex(1)), None);
    let placed: Vec<DirIndex> = (0..4).map(|_| dirs.place().unwrap()).collect();
    assert_eq!(placed, [0, 2, 0, 2].map(DirIndex));
    assert!(dirs.any_offline());
    assert_eq!(dirs.place_in(ID_B.parse().unwrap()), Some(DirIndex(2)));
    assert_eq!(dirs.place_in(Uuid([9; 16])), None);
    assert_eq!(dirs.place(), Some(DirIndex(0)), "that one counts too");
}

#[test]
fn fault_takes_a_directory_offline_once_and_a_full_disk_does_not() {
    let disk = formatted();
    let dirs = open(&sim_env(&disk), &["/a", "/b"]).unwrap();
    let heard = Arc::new(AtomicU16::new(0));
    let listener = Arc::clone(&heard);
    dirs.set_offline_listener(move |dir| {
        listener.fetch_add(100 + dir.0, Ordering::Relaxed);
    });
    let path = Path::new("/b/t-0");
    let full = StorageError::io("appending", path, io::ErrorKind::StorageFull.into());
    assert!(!dirs.mark_offline(DirIndex(1), &full));
    let failed = StorageError::Failed {
        path: PathBuf::from(path),
    };
    assert!(!dirs.mark_offline(DirIndex(1), &failed));
    assert!(dirs.is_online(DirIndex(1)));
    let broken = StorageError::io("appending", path, io::Error::other("a bad sector"));
    assert!(dirs.mark_offline(DirIndex(1), &broken));
    assert!(!dirs.mark_offline(DirIndex(1), &broken));
    assert_eq!(heard.load(Ordering::Relaxed), 101);
    assert_eq!(dirs.offline_directory_ids(), [ID_B.parse().unwrap()]);
    assert_eq!(dirs.place(), Some(DirIndex(0)));
    assert_eq!(dirs.must_stop(), None);
    assert!(dirs.mark_offline(DirIndex(0), &broken));
    assert_eq!(dirs.place(), None);
    assert_eq!(
        dirs.must_stop().unwrap().to_string(),
        "Shutdown broker because all log dirs in /a, /b have failed"
    );
}

#[test]
fn clean_mark_is_gone_for_good_before_anything_changes() {
    for (marks, epoch) in [
        (
            [
                Some(r#"{"version":0,"brokerEpoch":94}"#),
                Some(r#"{"version":0,"brokerEpoch":94}"#),
            ],
            Some(BrokerEpoch(94)),
        ),
        (
            [
                Some(r#"{"version":0,"brokerEpoch":94}"#),
                Some(r#"{"version":0,"brokerEpoch":95}"#),
            ],
            None,
        ),
        ([Some(r#"{"version":0,"brokerEpoch":94}"#), None], None),
        ([Some(""), Some("")], None),
        ([None, None], None),
    ] {
        let disk = formatted();
        for (dir, mark) in ["/a", "/b"].iter().zip(marks) {
            if let Some(mark) = mark {
                put(&disk, Path::new(dir).join(MARK), mark);
            }
        }
        let dirs = open(&sim_env(&disk), &["/a", "/b"]).unwrap();
        assert_eq!(dirs.previous_broker_epoch(), epoch);
        assert_eq!(dirs.metadata_dir_is_clean(), marks[0].is_some());
        disk.crash(7);
        for dir in ["/a", "/b"] {
            assert_eq!(text(&disk, Path::new(dir).join(MARK)), None);
        }
    }
}

#[test]
fn metadata_directory_may_be_one_of_its_own() {
    let disk = formatted();
    let expect = Expect {
        node_id: NodeId(1),
        cluster_id: Some("c".to_owned()),
        metadata_dir: PathBuf::from("/b"),
    };
    let env = sim_env(&disk);
    let dirs = LogDirs::open(&env, &[PathBuf::from("/a")], &expect).unwrap();
    assert_eq!(dirs.metadata_directory_id().to_string(), ID_B);
    assert_eq!(dirs.directory_ids(), [ID_A.parse().unwrap()]);
    assert_eq!(
        open(&env, &["/b"]).unwrap_err().to_string(),
        "Failed to acquire lock on file .lock in /b. A Kafka instance in another process or thread is \
         using this directory."
    );
    dirs.close(Vec::new(), 1, None);
    assert!(open(&env, &["/b"]).is_ok(), "its lock is given back too");
}

#[test]
fn directory_of_an_older_release_gets_an_id_that_it_keeps() {
    for old in [
        "version=1\ncluster.id=c\nnode.id=1\n",
        "version=0\ncluster.id=c\nbroker.id=1\n",
    ] {
        let disk = formatted();
        put(&disk, "/b/meta.properties", old);
        let first = open(&sim_env(&disk), &["/a", "/b"]).unwrap();
        let id = first.directory_id(DirIndex(1)).unwrap();
        assert!(!id.is_reserved());
        drop(first);
        disk.crash(1);
        let second = open(&sim_env(&disk), &["/a", "/b"]).unwrap();
        assert_eq!(second.directory_id(DirIndex(1)), Some(id));
        let meta = text(&disk, "/b/meta.properties").unwrap();
        assert!(meta.contains("version=1\n") && meta.contains("node.id=1\n"));
    }
}

#[test]
fn raised_log_start_is_there_after_a_power_cut() {
    let disk = formatted();
    let dirs = open(&sim_env(&disk), &["/a", "/b"]).unwrap();
    let topic: Arc<str> = "t".into();
    let starts = [
        (Arc::clone(&topic), 0, Offset(50)),
        (topic, 1, Offset(i64::MAX)),
    ];
    dirs.raise_log_starts(DirIndex(1), &starts).unwrap();
    disk.crash(3);
    assert_eq!(
        text(&disk, "/b/log-start-offset-checkpoint").unwrap(),
        "0\n2\nt 0 50\nt 1 9223372036854775807\n"
    );
    assert_eq!(text(&disk, "/a/log-start-offset-checkpoint"), None);
}

#[test]
fn start_that_fails_at_any_step_can_be_tried_again() {
    for step in 0..20 {
        let disk = formatted();
        put(
            &disk,
            "/b/meta.properties",
            "version=0\ncluster.id=c\nbroker.id=1\n",
        );
        for dir in ["/a", "/b"] {
            put(
                &disk,
                Path::new(dir).join(MARK),
                r#"{"version":0,"brokerEpoch":9}"#,
            );
        }
        disk.plan(disk.operations() + step, Fault::Stop);
        drop(open(&sim_env(&disk), &["/a", "/b"]));
        disk.crash(step);
        let dirs = open(&sim_env(&disk), &["/a", "/b"]).unwrap();
        assert_eq!(dirs.directory_ids().len(), 2);
    }
}

#[test]
fn node_without_rights_on_a_directory_goes_on_without_it() {
    let disk = formatted();
    // The lock file of the second directory cannot be made.
    disk.open(Path::new("/a/.lock"), OpenMode::Create).unwrap();
    disk.plan(
        disk.operations(),
        Fault::Fail(io::ErrorKind::PermissionDenied),
    );
    let dirs = open(&sim_env(&disk), &["/a", "/b"]).unwrap();
    assert!(dirs.is_online(DirIndex(0)) && !dirs.is_online(DirIndex(1)));
    assert_eq!(dirs.offline_directory_ids(), []);
    disk.kill();
    disk.remove_file(Path::new("/a/.lock")).unwrap();
    disk.plan(
        disk.operations(),
        Fault::Fail(io::ErrorKind::PermissionDenied),
    );
    assert_eq!(
        refusal(&disk, &["/a", "/b"]),
        "Encountered I/O error in metadata log directory /a. Cannot continue. permission denied"
    );
}
