//! What a round promises to those who wait for it.

use std::io::{self, IoSlice};
use std::path::Path;
use std::time::Duration;

use ottla_env::{Disk, OpenMode};
use ottla_sim::Fault;

use super::*;
use crate::test_support::World;

/// A file that grows by one byte a time and knows how far it was told to be durable.
struct Growing {
    file: Arc<dyn DiskFile>,
    path: PathBuf,
    dir: DirIndex,
    state: Mutex<GrowingState>,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct GrowingState {
    written: i64,
    durable: i64,
    failures: u32,
    named: bool,
    /// Why its flush cannot begin.
    unprepared: Option<io::ErrorKind>,
}

impl Growing {
    fn new(disk: &dyn Disk, path: &str, dir: DirIndex) -> Arc<Self> {
        Arc::new(Self {
            file: disk.open(Path::new(path), OpenMode::CreateNew).unwrap(),
            path: PathBuf::from(path),
            dir,
            state: Mutex::default(),
        })
    }

    fn grow(&self) {
        let mut state = self.state.lock();
        let at = u64::try_from(state.written).unwrap();
        self.file.write_all_at(&[IoSlice::new(b"x")], at).unwrap();
        state.written += 1;
    }

    fn state(&self) -> GrowingState {
        *self.state.lock()
    }
}

impl Flushable for Growing {
    fn dir(&self) -> DirIndex {
        self.dir
    }

    fn flush_work(&self) -> Result<Option<FlushWork>, StorageError> {
        let mut state = self.state.lock();
        if let Some(kind) = state.unprepared {
            return Err(StorageError::io("preparing", &self.path, kind.into()));
        }
        if state.written == state.durable || state.failures > 0 {
            return Ok(None);
        }
        let named = std::mem::replace(&mut state.named, true);
        let folder = self.path.parent().unwrap().to_owned();
        Ok(Some(FlushWork {
            files: vec![Arc::clone(&self.file)],
            dirs: if named { vec![] } else { vec![folder] },
            upto: Offset(state.written),
        }))
    }

    fn flush_done(&self, upto: Offset) {
        self.state.lock().durable = upto.0;
    }

    fn flush_failed(&self, _error: &StorageError) {
        self.state.lock().failures += 1;
    }
}

const DIRS: [&str; 2] = ["/a", "/b"];

fn flusher(world: &World, dirs: &Arc<LogDirs>) -> DirFlusher {
    DirFlusher::new(&world.env, dirs, DirIndex(0))
}

#[test]
fn round_takes_all_that_wait_and_tells_each_what_is_durable() {
    let world = World::new(&DIRS);
    let dirs = world.open(&DIRS);
    let flusher = flusher(&world, &dirs);
    let items: Vec<_> = (0..20)
        .map(|index| Growing::new(&world.disk, &format!("/a/{index}"), DirIndex(0)))
        .collect();
    for item in &items {
        item.grow();
        flusher.submit(Arc::<Growing>::clone(item));
    }
    items[3].grow();
    assert!(!dirs.any_flushed());
    let before = world.disk.operations();
    assert!(flusher.run_due(MonoTime(0)));
    assert_eq!(
        world.disk.operations() - before,
        21,
        "each file once, and their directory once"
    );
    for (index, item) in items.iter().enumerate() {
        assert_eq!(item.state().durable, if index == 3 { 2 } else { 1 });
    }
    assert!(dirs.any_flushed(), "recovery points are worth writing");
    assert!(!flusher.run_due(MonoTime(0)), "nothing is left");
    world.disk.crash(5);
    for index in 0..20 {
        let path = format!("/a/{index}");
        assert!(world.disk.stat(Path::new(&path)).unwrap().len > 0);
    }
}

#[test]
fn failed_flush_fails_the_whole_round_and_no_other() {
    // Whatever the reason: room that comes later does not bring back what was lost.
    let kinds = [io::ErrorKind::Other, io::ErrorKind::StorageFull];
    for (fault, kind) in (0..4).flat_map(|fault| kinds.map(|kind| (fault, kind))) {
        let world = World::new(&DIRS);
        let dirs = world.open(&DIRS);
        let flusher = flusher(&world, &dirs);
        let [early, a, b, c] = ["/a/early", "/a/1", "/a/2", "/a/3"]
            .map(|path| Growing::new(&world.disk, path, DirIndex(0)));
        early.grow();
        flusher.submit(Arc::<Growing>::clone(&early));
        flusher.run_due(MonoTime(0));
        for item in [&a, &b, &c] {
            item.grow();
            flusher.submit(Arc::<Growing>::clone(item));
        }
        // Three files and the directory: each of the four calls fails in its turn.
        world
            .disk
            .plan(world.disk.operations() + fault, Fault::Fail(kind));
        flusher.run_due(MonoTime(0));
        for item in [&a, &b, &c] {
            let state = item.state();
            let outcome = (state.durable, state.failures);
            assert_eq!(outcome, (0, 1), "fault {fault} {kind}");
        }
        let early = early.state();
        assert_eq!((early.durable, early.failures), (1, 0));
        assert!(!dirs.is_online(DirIndex(0)) && dirs.is_online(DirIndex(1)));
    }
}

#[test]
fn flush_that_finds_no_room_to_begin_is_tried_again_and_any_other_is_not() {
    for (kind, failures, online) in [
        (io::ErrorKind::StorageFull, 0, true),
        (io::ErrorKind::Other, 1, false),
    ] {
        let world = World::new(&DIRS);
        let dirs = world.open(&DIRS);
        let flusher = flusher(&world, &dirs);
        let item = Growing::new(&world.disk, "/a/1", DirIndex(0));
        item.grow();
        item.state.lock().unprepared = Some(kind);
        flusher.submit(Arc::<Growing>::clone(&item));
        let now = world.env.clock.mono();
        assert!(flusher.run_due(now));
        assert_eq!((item.state().durable, item.state().failures), (0, failures));
        assert_eq!(dirs.is_online(DirIndex(0)), online, "{kind}");
        item.state.lock().unprepared = None;
        assert_eq!(flusher.run_due(now.saturating_add(FULL_PAUSE)), online);
        assert_eq!(item.state().durable, i64::from(online), "{kind}");
    }
}

#[test]
fn what_has_a_deadline_waits_for_it() {
    let world = World::new(&DIRS);
    let dirs = world.open(&DIRS);
    let flusher = flusher(&world, &dirs);
    let [soon, late] = ["/a/1", "/a/2"].map(|path| Growing::new(&world.disk, path, DirIndex(0)));
    for (item, deadline) in [(&late, 200), (&soon, 100)] {
        item.grow();
        flusher.submit_by(Arc::<Growing>::clone(item), MonoTime(deadline));
    }
    assert!(!flusher.run_due(MonoTime(99)));
    assert!(flusher.run_due(MonoTime(100)));
    assert_eq!((soon.state().durable, late.state().durable), (1, 0));
    assert!(flusher.run_due(MonoTime(500)));
    assert_eq!(late.state().durable, 1);
}

#[test]
fn removed_directory_does_not_fail_the_round() {
    let world = World::new(&DIRS);
    let dirs = world.open(&DIRS);
    let flusher = flusher(&world, &dirs);
    world.disk.create_dir_all(Path::new("/a/t-0")).unwrap();
    let gone = Growing::new(&world.disk, "/a/t-0/1", DirIndex(0));
    let here = Growing::new(&world.disk, "/a/2", DirIndex(0));
    for item in [&gone, &here] {
        item.grow();
        flusher.submit(Arc::<Growing>::clone(item));
    }
    let to = Path::new("/a/t-0.delete");
    world.disk.rename(Path::new("/a/t-0"), to).unwrap();
    flusher.run_due(MonoTime(0));
    assert_eq!(here.state().durable, 1);
    assert!(dirs.is_online(DirIndex(0)));
}

#[test]
fn threads_flush_what_is_submitted_and_the_rest_when_they_stop() {
    let world = World::new(&DIRS);
    let dirs = world.open(&DIRS);
    let flusher = Flusher::start(&world.env, &dirs).unwrap();
    let items: Vec<_> = (0..8)
        .map(|index| {
            let dir = DirIndex(index % 2);
            let path = format!("{}/{index}", DIRS[usize::from(dir.0)]);
            Growing::new(&world.disk, &path, dir)
        })
        .collect();
    ottla_env::run_threads("submit", 4, &|thread| {
        for item in items.iter().skip(thread).step_by(4) {
            for _ in 0..50 {
                item.grow();
                flusher.submit(Arc::<Growing>::clone(item));
            }
        }
    });
    let hour = Duration::from_secs(3600);
    items[0].grow();
    let later = world.env.clock.mono().saturating_add(hour);
    flusher.submit_by(Arc::<Growing>::clone(&items[0]), later);
    flusher.stop();
    for item in &items {
        assert_eq!(item.state().durable, item.state().written);
    }
}
