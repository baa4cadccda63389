//! DescribeLogDirs (key 35, versions 1-5, broker listener, DESCRIBE Cluster; KIP-113, 827, 1066).
//!
//! Tells how full the log directories are, and which partitions they hold.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use ottla_protocol::ErrorCode;
use ottla_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
use ottla_protocol::messages::{DescribeLogDirsRequest, DescribeLogDirsResponse};
use ottla_storage::{DirIndex, Flushable, LogDirs};

use crate::api_table::RequestContext;
use crate::partition::Partition;

/// Partitions of a directory by topic.
type Topics = BTreeMap<Arc<str>, Vec<Arc<Partition>>>;

pub(crate) async fn handle(
    ctx: &RequestContext,
    request: DescribeLogDirsRequest,
) -> DescribeLogDirsResponse {
    let Some(dirs) = ctx.node.dirs.clone() else {
        return DescribeLogDirsResponse::default();
    };
    let mut by_dir: BTreeMap<DirIndex, Topics> = BTreeMap::new();
    for partition in wanted(ctx, &request) {
        let topics = by_dir.entry(partition.dir()).or_default();
        let partitions = topics.entry(Arc::clone(&partition.topic)).or_default();
        partitions.push(partition);
    }
    let image = ctx.node.image();
    let broker = image.cluster.broker(ctx.node.id);
    let cordoned = broker.and_then(|broker| broker.cordoned_directories.clone());
    let cordoned = cordoned.unwrap_or_default();
    let work = ctx.node.slow_work.run(move || {
        let count = u16::try_from(dirs.count()).unwrap_or(u16::MAX);
        let each = (0..count).map(DirIndex);
        each.map(|dir| {
            let topics = by_dir.remove(&dir).unwrap_or_default();
            let id = dirs.directory_id(dir);
            DescribeLogDirsResult {
                is_cordoned: id.is_some_and(|id| cordoned.contains(&id)),
                ..describe(&dirs, dir, topics)
            }
        })
        .collect()
    });
    match work.await {
        Ok(results) => DescribeLogDirsResponse {
            results,
            ..DescribeLogDirsResponse::default()
        },
        Err(error) => {
            tracing::debug!(%error, "log directories were not described");
            DescribeLogDirsResponse {
                error_code: ErrorCode::RequestTimedOut.code(),
                ..DescribeLogDirsResponse::default()
            }
        }
    }
}

fn wanted(ctx: &RequestContext, request: &DescribeLogDirsRequest) -> Vec<Arc<Partition>> {
    let Some(topics) = &request.topics else {
        return ctx.node.partitions.all();
    };
    let named = topics.iter().flat_map(|topic| {
        let indexes = topic.partitions.iter();
        indexes.map(|index| (topic.topic.as_str(), *index))
    });
    let named: BTreeSet<(&str, i32)> = named.collect();
    named
        .into_iter()
        .filter_map(|(topic, index)| ctx.node.partitions.by_name(topic, index))
        .collect()
}

/// Asks the disk.
fn describe(dirs: &LogDirs, dir: DirIndex, topics: Topics) -> DescribeLogDirsResult {
    let path = dirs.path(dir);
    // A path that is not absolute would mean nothing to the peer.
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let result = DescribeLogDirsResult {
        log_dir: path.to_string_lossy().into_owned(),
        ..DescribeLogDirsResult::default()
    };
    let space = dirs.space(dir);
    let (true, Ok(space)) = (dirs.is_online(dir), space) else {
        return DescribeLogDirsResult {
            error_code: ErrorCode::KafkaStorageError.code(),
            ..result
        };
    };
    let bytes = |bytes: u64| i64::try_from(bytes).unwrap_or(i64::MAX);
    let topics = topics.into_iter();
    DescribeLogDirsResult {
        topics: topics
            .map(|(name, partitions)| DescribeLogDirsTopic {
                name: name.to_string(),
                partitions: partitions
                    .iter()
                    .map(|partition| DescribeLogDirsPartition {
                        partition_index: partition.index,
                        partition_size: bytes(partition.size_bytes()),
                        ..DescribeLogDirsPartition::default()
                    })
                    .collect(),
            })
            .collect(),
        total_bytes: bytes(space.total),
        usable_bytes: bytes(space.available),
        ..result
    }
}
