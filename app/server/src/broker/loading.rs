//! Finds the logs of this node's partitions at the start and hands them to whoever makes partitions.
//!
//! Opening and recovering logs is the storage layer's; which logs are this node's, the metadata says.

use std::collections::BTreeMap;

use ottla_base::{NodeId, TopicId, TopicIdPartition};
use ottla_config::BrokerConfig;
use ottla_metadata::{ConfigResource, MetadataImage, TopicImage};
use ottla_replication::leader::FlushPolicy;
use ottla_storage::{Intervals, LoadError, LogDirs, Wanted};
use parking_lot::Mutex;

use super::apply::{LoadedLog, MetadataApplier};
use crate::partition::node_flush_policy;
use crate::topic_rules::TopicRules;

/// Opens the logs that `image` gives to this node and hands them to `applier`.
pub(crate) fn load(
    dirs: &LogDirs,
    config: &BrokerConfig,
    image: &MetadataImage,
    applier: &MetadataApplier,
) -> Result<(), LoadError> {
    let threads = usize::try_from(config.log.num_recovery_threads_per_data_dir).unwrap_or(1);
    let owner = Owner {
        node: config.node_id,
        config: &config_in_force(config, image),
        image,
        settings: Mutex::default(),
    };
    let report = dirs.load(
        threads,
        &|topic, partition, id| owner.wanted(topic, partition, id),
        &|loaded| {
            if let Some(topic_id) = loaded.topic_id {
                let at = TopicIdPartition {
                    topic_id,
                    partition: loaded.partition,
                };
                applier.add_loaded(
                    at,
                    LoadedLog {
                        dir: loaded.dir,
                        log: loaded.log,
                        high_watermark: loaded.high_watermark,
                    },
                );
            }
        },
    )?;
    tracing::debug!(?report, "loaded the logs of partitions");
    Ok(())
}

/// The configuration with what was set at run time.
fn config_in_force(config: &BrokerConfig, image: &MetadataImage) -> BrokerConfig {
    let cluster = image.configs.of(&ConfigResource::cluster());
    let own = image.configs.of(&ConfigResource::broker(config.node_id));
    config.with_dynamic(cluster, own).0
}

/// Says which logs are this node's, and by which settings they go.
struct Owner<'a> {
    node: NodeId,
    config: &'a BrokerConfig,
    image: &'a MetadataImage,
    /// The answer for each topic that was asked about; its partitions share it.
    settings: Mutex<BTreeMap<TopicId, Wanted>>,
}

impl Owner<'_> {
    /// A log without a topic id has no records yet: the id is made durable before the first one.
    fn wanted(&self, topic: &str, partition: i32, id: Option<TopicId>) -> Wanted {
        let topic = self.image.topics.by_name(topic);
        let Some(topic) = topic.filter(|topic| Some(topic.id) == id) else {
            return Wanted::Stray;
        };
        let is_replica = topic
            .partition(partition)
            .is_some_and(|registration| registration.replicas.contains(&self.node));
        if is_replica {
            self.kept_as(topic)
        } else {
            Wanted::Stray
        }
    }

    /// Where records count before they are flushed, what was found of them counts at once too.
    fn kept_as(&self, topic: &TopicImage) -> Wanted {
        let mut settings = self.settings.lock();
        let known = settings.entry(topic.id).or_insert_with(|| {
            let overrides = self.image.configs.of(&ConfigResource::topic(&*topic.name));
            let rules = TopicRules::resolve(self.config, overrides);
            let policy = rules.flush_policy(node_flush_policy(self.config));
            Wanted::Keep {
                flush: policy != FlushPolicy::Never,
                config: rules.log,
            }
        });
        known.clone()
    }
}

/// How often what is done for partitions.
pub(crate) fn intervals(config: &BrokerConfig) -> Intervals {
    let log = &config.log;
    Intervals {
        initial_delay_ms: log.initial_task_delay_ms,
        retention_ms: log.retention_check_interval_ms,
        recovery_point_ms: log.flush_offset_checkpoint_interval_ms.into(),
        log_start_ms: log.flush_start_offset_checkpoint_interval_ms.into(),
        high_watermark_ms: config
            .replication
            .replica_high_watermark_checkpoint_interval_ms,
        producer_expiration_ms: log.producer_id_expiration_check_interval_ms.into(),
    }
}
