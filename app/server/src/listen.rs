//! Accepting connections and starting their tasks.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use ottla_env::spawn_connection;
use ottla_net::{ConnectionCounter, prepare};
use tokio::net::{TcpListener, TcpStream};

use crate::connection::Connection;
use crate::node::Node;
use crate::session::{ListenerInfo, Session};

/// Wait after a failed accept, such as for want of descriptors: trying again at once would only burn CPU.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(20);

/// Serves `listener` on the current worker until the task is dropped.
pub async fn serve(
    node: Arc<Node>,
    info: Arc<ListenerInfo>,
    counter: Arc<ConnectionCounter>,
    listener: TcpListener,
) {
    let principal: Arc<str> = "User:ANONYMOUS".into();
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                if let Err(error) = start(&node, &info, &counter, &principal, stream) {
                    tracing::debug!(%error, "connection turned away");
                }
            }
            Err(error) => {
                tracing::warn!(listener = info.name, %error, "accept failed");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
}

fn start(
    node: &Arc<Node>,
    info: &Arc<ListenerInfo>,
    counter: &Arc<ConnectionCounter>,
    principal: &Arc<str>,
    stream: TcpStream,
) -> io::Result<()> {
    let peer = prepare(&stream)?;
    let permit = counter.admit(peer.ip()).map_err(io::Error::other)?;
    let session = Session {
        peer,
        listener: Arc::clone(info),
        principal: Arc::clone(principal),
    };
    spawn_connection(Connection::new(
        Arc::clone(node),
        Arc::new(session),
        stream,
        permit,
    ));
    Ok(())
}
