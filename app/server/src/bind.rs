//! Opens the sockets of `listeners`, before anything else can fail halfway.

use std::io::{self, ErrorKind};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, ToSocketAddrs as _};

use ottla_config::{BrokerConfig, Listener};
use ottla_net::{SocketOptions, bind};
use thiserror::Error;

use crate::session::ListenerRole;

/// Sockets of one listener: `localhost` may stand for an address of each family.
#[derive(Debug)]
pub(crate) struct BoundListener {
    /// With the port that was given, if it was 0.
    pub(crate) listener: Listener,
    pub(crate) role: ListenerRole,
    pub(crate) sockets: Vec<TcpListener>,
}

/// A listener cannot be opened. The text is for the user.
#[derive(Debug, Error)]
pub enum BindError {
    /// Somebody else has the port.
    #[error(
        "Socket server failed to bind to {host}:{port}: Address already in use. Another process listens \
         there; stop it, or choose another port in `listeners` ({listener})."
    )]
    InUse {
        /// Host of the listener.
        host: String,
        /// Port of the listener.
        port: u16,
        /// The listener as it is configured.
        listener: String,
    },
    /// The name has no address.
    #[error("the host of listener {listener} cannot be resolved: {source}")]
    Resolve {
        /// The listener as it is configured.
        listener: String,
        /// What the resolver says.
        source: io::Error,
    },
    /// Anything else.
    #[error("Socket server failed to bind to {host}:{port}: {source} (listener {listener})")]
    Io {
        /// Host of the listener.
        host: String,
        /// Port of the listener.
        port: u16,
        /// The listener as it is configured.
        listener: String,
        /// What the operating system says.
        source: io::Error,
    },
}

/// Opens every listener of the node.
pub(crate) fn bind_all(config: &BrokerConfig) -> Result<Vec<BoundListener>, BindError> {
    let buffer = |bytes: i32| usize::try_from(bytes).ok();
    let options = SocketOptions {
        backlog: config.network.socket_listen_backlog_size,
        send_buffer: buffer(config.network.socket_send_buffer_bytes),
        receive_buffer: buffer(config.network.socket_receive_buffer_bytes),
    };
    let broker = config.listeners.iter().map(|l| (l, ListenerRole::Broker));
    let controller = config.controller_listeners.iter();
    let controller = controller.map(|l| (l, ListenerRole::Controller));
    broker
        .chain(controller)
        .map(|(listener, role)| bind_one(listener, role, options))
        .collect()
}

fn bind_one(
    listener: &Listener,
    role: ListenerRole,
    options: SocketOptions,
) -> Result<BoundListener, BindError> {
    let mut port = listener.port;
    let mut sockets = Vec::new();
    let mut failure = None;
    for address in addresses(listener)? {
        match bind(SocketAddr::new(address, port), options) {
            Ok(socket) => {
                // Port 0: the other addresses get the same port.
                port = socket.local_addr().map_or(port, |bound| bound.port());
                sockets.push(socket);
                // All addresses of the machine, both families.
                if listener.host.is_none() {
                    break;
                }
            }
            // A family that this machine does not have is no reason to refuse the other.
            Err(error) if is_absent_family(&error) => failure = Some(error),
            Err(error) if listener.port == 0 && !sockets.is_empty() => failure = Some(error),
            Err(error) => return Err(refuse(listener, error)),
        }
    }
    match failure {
        Some(error) if sockets.is_empty() => Err(refuse(listener, error)),
        _ => Ok(BoundListener {
            listener: Listener {
                port,
                ..listener.clone()
            },
            role,
            sockets,
        }),
    }
}

/// The addresses to listen on, in order.
fn addresses(listener: &Listener) -> Result<Vec<IpAddr>, BindError> {
    let Some(host) = &listener.host else {
        // The first serves both families where there are both.
        return Ok(vec![
            Ipv6Addr::UNSPECIFIED.into(),
            Ipv4Addr::UNSPECIFIED.into(),
        ]);
    };
    let resolved = (host.as_str(), listener.port).to_socket_addrs();
    let resolved = resolved.map_err(|source| BindError::Resolve {
        listener: listener.to_string(),
        source,
    })?;
    let mut addresses: Vec<IpAddr> = resolved.map(|address| address.ip()).collect();
    addresses.sort_unstable();
    addresses.dedup();
    Ok(addresses)
}

fn is_absent_family(error: &io::Error) -> bool {
    const EAFNOSUPPORT: i32 = 97;
    error.kind() == ErrorKind::AddrNotAvailable || error.raw_os_error() == Some(EAFNOSUPPORT)
}

fn refuse(listener: &Listener, source: io::Error) -> BindError {
    let host = listener
        .host
        .clone()
        .unwrap_or_else(|| "0.0.0.0".to_owned());
    let (port, listener) = (listener.port, listener.to_string());
    match source.kind() {
        ErrorKind::AddrInUse => BindError::InUse {
            host,
            port,
            listener,
        },
        _ => BindError::Io {
            host,
            port,
            listener,
            source,
        },
    }
}

#[cfg(test)]
mod tests {
    use ottla_config::SecurityProtocol;

    use super::*;

    const OPTIONS: SocketOptions = SocketOptions {
        backlog: 10,
        send_buffer: None,
        receive_buffer: None,
    };

    fn listener(host: Option<&str>, port: u16) -> Listener {
        Listener {
            name: "PLAINTEXT".to_owned(),
            host: host.map(str::to_owned),
            port,
            protocol: SecurityProtocol::Plaintext,
        }
    }

    #[test]
    fn port_0_is_filled_in_for_all_addresses() {
        for host in [Some("localhost"), Some("127.0.0.1"), None] {
            let bound = bind_one(&listener(host, 0), ListenerRole::Broker, OPTIONS).unwrap();
            assert_ne!(bound.listener.port, 0);
            assert!(!bound.sockets.is_empty());
            for socket in &bound.sockets {
                assert_eq!(socket.local_addr().unwrap().port(), bound.listener.port);
            }
        }
    }

    #[test]
    fn busy_port_is_one_sentence_with_the_listener() {
        let first = bind_one(
            &listener(Some("127.0.0.1"), 0),
            ListenerRole::Broker,
            OPTIONS,
        );
        let port = first.as_ref().unwrap().listener.port;
        let second = bind_one(
            &listener(Some("127.0.0.1"), port),
            ListenerRole::Broker,
            OPTIONS,
        );
        let text = second.unwrap_err().to_string();
        assert!(text.contains("Address already in use"), "{text}");
        assert!(
            text.contains(&format!("PLAINTEXT://127.0.0.1:{port}")),
            "{text}"
        );
    }

    #[test]
    fn host_without_address_is_named() {
        let refused = bind_one(
            &listener(Some("no.such.invalid"), 0),
            ListenerRole::Broker,
            OPTIONS,
        );
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("PLAINTEXT://no.such.invalid:0"), "{text}");
    }
}
