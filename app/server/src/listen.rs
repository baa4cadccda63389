//! Accepting connections and starting their tasks.

use std::io;
use std::net::TcpStream as StdTcpStream;
use std::sync::Arc;
use std::time::Duration;

use ottla_env::spawn_connection;
use ottla_net::{ConnectionCounter, ConnectionPermit, prepare};
use tokio::net::{TcpListener, TcpStream};

use crate::connection::Connection;
use crate::node::Node;
use crate::session::{ListenerInfo, Session};

/// Wait after a failed accept, such as for want of descriptors: trying again at once would only burn CPU.
const ACCEPT_BACKOFF: Duration = Duration::from_millis(20);

/// Name of a peer that did not say who it is.
const ANONYMOUS: &str = "User:ANONYMOUS";

/// A connection that may be served, by any worker.
pub(crate) struct Admitted {
    stream: StdTcpStream,
    session: Session,
    permit: ConnectionPermit,
}

impl Admitted {
    /// The task of the connection, on the present worker.
    pub(crate) fn connect(self, node: &Arc<Node>) -> io::Result<Connection> {
        let Self {
            stream,
            session,
            permit,
        } = self;
        let stream = TcpStream::from_std(stream)?;
        let session = Arc::new(session);
        Ok(Connection::new(Arc::clone(node), session, stream, permit))
    }
}

/// The next connection that is not turned away.
pub(crate) async fn accept(
    listener: &TcpListener,
    info: &Arc<ListenerInfo>,
    counter: &Arc<ConnectionCounter>,
) -> Admitted {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => match admit(info, counter, stream) {
                Ok(admitted) => return admitted,
                Err(error) => tracing::debug!(%error, "connection turned away"),
            },
            Err(error) => {
                tracing::warn!(listener = info.name, %error, "accept failed");
                tokio::time::sleep(ACCEPT_BACKOFF).await;
            }
        }
    }
}

fn admit(
    info: &Arc<ListenerInfo>,
    counter: &Arc<ConnectionCounter>,
    stream: TcpStream,
) -> io::Result<Admitted> {
    let peer = prepare(&stream)?;
    let permit = counter.admit(peer.ip()).map_err(io::Error::other)?;
    let session = Session {
        peer,
        listener: Arc::clone(info),
        principal: ANONYMOUS.into(),
    };
    Ok(Admitted {
        stream: stream.into_std()?,
        session,
        permit,
    })
}

/// Serves `listener` on the current thread until the task is dropped.
pub async fn serve(
    node: Arc<Node>,
    info: Arc<ListenerInfo>,
    counter: Arc<ConnectionCounter>,
    listener: TcpListener,
) {
    loop {
        let admitted = accept(&listener, &info, &counter).await;
        match admitted.connect(&node) {
            Ok(connection) => spawn_connection(connection),
            Err(error) => tracing::debug!(%error, "a connection was lost before it was served"),
        }
    }
}
