//! `kafka-broker-api-versions`: which APIs each broker speaks, and which version a client would use.

use std::process::ExitCode;

use clap::Command;
use ottla_client::{Admin, Attempt, ClientError};
use ottla_protocol::ApiKey;
use ottla_protocol::api::API_TABLE;
use ottla_protocol::messages::ApiVersionsResponse;
use ottla_protocol::messages::describe_cluster_response::DescribeClusterBroker;

use serde_json::{Value, json};

use crate::common::format::{self, Format};
use crate::common::usage::{self, Failure};
use crate::common::{client, jopt, output};

/// The options.
pub(crate) fn command() -> Command {
    client::options(Command::new("broker-api-versions"))
        .arg(format::option())
        .about("Show which APIs and versions each broker serves")
        .after_help("Examples:\n  ottla broker-api-versions --bootstrap-server localhost:9092")
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    usage::run(
        command(),
        "This tool helps to retrieve broker version information.",
        args,
        show,
    )
}

fn show(options: &jopt::Options) -> Result<ExitCode, Failure> {
    options.required(&["bootstrap-server"])?;
    let format = format::of(options.value(format::OUTPUT)?)?;
    let servers = options.value("bootstrap-server")?.unwrap_or_default();
    let mut admin = client::admin_of(options)?;
    let nodes = admin
        .retry("listNodes", |admin| {
            admin.describe_cluster(false).map(Attempt::Done)
        })
        .map_err(|_| unreachable_text(servers))?
        .brokers;
    show_nodes(&mut admin, &nodes, format);
    Ok(ExitCode::SUCCESS)
}

/// Kafka's tool says the same whatever kept it from asking.
fn unreachable_text(servers: &str) -> String {
    let nodes: Vec<String> = servers
        .split(',')
        .map(str::trim)
        .filter(|server| !server.is_empty())
        .zip(1_u32..)
        .map(|(server, at)| format!("{server} (id: -{at} rack: null isFenced: false)"))
        .collect();
    format!("Request METADATA failed on brokers [{}]", nodes.join(", "))
}

/// Prints what each of `nodes` serves, or why it did not say.
pub(crate) fn show_nodes(admin: &mut Admin, nodes: &[DescribeClusterBroker], format: Format) {
    let answers = nodes.iter().map(|node| (node, versions(admin, node)));
    match format {
        Format::Text => {
            for (node, answer) in answers {
                match answer {
                    Ok(versions) => {
                        output::text(&format!("{} -> {}\n", place(node), table(&versions)));
                    }
                    Err(error) => {
                        output::line(&format!("{} -> ERROR: {}", place(node), error.to_java()));
                    }
                }
            }
        }
        Format::Json => {
            let nodes: Vec<_> = answers
                .map(|(node, answer)| as_json(node, &answer))
                .collect();
            format::json(&json!({ "nodes": nodes }));
        }
    }
}

fn as_json(
    node: &DescribeClusterBroker,
    answer: &Result<ApiVersionsResponse, ClientError>,
) -> Value {
    let mut value = json!({
        "id": node.broker_id,
        "host": node.host,
        "port": node.port,
        "rack": node.rack,
    });
    match answer {
        Ok(versions) => {
            let apis: Vec<_> = versions
                .api_keys
                .iter()
                .map(|api| {
                    json!({
                        "key": api.api_key,
                        "name": ApiKey::from_code(api.api_key).map(|key| key.row().name),
                        "min": api.min_version,
                        "max": api.max_version,
                    })
                })
                .collect();
            value["apis"] = apis.into();
        }
        Err(error) => value["error"] = error.to_java().into(),
    }
    value
}

fn versions(
    admin: &mut Admin,
    node: &DescribeClusterBroker,
) -> Result<ApiVersionsResponse, ClientError> {
    Ok(admin.node(node.broker_id)?.versions().clone())
}

/// `host:port (id: 1 rack: null isFenced: false)`, as Java prints a node.
fn place(node: &DescribeClusterBroker) -> String {
    format!(
        "{}:{} (id: {} rack: {} isFenced: {})",
        node.host,
        node.port,
        node.broker_id,
        node.rack.as_deref().unwrap_or("null"),
        node.is_fenced
    )
}

fn table(versions: &ApiVersionsResponse) -> String {
    let lines: Vec<String> = API_TABLE
        .iter()
        .filter_map(|row| line(row.key, versions))
        .chain(
            versions
                .api_keys
                .iter()
                .filter(|&api| ApiKey::from_code(api.api_key).is_none())
                .map(|api| {
                    format!(
                        "\tUNKNOWN({}): {} to {}",
                        api.api_key, api.min_version, api.max_version
                    )
                }),
        )
        .collect();
    format!("(\n{}\n)", lines.join(",\n"))
}

fn line(key: ApiKey, versions: &ApiVersionsResponse) -> Option<String> {
    let row = key.row();
    let ours = row.versions?;
    let name = format!("\t{}({})", row.name, key.code());
    let Some(theirs) = versions
        .api_keys
        .iter()
        .find(|api| api.api_key == key.code())
    else {
        return row.broker.then(|| format!("{name}: UNSUPPORTED"));
    };
    let range = if theirs.min_version == theirs.max_version {
        theirs.min_version.to_string()
    } else {
        format!("{} to {}", theirs.min_version, theirs.max_version)
    };
    let newest = ours.max.min(theirs.max_version);
    let usable = if newest >= ours.min.max(theirs.min_version) {
        format!("usable: {newest}")
    } else {
        "unusable: node too new or too old".to_owned()
    };
    Some(format!("{name}: {range} [{usable}]"))
}
