//! Snapshots written and read back, and files that are none.

use ottla_base::{LeaderEpoch, NodeId, Uuid};
use ottla_config::BrokerConfig;
use ottla_disk::OsDisk;
use ottla_protocol::messages::{FeatureLevelRecord, TopicRecord};
use ottla_raft::Voter;

use super::*;

fn config() -> BrokerConfig {
    let pairs = [
        ("process.roles", "broker,controller"),
        ("node.id", "1"),
        ("listeners", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ("controller.listener.names", "CONTROLLER"),
        ("controller.quorum.bootstrap.servers", "localhost:9093"),
    ];
    let raw = pairs.map(|(key, value)| (key.to_owned(), value.to_owned()));
    BrokerConfig::load(raw.into_iter().collect()).unwrap()
}

fn image(topics: usize) -> MetadataImage {
    let mut delta = MetadataDelta::new(Arc::default());
    let feature = FeatureLevelRecord {
        name: "metadata.version".to_owned(),
        feature_level: 33,
        ..FeatureLevelRecord::default()
    };
    delta.apply(&feature.into()).unwrap();
    for index in 0..topics {
        let mut id = [9; 16];
        id[..8].copy_from_slice(&index.to_be_bytes());
        let topic = TopicRecord {
            name: format!("topic-{index}"),
            topic_id: Uuid(id),
            ..TopicRecord::default()
        };
        delta.apply(&topic.into()).unwrap();
    }
    delta.into_image(Offset(4999), LeaderEpoch(3))
}

fn snapshot(topics: usize) -> NewSnapshot {
    let voter = Voter {
        directory: Uuid([7; 16]),
        endpoints: Vec::new(),
        kraft_versions: (0, 1),
    };
    NewSnapshot {
        id: SnapshotId {
            end_offset: Offset(5000),
            epoch: LeaderEpoch(3),
        },
        image: Arc::new(image(topics)),
        kraft_version: 1,
        voters: Some(VoterSet([(NodeId(1), voter)].into())),
        last_timestamp: WallMillis(1_700_000_000_000),
        now: WallMillis(1_700_000_000_500),
    }
}

fn dir(folder: &tempfile::TempDir) -> SnapshotDir {
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    SnapshotDir::new(&disk, folder.path())
}

fn load(dir: &SnapshotDir, id: SnapshotId) -> Result<(MetadataImage, VoterHistory), QuorumError> {
    let mut delta = MetadataDelta::new(Arc::default());
    let mut voters = VoterHistory::new(&config());
    dir.load(id, &mut delta, &mut voters)?;
    Ok((delta.image_at(Offset(4999), id.epoch), voters))
}

#[test]
fn what_is_written_is_read_back() {
    for topics in [0, 1, 1023, 3000] {
        let folder = tempfile::tempdir().unwrap();
        let (dir, snapshot) = (dir(&folder), snapshot(topics));
        dir.write(&snapshot).unwrap();
        assert_eq!(dir.list().unwrap(), [snapshot.id]);
        let (image, voters) = load(&dir, snapshot.id).unwrap();
        assert!(image == *snapshot.image, "{topics} topics");
        assert_eq!(Some(voters.voters()), snapshot.voters.as_ref());
        assert_eq!(voters.kraft_version(), 1);
        assert!(voters.is_in_log());
        let time = dir.time(snapshot.id).unwrap();
        assert_eq!(time, SnapshotTime(snapshot.last_timestamp));
    }
}

#[test]
fn file_that_is_not_whole_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (dir, snapshot) = (dir(&folder), snapshot(100));
    dir.write(&snapshot).unwrap();
    let path = folder.path().join(snapshot.id.file_name());
    let whole = std::fs::read(&path).unwrap();
    let footer_at = whole.len() - 75;
    for len in [0, 30, 61, footer_at - 1, footer_at, whole.len() - 1] {
        std::fs::write(&path, &whole[..len]).unwrap();
        assert!(load(&dir, snapshot.id).is_err(), "{len} bytes");
    }
    for flipped in [8, 20, 70, whole.len() / 2, whole.len() - 1] {
        let mut bytes = whole.clone();
        bytes[flipped] ^= 0x10;
        std::fs::write(&path, bytes).unwrap();
        assert!(load(&dir, snapshot.id).is_err(), "bit of byte {flipped}");
    }
    std::fs::write(&path, &whole).unwrap();
    assert!(load(&dir, snapshot.id).is_ok());
}

#[test]
fn leftovers_of_a_crash_go() {
    let folder = tempfile::tempdir().unwrap();
    for name in [
        "00000000000000000007-0000000001.checkpoint.part",
        "00000000000000000003-0000000001.checkpoint.deleted",
        "00000000000000000000-0000000000.checkpoint",
        "quorum-state",
    ] {
        std::fs::write(folder.path().join(name), b"x").unwrap();
    }
    assert_eq!(dir(&folder).list().unwrap(), [SnapshotId::BOOTSTRAP]);
    let mut names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(
        names,
        ["00000000000000000000-0000000000.checkpoint", "quorum-state"]
    );
    let absent = folder.path().join("absent");
    let disk: Arc<dyn Disk> = Arc::new(OsDisk);
    assert_eq!(SnapshotDir::new(&disk, &absent).list().unwrap(), []);
}

#[test]
fn oldest_goes_by_age_or_size_while_a_newer_one_is_there() {
    let kept = |bytes, time| Kept {
        bytes,
        time: WallMillis(time),
    };
    let two = [kept(10, 1000), kept(20, 2000)];
    for (snapshots, log_bytes, now, ms, bytes, goes) in [
        (&two[..], 70, 1500, 500, 100, false),
        (&two[..], 70, 1501, 500, 100, true),
        (&two[..], 71, 1500, 500, 100, true),
        (&two[..], 71, 1501, -1, -1, false),
        (&two[..1], 900, 9000, 500, 100, false),
        (&[], 900, 9000, 500, 100, false),
    ] {
        let found = oldest_may_go(snapshots, log_bytes, WallMillis(now), ms, bytes);
        assert_eq!(found, goes, "{snapshots:?} {log_bytes} {now} {ms} {bytes}");
    }
}
