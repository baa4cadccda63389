//! Topics, configurations, groups.

use anyhow::{Context as _, Result};
use ottla_protocol::messages::create_partitions_request::{
    CreatePartitionsRequest, CreatePartitionsTopic,
};
use ottla_protocol::messages::create_topics_request::{
    CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use ottla_protocol::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};
use ottla_protocol::messages::delete_topics_request::DeleteTopicsRequest;
use ottla_protocol::messages::describe_configs_request::{
    DescribeConfigsRequest, DescribeConfigsResource,
};
use ottla_protocol::messages::find_coordinator_request::FindCoordinatorRequest;
use ottla_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use ottla_protocol::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use ottla_protocol::messages::metadata_response::MetadataResponse;
use ottla_protocol::messages::offset_commit_request::{
    OffsetCommitRequest, OffsetCommitRequestPartition, OffsetCommitRequestTopic,
};
use ottla_protocol::messages::offset_fetch_request::{OffsetFetchRequest, OffsetFetchRequestTopic};

use super::data::one;
use super::{Client, TIMEOUT_MS, refused};

/// What a group committed for a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Committed {
    /// The offset; -1 if there is none.
    pub offset: i64,
    /// The text beside it.
    pub metadata: String,
}

/// Kind of a configuration's owner: a topic.
const TOPIC: i8 = 2;

/// Operation on a configuration: set it.
const SET: i8 = 0;

impl Client {
    /// Ids of the brokers that the server names.
    ///
    /// # Errors
    /// If there is no answer.
    pub fn brokers(&mut self) -> Result<Vec<i32>> {
        let response = self.metadata(Some(Vec::new()))?;
        Ok(response
            .brokers
            .iter()
            .map(|broker| broker.node_id)
            .collect())
    }

    /// Names of all topics, internal ones included.
    ///
    /// # Errors
    /// If there is no answer.
    pub fn topics(&mut self) -> Result<Vec<String>> {
        let response = self.metadata(None)?;
        Ok(response
            .topics
            .into_iter()
            .filter_map(|topic| topic.name)
            .collect())
    }

    /// Number of partitions of a topic.
    ///
    /// # Errors
    /// With the error code of the answer.
    pub fn partition_count(&mut self, topic: &str) -> Result<usize> {
        let wanted = MetadataRequestTopic {
            name: Some(topic.to_owned()),
            ..MetadataRequestTopic::default()
        };
        let response = self.metadata(Some(vec![wanted]))?;
        let topic = one(response.topics.into_iter())?;
        refused(topic.error_code)?;
        Ok(topic.partitions.len())
    }

    fn metadata(&mut self, topics: Option<Vec<MetadataRequestTopic>>) -> Result<MetadataResponse> {
        self.call(&MetadataRequest {
            topics,
            allow_auto_topic_creation: false,
            ..MetadataRequest::default()
        })
    }

    /// Creates a topic with one replica.
    ///
    /// # Errors
    /// With the error code of the answer.
    pub fn create_topic(
        &mut self,
        name: &str,
        partitions: i32,
        configs: &[(&str, &str)],
    ) -> Result<()> {
        let configs = configs.iter().map(|(name, value)| CreatableTopicConfig {
            name: (*name).to_owned(),
            value: Some((*value).to_owned()),
        });
        let response = self.call(&CreateTopicsRequest {
            topics: vec![CreatableTopic {
                name: name.to_owned(),
                num_partitions: partitions,
                replication_factor: 1,
                configs: configs.collect(),
                ..CreatableTopic::default()
            }],
            timeout_ms: TIMEOUT_MS,
            ..CreateTopicsRequest::default()
        })?;
        refused(one(response.topics.iter())?.error_code)
    }

    /// Deletes a topic.
    ///
    /// # Errors
    /// With the error code of the answer.
    pub fn delete_topic(&mut self, name: &str) -> Result<()> {
        let response = self.call(&DeleteTopicsRequest {
            topic_names: vec![name.to_owned()],
            timeout_ms: TIMEOUT_MS,
            ..DeleteTopicsRequest::default()
        })?;
        refused(one(response.responses.iter())?.error_code)
    }

    /// Raises a topic's number of partitions.
    ///
    /// # Errors
    /// With the error code of the answer.
    pub fn create_partitions(&mut self, topic: &str, count: i32) -> Result<()> {
        let response = self.call(&CreatePartitionsRequest {
            topics: vec![CreatePartitionsTopic {
                name: topic.to_owned(),
                count,
                assignments: None,
            }],
            timeout_ms: TIMEOUT_MS,
            ..CreatePartitionsRequest::default()
        })?;
        refused(one(response.results.iter())?.error_code)
    }

    /// Deletes the records below an offset; returns the log start.
    ///
    /// # Errors
    /// With the error code of the answer.
    pub fn delete_records(&mut self, topic: &str, partition: i32, below: i64) -> Result<i64> {
        let response = self.call(&DeleteRecordsRequest {
            topics: vec![DeleteRecordsTopic {
                name: topic.to_owned(),
                partitions: vec![DeleteRecordsPartition {
                    partition_index: partition,
                    offset: below,
                }],
            }],
            timeout_ms: TIMEOUT_MS,
        })?;
        let answer = one(response.topics.iter().flat_map(|topic| &topic.partitions))?;
        refused(answer.error_code)?;
        Ok(answer.low_watermark)
    }

    /// Sets one configuration of a topic.
    ///
    /// # Errors
    /// With the error code of the answer.
    pub fn set_topic_config(&mut self, topic: &str, name: &str, value: &str) -> Result<()> {
        let response = self.call(&IncrementalAlterConfigsRequest {
            resources: vec![AlterConfigsResource {
                resource_type: TOPIC,
                resource_name: topic.to_owned(),
                configs: vec![AlterableConfig {
                    name: name.to_owned(),
                    config_operation: SET,
                    value: Some(value.to_owned()),
                }],
            }],
            validate_only: false,
        })?;
        refused(one(response.responses.iter())?.error_code)
    }

    /// One configuration of a topic.
    ///
    /// # Errors
    /// With the error code of the answer.
    pub fn topic_config(&mut self, topic: &str, name: &str) -> Result<Option<String>> {
        let response = self.call(&DescribeConfigsRequest {
            resources: vec![DescribeConfigsResource {
                resource_type: TOPIC,
                resource_name: topic.to_owned(),
                configuration_keys: Some(vec![name.to_owned()]),
            }],
            ..DescribeConfigsRequest::default()
        })?;
        let result = one(response.results.into_iter())?;
        refused(result.error_code)?;
        Ok(one(result.configs.into_iter())?.value)
    }

    /// Makes sure that a group has a coordinator.
    ///
    /// # Errors
    /// With the error code of the answer, which is `CoordinatorNotAvailable` while `__consumer_offsets` is being made.
    pub fn find_coordinator(&mut self, group: &str) -> Result<i32> {
        let response = self.call(&FindCoordinatorRequest {
            key: group.to_owned(),
            ..FindCoordinatorRequest::default()
        })?;
        refused(response.error_code)?;
        Ok(response.node_id)
    }

    /// Commits an offset of a group that has no members.
    ///
    /// # Errors
    /// With the error code of the answer.
    pub fn commit(&mut self, group: &str, topic: &str, partition: i32, offset: i64) -> Result<()> {
        let response = self.call(&OffsetCommitRequest {
            group_id: group.to_owned(),
            generation_id_or_member_epoch: -1,
            retention_time_ms: -1,
            topics: vec![OffsetCommitRequestTopic {
                name: topic.to_owned(),
                partitions: vec![OffsetCommitRequestPartition {
                    partition_index: partition,
                    committed_offset: offset,
                    committed_leader_epoch: -1,
                    committed_metadata: Some(String::new()),
                }],
                ..OffsetCommitRequestTopic::default()
            }],
            ..OffsetCommitRequest::default()
        })?;
        refused(one(response.topics.iter().flat_map(|topic| &topic.partitions))?.error_code)
    }

    /// The committed offset of a group; -1 if there is none.
    ///
    /// # Errors
    /// With the error code of the answer.
    pub fn committed(&mut self, group: &str, topic: &str, partition: i32) -> Result<i64> {
        Ok(self.committed_entry(group, topic, partition)?.offset)
    }

    /// As [`Client::committed`], with what was committed beside the offset.
    ///
    /// # Errors
    /// With the error code of the answer.
    pub fn committed_entry(
        &mut self,
        group: &str,
        topic: &str,
        partition: i32,
    ) -> Result<Committed> {
        let response = self.call(&OffsetFetchRequest {
            group_id: group.to_owned(),
            topics: Some(vec![OffsetFetchRequestTopic {
                name: topic.to_owned(),
                partition_indexes: vec![partition],
            }]),
            require_stable: true,
            ..OffsetFetchRequest::default()
        })?;
        refused(response.error_code)?;
        let answer = one(response.topics.iter().flat_map(|topic| &topic.partitions))?;
        refused(answer.error_code)?;
        Ok(Committed {
            offset: answer.committed_offset,
            metadata: answer.metadata.clone().unwrap_or_default(),
        })
    }

    /// Repeats `ask` while the answer is one that a client has to repeat: a coordinator or leader that is not there yet.
    ///
    /// # Errors
    /// What `ask` ends with, or what it last said after twenty seconds.
    pub fn patiently<T>(&mut self, mut ask: impl FnMut(&mut Self) -> Result<T>) -> Result<T> {
        let begun = std::time::Instant::now();
        loop {
            let error = match ask(self) {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let refused = error.downcast_ref::<super::Refused>();
            let retriable = refused.is_some_and(|refused| refused.is_retriable());
            if !retriable || begun.elapsed() > std::time::Duration::from_secs(20) {
                return Err(error).context("asked patiently");
            }
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }
}
