//! The threads that serve connections: one accepts, the others each run theirs on a runtime of one thread.
//!
//! A connection lives on the worker that it was given, in turn, so that every worker has as many.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::thread::JoinHandle;

use ottla_env::{run_local, spawn_connection};
use ottla_net::ConnectionCounter;
use tokio::sync::{mpsc, oneshot};

use crate::bind::BoundListener;
use crate::listen::{Admitted, accept};
use crate::node::Node;
use crate::session::ListenerInfo;

/// Connections on their way to one worker. When it is that far behind, no more are accepted; they wait
/// in the backlog of the operating system.
const HANDED_OVER_MAX: usize = 256;

/// The threads.
pub(crate) struct Workers {
    stop: oneshot::Sender<()>,
    threads: Vec<JoinHandle<()>>,
}

/// Number of workers: as configured, or one for each processor.
pub(crate) fn count(configured: i32) -> usize {
    match usize::try_from(configured) {
        Ok(count) if count > 0 => count,
        _ => std::thread::available_parallelism().map_or(1, usize::from),
    }
}

impl Workers {
    /// Begins to accept connections and to serve them.
    ///
    /// # Errors
    /// The operating system's, if it has no more threads.
    pub(crate) fn start(
        node: &Arc<Node>,
        counter: &Arc<ConnectionCounter>,
        listeners: Vec<BoundListener>,
        count: usize,
    ) -> io::Result<Self> {
        let mut threads = Vec::new();
        let mut queues = Vec::new();
        for index in 0..count {
            let (queue, connections) = mpsc::channel(HANDED_OVER_MAX);
            queues.push(queue);
            let node = Arc::clone(node);
            threads.push(ottla_env::spawn_thread(
                &format!("worker-{index}"),
                move || report(run_local(work(node, connections))),
            )?);
        }
        let (stop, stopped) = oneshot::channel();
        let counter = Arc::clone(counter);
        threads.push(ottla_env::spawn_thread("acceptor", move || {
            report(run_local(accept_all(counter, listeners, queues, stopped)));
        })?);
        Ok(Self { stop, threads })
    }

    /// Accepts no more and closes every connection.
    pub(crate) fn stop(self) {
        // The acceptor may have ended already.
        let _ = self.stop.send(());
        for thread in self.threads {
            if thread.join().is_err() {
                tracing::error!("a worker has panicked");
            }
        }
    }
}

fn report(result: io::Result<()>) {
    if let Err(error) = result {
        tracing::error!(%error, "a worker cannot serve connections");
    }
}

/// Serves what the acceptor hands over; ends, and closes every connection, when that ends.
async fn work(node: Arc<Node>, mut connections: mpsc::Receiver<Admitted>) {
    while let Some(admitted) = connections.recv().await {
        match admitted.connect(&node) {
            Ok(connection) => spawn_connection(connection),
            Err(error) => tracing::debug!(%error, "a connection was lost before it was served"),
        }
    }
}

async fn accept_all(
    counter: Arc<ConnectionCounter>,
    listeners: Vec<BoundListener>,
    queues: Vec<mpsc::Sender<Admitted>>,
    stopped: oneshot::Receiver<()>,
) {
    for bound in listeners {
        let info = Arc::new(ListenerInfo {
            name: bound.listener.name.clone(),
            role: bound.role,
        });
        for socket in bound.sockets {
            spawn_connection(accept_on(
                socket,
                Arc::clone(&info),
                Arc::clone(&counter),
                queues.clone(),
            ));
        }
    }
    drop(queues);
    // Dropped or told, it is over; the tasks end with the runtime, and with them the queues.
    drop(stopped.await);
}

async fn accept_on(
    socket: TcpListener,
    info: Arc<ListenerInfo>,
    counter: Arc<ConnectionCounter>,
    queues: Vec<mpsc::Sender<Admitted>>,
) {
    let listener = match tokio::net::TcpListener::from_std(socket) {
        Ok(listener) => listener,
        Err(error) => {
            tracing::error!(listener = info.name, %error, "a listener cannot accept connections");
            return;
        }
    };
    for queue in queues.iter().cycle() {
        let admitted = accept(&listener, &info, &counter).await;
        if queue.send(admitted).await.is_err() {
            return;
        }
    }
}
