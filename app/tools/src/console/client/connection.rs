//! The part of a client that finds the cluster.

use std::time::Duration;

use krafka::{Kafka, KafkaBuilder, KrafkaError};
use tokio::time::{Instant, sleep};

use super::security::security;
use super::settings::{Settings, exception};

/// Pause before the first new attempt to reach the cluster, and the longest.
const RECONNECT: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(1));

/// What a connection needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Connection {
    servers: String,
    client_id: String,
    security: Option<krafka::auth::AuthConfig>,
    /// `request.timeout.ms`.
    pub(crate) request_timeout: Duration,
    connect_timeout: Duration,
    metadata_max_age: Duration,
    max_idle: Option<Duration>,
    send_buffer: Option<usize>,
    receive_buffer: Option<usize>,
    auto_create: bool,
}

impl Connection {
    /// Reads the keys that all clients share. `auto_create` says whether asking for a topic makes it.
    ///
    /// # Errors
    /// Kafka's exception for a value that cannot be used.
    pub(crate) fn new(settings: &Settings, auto_create: bool) -> Result<Self, String> {
        let servers = settings.text("bootstrap.servers").unwrap_or_default();
        check_servers(servers)?;
        let request_timeout = settings
            .millis("request.timeout.ms", 30_000)?
            .max(Duration::from_millis(1));
        let connect_timeout = settings.millis("socket.connection.setup.timeout.ms", 10_000)?;
        let idle = settings.long("connections.max.idle.ms", 540_000, i64::MIN)?;
        Ok(Self {
            servers: servers.to_owned(),
            client_id: settings.text("client.id").unwrap_or_default().to_owned(),
            security: security(settings)?,
            request_timeout,
            // The library wants room for a connection within a request's time.
            connect_timeout: connect_timeout
                .min(request_timeout)
                .max(Duration::from_millis(1)),
            metadata_max_age: settings.millis("metadata.max.age.ms", 300_000)?,
            max_idle: u64::try_from(idle).ok().map(Duration::from_millis),
            send_buffer: settings.buffer("send.buffer.bytes")?,
            receive_buffer: settings.buffer("receive.buffer.bytes")?,
            auto_create,
        })
    }

    /// `client.id`.
    pub(crate) fn client_id(&self) -> &str {
        &self.client_id
    }

    /// `metadata.max.age.ms`.
    pub(crate) const fn metadata_max_age(&self) -> Duration {
        self.metadata_max_age
    }

    fn builder(&self) -> KafkaBuilder {
        let mut builder = Kafka::builder(&self.servers)
            .client_id(&self.client_id)
            .request_timeout(self.request_timeout)
            .connect_timeout(self.connect_timeout)
            .metadata_max_age(self.metadata_max_age)
            .connections_max_idle(self.max_idle)
            .socket_send_buffer(self.send_buffer)
            .socket_receive_buffer(self.receive_buffer)
            .allow_auto_create_topics(self.auto_create);
        if let Some(security) = &self.security {
            builder = builder.security(security.clone());
        }
        builder
    }

    /// Reaches the cluster, trying again until `deadline`; without one for as long as it takes.
    ///
    /// # Errors
    /// What the last attempt ended with; an error that no new attempt can mend at once.
    pub(crate) async fn open(&self, deadline: Option<Instant>) -> Result<Kafka, KrafkaError> {
        let (mut pause, longest) = RECONNECT;
        loop {
            let attempt = self.builder().connect();
            let error = match deadline {
                None => attempt.await,
                Some(deadline) => match tokio::time::timeout_at(deadline, attempt).await {
                    Ok(result) => result,
                    Err(_) => Err(KrafkaError::timeout("metadata")),
                },
            };
            let error = match error {
                Ok(kafka) => return Ok(kafka),
                Err(error) => error,
            };
            let late = deadline.is_some_and(|deadline| Instant::now() + pause >= deadline);
            if !error.is_retriable() || late {
                if let Some(deadline) = deadline.filter(|_| error.is_retriable()) {
                    tokio::time::sleep_until(deadline).await;
                }
                return Err(error);
            }
            sleep(pause).await;
            pause = (pause * 2).min(longest);
        }
    }
}

/// Refuses a bootstrap list as Kafka's clients do.
fn check_servers(servers: &str) -> Result<(), String> {
    let mut any = false;
    for url in servers
        .split(',')
        .map(str::trim)
        .filter(|url| !url.is_empty())
    {
        any = true;
        let port = url
            .rsplit_once(':')
            .and_then(|(_, port)| port.parse::<u16>().ok());
        if port.is_none() {
            return Err(exception(&format!(
                "Invalid url in bootstrap.servers: {url}"
            )));
        }
    }
    if any {
        Ok(())
    } else {
        Err(exception(
            "No resolvable bootstrap urls given in bootstrap.servers",
        ))
    }
}
