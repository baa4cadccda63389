//! The one place where threads and tasks start, because here it is decided what a panic means.
//!
//! A connection holds nothing that others rely on: its panic closes it and is counted. Any other
//! thread owns state that is then in doubt: its panic stops the process, and recovery does the rest.

use std::any::Any;
use std::cell::Cell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::process::abort;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::thread::{self, Builder, JoinHandle};

use tracing::error;

static CONNECTION_PANICS: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static IN_CONNECTION: Cell<bool> = const { Cell::new(false) };
}

/// Connections that were closed by a panic since the process started.
#[must_use]
pub fn connection_panics() -> u64 {
    CONNECTION_PANICS.load(Ordering::Relaxed)
}

fn text(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
}

/// Starts a thread whose panic stops the process.
///
/// # Errors
/// The operating system's, if it has no more threads.
pub fn spawn_thread(
    name: &str,
    body: impl FnOnce() + Send + 'static,
) -> io::Result<JoinHandle<()>> {
    let title = name.to_owned();
    Builder::new()
        .name(name.to_owned())
        .spawn(move || guarded(&title, body))
}

/// Stops the process if `body` panics.
fn guarded(thread: &str, body: impl FnOnce()) {
    if let Err(panic) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body)) {
        let panic = text(panic.as_ref());
        error!(thread, panic, "a thread panicked; stopping");
        abort();
    }
}

/// Runs `body` for each number below `count`, each on a thread of its own and one of them on the caller's;
/// returns when all are done. Where the system has no more threads, parts are run one after the other.
pub fn run_threads(name: &str, count: usize, body: &(dyn Fn(usize) + Sync)) {
    thread::scope(|scope| {
        for index in 1..count {
            let started = Builder::new()
                .name(name.to_owned())
                .spawn_scoped(scope, move || guarded(name, || body(index)));
            if started.is_err() {
                body(index);
            }
        }
        if count > 0 {
            body(0);
        }
    });
}

/// A future whose panic ends it alone.
struct Contained<F>(Pin<Box<F>>);

impl<F: Future<Output = ()>> Future for Contained<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let inner = &mut self.0;
        IN_CONNECTION.set(true);
        let polled =
            std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| inner.as_mut().poll(cx)));
        IN_CONNECTION.set(false);
        polled.unwrap_or_else(|panic| {
            CONNECTION_PANICS.fetch_add(1, Ordering::Relaxed);
            error!(
                panic = text(panic.as_ref()),
                "a connection panicked and is closed"
            );
            Poll::Ready(())
        })
    }
}

/// Starts the task of a connection on the current thread's [`tokio::task::LocalSet`]; a panic closes
/// that connection only.
pub fn spawn_connection(task: impl Future<Output = ()> + 'static) {
    drop(tokio::task::spawn_local(Contained(Box::pin(task))));
}

/// Whether the current thread runs a connection, for a panic hook that words its message by it.
#[must_use]
pub fn in_connection() -> bool {
    IN_CONNECTION.get()
}

/// Runs `main` to its end on a runtime of this thread alone; tasks that it starts run beside it.
///
/// # Errors
/// The operating system's, if it has no more descriptors for the runtime.
pub fn run_local<T>(main: impl Future<Output = T>) -> io::Result<T> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let tasks = tokio::task::LocalSet::new();
    Ok(tasks.block_on(&runtime, main))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn panic_of_a_connection_leaves_the_others_alone() {
        let before = connection_panics();
        let answer = run_local(async {
            let (tell, told) = tokio::sync::oneshot::channel();
            spawn_connection(async { panic!("a peer found a hole") });
            spawn_connection(async move { tell.send(7).expect("the other end waits") });
            told.await
        });
        assert_eq!(
            answer
                .expect("a runtime")
                .expect("the other connection lives"),
            7
        );
        assert_eq!(connection_panics(), before + 1);
    }
}
