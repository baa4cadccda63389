//! Where the asynchronous client of the console tools runs: one thread, and the signals that end a tool.

use std::future::Future;

use tokio::signal::unix::{SignalKind, signal};

use super::log::ClientLog;

/// Runs a future on this thread. What the client library reports meanwhile appears as lines of a log of
/// the client `name`.
///
/// # Errors
/// If the host gives no runtime.
pub(crate) fn block_on<F: Future>(name: &str, future: F) -> Result<F::Output, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let dispatch = tracing::Dispatch::new(ClientLog::new(name));
    let _guard = tracing::dispatcher::set_default(&dispatch);
    Ok(runtime.block_on(future))
}

/// Waits for Ctrl-C or a request to end, and gives the exit code of a Java program that it ends.
pub(crate) async fn interrupted() -> u8 {
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        // Without handlers the signals end the program on their own.
        return std::future::pending().await;
    };
    tokio::select! {
        biased;
        _ = interrupt.recv() => 130,
        _ = terminate.recv() => 143,
    }
}
