//! Nodes, their quorum, where partitions are, who may do what.

mod acls;
mod broker_api_versions;
mod cluster_tool;
mod delegation_tokens;
mod features;
mod leader_election;
mod metadata_quorum;
mod reassign;
mod top;
mod transactions;

use crate::registry::{Kind, Tool};

/// The tools of this folder.
pub(crate) const TOOLS: &[Tool] = &[
    Tool {
        name: "acls",
        kind: Kind::Cluster,
        classes: &[
            "org.apache.kafka.tools.AclCommand",
            "kafka.admin.AclCommand",
        ],
        command: acls::command,
        run: acls::run,
    },
    Tool {
        name: "broker-api-versions",
        kind: Kind::Cluster,
        classes: &[
            "org.apache.kafka.tools.BrokerApiVersionsCommand",
            "kafka.admin.BrokerApiVersionsCommand",
        ],
        command: broker_api_versions::command,
        run: broker_api_versions::run,
    },
    Tool {
        name: "cluster",
        kind: Kind::Cluster,
        classes: &[
            "org.apache.kafka.tools.ClusterTool",
            "kafka.tools.ClusterTool",
        ],
        command: cluster_tool::command,
        run: cluster_tool::run,
    },
    Tool {
        name: "delegation-tokens",
        kind: Kind::Cluster,
        classes: &[
            "org.apache.kafka.tools.DelegationTokenCommand",
            "kafka.admin.DelegationTokenCommand",
        ],
        command: delegation_tokens::command,
        run: delegation_tokens::run,
    },
    Tool {
        name: "features",
        kind: Kind::Cluster,
        classes: &[
            "org.apache.kafka.tools.FeatureCommand",
            "kafka.admin.FeatureCommand",
        ],
        command: features::command,
        run: features::run,
    },
    Tool {
        name: "metadata-quorum",
        kind: Kind::Cluster,
        classes: &[
            "org.apache.kafka.tools.MetadataQuorumCommand",
            "kafka.admin.MetadataQuorumCommand",
        ],
        command: metadata_quorum::command,
        run: metadata_quorum::run,
    },
    Tool {
        name: "transactions",
        kind: Kind::Cluster,
        classes: &[
            "org.apache.kafka.tools.TransactionsCommand",
            "kafka.admin.TransactionsCommand",
        ],
        command: transactions::command,
        run: transactions::run,
    },
    Tool {
        name: "top",
        kind: Kind::Cluster,
        classes: &[],
        command: top::command,
        run: top::run,
    },
    Tool {
        name: "leader-election",
        kind: Kind::Cluster,
        classes: &[
            "org.apache.kafka.tools.LeaderElectionCommand",
            "kafka.admin.LeaderElectionCommand",
        ],
        command: leader_election::command,
        run: leader_election::run,
    },
    Tool {
        name: "reassign-partitions",
        kind: Kind::Cluster,
        classes: &[
            "org.apache.kafka.tools.reassign.ReassignPartitionsCommand",
            "kafka.admin.ReassignPartitionsCommand",
        ],
        command: reassign::command,
        run: reassign::run,
    },
];
