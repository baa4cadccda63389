//! What the tool asks of coordinators and leaders, with the words of Kafka's client for what fails.

use std::fmt;

use ottla_client::{Admin, Attempt, ClientError, CoordinatorKind};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::describe_producers_request::TopicRequest;
use ottla_protocol::messages::describe_producers_response::ProducerState;
use ottla_protocol::messages::metadata_request::MetadataRequestTopic;
use ottla_protocol::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic,
};
use ottla_protocol::messages::{
    DescribeProducersRequest, DescribeTransactionsRequest, InitProducerIdRequest,
    ListTransactionsRequest, MetadataRequest, WriteTxnMarkersRequest,
    describe_transactions_response, list_transactions_response,
};

/// Which transactions to list.
pub(super) struct Filter {
    /// Of these producers; all if empty.
    pub(super) producer_ids: Vec<i64>,
    /// Those that run longer, in milliseconds; all if negative.
    pub(super) duration: i64,
    /// Those whose transactional id matches.
    pub(super) pattern: Option<String>,
}

/// Asks every broker for the transactions that it coordinates.
pub(super) fn list(
    admin: &mut Admin,
    filter: &Filter,
) -> Result<Vec<(i32, list_transactions_response::TransactionState)>, String> {
    let request = ListTransactionsRequest {
        state_filters: Vec::new(),
        producer_id_filters: filter.producer_ids.clone(),
        duration_filter: filter.duration,
        transactional_id_pattern: filter.pattern.clone(),
    };
    let brokers = admin
        .retry("listTransactions(api=METADATA)", |admin| {
            let cluster = admin.cluster()?;
            let ids = cluster.brokers.iter().map(|broker| broker.broker_id);
            Ok(Attempt::Done(ids.collect::<Vec<i32>>()))
        })
        .map_err(|error| error.to_string())?;
    let mut found = Vec::new();
    for broker in brokers {
        let answer = admin.retry("listTransactions(api=LIST_TRANSACTIONS)", |admin| {
            let answer = admin.node(broker)?.ask(&request)?;
            if answer.error_code == ErrorCode::CoordinatorLoadInProgress.code() {
                return Ok(Attempt::Again(ClientError::refused(
                    answer.error_code,
                    None,
                )));
            }
            Ok(Attempt::Done(answer))
        });
        let answer = answer.map_err(|error| error.to_string())?;
        match ErrorCode::from_code(answer.error_code) {
            Some(ErrorCode::None) => {}
            Some(ErrorCode::CoordinatorNotAvailable) => {
                return Err(format!(
                    "ListTransactions request sent to broker {broker} failed because the \
                     coordinator is shutting down"
                ));
            }
            _ => {
                return Err(format!(
                    "ListTransactions request sent to broker {broker} failed with an unexpected \
                     exception"
                ));
            }
        }
        found.extend(
            answer
                .transaction_states
                .into_iter()
                .map(|state| (broker, state)),
        );
    }
    Ok(found)
}

/// The state of a transactional id, and who coordinates it.
pub(super) fn describe(
    admin: &mut Admin,
    id: &str,
) -> Result<(i32, describe_transactions_response::TransactionState), String> {
    let request = DescribeTransactionsRequest {
        transactional_ids: vec![id.to_owned()],
    };
    let found = admin.retry("describeTransactions(api=FIND_COORDINATOR)", |admin| {
        let coordinator = admin.find_coordinator(CoordinatorKind::Transaction, id)?;
        let answer = admin.node(coordinator)?.ask(&request)?;
        let state = answer
            .transaction_states
            .into_iter()
            .next()
            .ok_or_else(|| ClientError::refused(-1, None))?;
        let again = [
            ErrorCode::CoordinatorLoadInProgress,
            ErrorCode::CoordinatorNotAvailable,
            ErrorCode::NotCoordinator,
        ];
        if again.iter().any(|error| error.code() == state.error_code) {
            return Ok(Attempt::Again(ClientError::refused(state.error_code, None)));
        }
        Ok(Attempt::Done((coordinator, state)))
    });
    let (coordinator, state) = found.map_err(|error| error.to_string())?;
    let failed = |why: &str| {
        Err(format!(
            "DescribeTransactions request for transactionalId `{id}` failed {why}"
        ))
    };
    match ErrorCode::from_code(state.error_code) {
        Some(ErrorCode::None) => Ok((coordinator, state)),
        Some(ErrorCode::TransactionalIdNotFound) => failed("because the ID could not be found"),
        Some(ErrorCode::TransactionalIdAuthorizationFailed) => {
            failed("due to authorization failure")
        }
        _ => failed("due to unexpected error"),
    }
}

/// Asks the leader of a partition, again and again while there is none; then says so as Kafka's client.
fn at_leader<T>(
    admin: &mut Admin,
    call: &str,
    topic: &str,
    index: i32,
    mut ask: impl FnMut(&mut Admin, i32) -> Result<Attempt<T>, ClientError>,
) -> Result<T, ClientError> {
    admin.retry(&format!("{call}(api=METADATA)"), |admin| {
        let request = MetadataRequest {
            topics: Some(vec![MetadataRequestTopic {
                name: Some(topic.to_owned()),
                ..MetadataRequestTopic::default()
            }]),
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        };
        let metadata = admin.first()?.ask(&request)?;
        let none = || ClientError::refused(ErrorCode::UnknownTopicOrPartition.code(), None);
        let found = metadata.topics.first().ok_or_else(none)?;
        ClientError::check(found.error_code, None)?;
        let partition = found
            .partitions
            .iter()
            .find(|partition| partition.partition_index == index)
            .ok_or_else(none)?;
        ClientError::check(partition.error_code, None)?;
        ask(admin, partition.leader_id)
    })
}

/// Who writes in a partition, as its leader or one of its replicas knows.
pub(super) fn producers(
    admin: &mut Admin,
    topic: &str,
    index: i32,
    broker: Option<i32>,
) -> Result<Vec<ProducerState>, ClientError> {
    let request = DescribeProducersRequest {
        topics: vec![TopicRequest {
            name: topic.to_owned(),
            partition_indexes: vec![index],
        }],
    };
    let ask = |admin: &mut Admin, node: i32| {
        let answer = admin.node(node)?.ask(&request)?;
        let partition = answer
            .topics
            .into_iter()
            .flat_map(|topic| topic.partitions)
            .next()
            .ok_or_else(|| ClientError::refused(-1, None))?;
        ClientError::check(partition.error_code, partition.error_message.as_deref())?;
        Ok(Attempt::Done(partition.active_producers))
    };
    match broker {
        Some(node) => admin.retry("describeProducers(api=DESCRIBE_PRODUCERS)", |admin| {
            ask(admin, node)
        }),
        None => at_leader(admin, "describeProducers", topic, index, ask),
    }
}

/// The marker that ends a transaction in one partition.
pub(super) struct Marker {
    pub(super) topic: String,
    pub(super) index: i32,
    pub(super) producer_id: i64,
    pub(super) producer_epoch: i16,
    pub(super) coordinator_epoch: i32,
}

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "AbortTransactionSpec(topicPartition={}-{}, producerId={}, producerEpoch={}, \
             coordinatorEpoch={})",
            self.topic, self.index, self.producer_id, self.producer_epoch, self.coordinator_epoch
        )
    }
}

/// Writes an abort marker.
pub(super) fn abort(admin: &mut Admin, marker: &Marker) -> Result<(), String> {
    let request = WriteTxnMarkersRequest {
        markers: vec![WritableTxnMarker {
            producer_id: marker.producer_id,
            producer_epoch: marker.producer_epoch,
            transaction_result: false,
            coordinator_epoch: marker.coordinator_epoch,
            topics: vec![WritableTxnMarkerTopic {
                name: marker.topic.clone(),
                partition_indexes: vec![marker.index],
            }],
            ..WritableTxnMarker::default()
        }],
    };
    let (topic, index) = (&marker.topic, marker.index);
    let code = at_leader(admin, "abortTransaction", topic, index, |admin, leader| {
        let answer = admin.node(leader)?.ask(&request)?;
        let code = answer
            .markers
            .iter()
            .flat_map(|marker| &marker.topics)
            .flat_map(|topic| &topic.partitions)
            .next()
            .map(|partition| partition.error_code)
            .ok_or_else(|| ClientError::refused(-1, None))?;
        let again = [
            ErrorCode::NotLeaderOrFollower,
            ErrorCode::ReplicaNotAvailable,
            ErrorCode::BrokerNotAvailable,
            ErrorCode::UnknownTopicOrPartition,
        ];
        if again.iter().any(|error| error.code() == code) {
            return Ok(Attempt::Again(ClientError::refused(code, None)));
        }
        Ok(Attempt::Done(code))
    })
    .map_err(|error| error.to_string())?;
    let failed = |why: &str| {
        Err(format!(
            "WriteTxnMarkers request with {marker} failed {why}"
        ))
    };
    match ErrorCode::from_code(code) {
        Some(ErrorCode::None) => Ok(()),
        Some(ErrorCode::ClusterAuthorizationFailed) => failed("due to cluster authorization error"),
        Some(ErrorCode::InvalidProducerEpoch) => failed("due an invalid producer epoch"),
        Some(ErrorCode::TransactionCoordinatorFenced) => failed(&format!(
            "since the provided coordinator epoch {} has been fenced by the active coordinator",
            marker.coordinator_epoch
        )),
        other => failed(&format!(
            "due to unexpected error: {}",
            other.map_or("Unexpected error code", ErrorCode::message)
        )),
    }
}

/// Ends the open transaction of a transactional id by fencing its producer.
pub(super) fn fence(admin: &mut Admin, id: &str) -> Result<(), ClientError> {
    let timeout = admin.config().request_timeout.as_millis();
    let request = InitProducerIdRequest {
        transactional_id: Some(id.to_owned()),
        transaction_timeout_ms: i32::try_from(timeout).unwrap_or(i32::MAX),
        producer_id: -1,
        producer_epoch: -1,
        ..InitProducerIdRequest::default()
    };
    admin.retry("fenceProducer(api=FIND_COORDINATOR)", |admin| {
        let coordinator = admin.find_coordinator(CoordinatorKind::Transaction, id)?;
        let answer = admin.node(coordinator)?.ask(&request)?;
        let again = [
            ErrorCode::CoordinatorLoadInProgress,
            ErrorCode::CoordinatorNotAvailable,
            ErrorCode::NotCoordinator,
            ErrorCode::ConcurrentTransactions,
        ];
        let code = answer.error_code;
        if again.iter().any(|error| error.code() == code) {
            return Ok(Attempt::Again(ClientError::refused(code, None)));
        }
        ClientError::check(code, None)?;
        Ok(Attempt::Done(()))
    })
}
