//! A cluster as administration sees it: its nodes, who of them has to be asked, and asking again.

use std::collections::BTreeMap;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ottla_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::*;
use ottla_protocol::{ApiKey, ErrorCode};

use crate::api::Call;
use crate::config::{Bootstrap, ClientConfig};
use crate::connection::Connection;
use crate::error::{ClientError, Result};

/// Whose coordinator is looked for; the `KeyType` of FindCoordinator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CoordinatorKind {
    /// Of a group.
    Group = 0,
    /// Of a transactional id.
    Transaction = 1,
}

/// What one try of a call came to.
#[derive(Debug)]
pub enum Attempt<T> {
    /// The answer.
    Done(T),
    /// Not this time. The call is tried again until its time is over, and then fails with this.
    Again(ClientError),
}

/// A cluster.
#[derive(Debug)]
pub struct Admin {
    config: ClientConfig,
    bootstrap: Vec<(String, SocketAddr)>,
    /// A connection to whichever node of the bootstrap list answered.
    first: Option<Connection>,
    connections: BTreeMap<i32, Connection>,
    cluster: Option<DescribeClusterResponse>,
}

impl Admin {
    /// Takes the settings; connects when it is asked something.
    ///
    /// # Errors
    /// [`ClientError::Config`] if no address of the bootstrap list can be resolved.
    pub fn new(config: ClientConfig) -> Result<Self> {
        Ok(Self {
            bootstrap: config.resolve()?,
            config,
            first: None,
            connections: BTreeMap::new(),
            cluster: None,
        })
    }

    /// The settings.
    #[must_use]
    pub const fn config(&self) -> &ClientConfig {
        &self.config
    }

    /// Asks any node.
    ///
    /// `call` is the name that Kafka's admin client gives the call, such as `listTopics`; it stands in
    /// the text of a timeout.
    ///
    /// # Errors
    /// [`ClientError`], after retries until `default.api.timeout.ms` where a retry can help.
    pub fn ask<C: Call>(&mut self, call: &str, request: &C) -> Result<C::Response> {
        self.retry(call, |admin| admin.any()?.ask(request).map(Attempt::Done))
    }

    /// Asks the node that stands for the controller: the one that Metadata names.
    ///
    /// # Errors
    /// As [`Admin::ask`].
    pub fn ask_controller<C: Call>(&mut self, call: &str, request: &C) -> Result<C::Response> {
        self.retry(call, |admin| {
            let controller = admin.cluster()?.controller_id;
            admin.node(controller)?.ask(request).map(Attempt::Done)
        })
    }

    /// Asks one node.
    ///
    /// # Errors
    /// As [`Admin::ask`]; [`ClientError::Timeout`] if the cluster has no such node all the time.
    pub fn ask_node<C: Call>(&mut self, call: &str, node: i32, request: &C) -> Result<C::Response> {
        self.retry(call, |admin| {
            admin.node(node)?.ask(request).map(Attempt::Done)
        })
    }

    /// Asks the coordinator of a key. `refusal` gives the error code of the whole answer, if it has one,
    /// so that a coordinator that has moved or is loading is asked again.
    ///
    /// # Errors
    /// As [`Admin::ask`].
    pub fn ask_coordinator<C: Call>(
        &mut self,
        call: &str,
        kind: CoordinatorKind,
        key: &str,
        request: &C,
        refusal: impl Fn(&C::Response) -> i16,
    ) -> Result<C::Response> {
        self.retry(call, |admin| {
            let coordinator = admin.find_coordinator(kind, key)?;
            let answer = admin.node(coordinator)?.ask(request)?;
            let code = refusal(&answer);
            let again = [
                ErrorCode::CoordinatorLoadInProgress,
                ErrorCode::CoordinatorNotAvailable,
                ErrorCode::NotCoordinator,
            ];
            if again.iter().any(|error| error.code() == code) {
                return Ok(Attempt::Again(ClientError::refused(code, None)));
            }
            Ok(Attempt::Done(answer))
        })
    }

    /// The node that coordinates a key.
    ///
    /// # Errors
    /// What the node said.
    pub fn find_coordinator(&mut self, kind: CoordinatorKind, key: &str) -> Result<i32> {
        let connection = self.first()?;
        let version = connection.version::<FindCoordinatorRequest>()?;
        let mut request = FindCoordinatorRequest {
            key_type: kind as i8,
            ..FindCoordinatorRequest::default()
        };
        if version >= 4 {
            request.coordinator_keys = vec![key.to_owned()];
        } else {
            request.key = key.to_owned();
        }
        let answer = connection.exchange(&request, version)?;
        if version < 4 {
            ClientError::check(answer.error_code, answer.error_message.as_deref())?;
            return Ok(answer.node_id);
        }
        let found = answer
            .coordinators
            .first()
            .ok_or_else(|| ClientError::refused(ErrorCode::CoordinatorNotAvailable.code(), None))?;
        ClientError::check(found.error_code, found.error_message.as_deref())?;
        Ok(found.node_id)
    }

    /// Topics with partitions and leaders; all topics for `None`. Creates none.
    ///
    /// # Errors
    /// As [`Admin::ask`]. What is wrong with a single topic stands in its entry.
    pub fn metadata(&mut self, call: &str, topics: Option<&[String]>) -> Result<MetadataResponse> {
        let mut request = MetadataRequest {
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        request.topics = topics.map(|names| {
            let entry = |name: &String| MetadataRequestTopic {
                name: Some(name.clone()),
                ..MetadataRequestTopic::default()
            };
            names.iter().map(entry).collect()
        });
        self.ask(call, &request)
    }

    /// The nodes of the cluster, its id and its controller, as they were when first asked.
    ///
    /// # Errors
    /// What the node said.
    pub fn cluster(&mut self) -> Result<&DescribeClusterResponse> {
        if self.cluster.is_none() {
            self.cluster = Some(self.describe_cluster(false)?);
        }
        Ok(self.cluster.as_ref().expect("it was set above"))
    }

    /// Asks for the nodes anew. Servers without DescribeCluster are asked for Metadata.
    ///
    /// # Errors
    /// What the node said.
    pub fn describe_cluster(&mut self, fenced: bool) -> Result<DescribeClusterResponse> {
        let kind = self.config.kind;
        let connection = self.first()?;
        let version = match connection.version::<DescribeClusterRequest>() {
            Ok(version) => version,
            Err(ClientError::UnsupportedApi { .. }) => return Self::nodes_of_metadata(connection),
            Err(error) => return Err(error),
        };
        let mut request = DescribeClusterRequest::default();
        if kind == Bootstrap::Controllers {
            request.endpoint_type = 2;
        }
        request.include_fenced_brokers = fenced;
        let answer = connection.exchange(&request, version)?;
        ClientError::check(answer.error_code, answer.error_message.as_deref())?;
        Ok(answer)
    }

    fn nodes_of_metadata(connection: &mut Connection) -> Result<DescribeClusterResponse> {
        let request = MetadataRequest {
            topics: Some(Vec::new()),
            ..MetadataRequest::default()
        };
        let answer = connection.ask(&request)?;
        let mut out = DescribeClusterResponse {
            cluster_id: answer.cluster_id.unwrap_or_default(),
            controller_id: answer.controller_id,
            ..DescribeClusterResponse::default()
        };
        for broker in answer.brokers {
            let node = DescribeClusterBroker {
                broker_id: broker.node_id,
                host: broker.host,
                port: broker.port,
                rack: broker.rack,
                ..DescribeClusterBroker::default()
            };
            out.brokers.push(node);
        }
        Ok(out)
    }

    /// Tries a call until it is done, refused for good, or out of time.
    ///
    /// # Errors
    /// The refusal, if trying again cannot help; [`ClientError::Timeout`] if the time is over.
    pub fn retry<T>(
        &mut self,
        call: &str,
        mut attempt: impl FnMut(&mut Self) -> Result<Attempt<T>>,
    ) -> Result<T> {
        let deadline = Instant::now() + self.config.api_timeout;
        let deadline_ms = now_ms().saturating_add(self.config.api_timeout.as_millis());
        let (mut pause, longest) = self.config.retry_backoff;
        let mut tries = 0_u64;
        loop {
            let error = match attempt(self) {
                Ok(Attempt::Done(answer)) => return Ok(answer),
                Ok(Attempt::Again(error)) => error,
                Err(error) if error.is_retriable() => error,
                Err(error) => return Err(error),
            };
            if matches!(
                error,
                ClientError::Disconnected(_) | ClientError::Timeout(_)
            ) {
                self.first = None;
                self.connections.clear();
            }
            // Who leads, controls or coordinates may have changed.
            self.cluster = None;
            tries = tries.saturating_add(1);
            if Instant::now() + pause >= deadline {
                let now_ms = now_ms();
                let times = Times {
                    deadline_ms,
                    tries,
                    next_ms: now_ms.saturating_add(pause.as_millis()),
                    now_ms,
                };
                return Err(out_of_time(call, error, times));
            }
            sleep(pause);
            pause = (pause * 2).min(longest.max(Duration::from_millis(1)));
        }
    }

    /// A connection to any node that serves what was asked for: brokers, or controllers.
    ///
    /// # Errors
    /// If none of them answers, or a broker stands where a controller was looked for.
    pub fn any(&mut self) -> Result<&mut Connection> {
        if self.config.kind == Bootstrap::Controllers {
            // Only this tells a controller from a broker.
            self.cluster()?;
        }
        self.first()
    }

    /// A connection to any node of the bootstrap list.
    ///
    /// # Errors
    /// If none of them answers.
    pub fn first(&mut self) -> Result<&mut Connection> {
        if self.first.is_none() {
            let mut failed = None;
            for (name, address) in &self.bootstrap {
                match self.open(*address) {
                    Ok(connection) => {
                        self.first = Some(connection);
                        break;
                    }
                    Err(error) => {
                        (self.config.warn)(&format!(
                            "Connection to node -1 ({}) could not be established. Node may not be \
                             available.",
                            spelled(name, *address)
                        ));
                        failed = Some(error);
                    }
                }
            }
            if let Some(error) = failed.filter(|_| self.first.is_none()) {
                return Err(error);
            }
        }
        let first = self
            .first
            .as_mut()
            .expect("an address was found, and it was set above");
        if self.config.kind == Bootstrap::Brokers {
            // Kafka's clients begin with it, and a controller does not serve it.
            first.version::<MetadataRequest>()?;
        }
        Ok(first)
    }

    /// A connection to one node.
    ///
    /// # Errors
    /// If the cluster does not have it, or it does not answer.
    pub fn node(&mut self, id: i32) -> Result<&mut Connection> {
        if !self.connections.contains_key(&id) {
            let cluster = self.cluster()?;
            let found = cluster.brokers.iter().find(|broker| broker.broker_id == id);
            let (host, port) = found
                .map(|broker| (broker.host.clone(), broker.port))
                .ok_or_else(|| ClientError::refused(ErrorCode::BrokerNotAvailable.code(), None))
                .map_err(|error| ClientError::Disconnected(error.to_string()))?;
            let port = u16::try_from(port).unwrap_or_default();
            let address = (host.as_str(), port)
                .to_socket_addrs()
                .ok()
                .and_then(|mut addresses| addresses.next())
                .ok_or_else(|| ClientError::Disconnected(format!("{host} is not known")))?;
            let connection = self.open(address).inspect_err(|_| {
                (self.config.warn)(&format!(
                    "Connection to node {id} ({}) could not be established. Node may not be \
                     available.",
                    spelled(&format!("{host}:{port}"), address)
                ));
            })?;
            self.connections.insert(id, connection);
        }
        Ok(self.connections.get_mut(&id).expect("it was set above"))
    }

    fn open(&self, address: SocketAddr) -> Result<Connection> {
        Connection::open(address, &self.config.client_id, self.config.request_timeout)
    }
}

/// `localhost/127.0.0.1:9092`, as Java writes an address.
fn spelled(name: &str, address: SocketAddr) -> String {
    let host = name.rsplit_once(':').map_or(name, |(host, _)| host);
    if host == address.ip().to_string() {
        format!("/{address}")
    } else {
        format!("{host}/{address}")
    }
}

/// How long a call was tried, in milliseconds since 1970.
#[derive(Debug, Clone, Copy)]
struct Times {
    deadline_ms: u128,
    tries: u64,
    /// When it would have been tried again.
    next_ms: u128,
    now_ms: u128,
}

fn now_ms() -> u128 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_millis())
}

/// What Kafka's admin client says when a call has had its time.
fn out_of_time(call: &str, error: ClientError, times: Times) -> ClientError {
    match error {
        ClientError::Disconnected(_) => ClientError::Timeout(format!(
            "Timed out waiting for a node assignment. Call: {call}"
        )),
        // A server that itself had no time is a timeout already.
        ClientError::Refused { code, .. } if code != ErrorCode::RequestTimedOut => {
            let Times {
                deadline_ms,
                tries,
                next_ms,
                now_ms,
            } = times;
            ClientError::Timeout(format!(
                "Call(callName={call}, deadlineMs={deadline_ms}, tries={tries}, \
                 nextAllowedTryMs={next_ms}) timed out at {now_ms} after {tries} attempt(s)"
            ))
        }
        other => other,
    }
}

/// The APIs of a node that a client can ask.
impl Admin {
    /// Whether any node of the bootstrap list announces an API.
    ///
    /// # Errors
    /// If none of them answers.
    pub fn serves(&mut self, api: ApiKey) -> Result<bool> {
        let versions = self.first()?.versions();
        Ok(versions
            .api_keys
            .iter()
            .any(|row| row.api_key == api.code()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_ran_out_of_time_is_told_as_kafka_tells_it() {
        let times = Times {
            deadline_ms: 1000,
            tries: 3,
            next_ms: 1100,
            now_ms: 990,
        };
        let said = |error| out_of_time("findCoordinator", error, times);
        assert_eq!(
            said(ClientError::refused(
                ErrorCode::CoordinatorNotAvailable.code(),
                Some("not yet")
            )),
            ClientError::Timeout(
                "Call(callName=findCoordinator, deadlineMs=1000, tries=3, nextAllowedTryMs=1100) timed \
                 out at 990 after 3 attempt(s)"
                    .to_owned()
            )
        );
        assert_eq!(
            said(ClientError::Disconnected("gone".to_owned())),
            ClientError::Timeout(
                "Timed out waiting for a node assignment. Call: findCoordinator".to_owned()
            )
        );
        let own = ClientError::refused(ErrorCode::RequestTimedOut.code(), None);
        assert_eq!(said(own.clone()), own);
    }
}
