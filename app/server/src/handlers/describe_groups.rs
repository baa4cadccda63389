//! DescribeGroups (key 15, versions 0-6, broker listeners; ACL: DESCRIBE on each group; KIP-345, 430, 1043).
//!
//! Answered from `ottla_group::GroupCoordinator::describe_group`, group by group.

use ottla_group::GroupError;
use ottla_protocol::messages::DescribeGroupsRequest;
use ottla_protocol::messages::describe_groups_response::{DescribeGroupsResponse, DescribedGroup};

use crate::api_table::RequestContext;
use crate::authorized_operations;
use crate::error_map::WireError as _;

/// From this version on a group that does not exist is an error; before that it is a dead group.
const KNOWS_GROUP_NOT_FOUND: i16 = 6;
/// Most bytes of members' metadata and assignments in one answer. A request can name a large group many
/// times; what comes behind the limit is told to ask again, by itself.
const MEMBER_BYTES_PER_ANSWER_MAX: usize = 64 << 20;
/// What a member takes in an answer beside its metadata and assignment, about.
const MEMBER_BYTES: usize = 256;
/// State of a group that does not exist.
const DEAD: &str = "Dead";

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let mut response = DescribeGroupsResponse::default();
    let mut bytes = 0;
    for group_id in &request.groups {
        let described = if bytes < MEMBER_BYTES_PER_ANSWER_MAX {
            describe(ctx, group_id).await
        } else {
            Err(GroupError::NotAvailable)
        };
        let mut group = match described {
            Ok(group) => group,
            Err(error @ (GroupError::GroupNotFound | GroupError::OtherGroupType)) => {
                not_found(ctx.version, group_id, error)
            }
            Err(error) => DescribedGroup {
                error_code: error.error_code().code(),
                group_id: group_id.clone(),
                ..DescribedGroup::default()
            },
        };
        if request.include_authorized_operations && group.error_code == 0 {
            group.authorized_operations = authorized_operations::GROUP;
        }
        let members = group.members.iter();
        bytes += members
            .map(|member| {
                MEMBER_BYTES + member.member_metadata.len() + member.member_assignment.len()
            })
            .sum::<usize>();
        response.groups.push(group);
    }
    response
}

async fn describe(ctx: &RequestContext, group_id: &str) -> Result<DescribedGroup, GroupError> {
    let shard = ctx
        .node
        .coordinators
        .shard_of(group_id, &ctx.node.image.load())?;
    shard
        .decide(|machine, _, _| machine.describe_group(group_id))
        .await?
}

fn not_found(version: i16, group_id: &str, error: GroupError) -> DescribedGroup {
    let mut group = DescribedGroup {
        group_id: group_id.to_owned(),
        group_state: DEAD.to_owned(),
        ..DescribedGroup::default()
    };
    if version >= KNOWS_GROUP_NOT_FOUND {
        group.error_code = GroupError::GroupNotFound.error_code().code();
        group.error_message = Some(match error {
            GroupError::OtherGroupType => format!("Group {group_id} is not a classic group."),
            _ => format!("Group {group_id} not found."),
        });
    }
    group
}
