//! One row for each API that this node serves. Dispatch and ApiVersions come from it, so what is not
//! served is not announced.

use std::sync::Arc;

use ottla_protocol::api::Versions;
use ottla_protocol::{ApiKey, Reader, messages};

use crate::handlers;
use crate::node::Node;
use crate::reply::{self, Close, PendingAnswer, ReplyTo};
use crate::session::{ListenerRole, Session};

/// One request, as its handler sees it.
#[derive(Clone)]
pub(crate) struct RequestContext {
    /// The node.
    pub(crate) node: Arc<Node>,
    /// Who asks.
    pub(crate) session: Arc<Session>,
    /// API asked for.
    pub(crate) api: ApiKey,
    /// Version of request and response.
    pub(crate) version: i16,
    /// Comes back in the response.
    pub(crate) correlation_id: i32,
    /// What the client calls itself.
    pub(crate) client_id: Option<Arc<str>>,
}

impl RequestContext {
    fn reply_to(&self) -> ReplyTo {
        ReplyTo {
            api: self.api,
            version: self.version,
            correlation_id: self.correlation_id,
        }
    }

    fn bad_body(&self) -> Close {
        Close::BadBody {
            api: self.api,
            version: self.version,
        }
    }
}

/// Decodes a body and starts its handler.
pub(crate) type Start = fn(RequestContext, &[u8]) -> Result<PendingAnswer, Close>;

/// How an API is served.
#[derive(Clone, Copy)]
pub(crate) enum How {
    /// By `handlers/produce.rs`, without a future.
    Produce,
    /// By `handlers/fetch.rs`, without a future.
    Fetch,
    /// By a handler's future.
    Handler(Start),
}

/// An API that is served.
pub(crate) struct ApiRow {
    pub(crate) key: ApiKey,
    /// Versions served.
    pub(crate) versions: Versions,
    /// Lowest version announced, where it is not the lowest served.
    pub(crate) announced_from: i16,
    pub(crate) broker: bool,
    pub(crate) controller: bool,
    pub(crate) how: How,
}

impl ApiRow {
    /// Whether the API is served on listeners of this kind.
    pub(crate) fn is_on(&self, role: ListenerRole) -> bool {
        match role {
            ListenerRole::Broker => self.broker,
            ListenerRole::Controller => self.controller,
        }
    }
}

const PRODUCE: ApiRow = ApiRow {
    key: ApiKey::Produce,
    versions: Versions { min: 3, max: 13 },
    // Some clients do not speak to a broker that does not announce the oldest versions (KAFKA-18659).
    announced_from: 0,
    broker: true,
    controller: false,
    how: How::Produce,
};

const FETCH: ApiRow = ApiRow {
    key: ApiKey::Fetch,
    versions: Versions { min: 4, max: 18 },
    announced_from: 4,
    broker: true,
    controller: false,
    how: How::Fetch,
};

macro_rules! api_table {
    ($($key:ident $min:literal..=$max:literal $request:ident $module:ident
        [broker: $broker:literal, controller: $controller:literal];)*) => {
        /// Every API that is served, by key.
        pub(crate) const API_TABLE: &[ApiRow] = &[PRODUCE, FETCH, $(ApiRow {
            key: ApiKey::$key,
            versions: Versions { min: $min, max: $max },
            announced_from: $min,
            broker: $broker,
            controller: $controller,
            how: How::Handler(|ctx, body| {
                // Bytes left over after the body are ignored, as in Kafka.
                let request = messages::$request::decode(&mut Reader::new(body), ctx.version)
                    .map_err(|error| {
                        tracing::debug!(api = ?ctx.api, %error, "request body is not valid");
                        ctx.bad_body()
                    })?;
                Ok(Box::pin(async move {
                    let response = handlers::$module::handle(&ctx, request).await;
                    let version = ctx.version;
                    reply::encode(ctx.reply_to(), |w| response.encode(w, version))
                }))
            }),
        },)*];
    };
}

api_table! {
    ListOffsets 1..=11 ListOffsetsRequest list_offsets [broker: true, controller: false];
    Metadata 0..=13 MetadataRequest metadata [broker: true, controller: false];
    OffsetCommit 2..=10 OffsetCommitRequest offset_commit [broker: true, controller: false];
    OffsetFetch 1..=10 OffsetFetchRequest offset_fetch [broker: true, controller: false];
    FindCoordinator 0..=6 FindCoordinatorRequest find_coordinator [broker: true, controller: false];
    JoinGroup 0..=9 JoinGroupRequest join_group [broker: true, controller: false];
    Heartbeat 0..=4 HeartbeatRequest heartbeat [broker: true, controller: false];
    LeaveGroup 0..=5 LeaveGroupRequest leave_group [broker: true, controller: false];
    SyncGroup 0..=5 SyncGroupRequest sync_group [broker: true, controller: false];
    DescribeGroups 0..=6 DescribeGroupsRequest describe_groups [broker: true, controller: false];
    ListGroups 0..=5 ListGroupsRequest list_groups [broker: true, controller: false];
    SaslHandshake 0..=1 SaslHandshakeRequest sasl_handshake [broker: true, controller: true];
    ApiVersions 0..=5 ApiVersionsRequest api_versions [broker: true, controller: true];
    CreateTopics 2..=7 CreateTopicsRequest create_topics [broker: true, controller: true];
    DeleteTopics 1..=6 DeleteTopicsRequest delete_topics [broker: true, controller: true];
    DeleteRecords 0..=2 DeleteRecordsRequest delete_records [broker: true, controller: false];
    InitProducerId 0..=5 InitProducerIdRequest init_producer_id [broker: true, controller: false];
    OffsetForLeaderEpoch 2..=4 OffsetForLeaderEpochRequest offset_for_leader_epoch
        [broker: true, controller: false];
    DescribeAcls 1..=3 DescribeAclsRequest describe_acls [broker: true, controller: true];
    CreateAcls 1..=3 CreateAclsRequest create_acls [broker: true, controller: true];
    DeleteAcls 1..=3 DeleteAclsRequest delete_acls [broker: true, controller: true];
    DescribeConfigs 1..=4 DescribeConfigsRequest describe_configs [broker: true, controller: true];
    AlterConfigs 0..=2 AlterConfigsRequest alter_configs [broker: true, controller: true];
    DescribeLogDirs 1..=5 DescribeLogDirsRequest describe_log_dirs [broker: true, controller: false];
    SaslAuthenticate 0..=2 SaslAuthenticateRequest sasl_authenticate
        [broker: true, controller: true];
    CreatePartitions 0..=3 CreatePartitionsRequest create_partitions [broker: true, controller: true];
    CreateDelegationToken 1..=3 CreateDelegationTokenRequest create_delegation_token
        [broker: true, controller: true];
    RenewDelegationToken 1..=2 RenewDelegationTokenRequest renew_delegation_token
        [broker: true, controller: true];
    ExpireDelegationToken 1..=2 ExpireDelegationTokenRequest expire_delegation_token
        [broker: true, controller: true];
    DescribeDelegationToken 1..=3 DescribeDelegationTokenRequest describe_delegation_token
        [broker: true, controller: true];
    DeleteGroups 0..=3 DeleteGroupsRequest delete_groups [broker: true, controller: false];
    ElectLeaders 0..=2 ElectLeadersRequest elect_leaders [broker: true, controller: true];
    IncrementalAlterConfigs 0..=1 IncrementalAlterConfigsRequest incremental_alter_configs
        [broker: true, controller: true];
    ListPartitionReassignments 0..=0 ListPartitionReassignmentsRequest list_partition_reassignments
        [broker: true, controller: true];
    OffsetDelete 0..=0 OffsetDeleteRequest offset_delete [broker: true, controller: false];
    DescribeClientQuotas 0..=1 DescribeClientQuotasRequest describe_client_quotas
        [broker: true, controller: false];
    DescribeUserScramCredentials 0..=0 DescribeUserScramCredentialsRequest
        describe_user_scram_credentials [broker: true, controller: true];
    DescribeQuorum 0..=2 DescribeQuorumRequest describe_quorum [broker: true, controller: true];
    UpdateFeatures 0..=2 UpdateFeaturesRequest update_features [broker: true, controller: true];
    DescribeCluster 0..=2 DescribeClusterRequest describe_cluster [broker: true, controller: true];
    DescribeProducers 0..=0 DescribeProducersRequest describe_producers
        [broker: true, controller: false];
    UnregisterBroker 0..=0 UnregisterBrokerRequest unregister_broker
        [broker: true, controller: true];
    ListConfigResources 0..=1 ListConfigResourcesRequest list_config_resources
        [broker: true, controller: false];
    DescribeTopicPartitions 0..=0 DescribeTopicPartitionsRequest describe_topic_partitions
        [broker: true, controller: false];
}

/// The row of an API, if it is served.
pub(crate) fn row(key: ApiKey) -> Option<&'static ApiRow> {
    API_TABLE
        .binary_search_by_key(&key, |row| row.key)
        .ok()
        .and_then(|at| API_TABLE.get(at))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_in_order_and_within_the_protocol() {
        assert!(API_TABLE.windows(2).all(|pair| pair[0].key < pair[1].key));
        for row in API_TABLE {
            let known = row.key.row();
            let versions = known.versions.expect("not a removed one");
            assert!(versions.min <= row.versions.min && row.versions.max <= versions.max);
            assert!(!row.broker || known.broker || row.key == ApiKey::ApiVersions);
            assert!(!row.controller || known.controller);
        }
    }
}
