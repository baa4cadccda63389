//! Which requests can be asked: each with its answer.

use ottla_protocol::messages::*;
use ottla_protocol::reader::DecodeError;
use ottla_protocol::writer::EncodeError;
use ottla_protocol::{ApiKey, Reader, Writer};

/// A request with its answer.
pub trait Call {
    /// What comes back.
    type Response;
    /// API key.
    const API: ApiKey;

    /// Writes the body.
    ///
    /// # Errors
    /// If a value does not exist in the version.
    fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError>;

    /// Reads the answer's body.
    ///
    /// # Errors
    /// If the bytes are no such answer.
    fn decode(r: &mut Reader<'_>, version: i16) -> Result<Self::Response, DecodeError>;
}

macro_rules! calls {
    ($($api:ident: $request:ident => $response:ident;)*) => {
        $(impl Call for $request {
            type Response = $response;
            const API: ApiKey = ApiKey::$api;

            fn encode(&self, w: &mut Writer, version: i16) -> Result<(), EncodeError> {
                Self::encode(self, w, version)
            }

            fn decode(r: &mut Reader<'_>, version: i16) -> Result<$response, DecodeError> {
                $response::decode(r, version)
            }
        })*
    };
}

calls! {
    AddOffsetsToTxn: AddOffsetsToTxnRequest => AddOffsetsToTxnResponse;
    AddPartitionsToTxn: AddPartitionsToTxnRequest => AddPartitionsToTxnResponse;
    AddRaftVoter: AddRaftVoterRequest => AddRaftVoterResponse;
    AllocateProducerIds: AllocateProducerIdsRequest => AllocateProducerIdsResponse;
    AlterClientQuotas: AlterClientQuotasRequest => AlterClientQuotasResponse;
    AlterConfigs: AlterConfigsRequest => AlterConfigsResponse;
    AlterPartitionReassignments: AlterPartitionReassignmentsRequest => AlterPartitionReassignmentsResponse;
    AlterPartition: AlterPartitionRequest => AlterPartitionResponse;
    AlterReplicaLogDirs: AlterReplicaLogDirsRequest => AlterReplicaLogDirsResponse;
    AlterShareGroupOffsets: AlterShareGroupOffsetsRequest => AlterShareGroupOffsetsResponse;
    AlterUserScramCredentials: AlterUserScramCredentialsRequest => AlterUserScramCredentialsResponse;
    ApiVersions: ApiVersionsRequest => ApiVersionsResponse;
    AssignReplicasToDirs: AssignReplicasToDirsRequest => AssignReplicasToDirsResponse;
    BeginQuorumEpoch: BeginQuorumEpochRequest => BeginQuorumEpochResponse;
    BrokerHeartbeat: BrokerHeartbeatRequest => BrokerHeartbeatResponse;
    BrokerRegistration: BrokerRegistrationRequest => BrokerRegistrationResponse;
    ConsumerGroupDescribe: ConsumerGroupDescribeRequest => ConsumerGroupDescribeResponse;
    ConsumerGroupHeartbeat: ConsumerGroupHeartbeatRequest => ConsumerGroupHeartbeatResponse;
    ControllerRegistration: ControllerRegistrationRequest => ControllerRegistrationResponse;
    CreateAcls: CreateAclsRequest => CreateAclsResponse;
    CreateDelegationToken: CreateDelegationTokenRequest => CreateDelegationTokenResponse;
    CreatePartitions: CreatePartitionsRequest => CreatePartitionsResponse;
    CreateTopics: CreateTopicsRequest => CreateTopicsResponse;
    DeleteAcls: DeleteAclsRequest => DeleteAclsResponse;
    DeleteGroups: DeleteGroupsRequest => DeleteGroupsResponse;
    DeleteRecords: DeleteRecordsRequest => DeleteRecordsResponse;
    DeleteShareGroupOffsets: DeleteShareGroupOffsetsRequest => DeleteShareGroupOffsetsResponse;
    DeleteShareGroupState: DeleteShareGroupStateRequest => DeleteShareGroupStateResponse;
    DeleteTopics: DeleteTopicsRequest => DeleteTopicsResponse;
    DescribeAcls: DescribeAclsRequest => DescribeAclsResponse;
    DescribeClientQuotas: DescribeClientQuotasRequest => DescribeClientQuotasResponse;
    DescribeCluster: DescribeClusterRequest => DescribeClusterResponse;
    DescribeConfigs: DescribeConfigsRequest => DescribeConfigsResponse;
    DescribeDelegationToken: DescribeDelegationTokenRequest => DescribeDelegationTokenResponse;
    DescribeGroups: DescribeGroupsRequest => DescribeGroupsResponse;
    DescribeLogDirs: DescribeLogDirsRequest => DescribeLogDirsResponse;
    DescribeProducers: DescribeProducersRequest => DescribeProducersResponse;
    DescribeQuorum: DescribeQuorumRequest => DescribeQuorumResponse;
    DescribeShareGroupOffsets: DescribeShareGroupOffsetsRequest => DescribeShareGroupOffsetsResponse;
    DescribeTopicPartitions: DescribeTopicPartitionsRequest => DescribeTopicPartitionsResponse;
    DescribeTransactions: DescribeTransactionsRequest => DescribeTransactionsResponse;
    DescribeUserScramCredentials: DescribeUserScramCredentialsRequest => DescribeUserScramCredentialsResponse;
    ElectLeaders: ElectLeadersRequest => ElectLeadersResponse;
    EndQuorumEpoch: EndQuorumEpochRequest => EndQuorumEpochResponse;
    EndTxn: EndTxnRequest => EndTxnResponse;
    Envelope: EnvelopeRequest => EnvelopeResponse;
    ExpireDelegationToken: ExpireDelegationTokenRequest => ExpireDelegationTokenResponse;
    Fetch: FetchRequest => FetchResponse;
    FetchSnapshot: FetchSnapshotRequest => FetchSnapshotResponse;
    FindCoordinator: FindCoordinatorRequest => FindCoordinatorResponse;
    GetTelemetrySubscriptions: GetTelemetrySubscriptionsRequest => GetTelemetrySubscriptionsResponse;
    Heartbeat: HeartbeatRequest => HeartbeatResponse;
    IncrementalAlterConfigs: IncrementalAlterConfigsRequest => IncrementalAlterConfigsResponse;
    InitProducerId: InitProducerIdRequest => InitProducerIdResponse;
    InitializeShareGroupState: InitializeShareGroupStateRequest => InitializeShareGroupStateResponse;
    JoinGroup: JoinGroupRequest => JoinGroupResponse;
    LeaveGroup: LeaveGroupRequest => LeaveGroupResponse;
    ListConfigResources: ListConfigResourcesRequest => ListConfigResourcesResponse;
    ListGroups: ListGroupsRequest => ListGroupsResponse;
    ListOffsets: ListOffsetsRequest => ListOffsetsResponse;
    ListPartitionReassignments: ListPartitionReassignmentsRequest => ListPartitionReassignmentsResponse;
    ListTransactions: ListTransactionsRequest => ListTransactionsResponse;
    Metadata: MetadataRequest => MetadataResponse;
    OffsetCommit: OffsetCommitRequest => OffsetCommitResponse;
    OffsetDelete: OffsetDeleteRequest => OffsetDeleteResponse;
    OffsetFetch: OffsetFetchRequest => OffsetFetchResponse;
    OffsetForLeaderEpoch: OffsetForLeaderEpochRequest => OffsetForLeaderEpochResponse;
    Produce: ProduceRequest => ProduceResponse;
    PushTelemetry: PushTelemetryRequest => PushTelemetryResponse;
    ReadShareGroupState: ReadShareGroupStateRequest => ReadShareGroupStateResponse;
    ReadShareGroupStateSummary: ReadShareGroupStateSummaryRequest => ReadShareGroupStateSummaryResponse;
    RemoveRaftVoter: RemoveRaftVoterRequest => RemoveRaftVoterResponse;
    RenewDelegationToken: RenewDelegationTokenRequest => RenewDelegationTokenResponse;
    SaslAuthenticate: SaslAuthenticateRequest => SaslAuthenticateResponse;
    SaslHandshake: SaslHandshakeRequest => SaslHandshakeResponse;
    ShareAcknowledge: ShareAcknowledgeRequest => ShareAcknowledgeResponse;
    ShareFetch: ShareFetchRequest => ShareFetchResponse;
    ShareGroupDescribe: ShareGroupDescribeRequest => ShareGroupDescribeResponse;
    ShareGroupHeartbeat: ShareGroupHeartbeatRequest => ShareGroupHeartbeatResponse;
    StreamsGroupDescribe: StreamsGroupDescribeRequest => StreamsGroupDescribeResponse;
    StreamsGroupHeartbeat: StreamsGroupHeartbeatRequest => StreamsGroupHeartbeatResponse;
    StreamsGroupTopologyDescriptionUpdate: StreamsGroupTopologyDescriptionUpdateRequest => StreamsGroupTopologyDescriptionUpdateResponse;
    SyncGroup: SyncGroupRequest => SyncGroupResponse;
    TxnOffsetCommit: TxnOffsetCommitRequest => TxnOffsetCommitResponse;
    UnregisterBroker: UnregisterBrokerRequest => UnregisterBrokerResponse;
    UnregisterController: UnregisterControllerRequest => UnregisterControllerResponse;
    UpdateFeatures: UpdateFeaturesRequest => UpdateFeaturesResponse;
    UpdateRaftVoter: UpdateRaftVoterRequest => UpdateRaftVoterResponse;
    Vote: VoteRequest => VoteResponse;
    WriteShareGroupState: WriteShareGroupStateRequest => WriteShareGroupStateResponse;
    WriteTxnMarkers: WriteTxnMarkersRequest => WriteTxnMarkersResponse;
}
