//! Validation of an uncompressed batch allocates nothing; of a compressed one nothing once its contexts are warm.
//!
//! zstd is left out: its context lives in C memory, which this counter does not see.

use super::{batch_of, validation::rules};
use ottla_records::codec::Compression;
use ottla_records::validate::{Scratch, validate_produce};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

#[expect(
    unsafe_code,
    reason = "an allocator that counts is the only way to see allocations"
)]
// SAFETY: every call is passed on to the system's allocator with the caller's own arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + 1));
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }
    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations_of(mut work: impl FnMut()) -> u64 {
    let before = ALLOCATIONS.get();
    work();
    ALLOCATIONS.get() - before
}

#[test]
fn validation_allocates_nothing_in_the_steady_state() {
    assert_ne!(
        allocations_of(|| drop(Box::new(1))),
        0,
        "the counter counts"
    );
    let mut scratch = Scratch::default();
    for codec in [
        Compression::None,
        Compression::Snappy,
        Compression::Lz4,
        Compression::Gzip,
    ] {
        let batch = batch_of(codec, 500);
        let mut validate = || drop(validate_produce(&batch, &rules(), &mut scratch).expect("good"));
        if codec != Compression::None {
            validate();
        }
        assert_eq!(allocations_of(validate), 0, "{codec}");
    }
}
