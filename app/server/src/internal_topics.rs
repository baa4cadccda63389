//! Topics that the brokers keep for themselves.

/// Committed offsets and group states.
pub(crate) const CONSUMER_OFFSETS: &str = "__consumer_offsets";
/// States of transactions.
pub(crate) const TRANSACTION_STATE: &str = "__transaction_state";
/// States of share groups.
pub(crate) const SHARE_GROUP_STATE: &str = "__share_group_state";

/// Whether only brokers may write to the topic.
pub(crate) fn is_internal(topic: &str) -> bool {
    matches!(
        topic,
        CONSUMER_OFFSETS | TRANSACTION_STATE | SHARE_GROUP_STATE
    )
}
