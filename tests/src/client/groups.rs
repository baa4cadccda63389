//! Members of groups of the classic protocol, and configurations of groups.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use ottla_protocol::Writer;
use ottla_protocol::messages::consumer_protocol_assignment::{
    ConsumerProtocolAssignment, TopicPartition,
};
use ottla_protocol::messages::consumer_protocol_subscription::ConsumerProtocolSubscription;
use ottla_protocol::messages::describe_configs_request::{
    DescribeConfigsRequest, DescribeConfigsResource,
};
use ottla_protocol::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};
use ottla_protocol::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use ottla_protocol::messages::join_group_response::JoinGroupResponse;
use ottla_protocol::messages::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};

use super::data::one;
use super::{Client, refused};

/// Longest silence of a member: long, so that one without heartbeats stays for a whole test.
const SESSION_MS: i32 = 300_000;

/// Error code of a first join: it names the id to join with.
const MEMBER_ID_REQUIRED: i16 = 79;

/// Kind of a configuration's owner: a group.
const GROUP: i8 = 32;

/// Operation on a configuration: set it.
const SET: i8 = 0;

/// A configuration of groups that may have many values.
const SESSION_CONFIG: &str = "consumer.session.timeout.ms";

/// Longest wait until a server sees its own changes.
const SETTLE_MAX: Duration = Duration::from_secs(20);

/// Name of the strategy that the members name.
const STRATEGY: &str = "range";

impl Client {
    /// Joins a group that has no members as its only one, and takes the first `partitions` of a topic. Gives the
    /// member's id. It stays without heartbeats until its session ends, minutes later.
    ///
    /// # Errors
    /// With the error code of the answer.
    pub fn join(&mut self, group: &str, topic: &str, partitions: i32) -> Result<String> {
        let mut first = self.send_join(group, topic, "")?;
        if first.error_code == MEMBER_ID_REQUIRED {
            let id = first.member_id.clone();
            first = self.send_join(group, topic, &id)?;
        }
        refused(first.error_code)?;
        let assigned = ConsumerProtocolAssignment {
            assigned_partitions: vec![TopicPartition {
                topic: topic.to_owned(),
                partitions: (0..partitions).collect(),
            }],
            ..ConsumerProtocolAssignment::default()
        };
        let response = self.call(&SyncGroupRequest {
            group_id: group.to_owned(),
            generation_id: first.generation_id,
            member_id: first.member_id.clone(),
            assignments: vec![SyncGroupRequestAssignment {
                member_id: first.member_id.clone(),
                assignment: with_version(|w| Ok(assigned.encode(w, 0)?))?,
            }],
            ..SyncGroupRequest::default()
        })?;
        refused(response.error_code)?;
        Ok(first.member_id)
    }

    /// Sets a configuration of a group to `value`, and waits until the server gives it back: every change that was
    /// made before can be seen then.
    ///
    /// # Errors
    /// With the error code of the answer, or if the value does not come.
    pub fn settle(&mut self, group: &str, value: &str) -> Result<()> {
        let response = self.call(&IncrementalAlterConfigsRequest {
            resources: vec![AlterConfigsResource {
                resource_type: GROUP,
                resource_name: group.to_owned(),
                configs: vec![AlterableConfig {
                    name: SESSION_CONFIG.to_owned(),
                    config_operation: SET,
                    value: Some(value.to_owned()),
                }],
            }],
            ..IncrementalAlterConfigsRequest::default()
        })?;
        refused(one(response.responses.iter())?.error_code)?;
        let begun = Instant::now();
        while begun.elapsed() < SETTLE_MAX {
            let response = self.call(&DescribeConfigsRequest {
                resources: vec![DescribeConfigsResource {
                    resource_type: GROUP,
                    resource_name: group.to_owned(),
                    configuration_keys: Some(vec![SESSION_CONFIG.to_owned()]),
                }],
                ..DescribeConfigsRequest::default()
            })?;
            let result = one(response.results.iter())?;
            refused(result.error_code)?;
            if one(result.configs.iter())?.value.as_deref() == Some(value) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        bail!("the server does not see its own changes")
    }

    fn send_join(
        &mut self,
        group: &str,
        topic: &str,
        member_id: &str,
    ) -> Result<JoinGroupResponse> {
        let subscription = ConsumerProtocolSubscription {
            topics: vec![topic.to_owned()],
            ..ConsumerProtocolSubscription::default()
        };
        self.call(&JoinGroupRequest {
            group_id: group.to_owned(),
            session_timeout_ms: SESSION_MS,
            rebalance_timeout_ms: SESSION_MS,
            member_id: member_id.to_owned(),
            protocol_type: "consumer".to_owned(),
            protocols: vec![JoinGroupRequestProtocol {
                name: STRATEGY.to_owned(),
                metadata: with_version(|w| Ok(subscription.encode(w, 0)?))?,
            }],
            ..JoinGroupRequest::default()
        })
    }
}

/// What members tell each other begins with the version of its form, here 0.
fn with_version(encode: impl FnOnce(&mut Writer) -> Result<()>) -> Result<Vec<u8>> {
    let mut w = Writer::new();
    w.buf.extend_from_slice(&0i16.to_be_bytes());
    encode(&mut w)?;
    Ok(w.buf)
}
