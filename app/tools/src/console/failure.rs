//! What went wrong in the client library, in the words of Kafka's clients.

use krafka::KrafkaError;
use ottla_client::ClientError;
use ottla_protocol::ErrorCode;

/// The exception that Kafka's client throws, as Java prints it: `NAME: MESSAGE`.
pub(crate) fn to_java(error: &KrafkaError) -> String {
    let named =
        |name: &str, message: &str| format!("org.apache.kafka.common.errors.{name}: {message}");
    match error {
        KrafkaError::Broker { code, .. } => of_code(code.to_i16()),
        KrafkaError::Timeout { operation } => named("TimeoutException", operation),
        KrafkaError::DeliveryTimeout { message, .. } => named("TimeoutException", message),
        KrafkaError::Network(source) => named("NetworkException", &source.to_string()),
        KrafkaError::Auth { message, .. } => named("SaslAuthenticationException", message),
        KrafkaError::Serialization { message } => named("SerializationException", message),
        KrafkaError::UnknownTopic { topic } => named(
            "UnknownTopicOrPartitionException",
            &format!("Topic {topic} not present in metadata."),
        ),
        KrafkaError::Fenced { message } => named("ProducerFencedException", message),
        KrafkaError::TransactionAbortable { message } => {
            named("TransactionAbortableException", message)
        }
        KrafkaError::OutOfOrderSequence { message, .. } => {
            named("OutOfOrderSequenceException", message)
        }
        KrafkaError::NoOffset { partitions } => {
            let partitions: Vec<_> = partitions
                .iter()
                .map(|(topic, partition)| format!("{topic}-{partition}"))
                .collect();
            format!(
                "org.apache.kafka.clients.consumer.NoOffsetForPartitionException: Undefined offset \
                 with no reset policy for partitions: [{}]",
                partitions.join(", ")
            )
        }
        KrafkaError::Config { message } => {
            format!("org.apache.kafka.common.config.ConfigException: {message}")
        }
        KrafkaError::IllegalState { message } => {
            format!("java.lang.IllegalStateException: {message}")
        }
        other => format!("org.apache.kafka.common.KafkaException: {other}"),
    }
}

/// The exception of an error code of the protocol.
pub(crate) fn of_code(code: i16) -> String {
    ClientError::refused(code, None).to_java()
}

/// Why a record cannot be sent to `topic`, when what failed was looking for the topic. `None` if it was
/// something else.
pub(crate) fn of_lookup(error: &KrafkaError, topic: &str, waited_ms: u128) -> Option<String> {
    let code = match error {
        KrafkaError::Broker { code, .. } => ErrorCode::from_code(code.to_i16())?,
        KrafkaError::Timeout { operation } if !operation.contains("metadata") => return None,
        KrafkaError::Timeout { .. } | KrafkaError::Network(_) => ErrorCode::UnknownTopicOrPartition,
        _ => return None,
    };
    let text = match code {
        ErrorCode::UnknownTopicOrPartition | ErrorCode::LeaderNotAvailable => {
            return Some(not_present(topic, waited_ms));
        }
        ErrorCode::InvalidTopicException => format!("Invalid topics: [{topic}]"),
        ErrorCode::TopicAuthorizationFailed => {
            format!("Not authorized to access topics: [{topic}]")
        }
        _ => return None,
    };
    let name = ClientError::refused(code.code(), None).exception();
    Some(format!("{name}: {text}"))
}

/// What Kafka's producer says when a topic does not appear in time.
pub(crate) fn not_present(topic: &str, waited_ms: u128) -> String {
    format!(
        "org.apache.kafka.common.errors.TimeoutException: Topic {topic} not present in metadata after \
         {waited_ms} ms."
    )
}
