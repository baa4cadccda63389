//! `kafka-broker-api-versions`: which APIs each broker speaks, and which version a client would use.

use std::process::ExitCode;

use clap::Command;
use ottla_client::{Admin, ClientError};
use ottla_protocol::ApiKey;
use ottla_protocol::api::API_TABLE;
use ottla_protocol::messages::ApiVersionsResponse;
use ottla_protocol::messages::describe_cluster_response::DescribeClusterBroker;

use crate::common::usage::{self, Failure};
use crate::common::{client, jopt, output};

/// The options.
pub(crate) fn command() -> Command {
    client::options(Command::new("broker-api-versions"))
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
    let mut admin = client::admin_of(options)?;
    let nodes = admin.retry("listNodes", |admin| {
        admin
            .cluster()
            .map(|cluster| ottla_client::Attempt::Done(cluster.brokers.clone()))
    })?;
    for node in &nodes {
        match versions(&mut admin, node) {
            Ok(versions) => output::text(&format!("{} -> {}\n", place(node), table(&versions))),
            Err(error) => output::line(&format!("{} -> ERROR: {}", place(node), error.to_java())),
        }
    }
    Ok(ExitCode::SUCCESS)
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
