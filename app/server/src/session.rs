//! Who is at the other end of a connection.

use std::net::SocketAddr;
use std::sync::Arc;

/// Which kind of listener a connection came in by; APIs are served on one kind, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListenerRole {
    /// A listener of the broker.
    Broker,
    /// A listener of the controller.
    Controller,
}

/// A listener as requests see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerInfo {
    /// Its name in `listeners`.
    pub name: String,
    /// Its kind.
    pub role: ListenerRole,
}

/// What is known of a peer. Every request carries it; security decides by it.
#[derive(Debug, Clone)]
pub struct Session {
    /// Where the peer is.
    pub peer: SocketAddr,
    /// How it came in.
    pub listener: Arc<ListenerInfo>,
    /// Name of the principal, `ANONYMOUS` without authentication.
    pub principal: Arc<str>,
}
