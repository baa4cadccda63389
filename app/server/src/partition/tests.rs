//! When a partition asks for a flush.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use ottla_base::{LeaderEpoch, NodeId, Offset, PartitionEpoch, TopicId, Uuid, WallMillis};
use ottla_config::{BrokerConfig, MetaProperties, RawConfigs, write_properties};
use ottla_disk::{FileCache, write_atomically};
use ottla_env::{Clock, Disk};
use ottla_metadata::{LeaderRecoveryState, PartitionRegistration};
use ottla_records::BatchBuilder;
use ottla_sim::{SimClock, SimDisk, SimRng};
use ottla_storage::{AppendError, Expect, Flushable as _, Flusher, Log, LogDirs, StorageEnv};

use super::{Acked, Appended, Awaited, LeaderChange, Partition, PartitionEnv, PartitionRefusal};
use crate::topic_rules::TopicRules;
use crate::waiters::Wake;

/// Configuration texts by key.
type Texts<'a> = &'a [(&'a str, &'a str)];

/// A partition that this node leads alone, with the flusher of its directory.
struct World {
    clock: Arc<SimClock>,
    disk: SimDisk,
    registration: PartitionRegistration,
    partition: Arc<Partition>,
    flusher: Arc<Flusher>,
}

impl World {
    fn new(node: Texts<'_>, topic: Texts<'_>) -> Self {
        let raw = |texts: Texts<'_>| -> RawConfigs {
            let pairs = texts.iter();
            pairs
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect()
        };
        let mut texts = raw(&[
            ("node.id", "1"),
            ("process.roles", "broker,controller"),
            ("controller.quorum.bootstrap.servers", "localhost:9093"),
            ("controller.listener.names", "CONTROLLER"),
            (
                "listeners",
                "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093",
            ),
            ("log.dirs", "/data"),
        ]);
        texts.extend(raw(node));
        let config = BrokerConfig::load(texts).expect("valid");
        let clock = Arc::new(SimClock::new(WallMillis(1_700_000_000_000)));
        let sim = SimDisk::new();
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        let dir = PathBuf::from("/data");
        disk.create_dir_all(&dir).expect("room");
        let meta = MetaProperties {
            version: 1,
            cluster_id: Some("c".to_owned()),
            node_id: Some(NodeId(1)),
            directory_id: Some(Uuid([9; 16])),
        };
        let text = write_properties(None, "", &meta.to_properties());
        write_atomically(&*disk, &dir.join("meta.properties"), text.as_bytes()).expect("room");
        let storage = Arc::new(StorageEnv {
            files: FileCache::new(Arc::clone(&disk), 10),
            disk,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            rng: Arc::new(SimRng::new(1)),
        });
        let expect = Expect {
            node_id: NodeId(1),
            cluster_id: None,
            metadata_dir: dir.clone(),
        };
        let dirs = Arc::new(LogDirs::open(&storage, &[dir], &expect).expect("formatted"));
        let flusher = Arc::new(Flusher::start(&storage, &dirs).expect("threads"));
        let home = dirs.place().expect("online");
        let path = dirs.path_of(home, "t", 0);
        let (name, id) = ("t".into(), TopicId(Uuid([7; 16])));
        let rules = Arc::new(TopicRules::resolve(&config, &raw(topic)));
        let log = Log::create(&storage, path, Some(id), Arc::clone(&rules.log));
        let env = Arc::new(PartitionEnv::new(
            &config,
            storage,
            dirs,
            Arc::clone(&flusher),
        ));
        let partition = Partition::new(&env, (&name, id, 0), home, log, Offset::ZERO, &rules);
        let registration = PartitionRegistration {
            replicas: Box::new([NodeId(1)]),
            directories: Box::new([Uuid([9; 16])]),
            isr: Box::new([NodeId(1)]),
            removing_replicas: Box::default(),
            adding_replicas: Box::default(),
            elr: Box::default(),
            last_known_elr: Box::default(),
            leader: NodeId(1),
            leader_recovery_state: LeaderRecoveryState::Recovered,
            leader_epoch: LeaderEpoch(0),
            partition_epoch: PartitionEpoch(0),
        };
        let change = partition.assign(&registration);
        assert_eq!(change, LeaderChange::Elected(LeaderEpoch(0)));
        Self {
            clock,
            disk: sim,
            registration,
            partition,
            flusher,
        }
    }

    fn append(&self) -> Appended {
        self.try_append().expect("it leads")
    }

    fn try_append(&self) -> Result<Appended, PartitionRefusal> {
        let mut batch = BatchBuilder::new(Offset::ZERO);
        let now = self.clock.wall();
        batch.append(now, None, Some(b"a record")).expect("fits");
        self.partition.append_records(&batch, now)
    }

    /// Stops the flusher, which does all that it was asked for; how far the log is flushed then.
    fn flushed(self) -> Offset {
        self.flusher.stop();
        let state = self.partition.state();
        state.log.as_ref().expect("not deleted").flushed_end()
    }
}

#[test]
fn flush_is_asked_for_as_the_settings_say() {
    let never = [("ottla.commit.flush", "never")];
    let cases: [(Texts<'_>, Texts<'_>, i64); 6] = [
        (&[], &[], 5),
        (&never, &[], 0),
        (&never, &[("flush.ms", "60000")], 5),
        (&never, &[("flush.messages", "1")], 5),
        (&never, &[("flush.messages", "5")], 5),
        (&never, &[("flush.messages", "6")], 0),
    ];
    for (node, topic, flushed) in cases {
        let world = World::new(node, topic);
        for _ in 0..5 {
            world.append();
        }
        assert_eq!(world.flushed(), Offset(flushed), "{node:?} {topic:?}");
    }
}

#[test]
fn one_deadline_is_known_to_the_flusher_at_a_time() {
    let world = World::new(&[("ottla.commit.flush", "never")], &[("flush.ms", "1000")]);
    let deadline = || world.partition.state().flush_by;
    world.append();
    let first = deadline();
    assert!(first.is_some());
    world.clock.advance_ms(500);
    world.append();
    assert_eq!(deadline(), first);
    // An earlier flush leaves it: what comes after is flushed by then all the same.
    drop(world.partition.flush_work());
    assert_eq!(deadline(), first);
    world.clock.advance_ms(500);
    drop(world.partition.flush_work());
    assert_eq!(deadline(), None);
    world.append();
    assert!(deadline() > first);
    world.flusher.stop();
}

/// Counts how often it is woken.
#[derive(Default)]
struct Woken(AtomicUsize);

impl Wake for Woken {
    fn wake(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn the_append_that_reaches_flush_messages_waits_for_the_flush() {
    let never = [("ottla.commit.flush", "never")];
    let world = World::new(&never, &[("flush.messages", "3")]);
    world.flusher.stop(); // Nothing is flushed but by this test.
    let partition = &world.partition;
    let woken = Arc::new(Woken::default());
    let wake: Arc<dyn Wake> = Arc::<Woken>::clone(&woken);
    let acked = |awaited, end| partition.acked(awaited, Offset(end), LeaderEpoch(0), &wake);
    let high_watermark = || partition.state().known_high_watermark();

    for expected in [None, None, Some(Offset(3)), Some(Offset(3))] {
        assert_eq!(world.append().on_disk, expected);
    }
    assert_eq!(high_watermark(), Offset(2));
    assert_eq!(acked(Awaited::Committed, 2), Acked::Yes);
    for awaited in [Awaited::Committed, Awaited::OnDisk] {
        assert_eq!(acked(awaited, 3), Acked::NotYet, "{awaited:?}");
    }

    let work = partition.flush_work().expect("room").expect("records");
    assert_eq!(work.upto, Offset(4));
    partition.flush_done(work.upto);
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
    assert_eq!(high_watermark(), Offset(4));
    for awaited in [Awaited::Committed, Awaited::OnDisk] {
        assert_eq!(acked(awaited, 4), Acked::Yes, "{awaited:?}");
    }
    assert_eq!(world.append().on_disk, None);
    assert_eq!(high_watermark(), Offset(5));
}

#[test]
fn full_disk_takes_the_directory_offline_where_another_replica_can_take_over() {
    for (isr, online) in [(&[1][..], true), (&[1, 2], false)] {
        let world = World::new(&[], &[]);
        let mut registration = world.registration.clone();
        registration.replicas = Box::new([NodeId(1), NodeId(2)]);
        registration.directories = Box::new([Uuid([9; 16]), Uuid([8; 16])]);
        registration.isr = isr.iter().copied().map(NodeId).collect();
        registration.partition_epoch = PartitionEpoch(1);
        world.partition.assign(&registration);
        world.append();
        world.disk.set_capacity(0);
        let refusal = world.try_append().expect_err("no room");
        let is_full = matches!(
            &refusal,
            PartitionRefusal::Append(AppendError::Storage(error)) if error.is_full()
        );
        assert!(is_full, "{refusal}");
        let dirs = &world.partition.env.dirs;
        assert_eq!(dirs.is_online(world.partition.dir), online, "isr {isr:?}");
        world.disk.set_capacity(1 << 20);
        if online {
            world.append();
        }
        world.flusher.stop();
    }
}
