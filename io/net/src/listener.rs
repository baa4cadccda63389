//! Sockets that wait for connections, and handing what they accept to the workers.

use std::io;
use std::net::{SocketAddr, TcpListener};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::TcpStream;

/// Options of a listening socket, by Kafka's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketOptions {
    /// `socket.listen.backlog.size`.
    pub backlog: i32,
    /// `socket.send.buffer.bytes`; `None` for the system's (Kafka's -1).
    pub send_buffer: Option<usize>,
    /// `socket.receive.buffer.bytes`; `None` for the system's (Kafka's -1).
    pub receive_buffer: Option<usize>,
}

/// Opens a listening socket; port 0 lets the system choose.
///
/// # Errors
/// The operating system's, such as `AddrInUse`.
pub fn bind(address: SocketAddr, options: SocketOptions) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // A restarted node takes its port although old connections linger in TIME_WAIT.
    #[cfg(unix)]
    socket.set_reuse_address(true)?;
    if let Some(bytes) = options.send_buffer {
        socket.set_send_buffer_size(bytes)?;
    }
    if let Some(bytes) = options.receive_buffer {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(options.backlog)?;
    Ok(socket.into())
}

/// The machine's own name, for a listener that names none.
#[must_use]
pub fn host_name() -> String {
    let name = rustix::system::uname();
    name.nodename().to_string_lossy().into_owned()
}

/// Prepares an accepted connection.
///
/// # Errors
/// The operating system's, if the peer is gone already.
pub fn prepare(stream: &TcpStream) -> io::Result<SocketAddr> {
    stream.set_nodelay(true)?;
    stream.peer_addr()
}
