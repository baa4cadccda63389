//! A log on a disk of either kind, and batches for it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use ottla_base::{LeaderEpoch, Offset, ProducerEpoch, ProducerId, Sequence, WallMillis};
use ottla_disk::{FileCache, OsDisk};
use ottla_env::Disk;
use ottla_log::LogConfig;
use ottla_records::codec::Compressor;
use ottla_records::control::{EndTxnMarker, TxnResult};
use ottla_records::{BatchBuilder, BatchView, Batches, HEADER_SIZE};
use ottla_sim::{SimClock, SimDisk, SimRng};
use ottla_storage::{AppendError, Appended, LeaderBatch, Log, OpenHints, Origin, StorageEnv};

/// The time of the first record.
pub(crate) const T0: i64 = 1_700_000_000_000;

pub(crate) const UNCLEAN: OpenHints = OpenHints {
    clean: false,
    recovery_point: Offset(0),
    log_start: Offset(0),
    topic_id: None,
};
pub(crate) const CLEAN: OpenHints = OpenHints {
    clean: true,
    ..UNCLEAN
};

pub(crate) fn env(disk: Arc<dyn Disk>) -> Arc<StorageEnv> {
    Arc::new(StorageEnv {
        files: FileCache::new(Arc::clone(&disk), 8),
        disk,
        clock: Arc::new(SimClock::new(WallMillis(T0))),
        rng: Arc::new(SimRng::new(1)),
    })
}

/// The operating system's disk, in a directory that goes with the value.
pub(crate) struct OnDisk {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) env: Arc<StorageEnv>,
}

impl OnDisk {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory");
        Self {
            folder,
            env: env(Arc::new(OsDisk)),
        }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("t-0")
    }

    pub(crate) fn create(&self, config: LogConfig) -> Log {
        Log::create(&self.env, self.path(), Some(topic_id()), Arc::new(config))
    }

    pub(crate) fn open(&self, config: LogConfig, hints: OpenHints) -> Log {
        Log::open(&self.env, self.path(), Arc::new(config), hints)
            .expect("opens")
            .0
    }

    pub(crate) fn files(&self) -> Vec<String> {
        let entries = self.env.disk.read_dir(&self.path()).expect("a directory");
        entries.into_iter().map(|entry| entry.name).collect()
    }
}

/// A simulated disk with one data directory.
pub(crate) fn sim() -> (SimDisk, Arc<StorageEnv>, PathBuf) {
    let disk = SimDisk::new();
    disk.create_dir_all(Path::new("/data")).expect("room");
    let env = env(Arc::new(disk.clone()));
    (disk, env, PathBuf::from("/data/t-0"))
}

pub(crate) fn topic_id() -> ottla_base::TopicId {
    ottla_base::TopicId("g0Bh1ossQnqLMLUXHC_1hQ".parse().expect("an id"))
}

/// A batch before it is appended.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) records: usize,
    pub(crate) value: Vec<u8>,
    pub(crate) time: i64,
    pub(crate) producer: Option<(i64, i16, i32)>,
    pub(crate) transactional: bool,
    pub(crate) epoch: i32,
}

impl Batch {
    pub(crate) fn of(records: usize) -> Self {
        Self {
            records,
            value: vec![b'v'; 20],
            time: T0,
            producer: None,
            transactional: false,
            epoch: 0,
        }
    }

    pub(crate) fn value(self, value: Vec<u8>) -> Self {
        Self { value, ..self }
    }

    pub(crate) fn at(self, time: i64) -> Self {
        Self { time, ..self }
    }

    pub(crate) fn by(self, id: i64, epoch: i16, sequence: i32) -> Self {
        Self {
            producer: Some((id, epoch, sequence)),
            ..self
        }
    }

    pub(crate) fn in_txn(self) -> Self {
        Self {
            transactional: true,
            ..self
        }
    }

    pub(crate) fn epoch(self, epoch: i32) -> Self {
        Self { epoch, ..self }
    }

    pub(crate) fn bytes(&self, base: i64) -> Vec<u8> {
        let mut builder = BatchBuilder::new(Offset(base)).leader_epoch(LeaderEpoch(self.epoch));
        if let Some((id, epoch, sequence)) = self.producer {
            builder = builder.producer(ProducerId(id), ProducerEpoch(epoch), Sequence(sequence));
        }
        if self.transactional {
            builder = builder.transactional();
        }
        for record in 0..self.records {
            let time = WallMillis(self.time + i64::try_from(record).expect("small"));
            builder.append(time, None, Some(&self.value)).expect("fits");
        }
        builder.build(&mut Compressor::new()).expect("fits")
    }

    pub(crate) fn append(&self, log: &mut Log) -> Result<Appended, AppendError> {
        append_bytes(log, &self.bytes(0), self.epoch, Origin::Client)
    }

    /// The batch is appended as new.
    pub(crate) fn push(&self, log: &mut Log) -> Appended {
        let appended = self.append(log).expect("is appended");
        assert!(appended.duplicate.is_none());
        appended
    }
}

pub(crate) fn append_bytes(
    log: &mut Log,
    bytes: &[u8],
    epoch: i32,
    origin: Origin,
) -> Result<Appended, AppendError> {
    let view = BatchView::parse(bytes).expect("a batch");
    log.append(LeaderBatch {
        header: *view.header(),
        payload: &bytes[HEADER_SIZE..],
        epoch: LeaderEpoch(epoch),
        origin,
        now: WallMillis(T0),
    })
}

pub(crate) fn marker(id: i64, epoch: i16, result: TxnResult) -> Vec<u8> {
    let marker = EndTxnMarker {
        result,
        coordinator_epoch: 0,
    };
    let time = WallMillis(T0);
    let builder = marker.batch(time, ProducerId(id), ProducerEpoch(epoch), LeaderEpoch(0));
    builder.build(&mut Compressor::new()).expect("fits")
}

pub(crate) fn end_txn(log: &mut Log, id: i64, epoch: i16, result: TxnResult) -> Appended {
    append_bytes(log, &marker(id, epoch, result), 0, Origin::Coordinator).expect("is appended")
}

/// All bytes that a reader gets from `from` on, by reads of at most `max` bytes; each read continues where whole
/// batches ended. Returns base offset and bytes of each batch.
pub(crate) fn read_all(log: &Log, from: i64, max: u32) -> Vec<(i64, Vec<u8>)> {
    read_upto(log, from, log.end().0, max)
}

pub(crate) fn read_upto(log: &Log, from: i64, upto: i64, max: u32) -> Vec<(i64, Vec<u8>)> {
    let mut next = Offset(from);
    let mut found = Vec::new();
    while let Some(slice) = log.read(next, Offset(upto), max, true).expect("readable") {
        let mut bytes = vec![0; usize::try_from(slice.len).expect("small")];
        slice
            .file
            .read_exact_at(&mut bytes, slice.position)
            .expect("the slice is there");
        let before = next;
        for batch in Batches::new(&bytes) {
            assert!(
                batch.next_offset() > next,
                "a batch that ends before what was asked"
            );
            assert!(
                batch.next_offset() <= Offset(upto),
                "a batch above the limit"
            );
            batch.verify_crc().expect("right bytes");
            next = batch.next_offset();
            found.push((batch.base_offset().0, batch.bytes().to_vec()));
        }
        assert!(next > before, "every read makes progress");
    }
    found
}

/// Base offsets of all batches.
pub(crate) fn bases(log: &Log) -> Vec<i64> {
    read_all(log, log.start().0, 1 << 20)
        .into_iter()
        .map(|(base, _)| base)
        .collect()
}

pub(crate) fn flush(log: &mut Log, disk: &dyn Disk) -> std::io::Result<()> {
    let Some(work) = log.flush_work().map_err(std::io::Error::other)? else {
        return Ok(());
    };
    let synced = disk
        .sync_files(&work.files)
        .and_then(|()| work.dirs.iter().try_for_each(|dir| disk.sync_dir(dir)));
    match synced {
        Ok(()) => log.flushed(work.upto),
        Err(_) => log.flush_failed(),
    }
    synced
}
