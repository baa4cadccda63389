//! `kafka-client-metrics`: which metrics clients push to the brokers (KIP-714).

use std::process::ExitCode;

use clap::Command;
use ottla_base::Uuid;
use ottla_client::Admin;
use serde_json::{Value, json};

use crate::common::configs::{self, Change, Kind};
use crate::common::jopt::{Options, flag, value};
use crate::common::usage::{self, Failure};
use crate::common::{client, format, java, output};

const ACTIONS: &[&str] = &["alter", "delete", "describe", "list"];

/// The options.
pub(crate) fn command() -> Command {
    let command = client::options(Command::new("client-metrics"))
        .about("Say which metrics clients push to the brokers")
        .arg(flag("list", "List the subscriptions."))
        .arg(flag("describe", "Show subscriptions."))
        .arg(flag("alter", "Make or change a subscription."))
        .arg(flag("delete", "Delete a subscription."))
        .arg(value("name", "name", "Name of the subscription."))
        .arg(flag("generate-name", "Make up a name for a new subscription."))
        .arg(value(
            "metrics",
            "prefix,...",
            "Beginnings of the names of metrics; empty to reset.",
        ))
        .arg(value("interval", "ms", "Time between pushes; empty to reset."))
        .arg(value(
            "match",
            "key=value,...",
            "Clients: client_id, client_instance_id, client_software_name, client_software_version, \
             client_source_address, client_source_port, each with an expression; empty to reset.",
        ));
    command.arg(format::option()).after_help(
        "Examples:\n  \
         ottla client-metrics --bootstrap-server localhost:9092 --alter --name producers \
         --metrics org.apache.kafka.producer. --interval 30000\n  \
         ottla client-metrics --bootstrap-server localhost:9092 --describe",
    )
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    usage::run(
        command(),
        "This tool helps to manipulate and describe client metrics configurations.",
        args,
        work,
    )
}

fn work(options: &Options) -> Result<ExitCode, Failure> {
    check(options)?;
    let properties = client::properties_of(options)?;
    let outcome = client::admin_for(options, &properties)
        .map_err(Failure::from)
        .and_then(|mut admin| {
            if options.has("alter") {
                alter(&mut admin, options)
            } else if options.has("delete") {
                delete(&mut admin, options)
            } else if options.has("describe") {
                describe(&mut admin, options)
            } else {
                list(&mut admin, options)
            }
        });
    // Kafka's tool says what went wrong on standard output.
    match outcome {
        Ok(()) => Ok(ExitCode::SUCCESS),
        Err(Failure::Usage(error) | Failure::Failed(error)) => {
            let (first, more) = error.split_once('\n').unwrap_or((&error, ""));
            output::line(&format!(
                "Error while executing client metrics command : {first}"
            ));
            if !more.is_empty() {
                output::error_line(more);
            }
            Ok(ExitCode::FAILURE)
        }
    }
}

fn check(options: &Options) -> Result<(), Failure> {
    let usage = |text: &str| Err(Failure::Usage(text.to_owned()));
    if ACTIONS.iter().filter(|action| options.has(action)).count() != 1 {
        return usage(
            "Command must include exactly one action: --alter, --delete, --describe or --list.",
        );
    }
    if !options.has("bootstrap-server") {
        return usage("--bootstrap-server must be specified.");
    }
    if options.has("alter") {
        if options.has("name") == options.has("generate-name") {
            return usage("One of --name or --generate-name must be specified with --alter.");
        }
        interval(options)?;
    } else if options.has("delete") {
        if !options.has("name") && !options.has("generate-name") {
            return usage("A client metrics resource name must be specified with --delete.");
        }
        options.excluded("delete", &["generate-name", "metrics", "interval", "match"])?;
    } else if options.has("describe") {
        options.excluded(
            "describe",
            &["generate-name", "metrics", "interval", "match"],
        )?;
    } else {
        options.excluded(
            "list",
            &["name", "generate-name", "metrics", "interval", "match"],
        )?;
    }
    Ok(())
}

/// The interval; `Some("")` resets it.
fn interval(options: &Options) -> Result<Option<&str>, Failure> {
    match options.value("interval")? {
        Some(text) if !text.is_empty() && text.parse::<i32>().is_err() => Err(Failure::Usage(
            "Invalid interval value. Enter an integer, or leave empty to reset.".to_owned(),
        )),
        other => Ok(other),
    }
}

fn alter(admin: &mut Admin, options: &Options) -> Result<(), Failure> {
    let name = match options.value("name")? {
        Some(name) => name.to_owned(),
        None => generated()?.to_string(),
    };
    let mut changes = Vec::new();
    let mut change = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            changes.push(Change {
                name: name.to_owned(),
                value: Some(value).filter(|value| !value.is_empty()),
            });
        }
    };
    let list = |name: &str| options.has(name).then(|| options.values(name).join(","));
    change("interval.ms", interval(options)?.map(str::to_owned));
    change("metrics", list("metrics"));
    change("match", list("match"));
    configs::alter(admin, None, Kind::ClientMetrics, &name, &changes)?;
    output::line(&format!("Altered client metrics config for {name}."));
    Ok(())
}

fn generated() -> Result<Uuid, Failure> {
    loop {
        let mut bytes = [0; 16];
        getrandom::fill(&mut bytes)
            .map_err(|error| Failure::Failed(format!("no random bytes: {error}")))?;
        if let Some(id) = Uuid::from_random(bytes) {
            return Ok(id);
        }
    }
}

fn delete(admin: &mut Admin, options: &Options) -> Result<(), Failure> {
    let name = options.value("name")?.unwrap_or_default();
    let changes: Vec<Change> = configs::describe(admin, None, Kind::ClientMetrics, name, false)?
        .into_iter()
        .map(|config| Change {
            name: config.name,
            value: None,
        })
        .collect();
    configs::alter(admin, None, Kind::ClientMetrics, name, &changes)?;
    output::line(&format!("Deleted client metrics config for {name}."));
    Ok(())
}

fn describe(admin: &mut Admin, options: &Options) -> Result<(), Failure> {
    let as_json = format::is_json(options)?;
    let all = configs::list(admin, Kind::ClientMetrics)?;
    let names = match options.value("name")? {
        None => all,
        Some(name) if all.iter().any(|other| other == name) => vec![name.to_owned()],
        Some(name) => {
            if as_json {
                format::json(&json!([]));
            } else {
                output::line(&format!(
                    "The client metric resource {name} doesn't exist and doesn't have dynamic config."
                ));
            }
            return Ok(());
        }
    };
    let mut shown = Vec::new();
    for name in names {
        let mut configs = configs::describe(admin, None, Kind::ClientMetrics, &name, false)?;
        java::name_order(&mut configs, |config| &config.name);
        let pairs = configs
            .into_iter()
            .map(|config| (config.name, config.value.unwrap_or_default()));
        if as_json {
            let pairs: serde_json::Map<String, Value> =
                pairs.map(|(key, value)| (key, json!(value))).collect();
            shown.push(json!({"name": name, "configs": pairs}));
        } else {
            output::line(&format!("Client metrics configs for {name} are:"));
            for (key, value) in pairs {
                output::line(&format!("  {key}={value}"));
            }
        }
    }
    if as_json {
        format::json(&Value::Array(shown));
    }
    Ok(())
}

fn list(admin: &mut Admin, options: &Options) -> Result<(), Failure> {
    let names = configs::list(admin, Kind::ClientMetrics)?;
    if format::is_json(options)? {
        format::json(&json!(names));
    } else {
        output::line(&names.join("\n"));
    }
    Ok(())
}
