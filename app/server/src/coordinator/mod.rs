//! The coordinators of this node: one shard of groups for each partition of `__consumer_offsets` that it
//! leads.
//!
//! Knows which shard is responsible for a group, and follows elections. What a shard decides stands in
//! `ottla_group`; how its decisions reach the log and its answers the clients in `shard`; `loader` reads
//! a shard's log back, `keeper` is the one thread that does what time asks for.

mod keeper;
mod loader;
mod shard;
#[cfg(test)]
mod tests;
mod waiting;

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use ottla_base::LeaderEpoch;
use ottla_config::rows::group::GroupSettings;
use ottla_coordinator::partition_for;
use ottla_env::Clock;
use ottla_group::GroupError;
use ottla_metadata::MetadataImage;
use ottla_records::codec::Compression;
use parking_lot::Mutex;

use crate::internal_topics::CONSUMER_OFFSETS;
use crate::partition::Partition;
use keeper::Keeper;
pub(crate) use shard::Shard;
use shard::ShardEnv;
pub(crate) use waiting::Decided;

/// The shards of this node, by partition of `__consumer_offsets`.
pub struct Coordinators {
    env: Arc<ShardEnv>,
    shards: ArcSwap<BTreeMap<i32, Arc<Shard>>>,
    /// Held while `shards` is replaced: elections of different partitions may come from two threads.
    change: Mutex<()>,
}

impl Coordinators {
    /// No shards yet; a thread is started with the first one.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>, settings: Arc<GroupSettings>) -> Self {
        let keeper = Keeper::new(Arc::clone(&clock), &settings);
        // The configuration was checked when it was read.
        let codec = u8::try_from(settings.offsets_topic_compression_codec);
        let codec = codec.ok().and_then(Compression::from_id);
        Self {
            env: Arc::new(ShardEnv {
                clock,
                settings,
                codec: codec.unwrap_or_default(),
                keeper,
            }),
            shards: ArcSwap::default(),
            change: Mutex::new(()),
        }
    }

    /// This node leads a partition of `__consumer_offsets` from now on, under a new epoch: its groups are
    /// read from its log, and refused as loading until that is done.
    pub(crate) fn on_leader(&self, partition: &Arc<Partition>, epoch: LeaderEpoch) {
        let _changing = self.change.lock();
        // The one before must not append any more when the end of the log is looked at.
        if let Some(before) = self.shards.load().get(&partition.index) {
            before.close();
        }
        let shard = Shard::new(partition, &self.env);
        let mut shards = BTreeMap::clone(&self.shards.load());
        shards.insert(partition.index, Arc::clone(&shard));
        self.shards.store(Arc::new(shards));
        tracing::debug!(
            partition = partition.index,
            epoch = epoch.0,
            "group coordinator elected"
        );
        shard.start();
    }

    /// This node does not lead the partition any more: whoever waits is told so.
    pub(crate) fn on_resigned(&self, index: i32) {
        let _changing = self.change.lock();
        let mut shards = BTreeMap::clone(&self.shards.load());
        let Some(shard) = shards.remove(&index) else {
            return;
        };
        self.shards.store(Arc::new(shards));
        shard.close();
    }

    /// Topics were deleted: what groups have committed for them goes too.
    pub(crate) fn on_topics_deleted(&self, topics: impl IntoIterator<Item = Arc<str>>) {
        let topics: Vec<Arc<str>> = topics.into_iter().collect();
        if !topics.is_empty() {
            for shard in self.shards.load().values() {
                self.env.keeper.forget_topics(shard, &topics);
            }
        }
    }

    /// The shard that is responsible for a group.
    ///
    /// # Errors
    /// `NotCoordinator` if that is none of this node's.
    pub(crate) fn shard_of(
        &self,
        group_id: &str,
        image: &MetadataImage,
    ) -> Result<Arc<Shard>, GroupError> {
        let topic = image.topics.by_name(CONSUMER_OFFSETS);
        let topic = topic.ok_or(GroupError::NotCoordinator)?;
        let count = i32::try_from(topic.partitions.len()).unwrap_or(i32::MAX);
        let index = partition_for(group_id, count);
        let shards = self.shards.load();
        shards
            .get(&index)
            .cloned()
            .ok_or(GroupError::NotCoordinator)
    }

    /// Every shard of this node, by partition.
    pub(crate) fn all(&self) -> Vec<Arc<Shard>> {
        self.shards.load().values().cloned().collect()
    }

    /// Lets go of every shard and ends the thread: the node stops.
    pub fn stop(&self) {
        let _changing = self.change.lock();
        for shard in self.shards.swap(Arc::default()).values() {
            shard.close();
        }
        self.env.keeper.stop();
    }
}
