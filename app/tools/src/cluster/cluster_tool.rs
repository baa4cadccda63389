//! `kafka-cluster`: the id of a cluster, its nodes, forgetting one, and which APIs each serves.

use std::process::ExitCode;

use clap::{Arg, ArgAction, ArgGroup, Command, value_parser};
use ottla_client::{Admin, Attempt, Bootstrap, ClientError};
use ottla_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use ottla_protocol::messages::{
    DescribeClusterResponse, UnregisterBrokerRequest, UnregisterControllerRequest,
};
use serde_json::json;

use super::broker_api_versions;
use crate::common::argparse::{self, Manner, Parsed, Wrong};
use crate::common::format::{self, Format};
use crate::common::usage::Failure;
use crate::common::{client, output};

const MANNER: Manner = Manner {
    program: "kafka-cluster",
    help_code: 1,
    wrong: Wrong::Usage,
};

/// The options.
pub(crate) fn command() -> Command {
    let id = |help: &'static str| {
        Arg::new("id")
            .long("id")
            .short('i')
            .value_parser(value_parser!(i32))
            .allow_negative_numbers(true)
            .required(true)
            .help(help)
    };
    Command::new("cluster")
        .about("Show the id of a cluster and its nodes, or forget a node")
        .subcommand(connected("cluster-id", "Show the id of the cluster").arg(format::option()))
        .subcommand(
            connected("unregister", "Forget a broker that is gone for good")
                .arg(id("Id of the broker.")),
        )
        .subcommand(
            connected(
                "unregister-controller",
                "Forget a controller that is gone for good",
            )
            .arg(id("Id of the controller.")),
        )
        .subcommand(
            connected("list-endpoints", "List the nodes and where to reach them")
                .arg(
                    Arg::new("include-fenced-brokers")
                        .long("include-fenced-brokers")
                        .help("List fenced brokers too.")
                        .action(ArgAction::SetTrue),
                )
                .arg(format::option()),
        )
        .subcommand(
            connected(
                "api-versions",
                "Show which APIs and versions each node serves",
            )
            .arg(format::option()),
        )
        .after_help(
            "Examples:\n  ottla cluster cluster-id --bootstrap-server localhost:9092\n  \
             ottla cluster list-endpoints -b localhost:9092 --include-fenced-brokers\n  \
             ottla cluster unregister -b localhost:9092 --id 3",
        )
}

/// A subcommand with the options for a cluster, which here stand behind its name.
fn connected(name: &'static str, about: &'static str) -> Command {
    Command::new(name)
        .about(about)
        .arg(
            Arg::new("bootstrap-server")
                .long("bootstrap-server")
                .short('b')
                .help("Brokers to begin with: host:port,..."),
        )
        .arg(
            Arg::new("bootstrap-controller")
                .long("bootstrap-controller")
                .short('C')
                .help("Controllers to begin with: host:port,..."),
        )
        .arg(
            Arg::new("config")
                .long("config")
                .help("The old name of --command-config."),
        )
        .arg(
            Arg::new("command-config")
                .long("command-config")
                .short('c')
                .help("Properties file for the client."),
        )
        .group(
            ArgGroup::new("bootstrap")
                .args(["bootstrap-server", "bootstrap-controller"])
                .required(true),
        )
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    argparse::run(MANNER, command(), args, work)
}

fn work(parsed: &Parsed) -> Result<ExitCode, Failure> {
    if parsed.has("config") {
        if parsed.has("command-config") {
            let text = "--config and --command-config cannot be specified together.";
            return Err(Failure::Failed(text.to_owned()));
        }
        output::line(
            "Option --config has been deprecated and will be removed in a future version. Use \
             --command-config instead.",
        );
    }
    let config = parsed
        .value("config")
        .or_else(|| parsed.value("command-config"));
    let format = format::of(parsed.value(format::OUTPUT))?;
    let mut admin = client::admin_of_parsed(parsed, config)?;
    let id = parsed.number("id").unwrap_or_default();
    match parsed.command() {
        "cluster-id" => cluster_id(&mut admin, format),
        "unregister" => unregister(&mut admin, id),
        "unregister-controller" => unregister_controller(&mut admin, id),
        "list-endpoints" => endpoints(&mut admin, parsed, format),
        _ => {
            let nodes = nodes(&mut admin, false).map_err(of_java)?.brokers;
            broker_api_versions::show_nodes(&mut admin, &nodes, format);
            Ok(())
        }
    }?;
    Ok(ExitCode::SUCCESS)
}

/// Kafka's tool prints the exception with its name.
#[expect(
    clippy::needless_pass_by_value,
    reason = "it is a function for map_err"
)]
fn of_java(error: ClientError) -> Failure {
    Failure::Failed(error.to_java())
}

fn nodes(admin: &mut Admin, fenced: bool) -> Result<DescribeClusterResponse, ClientError> {
    admin.retry("listNodes", |admin| {
        admin.describe_cluster(fenced).map(Attempt::Done)
    })
}

fn cluster_id(admin: &mut Admin, format: Format) -> Result<(), Failure> {
    let id = nodes(admin, false).map_err(of_java)?.cluster_id;
    match (format, id.is_empty()) {
        (Format::Json, _) => format::json(&json!({ "clusterId": id })),
        (Format::Text, false) => output::line(&format!("Cluster ID: {id}")),
        (Format::Text, true) => {
            output::line("No cluster ID found. The Kafka version is probably too old.");
        }
    }
    Ok(())
}

fn unregister(admin: &mut Admin, id: i32) -> Result<(), Failure> {
    let request = UnregisterBrokerRequest { broker_id: id };
    let answer = admin.retry("unregisterBroker", |admin| {
        let answer = admin.any()?.ask(&request)?;
        ClientError::check(answer.error_code, answer.error_message.as_deref())
            .map(|()| Attempt::Done(()))
    });
    match answer {
        Ok(()) => output::line(&format!("Broker {id} is no longer registered.")),
        Err(ClientError::UnsupportedApi { .. } | ClientError::UnsupportedVersion(_)) => {
            output::line("The target cluster does not support the broker unregistration API.");
        }
        Err(error) => return Err(of_java(error)),
    }
    Ok(())
}

fn unregister_controller(admin: &mut Admin, id: i32) -> Result<(), Failure> {
    let request = UnregisterControllerRequest { controller_id: id };
    let answer = admin.retry("unregisterController", |admin| {
        let answer = admin.any()?.ask(&request)?;
        ClientError::check(answer.error_code, answer.error_message.as_deref())
            .map(|()| Attempt::Done(()))
    });
    match answer {
        Ok(()) => output::line(&format!("Controller {id} is no longer registered.")),
        Err(error) => return Err(of_java(error)),
    }
    Ok(())
}

fn endpoints(admin: &mut Admin, parsed: &Parsed, format: Format) -> Result<(), Failure> {
    let fenced = parsed.has("include-fenced-brokers");
    let brokers = admin.config().kind == Bootstrap::Brokers;
    if fenced && !brokers {
        let text = "The option --include-fenced-brokers is only supported with \
                    --bootstrap-server option";
        return Err(Failure::Failed(text.to_owned()));
    }
    let nodes = nodes(admin, fenced).map_err(of_java)?.brokers;
    match format {
        Format::Text => output::text(&table(&nodes, brokers)),
        Format::Json => {
            let nodes: Vec<_> = nodes
                .iter()
                .map(|node| {
                    json!({
                        "id": node.broker_id,
                        "host": node.host,
                        "port": node.port,
                        "rack": node.rack,
                        "fenced": node.is_fenced,
                        "endpointType": if brokers { "broker" } else { "controller" },
                    })
                })
                .collect();
            format::json(&json!({ "nodes": nodes }));
        }
    }
    Ok(())
}

/// The table as Kafka prints it: blanks behind the last column too, and no wider room for the names of
/// columns than for what stands in them.
fn table(nodes: &[DescribeClusterBroker], brokers: bool) -> String {
    let longest = |lengths: &mut dyn Iterator<Item = usize>, none| lengths.max().unwrap_or(none);
    let host = longest(&mut nodes.iter().map(|node| node.host.chars().count()), 100);
    let racks = nodes.iter().filter_map(|node| node.rack.as_deref());
    let rack = longest(&mut racks.map(|rack| rack.chars().count()), 10);
    let line = |id: &str, name: &str, port: &str, rack_name: &str, state: &str, kind: &str| {
        let state = if brokers {
            format!("{state:<10} ")
        } else {
            String::new()
        };
        format!("{id:<10} {name:<host$} {port:<10} {rack_name:<rack$} {state}{kind:<15}\n")
    };
    let mut text = line("ID", "HOST", "PORT", "RACK", "STATE", "ENDPOINT_TYPE");
    for node in nodes {
        text.push_str(&line(
            &node.broker_id.to_string(),
            &node.host,
            &node.port.to_string(),
            node.rack.as_deref().unwrap_or("null"),
            if node.is_fenced { "fenced" } else { "unfenced" },
            if brokers { "broker" } else { "controller" },
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_the_widths_of_kafkas() {
        let mut node = DescribeClusterBroker {
            broker_id: 1,
            host: "127.0.0.1".to_owned(),
            port: 9092,
            ..DescribeClusterBroker::default()
        };
        let none = table(std::slice::from_ref(&node), true);
        assert_eq!(
            none,
            "ID         HOST      PORT       RACK       STATE      ENDPOINT_TYPE  \n\
             1          127.0.0.1 9092       null       unfenced   broker         \n"
        );
        node.rack = Some("r1".to_owned());
        assert_eq!(
            table(std::slice::from_ref(&node), true),
            "ID         HOST      PORT       RACK STATE      ENDPOINT_TYPE  \n\
             1          127.0.0.1 9092       r1 unfenced   broker         \n"
        );
        node.rack = None;
        assert_eq!(
            table(&[node], false),
            "ID         HOST      PORT       RACK       ENDPOINT_TYPE  \n\
             1          127.0.0.1 9092       null       controller     \n"
        );
    }
}
