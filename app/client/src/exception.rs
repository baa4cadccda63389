//! The name of the Java exception of an error code. Kafka's tools print it, and scripts look for it.

use ottla_protocol::ErrorCode;

/// Those whose exception is not named after the code.
const OTHERS: &[(ErrorCode, &str)] = &[
    (ErrorCode::UnknownServerError, "UnknownServerException"),
    (ErrorCode::CorruptMessage, "CorruptRecordException"),
    (ErrorCode::RequestTimedOut, "TimeoutException"),
    (ErrorCode::MessageTooLarge, "RecordTooLargeException"),
    (ErrorCode::StaleControllerEpoch, "ControllerMovedException"),
    (ErrorCode::OffsetMetadataTooLarge, "OffsetMetadataTooLarge"),
    (
        ErrorCode::RecordListTooLarge,
        "RecordBatchTooLargeException",
    ),
    (
        ErrorCode::TopicAuthorizationFailed,
        "TopicAuthorizationException",
    ),
    (
        ErrorCode::GroupAuthorizationFailed,
        "GroupAuthorizationException",
    ),
    (
        ErrorCode::ClusterAuthorizationFailed,
        "ClusterAuthorizationException",
    ),
    (ErrorCode::TopicAlreadyExists, "TopicExistsException"),
    (ErrorCode::InvalidConfig, "InvalidConfigurationException"),
    (
        ErrorCode::OutOfOrderSequenceNumber,
        "OutOfOrderSequenceException",
    ),
    (
        ErrorCode::DuplicateSequenceNumber,
        "DuplicateSequenceException",
    ),
    (
        ErrorCode::InvalidProducerIdMapping,
        "InvalidPidMappingException",
    ),
    (
        ErrorCode::InvalidTransactionTimeout,
        "InvalidTxnTimeoutException",
    ),
    (
        ErrorCode::TransactionalIdAuthorizationFailed,
        "TransactionalIdAuthorizationException",
    ),
    (ErrorCode::KafkaStorageError, "KafkaStorageException"),
    (
        ErrorCode::SaslAuthenticationFailed,
        "SaslAuthenticationException",
    ),
    (
        ErrorCode::DelegationTokenAuthDisabled,
        "DelegationTokenDisabledException",
    ),
    (
        ErrorCode::DelegationTokenRequestNotAllowed,
        "UnsupportedByAuthenticationException",
    ),
    (
        ErrorCode::DelegationTokenAuthorizationFailed,
        "DelegationTokenAuthorizationException",
    ),
    (ErrorCode::NonEmptyGroup, "GroupNotEmptyException"),
    (
        ErrorCode::PrincipalDeserializationFailure,
        "PrincipalDeserializationException",
    ),
    (
        ErrorCode::FetchSessionTopicIdError,
        "FetchSessionTopicIdException",
    ),
    (
        ErrorCode::InvalidRegularExpression,
        "InvalidRegularExpression",
    ),
];

/// The full name of the exception that Kafka's clients throw for `code`, such as
/// `org.apache.kafka.common.errors.TopicExistsException`.
#[must_use]
pub fn exception_name(code: ErrorCode) -> String {
    if code == ErrorCode::InvalidRecord {
        return "org.apache.kafka.common.InvalidRecordException".to_owned();
    }
    let name = OTHERS
        .iter()
        .find(|(other, _)| *other == code)
        .map_or_else(|| camel_case(code.name()), |(_, name)| (*name).to_owned());
    format!("org.apache.kafka.common.errors.{name}")
}

/// `UNKNOWN_TOPIC_ID` to `UnknownTopicIdException`.
fn camel_case(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 9);
    for word in name.split('_') {
        let mut letters = word.chars();
        out.extend(letters.next());
        out.extend(letters.map(|letter| letter.to_ascii_lowercase()));
    }
    if !out.ends_with("Exception") {
        out.push_str("Exception");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exceptions_have_the_names_that_java_gives_them() {
        let check = |code, name: &str| assert_eq!(exception_name(code), name);
        let errors = "org.apache.kafka.common.errors";
        check(
            ErrorCode::UnknownTopicOrPartition,
            &format!("{errors}.UnknownTopicOrPartitionException"),
        );
        check(
            ErrorCode::InvalidTopicException,
            &format!("{errors}.InvalidTopicException"),
        );
        check(
            ErrorCode::TopicAlreadyExists,
            &format!("{errors}.TopicExistsException"),
        );
        check(
            ErrorCode::InvalidRecord,
            "org.apache.kafka.common.InvalidRecordException",
        );
    }
}
