//! Shards over a partition on a simulated disk. Another replica that never fetches holds the high
//! watermark back until it leaves the ISR.

use std::path::PathBuf;
use std::sync::Arc;
use std::task::{Context, Waker};

use ottla_base::{LeaderEpoch, NodeId, Offset, PartitionEpoch, TopicId, Uuid, WallMillis};
use ottla_config::{BrokerConfig, RawConfigs};
use ottla_disk::FileCache;
use ottla_env::{Disk, run_local};
use ottla_group::{Caller, Committer, GroupError, OffsetToCommit};
use ottla_metadata::{LeaderRecoveryState, PartitionRegistration};
use ottla_protocol::messages::JoinGroupRequest;
use ottla_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use ottla_records::Batches;
use ottla_sim::{SimClock, SimDisk, SimRng};
use ottla_storage::format::{World as FormatWorld, format_if_new};
use ottla_storage::{Expect, Flusher, Log, LogDirs, OpenHints, StorageEnv};

use super::*;
use crate::partition::{LeaderChange, PartitionEnv};
use crate::topic_rules::TopicRules;

const DIR: &str = "/data";
/// The group of most tests.
const GROUP: &str = "g";

struct World {
    clock: Arc<SimClock>,
    partition: Arc<Partition>,
    coordinators: Coordinators,
    epoch: i32,
    flusher: Arc<Flusher>,
}

impl World {
    fn new(texts: &[(&str, &str)]) -> Self {
        Self::on(&SimDisk::new(), texts)
    }

    /// On a disk that may have been in use before.
    fn on(disk: &SimDisk, texts: &[(&str, &str)]) -> Self {
        let config = config(texts);
        let clock = Arc::new(SimClock::new(WallMillis(1_700_000_000_000)));
        let disk: Arc<dyn Disk> = Arc::new(disk.clone());
        let storage = Arc::new(StorageEnv {
            files: FileCache::new(Arc::clone(&disk), 100),
            disk,
            clock: Arc::clone(&clock) as Arc<dyn Clock>,
            rng: Arc::new(SimRng::new(1)),
        });
        let world = FormatWorld {
            disk: &*storage.disk,
            clock: &*storage.clock,
            rng: &*storage.rng,
        };
        format_if_new(world, &config, &mut |_| {}).expect("a new directory");
        let expect = Expect {
            node_id: NodeId(1),
            cluster_id: None,
            metadata_dir: PathBuf::from(DIR),
        };
        let dirs = LogDirs::open(&storage, &[PathBuf::from(DIR)], &expect).expect("formatted");
        let dirs = Arc::new(dirs);
        let flusher = Arc::new(Flusher::start(&storage, &dirs).expect("threads"));
        let env = Arc::new(PartitionEnv::new(
            &config,
            Arc::clone(&storage),
            Arc::clone(&dirs),
            Arc::clone(&flusher),
        ));
        let rules = Arc::new(TopicRules::resolve(&config, &RawConfigs::default()));
        let topic: Arc<str> = CONSUMER_OFFSETS.into();
        let id = TopicId(Uuid([7; 16]));
        let dir = dirs.place().expect("one is online");
        let path = dirs.path_of(dir, &topic, 0);
        let log = if storage.disk.read_dir(&path).is_ok() {
            let hints = OpenHints {
                clean: false,
                recovery_point: Offset::ZERO,
                log_start: Offset::ZERO,
                topic_id: None,
            };
            let opened = Log::open(&storage, path, Arc::clone(&rules.log), hints);
            opened.expect("a log that can be recovered").0
        } else {
            Log::create(&storage, path, Some(id), Arc::clone(&rules.log))
        };
        let partition = Partition::new(&env, (&topic, id, 0), dir, log, Offset::ZERO, &rules);
        let coordinators = coordinators(&clock, &config);
        Self {
            clock,
            partition,
            coordinators,
            epoch: 0,
            flusher,
        }
    }

    /// This node leads under a new epoch; the ISR is these nodes.
    fn elect(&mut self, isr: &[i32]) {
        self.epoch += 1;
        let epoch = LeaderEpoch(self.epoch);
        let change = self.partition.assign(&registration(1, isr, epoch));
        assert_eq!(change, LeaderChange::Elected(epoch));
        self.coordinators.on_leader(&self.partition, epoch);
    }

    /// The ISR changes; the leader stays.
    fn change_isr(&self, isr: &[i32]) {
        let epoch = LeaderEpoch(self.epoch);
        self.partition.assign(&registration(1, isr, epoch));
    }

    fn resign(&mut self) {
        self.epoch += 1;
        let epoch = LeaderEpoch(self.epoch);
        let change = self.partition.assign(&registration(2, &[2], epoch));
        assert_eq!(change, LeaderChange::Resigned);
        self.coordinators.on_resigned(0);
    }

    fn stop(self) {
        self.coordinators.stop();
        self.flusher.stop();
    }

    fn shard(&self) -> Arc<Shard> {
        let all = self.coordinators.all();
        Arc::clone(all.first().expect("elected"))
    }

    /// Waits until the log was read.
    async fn loaded(&self) -> Arc<Shard> {
        let shard = self.shard();
        while shard.is_loading() {
            tokio::task::yield_now().await;
        }
        shard
    }
}

fn config(texts: &[(&str, &str)]) -> BrokerConfig {
    let mut raw: RawConfigs = [
        ("node.id", "1"),
        ("process.roles", "broker,controller"),
        ("controller.quorum.bootstrap.servers", "localhost:9093"),
        ("controller.listener.names", "CONTROLLER"),
        (
            "listeners",
            "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093",
        ),
        ("log.dirs", DIR),
        ("group.initial.rebalance.delay.ms", "0"),
    ]
    .map(|(key, text)| (key.to_owned(), text.to_owned()))
    .into();
    for (key, text) in texts {
        raw.insert((*key).to_owned(), (*text).to_owned());
    }
    BrokerConfig::load(raw).expect("a valid configuration")
}

fn coordinators(clock: &Arc<SimClock>, config: &BrokerConfig) -> Coordinators {
    Coordinators::new(
        Arc::clone(clock) as Arc<dyn Clock>,
        Arc::new(config.group.clone()),
    )
}

fn registration(leader: i32, isr: &[i32], epoch: LeaderEpoch) -> PartitionRegistration {
    let nodes = |ids: &[i32]| ids.iter().map(|id| NodeId(*id)).collect::<Vec<_>>();
    PartitionRegistration {
        replicas: nodes(&[1, 2]).into(),
        directories: Box::new([Uuid::ZERO; 2]),
        isr: nodes(isr).into(),
        removing_replicas: Box::default(),
        adding_replicas: Box::default(),
        elr: Box::default(),
        last_known_elr: Box::default(),
        leader: NodeId(leader),
        leader_recovery_state: LeaderRecoveryState::Recovered,
        leader_epoch: epoch,
        partition_epoch: PartitionEpoch(epoch.0),
    }
}

/// Commits an offset for partition 0 of `t`.
fn commit(shard: &Shard, offset: i64) -> Result<Decided<Result<(), GroupError>>, GroupError> {
    let caller = Caller {
        client_id: "c",
        client_host: "/127.0.0.1",
        version: 9,
    };
    let committer = Committer {
        group_id: GROUP,
        member_id: "",
        group_instance_id: None,
        generation: -1,
        retention_time_ms: -1,
    };
    let offsets = [OffsetToCommit {
        topic: "t",
        topic_id: Uuid::ZERO,
        partition: 0,
        offset,
        leader_epoch: -1,
        metadata: None,
    }];
    shard.decide_now(|machine, now, fx| {
        let results = machine.commit_offsets(now, &caller, &committer, offsets.into_iter(), fx)?;
        results.into_iter().collect()
    })
}

async fn fetch(shard: &Shard) -> Result<Option<i64>, GroupError> {
    let fetched = shard
        .decide(|machine, _, _| machine.fetch_offsets(GROUP, "t", &[0], false))
        .await?;
    let committed = fetched
        .into_iter()
        .next()
        .expect("one was asked for")
        .committed?;
    Ok(committed.map(|committed| committed.offset))
}

fn join() -> JoinGroupRequest {
    JoinGroupRequest {
        group_id: GROUP.to_owned(),
        session_timeout_ms: 10_000,
        rebalance_timeout_ms: 60_000,
        group_instance_id: Some("i".to_owned()),
        protocol_type: "consumer".to_owned(),
        protocols: vec![JoinGroupRequestProtocol {
            name: "range".to_owned(),
            metadata: Vec::new(),
        }],
        ..JoinGroupRequest::default()
    }
}

/// Whether `future` has nothing to say yet.
fn is_pending<T>(future: &mut std::pin::Pin<Box<impl Future<Output = T>>>) -> bool {
    let mut cx = Context::from_waker(Waker::noop());
    future.as_mut().poll(&mut cx).is_pending()
}

#[test]
fn commit_is_answered_when_it_is_committed_and_not_before() {
    let mut world = World::new(&[]);
    world.elect(&[1, 2]);
    let shard = world.shard();
    let (first, second) = (commit(&shard, 5), commit(&shard, 6));
    let mut first = Box::pin(first.expect("appended").committed());
    let mut second = Box::pin(second.expect("appended").committed());
    // What was seen is not committed either.
    let mut seen = Box::pin(fetch(&shard));
    assert!(is_pending(&mut first) && is_pending(&mut second) && is_pending(&mut seen));
    assert_eq!(world.partition.log_end(), Offset(2));
    world.change_isr(&[1]);
    run_local(async {
        assert_eq!(first.await, Ok(Ok(())));
        assert_eq!(second.await, Ok(Ok(())));
        assert_eq!(seen.await, Ok(Some(6)));
        assert_eq!(fetch(&shard).await, Ok(Some(6)));
    })
    .expect("a runtime");
}

#[test]
fn who_waits_when_leadership_is_lost_is_told_and_nothing_more_is_taken() {
    let mut world = World::new(&[]);
    world.elect(&[1, 2]);
    let shard = world.shard();
    let waits = commit(&shard, 5).expect("appended");
    world.resign();
    let told = run_local(waits.committed()).expect("a runtime");
    assert_eq!(told, Err(GroupError::NotCoordinator));
    assert_eq!(commit(&shard, 6).err(), Some(GroupError::NotCoordinator));
    assert_eq!(world.partition.log_end(), Offset(1));
    assert!(world.coordinators.all().is_empty());
}

#[test]
fn write_after_the_loss_and_before_the_notice_is_refused() {
    let mut world = World::new(&[]);
    world.elect(&[1]);
    let shard = world.shard();
    let epoch = LeaderEpoch(9);
    world.partition.assign(&registration(2, &[2], epoch));
    assert_eq!(commit(&shard, 5).err(), Some(GroupError::NotCoordinator));
}

#[test]
fn next_leader_reads_everything_back_and_refuses_until_then() {
    let mut world = World::new(&[("offsets.load.buffer.size", "100")]);
    world.elect(&[1]);
    run_local(async {
        let shard = world.loaded().await;
        for offset in 0..100 {
            let committed = commit(&shard, offset).expect("appended").committed().await;
            assert_eq!(committed, Ok(Ok(())));
        }
        world.elect(&[1]);
        assert_eq!(commit(&shard, 999).err(), Some(GroupError::NotCoordinator));
        let shard = world.shard();
        let early = fetch(&shard).await;
        assert!(
            matches!(early, Err(GroupError::LoadInProgress) | Ok(Some(99))),
            "{early:?}"
        );
        let shard = world.loaded().await;
        assert_eq!(fetch(&shard).await, Ok(Some(99)));
    })
    .expect("a runtime");
}

#[test]
fn records_that_are_not_committed_yet_are_waited_for_and_then_read() {
    let mut world = World::new(&[]);
    world.elect(&[1, 2]);
    let lost = commit(&world.shard(), 5).expect("appended");
    world.elect(&[1, 2]);
    let shard = world.shard();
    assert!(shard.is_loading());
    world.change_isr(&[1]);
    run_local(async {
        assert_eq!(lost.committed().await, Err(GroupError::NotCoordinator));
        let shard = world.loaded().await;
        assert_eq!(fetch(&shard).await, Ok(Some(5)));
    })
    .expect("a runtime");
}

#[test]
fn what_is_not_committed_in_time_is_not_available() {
    let mut world = World::new(&[]);
    world.elect(&[1, 2]);
    let shard = world.shard();
    let mut waits = Box::pin(commit(&shard, 5).expect("appended").committed());
    world.clock.advance_ms(4_999);
    shard.on_alarm();
    assert!(is_pending(&mut waits));
    world.clock.advance_ms(1);
    shard.on_alarm();
    let told = run_local(waits).expect("a runtime");
    assert_eq!(told, Err(GroupError::NotAvailable));
}

/// The first batch of the log after one commit.
fn first_batch(texts: &[(&str, &str)]) -> Vec<u8> {
    let mut world = World::new(texts);
    world.elect(&[1]);
    run_local(async {
        let shard = world.loaded().await;
        let committed = commit(&shard, 5).expect("appended").committed().await;
        assert_eq!(committed, Ok(Ok(())));
    })
    .expect("a runtime");
    let read = world.partition.read_committed_bytes(Offset::ZERO, 1_000);
    read.expect("led").expect("not empty")
}

#[test]
fn batches_are_those_that_kafka_writes() {
    let bytes = first_batch(&[]);
    let batch = Batches::new(&bytes).next().expect("one");
    let header = batch.header();
    // No producer, and yet a sequence of 0: that is how Apache Kafka's coordinators write.
    assert_eq!((header.producer_id.0, header.producer_epoch.0), (-1, -1));
    assert_eq!((header.base_sequence.0, header.record_count), (0, 1));
    assert_eq!(header.partition_leader_epoch, LeaderEpoch(1));
    assert_eq!(header.base_timestamp, WallMillis(1_700_000_000_000));
    assert_eq!(header.attributes.0, 0);
}

#[test]
fn batches_are_compressed_as_configured() {
    let bytes = first_batch(&[("offsets.topic.compression.codec", "4")]);
    let batch = Batches::new(&bytes).next().expect("one");
    assert_eq!(batch.compression(), Some(Compression::Zstd));
}

#[test]
fn request_whose_connection_is_gone_is_forgotten() {
    let mut world = World::new(&[("group.initial.rebalance.delay.ms", "3000")]);
    world.elect(&[1]);
    let shard = world.shard();
    let caller = Caller {
        client_id: "c",
        client_host: "/127.0.0.1",
        version: 9,
    };
    let mut waits = Box::pin(shard.ask(|machine, now, ticket, fx| {
        machine.join_group(now, &caller, join(), Uuid([1; 16]), ticket, fx);
    }));
    assert!(is_pending(&mut waits));
    assert_eq!(shard.kept(), 1);
    drop(waits);
    assert_eq!(shard.kept(), 0);
}

#[test]
fn offsets_of_deleted_topics_go_also_if_the_log_is_being_read() {
    let mut world = World::new(&[]);
    world.elect(&[1, 2]);
    let lost = commit(&world.shard(), 5).expect("appended");
    world.elect(&[1, 2]);
    let shard = world.shard();
    assert!(shard.is_loading());
    shard.forget_topics(&["t".into(), "other".into()]);
    world.change_isr(&[1]);
    run_local(async {
        assert_eq!(lost.committed().await, Err(GroupError::NotCoordinator));
        let shard = world.loaded().await;
        assert_eq!(fetch(&shard).await, Ok(None));
    })
    .expect("a runtime");
}

#[test]
fn record_that_no_batch_holds_is_refused_and_leaves_nothing() {
    let mut world = World::new(&[
        ("message.max.bytes", "100000"),
        ("offset.metadata.max.bytes", "1000000"),
    ]);
    world.elect(&[1]);
    let shard = world.shard();
    let text = "x".repeat(30_000);
    let caller = Caller {
        client_id: "c",
        client_host: "/127.0.0.1",
        version: 9,
    };
    let committer = Committer {
        group_id: GROUP,
        member_id: "",
        group_instance_id: None,
        generation: -1,
        retention_time_ms: -1,
    };
    let offsets = (0..4).map(|partition| OffsetToCommit {
        topic: "t",
        topic_id: Uuid::ZERO,
        partition,
        offset: 1,
        leader_epoch: -1,
        metadata: Some(&text),
    });
    let decided = shard.decide_now(|machine, now, fx| {
        machine.commit_offsets(now, &caller, &committer, offsets, fx)
    });
    assert_eq!(decided.err(), Some(GroupError::Unwritable));
    assert_eq!(world.partition.log_end(), Offset::ZERO);
    let fetched = run_local(fetch(&shard)).expect("a runtime");
    assert_eq!(fetched, Ok(None));
}

/// Commits offsets, cuts the power, and tells whether one that was acknowledged is gone.
fn loses_offset(seed: u64, texts: &[(&str, &str)]) -> bool {
    let disk = SimDisk::new();
    let mut world = World::on(&disk, texts);
    world.elect(&[1]);
    let acknowledged = i64::try_from(seed % 7).expect("small");
    // Some more that nobody is told of.
    let sent = acknowledged + 5;
    run_local(async {
        let shard = world.loaded().await;
        for offset in 0..=acknowledged {
            let committed = commit(&shard, offset).expect("appended").committed().await;
            assert_eq!(committed, Ok(Ok(())));
        }
        for offset in acknowledged + 1..=sent {
            drop(commit(&shard, offset).expect("appended"));
        }
    })
    .expect("a runtime");
    disk.crash(seed);
    world.stop();

    let mut world = World::on(&disk, texts);
    world.elect(&[1]);
    let found = run_local(async {
        let shard = world.loaded().await;
        fetch(&shard).await
    });
    let found = found.expect("a runtime").expect("led");
    world.stop();
    assert!(found.is_none_or(|found| found <= sent), "{found:?}");
    found.is_none_or(|found| found < acknowledged)
}

#[test]
fn offset_that_was_acknowledged_survives_a_power_cut() {
    for seed in 0..40 {
        assert!(!loses_offset(seed, &[]), "seed {seed}");
    }
    // As Apache Kafka does it by default; and so that this test is known to see a loss.
    let never = [("ottla.commit.flush", "never")];
    assert!((0..40).any(|seed| loses_offset(seed, &never)));
}
