//! Which requests the client knows, and in which version it asks.

use anyhow::Result;
use ottla_protocol::messages::*;
use ottla_protocol::{ApiKey, Reader, Writer};

/// A request with its answer.
pub trait Call {
    /// What comes back.
    type Response;
    /// API key.
    const API: ApiKey;
    /// Version of both.
    const VERSION: i16;

    /// Writes the body.
    ///
    /// # Errors
    /// If a value does not exist in the version.
    fn encode(&self, w: &mut Writer) -> Result<()>;

    /// Reads the answer's body.
    ///
    /// # Errors
    /// If the bytes are no such answer.
    fn decode(r: &mut Reader<'_>) -> Result<Self::Response>;
}

macro_rules! calls {
    ($($api:ident, $version:literal: $request:ty => $response:ty;)*) => {
        $(impl Call for $request {
            type Response = $response;
            const API: ApiKey = ApiKey::$api;
            const VERSION: i16 = $version;

            fn encode(&self, w: &mut Writer) -> Result<()> {
                Ok(<$request>::encode(self, w, $version)?)
            }

            fn decode(r: &mut Reader<'_>) -> Result<Self::Response> {
                Ok(<$response>::decode(r, $version)?)
            }
        })*
    };
}

// The newest versions that name topics instead of giving their ids.
calls! {
    ApiVersions, 3: ApiVersionsRequest => ApiVersionsResponse;
    Produce, 12: ProduceRequest => ProduceResponse;
    Fetch, 12: FetchRequest => FetchResponse;
    ListOffsets, 8: ListOffsetsRequest => ListOffsetsResponse;
    Metadata, 12: MetadataRequest => MetadataResponse;
    OffsetCommit, 8: OffsetCommitRequest => OffsetCommitResponse;
    OffsetFetch, 7: OffsetFetchRequest => OffsetFetchResponse;
    JoinGroup, 5: JoinGroupRequest => JoinGroupResponse;
    SyncGroup, 3: SyncGroupRequest => SyncGroupResponse;
    FindCoordinator, 3: FindCoordinatorRequest => FindCoordinatorResponse;
    CreateTopics, 7: CreateTopicsRequest => CreateTopicsResponse;
    DeleteTopics, 5: DeleteTopicsRequest => DeleteTopicsResponse;
    DeleteRecords, 2: DeleteRecordsRequest => DeleteRecordsResponse;
    InitProducerId, 4: InitProducerIdRequest => InitProducerIdResponse;
    DescribeConfigs, 4: DescribeConfigsRequest => DescribeConfigsResponse;
    CreatePartitions, 3: CreatePartitionsRequest => CreatePartitionsResponse;
    IncrementalAlterConfigs, 1: IncrementalAlterConfigsRequest => IncrementalAlterConfigsResponse;
}
