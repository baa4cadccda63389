//! A quorum of one on a simulated disk: what it writes, what survives, what it refuses. No thread: each
//! test takes the turns itself.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use ottla_base::{NodeId, Uuid, WallMillis};
use ottla_config::BrokerConfig;
use ottla_controller::{Context, Controller, Outcome, Refusal};
use ottla_disk::FileCache;
use ottla_env::{Disk, OpenMode, run_local};
use ottla_metadata::features::supported;
use ottla_protocol::messages::create_topics_request::CreatableTopic;
use ottla_protocol::messages::{
    BrokerHeartbeatRequest, BrokerRegistrationRequest, ControllerRegistrationRequest,
    CreateTopicsRequest, CreateTopicsResponse, DeleteTopicsRequest, broker_registration_request,
    controller_registration_request, delete_topics_request,
};
use ottla_records::codec::Decompressor;
use ottla_records::control::ControlType;
use ottla_sim::{Fault, SimClock, SimDisk, SimRng};
use ottla_storage::StorageEnv;
use ottla_storage::format::{World, format_if_new};
use parking_lot::Mutex;

use super::batch_file::{for_each_batch, for_each_record};
use super::snapshot::decode;
use super::*;

const DATA: &str = "/data";
const CLUSTER: &str = "the-cluster";
const DIRECTORY: Uuid = Uuid([9; 16]);
const LOG_FILE: &str = "/data/__cluster_metadata-0/00000000000000000000.log";

/// A disk, a clock and a configuration.
struct Machine {
    disk: SimDisk,
    clock: Arc<SimClock>,
    config: BTreeSet<(&'static str, String)>,
    /// Makes the ids of every life differ.
    lives: AtomicU64,
}

/// What the listener saw last, and whether topics were told before their answers.
#[derive(Default)]
struct Seen(Mutex<BTreeSet<String>>);

impl MetadataListener for Seen {
    fn on_commit(&self, _: &MetadataDelta, image: &Arc<MetadataImage>) {
        *self.0.lock() = names(image);
    }
}

fn names(image: &MetadataImage) -> BTreeSet<String> {
    image
        .topics
        .iter()
        .map(|topic| topic.name.to_string())
        .collect()
}

impl Machine {
    fn new() -> Self {
        Self {
            disk: SimDisk::new(),
            clock: Arc::new(SimClock::new(WallMillis(1_700_000_000_000))),
            config: BTreeSet::new(),
            lives: AtomicU64::new(0),
        }
    }

    fn with(mut self, key: &'static str, value: &str) -> Self {
        self.config.insert((key, value.to_owned()));
        self
    }

    fn config(&self) -> BrokerConfig {
        let pairs = [
            ("process.roles", "broker,controller"),
            ("node.id", "1"),
            (
                "listeners",
                "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093",
            ),
            ("controller.listener.names", "CONTROLLER"),
            ("controller.quorum.bootstrap.servers", "localhost:9093"),
            ("log.dirs", DATA),
        ];
        let pairs = pairs.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let mut raw: ottla_config::RawConfigs = pairs.into();
        raw.extend(
            self.config
                .iter()
                .map(|(k, v)| ((*k).to_owned(), v.clone())),
        );
        BrokerConfig::load(raw).unwrap()
    }

    fn env(&self) -> Arc<StorageEnv> {
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        Arc::new(StorageEnv {
            files: FileCache::new(Arc::clone(&disk), 64),
            disk,
            clock: Arc::clone(&self.clock) as Arc<dyn ottla_env::Clock>,
            rng: Arc::new(SimRng::new(self.lives.fetch_add(1, Ordering::Relaxed))),
        })
    }

    fn format(&self) {
        let env = self.env();
        let world = World {
            disk: &*env.disk,
            clock: &*env.clock,
            rng: &*env.rng,
        };
        format_if_new(world, &self.config(), &mut |_| {}).unwrap();
    }

    /// The id that the formatting gave to the directory.
    fn directory_id(&self) -> Uuid {
        let text = self.read("/data/meta.properties");
        let text = String::from_utf8(text).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix("directory.id="));
        line.unwrap().parse().unwrap()
    }

    /// Bytes that the files take.
    fn used(&self) -> u64 {
        let space = self.disk.space(Path::new(DATA)).unwrap();
        space.total - space.available
    }

    fn read(&self, path: &str) -> Vec<u8> {
        let file = self.disk.open(Path::new(path), OpenMode::Read).unwrap();
        let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
        file.read_exact_at(&mut bytes, 0).unwrap();
        bytes
    }

    fn open(&self) -> Result<Running, QuorumError> {
        let (handle, inbox) = channel();
        let mut quorum = Quorum::open(QuorumSetup {
            env: self.env(),
            config: Arc::new(self.config()),
            cluster_id: CLUSTER.to_owned(),
            metadata_dir: PathBuf::from(DATA),
            directory_id: self.directory_id(),
            clean: false,
            inbox,
        })?;
        let seen = Arc::new(Seen::default());
        quorum
            .publisher
            .attach(Arc::clone(&seen) as Arc<dyn MetadataListener>);
        Ok(Running {
            handle,
            quorum,
            seen,
        })
    }
}

struct Running {
    handle: QuorumHandle,
    quorum: Quorum,
    seen: Arc<Seen>,
}

impl Running {
    /// Has requests decided in one round.
    fn decide<R: Send + 'static, D>(
        &mut self,
        requests: Vec<D>,
    ) -> Result<Vec<Result<R, DecideError>>, QuorumError>
    where
        D: FnOnce(&mut Controller, &mut Context<'_>) -> Result<Outcome<R>, Refusal>
            + Send
            + 'static,
    {
        run_local(async {
            let asked = requests.into_iter().map(|request| {
                let handle = self.handle.clone();
                Box::pin(async move { handle.decide(7, request).await })
            });
            let mut asked: Vec<_> = asked.collect();
            for request in &mut asked {
                let pending = futures_poll(request.as_mut());
                assert!(pending, "nobody has answered yet");
            }
            let first = self.quorum.queue.try_recv().ok();
            self.quorum.round(first)?;
            let mut answers = Vec::new();
            for request in asked {
                answers.push(request.await);
            }
            Ok(answers)
        })
        .unwrap()
    }

    fn register(&mut self) -> Result<(), QuorumError> {
        let features = supported().map(|(name, min, max)| broker_registration_request::Feature {
            name: name.to_owned(),
            min_supported_version: min,
            max_supported_version: max,
        });
        let request = BrokerRegistrationRequest {
            broker_id: 1,
            cluster_id: CLUSTER.to_owned(),
            incarnation_id: Uuid([5; 16]),
            log_dirs: vec![DIRECTORY],
            features: features.collect(),
            listeners: vec![broker_registration_request::Listener {
                name: "PLAINTEXT".to_owned(),
                host: "localhost".to_owned(),
                port: 9092,
                ..Default::default()
            }],
            ..Default::default()
        };
        let answers = self.decide(vec![
            move |controller: &mut Controller, ctx: &mut Context<'_>| {
                controller.broker_registration(ctx, &request)
            },
        ])?;
        let epoch = answers[0].as_ref().unwrap().broker_epoch;
        let request = BrokerHeartbeatRequest {
            broker_id: 1,
            broker_epoch: epoch,
            current_metadata_offset: self.quorum.image().offset.0,
            ..Default::default()
        };
        let answers = self.decide(vec![
            move |controller: &mut Controller, ctx: &mut Context<'_>| {
                controller.broker_heartbeat(ctx, &request)
            },
        ])?;
        assert!(!answers[0].as_ref().unwrap().is_fenced);
        Ok(())
    }

    /// Creates topics, each by a request of its own, in one round; gives those that were made.
    fn create(&mut self, topics: &[&str]) -> Result<Vec<String>, QuorumError> {
        let requests = topics.iter().map(|name| creating(name));
        let answers = self.decide(requests.collect())?;
        let mut made = Vec::new();
        for answer in answers {
            let result = answer.unwrap().topics.remove(0);
            if result.error_code == 0 {
                assert!(
                    self.seen.0.lock().contains(&result.name),
                    "told before the answer"
                );
                made.push(result.name);
            }
        }
        Ok(made)
    }
}

/// The request that makes a topic of two partitions.
fn creating(
    name: &str,
) -> impl FnOnce(&mut Controller, &mut Context<'_>) -> Result<Outcome<CreateTopicsResponse>, Refusal>
+ Send
+ 'static {
    let topic = CreatableTopic {
        name: name.to_owned(),
        num_partitions: 2,
        replication_factor: 1,
        ..Default::default()
    };
    let request = CreateTopicsRequest {
        topics: vec![topic],
        ..Default::default()
    };
    move |controller, ctx| controller.create_topics(ctx, &request)
}

/// Polls once; `true` if it is pending.
fn futures_poll<F: Future + ?Sized>(future: std::pin::Pin<&mut F>) -> bool {
    let waker = std::task::Waker::noop();
    future
        .poll(&mut std::task::Context::from_waker(waker))
        .is_pending()
}

/// The log, batch by batch, one word for each record.
fn dump(world: &Machine) -> Vec<String> {
    let path = Path::new(LOG_FILE);
    let file = world.disk.open(path, OpenMode::Read).unwrap();
    let mut batches = Vec::new();
    let mut scratch = Decompressor::new();
    for_each_batch(path, &*file, 0..file.len().unwrap(), &mut |batch| {
        let mut words = vec![format!("epoch {}:", batch.partition_leader_epoch())];
        for_each_record(batch, &mut scratch, &mut |(offset, key, value)| {
            words.push(if batch.is_control() {
                format!("{:?}", ControlType::from_key(key).unwrap())
            } else {
                decode(offset, value)?
                    .record
                    .name()
                    .trim_end_matches("Record")
                    .to_owned()
            });
            Ok(())
        })?;
        batches.push(words.join(" "));
        Ok(std::ops::ControlFlow::Continue(()))
    })
    .unwrap();
    batches
}

#[test]
fn log_begins_as_kafkas_does() {
    let world = Machine::new();
    world.format();
    drop(world.open().unwrap());
    let state = "{\"leaderId\":1,\"leaderEpoch\":1,\"votedId\":-1,\
                 \"votedDirectoryId\":\"AAAAAAAAAAAAAAAAAAAAAA\",\"data_version\":1}";
    let found = world.read("/data/__cluster_metadata-0/quorum-state");
    assert_eq!(String::from_utf8(found).unwrap(), state);
    world.disk.kill();
    drop(world.open().unwrap());
    // Apache Kafka wrote these records in these batches.
    assert_eq!(
        dump(&world),
        [
            "epoch 1: LeaderChange KRaftVersion KRaftVoters",
            "epoch 1: BeginTransaction FeatureLevel FeatureLevel FeatureLevel FeatureLevel \
             FeatureLevel FeatureLevel Config EndTransaction",
            "epoch 2: LeaderChange",
        ]
    );
}

#[test]
fn requests_of_one_round_share_a_flush_and_see_each_other() {
    let world = Machine::new();
    world.format();
    let mut node = world.open().unwrap();
    node.register().unwrap();
    let (batches, operations) = (dump(&world).len(), world.disk.operations());
    assert_eq!(
        node.create(&["a", "b", "a", "not/valid"]).unwrap(),
        ["a", "b"]
    );
    let added: Vec<String> = dump(&world).split_off(batches);
    assert_eq!(
        added,
        ["epoch 1: Topic Partition Partition Topic Partition Partition"]
    );
    // One write for the batch and one flush; the index is not due.
    assert!(world.disk.operations() - operations <= 3);
    assert_eq!(
        node.handle.status().high_watermark(),
        Some(node.quorum.log.end())
    );
    assert_eq!(node.handle.status().leader(), Some(NodeId(1)));
}

#[test]
fn records_that_mean_nothing_are_flushed_with_others_or_after_a_while() {
    let world = Machine::new();
    world.format();
    let mut node = world.open().unwrap();
    node.register().unwrap();
    let idle = |node: &mut Running| {
        world.clock.advance_ms(500);
        node.quorum.round(None).unwrap();
        let flushed = node.handle.status().high_watermark().unwrap();
        node.quorum.log.end().0 - flushed.0
    };
    let unflushed: Vec<i64> = (0..11).map(|_| idle(&mut node)).collect();
    assert_eq!(unflushed, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 0]);

    // A request that changes nothing needs no flush; one that changes something is answered when all before it
    // is on the disk.
    assert_eq!(idle(&mut node), 1);
    let operations = world.disk.operations();
    assert_eq!(node.create(&["not/valid"]).unwrap(), [""; 0]);
    assert_eq!(world.disk.operations(), operations);
    assert_eq!(node.create(&["a"]).unwrap(), ["a"]);
    world.disk.crash(1);
    let node = world.open().unwrap();
    assert_eq!(names(node.quorum.image()), ["a".to_owned()].into());
}

#[test]
fn refusal_writes_nothing_and_is_answered() {
    let world = Machine::new();
    world.format();
    let mut node = world.open().unwrap();
    let end = node.quorum.log.end();
    let request = BrokerHeartbeatRequest::default();
    let answers =
        node.decide(vec![move |controller: &mut Controller,
                               ctx: &mut Context<'_>| {
            controller.broker_heartbeat(ctx, &request)
        }]);
    let answer = answers.unwrap().remove(0);
    assert!(matches!(answer, Err(DecideError::Refused(_))), "{answer:?}");
    assert_eq!(node.quorum.log.end(), end);
}

#[test]
fn acknowledged_topics_survive_a_power_cut_at_every_operation() {
    // Without a fault, to know how many operations there are.
    let world = Machine::new();
    world.format();
    let before = world.disk.operations();
    let mut node = world.open().unwrap();
    node.register().unwrap();
    node.create(&["a"]).unwrap();
    node.create(&["b", "c"]).unwrap();
    let after = world.disk.operations();
    for at in before..after {
        let world = Machine::new();
        world.format();
        world.disk.plan(at, Fault::Stop);
        let mut acknowledged = BTreeSet::new();
        let mut life = || -> Result<(), QuorumError> {
            let mut node = world.open()?;
            node.register()?;
            acknowledged.extend(node.create(&["a"])?);
            acknowledged.extend(node.create(&["b", "c"])?);
            Ok(())
        };
        assert!(life().is_err(), "operation {at} did not fail");
        world.disk.crash(at);
        let mut node = match world.open() {
            Ok(node) => node,
            Err(error) => panic!("after a power cut at {at}: {error}"),
        };
        let found = names(node.quorum.image());
        assert!(
            acknowledged.is_subset(&found),
            "{at}: {found:?} of {acknowledged:?}"
        );
        node.register().unwrap();
        assert_eq!(node.create(&["z"]).unwrap(), ["z"], "{at}");
    }
}

#[test]
fn failed_flush_ends_the_quorum_and_answers_nobody() {
    let world = Machine::new();
    world.format();
    let mut node = world.open().unwrap();
    node.register().unwrap();
    let at = world.disk.operations();
    for after in 0..2 {
        let fault = Fault::Fail(std::io::ErrorKind::Other);
        world.disk.plan(at + after, fault);
    }
    let failed = node.create(&["a"]).err();
    assert!(failed.is_some());
    assert!(!node.seen.0.lock().contains("a"));
}

#[test]
fn snapshot_is_written_when_due_and_replaces_the_log() {
    let world = Machine::new()
        .with("metadata.log.max.record.bytes.between.snapshots", "2000")
        .with("metadata.max.retention.ms", "1000")
        .with("broker.session.timeout.ms", "2000000000");
    world.format();
    let mut node = world.open().unwrap();
    node.register().unwrap();
    let mut made = BTreeSet::new();
    for index in 0..40 {
        made.extend(node.create(&[&format!("topic-{index}")]).unwrap());
        node.quorum.upkeep.settle();
        world.clock.advance_ms(60_000);
        node.quorum.round(None).unwrap();
    }
    let listed: Vec<String> = world
        .disk
        .read_dir(Path::new("/data/__cluster_metadata-0"))
        .unwrap()
        .into_iter()
        .map(|entry| entry.name)
        .filter(|name| name.ends_with(".checkpoint"))
        .collect();
    assert!(!listed.is_empty() && listed.len() <= 2, "{listed:?}");
    assert!(!listed[0].starts_with("00000000000000000000"), "{listed:?}");
    drop(node);
    world.disk.kill();
    let node = world.open().unwrap();
    assert_eq!(names(node.quorum.image()), made);
    assert_eq!(*node.seen.0.lock(), made);
}

const METADATA: &str = "/data/__cluster_metadata-0";

/// Names of the files of the metadata log that end so, in order.
fn files(world: &Machine, suffix: &str) -> Vec<String> {
    let entries = world.disk.read_dir(Path::new(METADATA)).unwrap();
    let names = entries.into_iter().map(|entry| entry.name);
    let mut names: Vec<_> = names.filter(|name| name.ends_with(suffix)).collect();
    names.sort();
    names
}

#[test]
fn damaged_snapshot_is_passed_over_where_the_log_holds_what_it_held() {
    // Whether the log is there, and how many snapshots are damaged.
    for (log_is_there, damaged, goes_on) in [
        (true, 1, true),
        (true, 2, true),
        (true, usize::MAX, true),
        (false, 0, true),
        (false, 1, false),
    ] {
        let world = Machine::new()
            .with("metadata.log.max.record.bytes.between.snapshots", "2000")
            .with("broker.session.timeout.ms", "2000000000");
        world.format();
        let mut node = world.open().unwrap();
        node.register().unwrap();
        let mut made = BTreeSet::new();
        for index in 0..40 {
            made.extend(node.create(&[&format!("topic-{index}")]).unwrap());
            node.quorum.upkeep.settle();
            world.clock.advance_ms(600);
            node.quorum.round(None).unwrap();
        }
        drop(node);
        world.disk.kill();
        let snapshots = files(&world, ".checkpoint");
        assert!(snapshots.len() > 3, "{snapshots:?}");
        let newer = snapshots.iter().skip(1).rev().take(damaged);
        let newer: Vec<_> = newer.cloned().collect();
        for name in &newer {
            world
                .disk
                .rot(&Path::new(METADATA).join(name), 100, 1)
                .unwrap();
        }
        if !log_is_there {
            world.disk.remove_file(Path::new(LOG_FILE)).unwrap();
        }
        let context = format!("log: {log_is_there}, damaged: {damaged}");
        match world.open() {
            Ok(node) => {
                assert!(goes_on, "{context}");
                let found = names(node.quorum.image());
                assert!(found == made || !log_is_there, "{context}");
                assert_eq!(files(&world, ".damaged").len(), newer.len(), "{context}");
            }
            Err(error) => {
                assert!(!goes_on, "{context}: {error}");
                let text = error.to_string();
                let last = snapshots.last().unwrap();
                assert!(text.contains(last) && text.contains("is damaged"), "{text}");
                assert_eq!(files(&world, ".checkpoint"), snapshots, "{context}");
            }
        }
    }
}

#[test]
fn full_disk_refuses_changes_until_there_is_room() {
    let world = Machine::new();
    world.format();
    let mut node = world.open().unwrap();
    node.register().unwrap();
    assert_eq!(node.create(&["a"]).unwrap(), ["a"]);
    let used = world.used();
    world.disk.set_capacity(used + 10);
    let end = node.quorum.log.end();
    for _ in 0..3 {
        let asked = ["b", "c"].map(creating);
        for answer in node.decide(asked.into()).unwrap() {
            assert_eq!(answer, Err(DecideError::NoRoom));
        }
        // Neither do records of its own end it.
        world.clock.advance_ms(600);
        node.quorum.round(None).unwrap();
    }
    assert_eq!(node.quorum.log.end(), end);
    assert_eq!(names(node.quorum.image()), BTreeSet::from(["a".to_owned()]));
    world.disk.set_capacity(used + 1_000_000);
    assert_eq!(node.create(&["b", "a"]).unwrap(), ["b"]);
    drop(node);
    world.disk.kill();
    let node = world.open().unwrap();
    assert_eq!(names(node.quorum.image()).len(), 2);
}

#[test]
fn what_no_record_can_hold_is_refused_and_the_quorum_goes_on() {
    let world = Machine::new();
    world.format();
    let mut node = world.open().unwrap();
    node.register().unwrap();
    let end = node.quorum.log.end();
    let request = ControllerRegistrationRequest {
        controller_id: 1,
        listeners: vec![controller_registration_request::Listener {
            // Texts have 16-bit lengths, whatever the notation of the length is.
            host: "h".repeat(40_000),
            ..Default::default()
        }],
        ..Default::default()
    };
    let answers =
        node.decide(vec![move |controller: &mut Controller,
                               _: &mut Context<'_>| {
            controller.controller_registration(&request)
        }]);
    let answer = answers.unwrap().remove(0);
    assert!(
        matches!(answer, Err(DecideError::NotEncodable(_))),
        "{answer:?}"
    );
    assert_eq!(node.quorum.log.end(), end);
    assert!(node.quorum.image().cluster.controllers.is_empty());
    assert_eq!(node.create(&["a"]).unwrap(), ["a"]);
}

#[test]
fn acknowledged_topics_survive_a_power_cut_while_snapshots_come_and_go() {
    let machine = || {
        let world = Machine::new()
            .with("metadata.log.max.record.bytes.between.snapshots", "300")
            .with("metadata.max.retention.ms", "1000")
            .with("broker.session.timeout.ms", "2000000000");
        world.format();
        world
    };
    let life = |world: &Machine, acknowledged: &mut BTreeSet<String>| {
        let mut node = world.open()?;
        node.register()?;
        for topic in ["a", "b", "c", "d"] {
            acknowledged.extend(node.create(&[topic])?);
            // One thing at a time, so that the operations have the same order in every life.
            node.quorum.upkeep.settle();
            world.clock.advance_ms(60_000);
            node.quorum.round(None)?;
            node.quorum.upkeep.settle();
        }
        Ok::<_, QuorumError>(())
    };
    let world = machine();
    let before = world.disk.operations();
    life(&world, &mut BTreeSet::new()).unwrap();
    let after = world.disk.operations();
    for at in before..after {
        let world = machine();
        world.disk.plan(at, Fault::Stop);
        let mut acknowledged = BTreeSet::new();
        let lived = life(&world, &mut acknowledged);
        world.disk.crash(at);
        let mut node = match world.open() {
            Ok(node) => node,
            Err(error) => panic!("after a power cut at {at} ({lived:?}): {error}"),
        };
        let found = names(node.quorum.image());
        assert!(
            acknowledged.is_subset(&found),
            "{at}: {found:?} of {acknowledged:?}"
        );
        node.register().unwrap();
        assert_eq!(node.create(&["z"]).unwrap(), ["z"], "{at}");
    }
}

#[test]
fn log_without_what_came_before_is_refused() {
    let world = Machine::new();
    world.format();
    let mut node = world.open().unwrap();
    node.register().unwrap();
    drop(node);
    world.disk.kill();
    let to = "/data/__cluster_metadata-0/00000000000000000007.log";
    world
        .disk
        .rename(Path::new(LOG_FILE), Path::new(to))
        .unwrap();
    let refused = world.open().err().map(|error| error.to_string());
    assert!(refused.is_some(), "a log that lost its beginning was taken");
}

#[test]
fn deleted_topic_stays_deleted() {
    let world = Machine::new();
    world.format();
    let mut node = world.open().unwrap();
    node.register().unwrap();
    node.create(&["a", "b"]).unwrap();
    let request = DeleteTopicsRequest {
        topics: vec![delete_topics_request::DeleteTopicState {
            name: Some("a".to_owned()),
            ..Default::default()
        }],
        ..Default::default()
    };
    node.decide(vec![move |controller: &mut Controller,
                           ctx: &mut Context<'_>| {
        controller.delete_topics(ctx, &request)
    }])
    .unwrap();
    drop(node);
    world.disk.kill();
    let node = world.open().unwrap();
    assert_eq!(names(node.quorum.image()), BTreeSet::from(["b".to_owned()]));
}
