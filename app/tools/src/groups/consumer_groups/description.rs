//! Asking for a consumer group: by the new API first, and by the classic one if it is a classic group.

use ottla_client::{Admin, ClientError};
use ottla_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use ottla_protocol::messages::{
    ConsumerGroupDescribeRequest, ConsumerProtocolAssignment, DescribeGroupsRequest,
    consumer_group_describe_response, describe_groups_response,
};
use ottla_protocol::{ErrorCode, Reader};

use super::super::ask::{self, TopicPartition, java_order};

/// A consumer group.
#[derive(Debug, Clone)]
pub(in super::super) struct Description {
    pub(in super::super) group: String,
    pub(in super::super) state: String,
    pub(super) assignor: String,
    pub(super) coordinator: DescribeClusterBroker,
    pub(super) group_epoch: Option<i32>,
    pub(super) target_epoch: Option<i32>,
    pub(in super::super) members: Vec<Member>,
}

/// A member of a consumer group.
#[derive(Debug, Clone)]
pub(in super::super) struct Member {
    pub(in super::super) id: String,
    /// Empty for a member that is not static.
    pub(in super::super) instance: String,
    rack: Option<String>,
    pub(super) host: String,
    pub(super) client_id: String,
    pub(super) epoch: Option<i32>,
    pub(super) assigned: Vec<TopicPartition>,
    /// Empty for a member of a classic group.
    pub(super) target: Vec<TopicPartition>,
    /// Whether a member of a new-protocol group speaks the new protocol.
    pub(super) upgraded: Option<bool>,
}

impl Member {
    /// The member as Java prints it.
    pub(in super::super) fn to_java(&self) -> String {
        let or_null = |text: Option<String>| text.unwrap_or_else(|| "null".to_owned());
        let target = match self.epoch {
            None => "Optional.empty".to_owned(),
            Some(_) => format!("Optional[{}]", partitions_to_java(&self.target)),
        };
        format!(
            "(memberId={}, groupInstanceId={}, rackId={}, clientId={}, host={}, assignment={}, \
             targetAssignment={target}, memberEpoch={}, upgraded={})",
            self.id,
            or_null(Some(self.instance.clone()).filter(|id| !id.is_empty())),
            or_null(self.rack.clone()),
            self.client_id,
            self.host,
            partitions_to_java(&self.assigned),
            or_null(self.epoch.map(|epoch| epoch.to_string())),
            or_null(self.upgraded.map(|upgraded| upgraded.to_string())),
        )
    }
}

fn partitions_to_java(partitions: &[TopicPartition]) -> String {
    let mut entries: Vec<(TopicPartition, ())> =
        partitions.iter().map(|at| (at.clone(), ())).collect();
    java_order(&mut entries);
    let names: Vec<String> = entries.iter().map(|(at, ())| at.to_string()).collect();
    format!("(topicPartitions={})", names.join(","))
}

/// Asks for a group: by the new API first, and by the classic one if it is a classic group.
pub(in super::super) fn group(admin: &mut Admin, group: &str) -> Result<Description, ClientError> {
    let request = |_| ConsumerGroupDescribeRequest {
        group_ids: vec![group.to_owned()],
        ..Default::default()
    };
    let answer = ask::coordinator::<ConsumerGroupDescribeRequest>(
        admin,
        "describeConsumerGroups",
        group,
        request,
        i16::MAX,
        |answer| {
            answer
                .groups
                .first()
                .map(|group| group.error_code)
                .unwrap_or_default()
        },
    );
    let (coordinator, answer) = match answer {
        Ok(answer) => answer,
        Err(ClientError::UnsupportedApi { .. }) => return classic_group(admin, group),
        Err(error) => return Err(error),
    };
    let found = answer
        .groups
        .into_iter()
        .next()
        .ok_or_else(|| ClientError::refused(ErrorCode::GroupIdNotFound.code(), None))?;
    let classic = [ErrorCode::GroupIdNotFound, ErrorCode::UnsupportedVersion];
    if classic.iter().any(|error| error.code() == found.error_code) {
        let of_new = ClientError::refused(found.error_code, found.error_message.as_deref());
        return classic_group(admin, group).map_err(|error| {
            if error.code() == Some(ErrorCode::GroupIdNotFound) {
                of_new
            } else {
                error
            }
        });
    }
    ClientError::check(found.error_code, found.error_message.as_deref())?;
    Ok(new_description(found, coordinator))
}

fn new_description(
    found: consumer_group_describe_response::DescribedGroup,
    coordinator: DescribeClusterBroker,
) -> Description {
    let partitions = |assignment: &consumer_group_describe_response::Assignment| {
        assignment
            .topic_partitions
            .iter()
            .flat_map(|topic| {
                topic
                    .partitions
                    .iter()
                    .map(|partition| TopicPartition::new(&topic.topic_name, *partition))
            })
            .collect()
    };
    Description {
        group: found.group_id,
        state: found.group_state,
        assignor: found.assignor_name,
        coordinator,
        group_epoch: Some(found.group_epoch),
        target_epoch: Some(found.assignment_epoch),
        members: found
            .members
            .into_iter()
            .map(|member| Member {
                assigned: partitions(&member.assignment),
                target: partitions(&member.target_assignment),
                id: member.member_id,
                instance: member.instance_id.unwrap_or_default(),
                rack: member.rack_id,
                host: member.client_host,
                client_id: member.client_id,
                epoch: Some(member.member_epoch),
                upgraded: match member.member_type {
                    0 => Some(false),
                    1 => Some(true),
                    _ => None,
                },
            })
            .collect(),
    }
}

fn classic_group(admin: &mut Admin, group: &str) -> Result<Description, ClientError> {
    let request = |_| DescribeGroupsRequest {
        groups: vec![group.to_owned()],
        ..Default::default()
    };
    let (coordinator, answer) = ask::coordinator::<DescribeGroupsRequest>(
        admin,
        "describeConsumerGroups",
        group,
        request,
        i16::MAX,
        |answer| {
            answer
                .groups
                .first()
                .map(|group| group.error_code)
                .unwrap_or_default()
        },
    )?;
    let found = answer
        .groups
        .into_iter()
        .next()
        .ok_or_else(|| ClientError::refused(ErrorCode::GroupIdNotFound.code(), None))?;
    ClientError::check(found.error_code, found.error_message.as_deref())?;
    if !super::PROTOCOLS.contains(&found.protocol_type.as_str()) {
        return Err(ClientError::UnsupportedVersion(format!(
            "GroupId {group} is not a consumer group ({}).",
            found.protocol_type
        )));
    }
    Ok(Description {
        group: found.group_id,
        state: found.group_state,
        assignor: found.protocol_data,
        coordinator,
        group_epoch: None,
        target_epoch: None,
        members: found.members.into_iter().map(classic_member).collect(),
    })
}

fn classic_member(member: describe_groups_response::DescribedGroupMember) -> Member {
    Member {
        assigned: classic_assignment(&member.member_assignment),
        target: Vec::new(),
        id: member.member_id,
        instance: member.group_instance_id.unwrap_or_default(),
        rack: None,
        host: member.client_host,
        client_id: member.client_id,
        epoch: None,
        upgraded: None,
    }
}

/// What a leader assigned. Bytes that are no assignment count as none: a member may write what it likes.
fn classic_assignment(bytes: &[u8]) -> Vec<TopicPartition> {
    let Some((version, body)) = bytes.split_first_chunk::<2>() else {
        return Vec::new();
    };
    let newest = *ConsumerProtocolAssignment::VERSIONS.end();
    let version = i16::from_be_bytes(*version).min(newest);
    let mut r = Reader::new(body);
    let Ok(assignment) = ConsumerProtocolAssignment::decode(&mut r, version) else {
        return Vec::new();
    };
    assignment
        .assigned_partitions
        .iter()
        .flat_map(|topic| {
            topic
                .partitions
                .iter()
                .map(|partition| TopicPartition::new(&topic.topic, *partition))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assignments_of_classic_members_are_read_and_rubbish_is_none() {
        let good = [
            0, 1, 0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 0, 0, 3, 0, 0, 0, 0,
        ];
        assert_eq!(classic_assignment(&good), [TopicPartition::new("t", 3)]);
        for bad in [&[][..], &[0], &[0, 1, 255, 255, 255, 255], &good[..9]] {
            assert_eq!(classic_assignment(bad), [], "{bad:?}");
        }
    }

    #[test]
    fn a_member_is_printed_as_java_prints_it() {
        let mut member = Member {
            id: "c-1".to_owned(),
            instance: String::new(),
            rack: None,
            host: "/127.0.0.1".to_owned(),
            client_id: "c".to_owned(),
            epoch: None,
            assigned: vec![TopicPartition::new("t", 0)],
            target: Vec::new(),
            upgraded: None,
        };
        assert_eq!(
            member.to_java(),
            "(memberId=c-1, groupInstanceId=null, rackId=null, clientId=c, host=/127.0.0.1, \
             assignment=(topicPartitions=t-0), targetAssignment=Optional.empty, memberEpoch=null, \
             upgraded=null)"
        );
        member.epoch = Some(3);
        member.upgraded = Some(true);
        assert!(member.to_java().ends_with(
            "targetAssignment=Optional[(topicPartitions=)], memberEpoch=3, upgraded=true)"
        ));
    }
}
