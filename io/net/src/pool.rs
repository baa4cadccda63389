//! Buffers of one thread that are used again.
//!
//! A fresh page costs some 3 us, so a buffer of a megabyte is kept for the next large frame or answer.

use std::cell::RefCell;

/// Buffers kept by one thread; more are given back to the allocator.
const KEPT_MAX: usize = 16;
/// Largest buffer that is kept.
const KEPT_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Smallest buffer worth keeping.
const KEPT_BYTES_MIN: usize = 4 * 1024;

thread_local! {
    static KEPT: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty buffer with room for `bytes`, one that was kept if there is one.
#[must_use]
pub fn take(bytes: usize) -> Vec<u8> {
    let mut buffer = KEPT.with_borrow_mut(Vec::pop).unwrap_or_default();
    // A smaller one would not be kept, and the next answer would allocate again.
    buffer.reserve(bytes.max(KEPT_BYTES_MIN));
    buffer
}

/// Keeps a buffer for the next taker.
pub fn give(mut buffer: Vec<u8>) {
    if !(KEPT_BYTES_MIN..=KEPT_BYTES_MAX).contains(&buffer.capacity()) {
        return;
    }
    buffer.clear();
    // A thread that ends has lost its pool before its connections.
    let _ = KEPT.try_with(|kept| {
        let mut kept = kept.borrow_mut();
        if kept.len() < KEPT_MAX {
            kept.push(buffer);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_answer_leaves_a_buffer_for_the_next() {
        let mut buffer = take(0);
        buffer.extend_from_slice(b"answer");
        let address = buffer.as_ptr();
        give(buffer);
        let taken = take(0);
        assert_eq!(taken.as_ptr(), address);
    }

    #[test]
    fn buffers_are_used_again_up_to_a_bound() {
        let buffer = take(10_000);
        let address = buffer.as_ptr();
        give(buffer);
        let again = take(5_000);
        assert_eq!(again.as_ptr(), address);
        give(Vec::with_capacity(KEPT_BYTES_MAX + 1));
        for _ in 0..100 {
            give(Vec::with_capacity(KEPT_BYTES_MIN));
        }
        assert_eq!(KEPT.with_borrow(Vec::len), KEPT_MAX);
    }
}
