//! The schemas of the records that Kafka keeps in logs, as text, for tools that show records by them.

/// Control records, and what members of classic groups say.
pub const COMMON: &str = include_str!("../schemas/common.txt");
/// Records of `__consumer_offsets`.
pub const GROUP: &str = include_str!("../schemas/group.txt");
/// Records of the metadata log.
pub const METADATA: &str = include_str!("../schemas/metadata.txt");
/// Records of `__share_group_state`.
pub const SHARE: &str = include_str!("../schemas/share.txt");
/// Records of `__transaction_state`.
pub const TRANSACTION: &str = include_str!("../schemas/transaction.txt");
