//! `kafka-metadata-quorum`: who keeps the metadata log and how far they are, and changes of who votes.

use std::path::Path;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use clap::{Arg, ArgAction, Command, value_parser};
use ottla_base::Uuid;
use ottla_client::{Admin, Attempt, Bootstrap, ClientError, Properties};
use ottla_protocol::messages::add_raft_voter_request::Listener;
use ottla_protocol::messages::describe_quorum_request::{
    PartitionData as AskedPartition, TopicData as AskedTopic,
};
use ottla_protocol::messages::describe_quorum_response::{Node, PartitionData, ReplicaState};
use ottla_protocol::messages::{
    AddRaftVoterRequest, DescribeQuorumRequest, RemoveRaftVoterRequest, UnregisterControllerRequest,
};
use serde_json::{Value, json};

use crate::common::argparse::{self, Manner, Parsed, Wrong};
use crate::common::format::{self, Format};
use crate::common::usage::Failure;
use crate::common::{client, columns, output};

const MANNER: Manner = Manner {
    program: "kafka-metadata-quorum",
    help_code: 0,
    wrong: Wrong::Usage,
};

/// Name of the topic that the metadata log is.
const METADATA_TOPIC: &str = "__cluster_metadata";

/// How long the quorum may take for a change.
const TIMEOUT_MS: i32 = 60_000;

/// The options.
pub(crate) fn command() -> Command {
    let flag = |name: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .help(help)
            .action(ArgAction::SetTrue)
    };
    let dry_run = || flag("dry-run", "Only show what would be done.");
    let tool = Command::new("metadata-quorum").about("Show and change who keeps the metadata log");
    client::argparse_options(tool, true)
        .subcommand(
            Command::new("describe")
                .about("Show the quorum")
                .arg(flag(
                    "status",
                    "Show leader, epoch, lag, voters and observers.",
                ))
                .arg(flag("replication", "Show how far each replica is."))
                .arg(flag("human-readable", "Show times as `5 ms ago`."))
                .arg(format::option()),
        )
        .subcommand(
            Command::new("add-controller")
                .about("Let the controller of --command-config vote")
                .arg(dry_run()),
        )
        .subcommand(
            Command::new("remove-controller")
                .about("Let a controller vote no longer")
                .arg(
                    Arg::new("controller-id")
                        .long("controller-id")
                        .short('i')
                        .value_parser(value_parser!(i32))
                        .required(true)
                        .help("Id of the controller."),
                )
                .arg(
                    Arg::new("controller-directory-id")
                        .long("controller-directory-id")
                        .short('d')
                        .required(true)
                        .help("Id of its metadata directory."),
                )
                .arg(dry_run())
                .arg(flag("unregister", "Forget the controller too.")),
        )
        .after_help(
            "Examples:\n  ottla metadata-quorum --bootstrap-server localhost:9092 describe \
             --status\n  ottla metadata-quorum --bootstrap-server localhost:9092 describe \
             --replication",
        )
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    argparse::run(MANNER, command(), args, work)
}

fn work(parsed: &Parsed) -> Result<ExitCode, Failure> {
    let config = parsed.value("command-config");
    if let Some(path) = config.filter(|path| !Path::new(path).exists()) {
        let text = format!("Properties file {path} does not exist.");
        return Err(Failure::Failed(text));
    }
    match parsed.command() {
        "describe" => describe(parsed)?,
        "add-controller" => add(parsed, config)?,
        _ => remove(parsed)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn connect(parsed: &Parsed) -> Result<Admin, Failure> {
    Ok(client::admin_of_parsed(
        parsed,
        parsed.value("command-config"),
    )?)
}

fn failed(text: &str) -> Failure {
    Failure::Failed(text.to_owned())
}

#[expect(
    clippy::needless_pass_by_value,
    reason = "it is a function for map_err"
)]
fn of_java(error: ClientError) -> Failure {
    Failure::Failed(error.to_java())
}

fn describe(parsed: &Parsed) -> Result<(), Failure> {
    let (status, replication) = (parsed.has("status"), parsed.has("replication"));
    let human = parsed.has("human-readable");
    // The client is there first in Kafka's tool too, so that its errors come before these.
    let mut admin = connect(parsed)?;
    let format = format::of(parsed.value(format::OUTPUT))?;
    match (status, replication) {
        (true, true) => Err(failed(
            "Only one of --status or --replication should be specified with describe sub-command",
        )),
        (false, false) => Err(failed(
            "One of --status or --replication must be specified with describe sub-command",
        )),
        (true, false) if human => Err(failed(
            "The option --human-readable is only supported along with --replication",
        )),
        (true, false) => show_status(&mut admin, format),
        (false, true) => show_replication(&mut admin, human, format),
    }
}

/// What DescribeQuorum says of the metadata log, and where the voters are reached.
fn quorum(admin: &mut Admin) -> Result<(PartitionData, Vec<Node>), ClientError> {
    let request = DescribeQuorumRequest {
        topics: vec![AskedTopic {
            topic_name: METADATA_TOPIC.to_owned(),
            partitions: vec![AskedPartition { partition_index: 0 }],
        }],
    };
    admin.retry("describeMetadataQuorum", |admin| {
        let answer = admin.any()?.ask(&request)?;
        ClientError::check(answer.error_code, answer.error_message.as_deref())?;
        let partition = answer
            .topics
            .into_iter()
            .flat_map(|topic| topic.partitions)
            .next()
            .ok_or_else(|| ClientError::refused(-1, None))?;
        ClientError::check(partition.error_code, partition.error_message.as_deref())?;
        Ok(Attempt::Done((partition, answer.nodes)))
    })
}

/// How far the voter that is least far is behind the leader: records, and milliseconds if both times are
/// known.
fn lag(quorum: &PartitionData) -> (i64, i64) {
    let voters = &quorum.current_voters;
    let leader = voters
        .iter()
        .find(|voter| voter.replica_id == quorum.leader_id);
    let last = voters.iter().min_by_key(|voter| voter.log_end_offset);
    let (Some(leader), Some(last)) = (leader, last) else {
        return (0, 0);
    };
    let records = leader.log_end_offset.saturating_sub(last.log_end_offset);
    let millis = if leader.replica_id == last.replica_id {
        0
    } else if leader.last_caught_up_timestamp < 0 || last.last_caught_up_timestamp < 0 {
        -1
    } else {
        leader
            .last_caught_up_timestamp
            .saturating_sub(last.last_caught_up_timestamp)
    };
    (records, millis)
}

fn show_status(admin: &mut Admin, format: Format) -> Result<(), Failure> {
    let cluster_id = admin
        .retry("listNodes", |admin| {
            admin.describe_cluster(false).map(Attempt::Done)
        })
        .map_err(of_java)?
        .cluster_id;
    let (quorum, nodes) = quorum(admin).map_err(of_java)?;
    let (records, millis) = lag(&quorum);
    match format {
        Format::Text => {
            output::text(&format!(
                "ClusterId:              {cluster_id}\n\
                 LeaderId:               {}\n\
                 LeaderEpoch:            {}\n\
                 HighWatermark:          {}\n\
                 MaxFollowerLag:         {records}\n\
                 MaxFollowerLagTimeMs:   {millis}\n\
                 CurrentVoters:          {}\n\
                 CurrentObservers:       {}\n",
                quorum.leader_id,
                quorum.leader_epoch,
                quorum.high_watermark,
                replicas(&quorum.current_voters, &nodes),
                replicas(&quorum.observers, &nodes),
            ));
        }
        Format::Json => format::json(&json!({
            "clusterId": cluster_id,
            "leaderId": quorum.leader_id,
            "leaderEpoch": quorum.leader_epoch,
            "highWatermark": quorum.high_watermark,
            "maxFollowerLag": records,
            "maxFollowerLagTimeMs": millis,
            "currentVoters": as_json(&quorum.current_voters, &nodes),
            "currentObservers": as_json(&quorum.observers, &nodes),
        })),
    }
    Ok(())
}

fn endpoints(replica: &ReplicaState, nodes: &[Node]) -> Option<Vec<String>> {
    let node = nodes
        .iter()
        .find(|node| node.node_id == replica.replica_id)?;
    let spelled = |name: &str, host: &str, port: u16| {
        if host.contains(':') {
            format!("{name}://[{host}]:{port}")
        } else {
            format!("{name}://{host}:{port}")
        }
    };
    Some(
        node.listeners
            .iter()
            .map(|listener| spelled(&listener.name, &listener.host, listener.port))
            .collect(),
    )
}

/// Replicas in Kafka's own notation, which is nearly JSON.
fn replicas(replicas: &[ReplicaState], nodes: &[Node]) -> String {
    let one = |replica: &ReplicaState| {
        // A quorum of before KIP-853 has no ids of directories.
        let directory = if replica.replica_directory_id == Uuid::ZERO {
            String::new()
        } else {
            format!(", \"directoryId\": \"{}\"", replica.replica_directory_id)
        };
        let endpoints = endpoints(replica, nodes).map_or_else(String::new, |endpoints| {
            let all: Vec<String> = endpoints.iter().map(|one| format!("\"{one}\"")).collect();
            format!(", \"endpoints\": [{}]", all.join(", "))
        });
        format!("{{\"id\": {}{directory}{endpoints}}}", replica.replica_id)
    };
    let all: Vec<String> = replicas.iter().map(one).collect();
    format!("[{}]", all.join(", "))
}

fn as_json(replicas: &[ReplicaState], nodes: &[Node]) -> Vec<Value> {
    replicas
        .iter()
        .map(|replica| {
            json!({
                "id": replica.replica_id,
                "directoryId": replica.replica_directory_id.to_string(),
                "endpoints": endpoints(replica, nodes).unwrap_or_default(),
                "logEndOffset": replica.log_end_offset,
                "lastFetchTimestamp": replica.last_fetch_timestamp,
                "lastCaughtUpTimestamp": replica.last_caught_up_timestamp,
            })
        })
        .collect()
}

fn show_replication(admin: &mut Admin, human: bool, format: Format) -> Result<(), Failure> {
    let (quorum, nodes) = quorum(admin).map_err(of_java)?;
    if format == Format::Json {
        format::json(&json!({
            "leaderId": quorum.leader_id,
            "voters": as_json(&quorum.current_voters, &nodes),
            "observers": as_json(&quorum.observers, &nodes),
        }));
        return Ok(());
    }
    let leader = |voter: &&ReplicaState| voter.replica_id == quorum.leader_id;
    let Some(first) = quorum.current_voters.iter().find(leader) else {
        let text = format!("Leader {} not found", quorum.leader_id);
        return Err(Failure::Failed(text));
    };
    let time = |timestamp: i64| match human {
        true => ago(timestamp, now_ms()),
        false => timestamp.to_string(),
    };
    let row = |replica: &ReplicaState, status: &str| {
        vec![
            replica.replica_id.to_string(),
            replica.replica_directory_id.to_string(),
            replica.log_end_offset.to_string(),
            first
                .log_end_offset
                .saturating_sub(replica.log_end_offset)
                .to_string(),
            time(replica.last_fetch_timestamp),
            time(replica.last_caught_up_timestamp),
            status.to_owned(),
        ]
    };
    let followers = quorum.current_voters.iter().filter(|voter| !leader(voter));
    let mut rows = vec![row(first, "Leader")];
    rows.extend(followers.map(|voter| row(voter, "Follower")));
    rows.extend(quorum.observers.iter().map(|one| row(one, "Observer")));
    let headers = [
        "NodeId",
        "DirectoryId",
        "LogEndOffset",
        "Lag",
        "LastFetchTimestamp",
        "LastCaughtUpTimestamp",
        "Status",
    ];
    output::text(&columns::tabbed(&headers, &rows));
    Ok(())
}

fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| i64::try_from(since.as_millis()).ok())
        .unwrap_or_default()
}

/// `5 ms ago`; a time that is not known stands as it is.
fn ago(timestamp: i64, now: i64) -> String {
    if timestamp < 0 {
        return timestamp.to_string();
    }
    format!("{} ms ago", now.saturating_sub(timestamp))
}

fn add(parsed: &Parsed, config: Option<&str>) -> Result<(), Failure> {
    let Some(path) = config else {
        return Err(failed(
            "You must supply the configuration file of the controller you are adding when using \
             add-controller.",
        ));
    };
    let properties = client::properties_file(path)?;
    let id = controller_id(&properties)?;
    let dir = metadata_directory(&properties)?;
    let directory_id = directory_id(&dir)?;
    let listeners = controller_listeners(&properties)?;
    let spelled: Vec<String> = listeners
        .iter()
        .map(|listener| format!("{}://{}:{}", listener.name, listener.host, listener.port))
        .collect();
    let told = format!(
        "controller {id} with directory id {directory_id} and endpoints: {}",
        spelled.join(", ")
    );
    if parsed.has("dry-run") {
        output::line(&format!("DRY RUN of adding {told}"));
        return Ok(());
    }
    let mut admin = connect(parsed)?;
    let request = AddRaftVoterRequest {
        cluster_id: None,
        timeout_ms: TIMEOUT_MS,
        voter_id: id,
        voter_directory_id: directory_id,
        listeners,
        ack_when_committed: true,
    };
    admin
        .retry("addRaftVoter", |admin| {
            let answer = asked(admin, &request)?;
            ClientError::check(answer.error_code, answer.error_message.as_deref())?;
            Ok(Attempt::Done(()))
        })
        .map_err(of_java)?;
    output::line(&format!("Added {told}"));
    Ok(())
}

/// A broker passes changes of voters on; a controller has to be the active one.
fn asked<C: ottla_client::Call>(
    admin: &mut Admin,
    request: &C,
) -> Result<C::Response, ClientError> {
    if admin.config().kind == Bootstrap::Controllers {
        let controller = admin.cluster()?.controller_id;
        admin.node(controller)?.ask(request)
    } else {
        admin.any()?.ask(request)
    }
}

fn controller_id(properties: &Properties) -> Result<i32, Failure> {
    let text = properties.get("node.id").ok_or_else(|| {
        failed(
            "node.id not found in configuration file. Is this a valid controller configuration \
             file?",
        )
    })?;
    let id: i32 = text.trim().parse().map_err(|_| {
        failed(&format!(
            "Invalid value {text} for configuration node.id: Not a number of type INT"
        ))
    })?;
    if id < 0 {
        return Err(failed(
            "node.id was negative in configuration file. Is this a valid controller configuration \
             file?",
        ));
    }
    let roles = properties
        .get("process.roles")
        .map(String::as_str)
        .unwrap_or_default();
    if !roles.split(',').any(|role| role.trim() == "controller") {
        return Err(failed(
            "process.roles did not contain 'controller' in configuration file. Is this a valid \
             controller configuration file?",
        ));
    }
    Ok(id)
}

fn metadata_directory(properties: &Properties) -> Result<String, Failure> {
    let set = |key: &str| properties.get(key).map(|value| value.trim());
    if let Some(dir) = set("metadata.log.dir") {
        return Ok(dir.to_owned());
    }
    let dirs = set("log.dirs")
        .or_else(|| set("log.dir"))
        .unwrap_or("/tmp/kafka-logs");
    dirs.split(',')
        .map(str::trim)
        .find(|dir| !dir.is_empty())
        .map(str::to_owned)
        .ok_or_else(|| failed("Error in log.dirs: no directory is given."))
}

fn directory_id(dir: &str) -> Result<Uuid, Failure> {
    let path = Path::new(dir).join("meta.properties");
    let shown = path.display().to_string();
    if !path.exists() {
        return Err(failed(&format!(
            "Unable to read meta.properties from {dir}"
        )));
    }
    let properties = client::properties_file(&shown)?;
    let text = properties
        .get("directory.id")
        .ok_or_else(|| failed(&format!("No directory id found in {dir}")))?;
    text.trim()
        .parse()
        .map_err(|_| failed(&format!("No directory id found in {dir}")))
}

/// Where the controller is reached: its advertised listeners, or else those that it listens on.
fn controller_listeners(properties: &Properties) -> Result<Vec<Listener>, Failure> {
    let list = |key: &str| {
        let text = properties.get(key).map(String::as_str).unwrap_or_default();
        let parts = text
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty());
        parts.map(str::to_owned).collect::<Vec<String>>()
    };
    let names = list("controller.listener.names");
    if names.is_empty() {
        return Err(failed(
            "controller.listener.names was not found. Is this a valid \
             controller configuration file?",
        ));
    }
    let mut found = Vec::new();
    for name in names {
        let prefix = format!("{name}://");
        let all = [list("advertised.listeners"), list("listeners")];
        let text = all
            .iter()
            .flatten()
            .find_map(|listener| listener.strip_prefix(&prefix).map(str::to_owned));
        let Some(text) = text else {
            return Err(failed(&format!(
                "Cannot find information about controller listener name: {name}"
            )));
        };
        let parsed = text.rsplit_once(':').and_then(|(host, port)| {
            let host = host.trim_start_matches('[').trim_end_matches(']');
            // A listener without an address stands for this machine.
            let host = if host.is_empty() { "localhost" } else { host };
            Some((host.to_owned(), port.parse().ok()?))
        });
        let (host, port) = parsed.ok_or_else(|| {
            failed(&format!(
                "Unable to parse {prefix}{text} to a broker endpoint"
            ))
        })?;
        found.push(Listener { name, host, port });
    }
    Ok(found)
}

fn remove(parsed: &Parsed) -> Result<(), Failure> {
    let id: i32 = parsed.number("controller-id").unwrap_or_default();
    if id < 0 {
        return Err(failed(&format!("Invalid negative --controller-id: {id}")));
    }
    let text = parsed.value("controller-directory-id").unwrap_or_default();
    let directory_id: Uuid = text.parse().map_err(|error| {
        failed(&format!(
            "Failed to parse --controller-directory-id: {error}"
        ))
    })?;
    if parsed.has("dry-run") {
        output::line(&format!(
            "DRY RUN of removing KRaft controller {id} with directory id {directory_id}"
        ));
        return Ok(());
    }
    let mut admin = connect(parsed)?;
    let request = RemoveRaftVoterRequest {
        cluster_id: None,
        voter_id: id,
        voter_directory_id: directory_id,
    };
    let removed = admin.retry("removeRaftVoter", |admin| {
        let answer = asked(admin, &request)?;
        ClientError::check(answer.error_code, answer.error_message.as_deref())?;
        Ok(Attempt::Done(()))
    });
    let unregister = parsed.has("unregister");
    let how = format!(
        "To unregister the controller from the cluster, run `kafka-cluster.sh \
         unregister-controller --id {id}`."
    );
    match removed {
        Ok(()) => {}
        Err(error) if unregister => {
            return Err(failed(
                &format!("Failed to remove KRaft voter {id}: {error}. {how}")
                    .replace(".. To", ". To"),
            ));
        }
        Err(error) => return Err(of_java(error)),
    }
    output::line(&format!(
        "Removed KRaft controller {id} with directory id {directory_id}"
    ));
    if unregister {
        let request = UnregisterControllerRequest { controller_id: id };
        admin
            .retry("unregisterController", |admin| {
                let answer = admin.any()?.ask(&request)?;
                ClientError::check(answer.error_code, answer.error_message.as_deref())?;
                Ok(Attempt::Done(()))
            })
            .map_err(|error| {
                failed(&format!(
                    "Failed to unregister controller {id}: {error}. {how}"
                ))
            })?;
        output::line(&format!("Unregistered controller {id}."));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn voter(id: i32, offset: i64, caught_up: i64) -> ReplicaState {
        ReplicaState {
            replica_id: id,
            replica_directory_id: Uuid::ONE,
            log_end_offset: offset,
            last_caught_up_timestamp: caught_up,
            ..ReplicaState::default()
        }
    }

    #[test]
    fn the_lag_is_that_of_the_last_voter() {
        let check = |voters: Vec<ReplicaState>, expected| {
            let quorum = PartitionData {
                leader_id: 1,
                current_voters: voters,
                ..PartitionData::default()
            };
            assert_eq!(lag(&quorum), expected);
        };
        check(vec![voter(1, 10, 100)], (0, 0));
        check(vec![voter(1, 10, 100), voter(2, 7, 60)], (3, 40));
        check(vec![voter(1, 10, 100), voter(2, 7, -1)], (3, -1));
        check(Vec::new(), (0, 0));
    }

    #[test]
    fn listeners_of_the_controller_are_found() {
        let properties = |text: &str| {
            let pairs = text.split(' ').filter_map(|pair| pair.split_once('='));
            pairs
                .map(|(k, v)| (k.to_owned(), v.to_owned()))
                .collect::<Properties>()
        };
        let found = controller_listeners(&properties(
            "controller.listener.names=C listeners=P://a:1,C://:2 advertised.listeners=C://b:3",
        ))
        .expect("it is there");
        assert_eq!((found[0].host.as_str(), found[0].port), ("b", 3));
        assert!(controller_listeners(&properties("listeners=P://a:1")).is_err());
    }
}
