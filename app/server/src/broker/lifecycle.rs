//! The broker's life as the controller sees it: registered, fenced until it serves, heard of regularly,
//! and handing over its partitions before it stops (KIP-500, KIP-631).
//!
//! The controller that runs in the same process registers here as well (KIP-919). Decisions are the
//! controller's; this only asks.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use ottla_base::Uuid;
use ottla_config::{Listener, SecurityProtocol};
use ottla_controller::{BrokerRefusal, Refusal};
use ottla_env::run_local;
use ottla_metadata::features::supported;
use ottla_protocol::messages::{
    BrokerHeartbeatRequest, BrokerHeartbeatResponse, BrokerRegistrationRequest,
    ControllerRegistrationRequest, broker_registration_request, controller_registration_request,
};
use ottla_storage::LogDirs;
use tokio::sync::{Notify, oneshot};
use tokio::time::{Instant, sleep_until, timeout};

use crate::node::Node;
use crate::quorum::DecideError;

/// Version of BrokerRegistration that is sent.
const REGISTRATION_VERSION: i16 = 4;
/// Version of BrokerHeartbeat that is sent.
const HEARTBEAT_VERSION: i16 = 2;
/// Wait before a request is sent again that found no active controller.
const RETRY: Duration = Duration::from_millis(20);
/// Longest time for handing partitions over before the node stops all the same.
///
/// Kafka differs: it waits as long as it takes, and a node that cannot reach a controller is killed.
const CONTROLLED_SHUTDOWN_MAX: Duration = Duration::from_secs(5);

/// Who registers, and under which addresses.
pub(crate) struct Identity {
    pub(crate) node: Arc<Node>,
    pub(crate) dirs: Arc<LogDirs>,
    /// Addresses for clients, ports filled in.
    pub(crate) advertised: Vec<Listener>,
    /// Addresses for brokers and controllers, ports filled in.
    pub(crate) advertised_controller: Vec<Listener>,
    /// Identifies this process.
    pub(crate) incarnation: Uuid,
    /// Wakes when the next heartbeat has something to tell.
    pub(crate) changed: Arc<Notify>,
}

/// The thread that keeps the broker registered.
pub(crate) struct Lifecycle {
    stop: oneshot::Sender<()>,
    thread: JoinHandle<()>,
}

/// Why the broker is not part of the cluster.
#[derive(Debug, Clone, thiserror::Error)]
pub enum LifecycleError {
    /// The controller does not take it.
    #[error("the controller refused the registration of this broker: {0}")]
    Refused(DecideError),
    /// There was no answer in time.
    #[error(
        "the controller did not register this broker within {} ms \
         (initial.broker.registration.timeout.ms)",
        .0.as_millis()
    )]
    TimedOut(Duration),
    /// The node was told to stop.
    #[error("the node is stopping")]
    Stopping,
}

impl Lifecycle {
    /// Starts the thread. What is received is the answer to the first registration: given once the
    /// broker is registered and not fenced any more.
    pub(crate) fn start(
        identity: Identity,
    ) -> io::Result<(Self, Receiver<Result<(), LifecycleError>>)> {
        let (stop, stopped) = oneshot::channel();
        let (ready, is_ready) = sync_channel(1);
        let thread = ottla_env::spawn_thread("broker-lifecycle", move || {
            let life = Life {
                identity,
                stopped,
                is_stopped: false,
                ready: Some(ready),
                epoch: -1,
            };
            if let Err(error) = run_local(life.run()) {
                tracing::error!(%error, "the broker cannot send heartbeats");
            }
        })?;
        Ok((Self { stop, thread }, is_ready))
    }

    /// Hands over what the broker leads, and ends the thread.
    pub(crate) fn stop(self) {
        // The thread may have ended already.
        let _ = self.stop.send(());
        if self.thread.join().is_err() {
            tracing::error!("the thread of the broker's heartbeats has panicked");
        }
    }
}

struct Life {
    identity: Identity,
    stopped: oneshot::Receiver<()>,
    is_stopped: bool,
    ready: Option<SyncSender<Result<(), LifecycleError>>>,
    epoch: i64,
}

/// What a heartbeat asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Want {
    /// To stay fenced for now.
    Fence,
    Serve,
    ShutDown,
}

/// What a heartbeat came to.
enum Beat {
    Answered(BrokerHeartbeatResponse),
    /// The controller does not know this registration any more.
    Unknown,
    Failed,
}

impl Life {
    async fn run(mut self) {
        let config = self.identity.node.config();
        let millis = |ms: i32| Duration::from_millis(u64::try_from(ms).unwrap_or(0));
        let limit = millis(config.node.initial_registration_timeout_ms);
        let interval = millis(config.node.heartbeat_interval_ms).max(RETRY);
        match timeout(limit, self.register(true)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return self.tell(Err(error)),
            Err(_) => return self.tell(Err(LifecycleError::TimedOut(limit))),
        }
        let mut is_new = true;
        while !self.is_stopped {
            let next = match self.beat_in_turn(is_new).await {
                Beat::Answered(answer) if answer.is_fenced => RETRY,
                Beat::Answered(_) => {
                    is_new = false;
                    self.tell(Ok(()));
                    interval
                }
                Beat::Failed => RETRY,
                Beat::Unknown => {
                    is_new = true;
                    tracing::warn!("the controller has forgotten this broker; registering again");
                    if let Err(error) = self.register(false).await {
                        tracing::error!(%error, "this broker is not part of the cluster any more");
                    }
                    RETRY
                }
            };
            self.sleep(next).await;
        }
        if config.node.controlled_shutdown {
            self.hand_over().await;
        }
        self.tell(Err(LifecycleError::Stopping));
    }

    /// Tells whoever started the node; only once.
    fn tell(&mut self, answer: Result<(), LifecycleError>) {
        if let Some(ready) = self.ready.take() {
            drop(ready.send(answer)); // Nobody waits any more if the start was given up.
        }
    }

    /// Waits, or until there is something to tell or the node is to stop.
    async fn sleep(&mut self, wait: Duration) {
        let until = Instant::now() + wait;
        tokio::select! {
            biased;
            _ = &mut self.stopped => self.is_stopped = true,
            () = self.identity.changed.notified() => {}
            () = sleep_until(until) => {}
        }
    }

    /// Registers broker and controller, trying again while there is no active controller.
    async fn register(&mut self, with_controller: bool) -> Result<(), LifecycleError> {
        loop {
            let node = &self.identity.node;
            let with_controller = with_controller && node.static_config.roles.controller;
            let request = self.identity.broker_request();
            let broker = node
                .quorum
                .decide(REGISTRATION_VERSION, move |controller, ctx| {
                    controller.broker_registration(ctx, &request)
                });
            let controller = async {
                if with_controller {
                    self.identity.register_controller().await;
                }
            };
            // Both are queued before either is answered, so that one flush is enough for them.
            let ((), answer) = tokio::join!(biased; controller, broker);
            match answer {
                Ok(answer) => {
                    self.epoch = answer.broker_epoch;
                    tracing::info!(epoch = self.epoch, "registered with the controller");
                    return Ok(());
                }
                Err(error @ (DecideError::Refused(_) | DecideError::NotEncodable(_))) => {
                    return Err(LifecycleError::Refused(error));
                }
                Err(DecideError::Stopping) => return Err(LifecycleError::Stopping),
                Err(
                    DecideError::NotController
                    | DecideError::NoRoom
                    | DecideError::Busy
                    | DecideError::TimedOut,
                ) => {
                    self.sleep(RETRY).await;
                    if self.is_stopped {
                        return Err(LifecycleError::Stopping);
                    }
                }
            }
        }
    }

    /// A broker that is new tells of its directories while it still wants to be fenced, and then asks to serve: two
    /// records in the metadata log, in that order, as Apache Kafka writes them. Both requests are queued before either
    /// is answered, so that one flush is enough for them.
    async fn beat_in_turn(&self, is_new: bool) -> Beat {
        if !is_new {
            return self.beat(Want::Serve).await;
        }
        let (told, served) = tokio::join!(biased; self.beat(Want::Fence), self.beat(Want::Serve));
        match told {
            Beat::Answered(_) => served,
            Beat::Unknown | Beat::Failed => told,
        }
    }

    async fn beat(&self, want: Want) -> Beat {
        let Identity { node, dirs, .. } = &self.identity;
        let request = BrokerHeartbeatRequest {
            broker_id: node.id.0,
            broker_epoch: self.epoch,
            current_metadata_offset: node.image().offset.0,
            want_fence: want == Want::Fence,
            want_shut_down: want == Want::ShutDown,
            offline_log_dirs: dirs.offline_directory_ids(),
            cordoned_log_dirs: Some(Vec::new()),
        };
        let answer = node
            .quorum
            .decide(HEARTBEAT_VERSION, move |controller, ctx| {
                controller.broker_heartbeat(ctx, &request)
            });
        match answer.await {
            Ok(answer) => Beat::Answered(answer),
            Err(DecideError::Refused(Refusal::Broker(
                BrokerRefusal::NoRegistration(_) | BrokerRefusal::StaleEpoch { .. },
            ))) => Beat::Unknown,
            Err(error) => {
                tracing::debug!(%error, "a heartbeat was not answered");
                Beat::Failed
            }
        }
    }

    /// Asks to stop until the controller has found other leaders for what this broker leads, or given up.
    async fn hand_over(&self) {
        let done = async {
            loop {
                match self.beat(Want::ShutDown).await {
                    Beat::Answered(answer) if answer.should_shut_down => return,
                    Beat::Answered(_) => {}
                    Beat::Unknown => return,
                    Beat::Failed => tokio::time::sleep(RETRY).await,
                }
            }
        };
        if timeout(CONTROLLED_SHUTDOWN_MAX, done).await.is_err() {
            tracing::warn!("the controller did not let this broker stop in time");
        }
    }
}

/// Kafka's number of a security protocol.
fn protocol_id(protocol: SecurityProtocol) -> i16 {
    match protocol {
        SecurityProtocol::Plaintext => 0,
        SecurityProtocol::Ssl => 1,
        SecurityProtocol::SaslPlaintext => 2,
        SecurityProtocol::SaslSsl => 3,
    }
}

impl Identity {
    fn broker_request(&self) -> BrokerRegistrationRequest {
        let Self { node, dirs, .. } = self;
        BrokerRegistrationRequest {
            broker_id: node.id.0,
            cluster_id: node.cluster_id.clone(),
            incarnation_id: self.incarnation,
            listeners: self
                .advertised
                .iter()
                .map(|listener| broker_registration_request::Listener {
                    name: listener.name.clone(),
                    host: listener.host.clone().unwrap_or_default(),
                    port: listener.port,
                    security_protocol: protocol_id(listener.protocol),
                })
                .collect(),
            features: supported()
                .map(|(name, min, max)| broker_registration_request::Feature {
                    name: name.to_owned(),
                    min_supported_version: min,
                    max_supported_version: max,
                })
                .collect(),
            rack: node.static_config.node.rack.clone(),
            is_migrating_zk_broker: false,
            log_dirs: dirs.directory_ids(),
            previous_broker_epoch: dirs.previous_broker_epoch().map_or(-1, |epoch| epoch.0),
        }
    }

    async fn register_controller(&self) {
        let request = ControllerRegistrationRequest {
            controller_id: self.node.id.0,
            incarnation_id: self.incarnation,
            zk_migration_ready: false,
            listeners: self
                .advertised_controller
                .iter()
                .map(|listener| controller_registration_request::Listener {
                    name: listener.name.clone(),
                    host: listener.host.clone().unwrap_or_default(),
                    port: listener.port,
                    security_protocol: protocol_id(listener.protocol),
                })
                .collect(),
            features: supported()
                .map(
                    |(name, min, max)| controller_registration_request::Feature {
                        name: name.to_owned(),
                        min_supported_version: min,
                        max_supported_version: max,
                    },
                )
                .collect(),
        };
        let answer = self.node.quorum.decide(0, move |controller, _| {
            controller.controller_registration(&request)
        });
        if let Err(error) = answer.await {
            // Below metadata.version 15 there are no such registrations, and nothing needs them.
            tracing::debug!(%error, "the controller is not registered");
        }
    }
}
