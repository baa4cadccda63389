//! `kafka-configs`: configs of topics, brokers, loggers, groups and subscriptions, quotas of clients, and
//! SCRAM credentials of users.
//!
//! Here are the options and which of them go together. `entity` reads which things are meant and what is
//! to be changed, `resources`, `quotas` and `scram` do the work.

mod entity;
mod quotas;
mod resources;
mod scram;

use std::process::ExitCode;

use clap::Command;
use ottla_client::{Admin, Bootstrap, ClientError};
use ottla_protocol::ErrorCode;
use serde_json::{Value, json};

use crate::common::jopt::{OptionError, Options, flag, value};
use crate::common::usage::{self, Failure};
use crate::common::{client, format, output};
use entity::{Changes, Entities, Type};

/// The options.
pub(crate) fn command() -> Command {
    let command = client::options(Command::new("configs"))
        .about("Show and change configs, quotas and SCRAM credentials")
        .arg(value(
            "bootstrap-controller",
            "host:port,...",
            "Controllers to begin with, in place of brokers.",
        ))
        .arg(flag("describe", "Show configs."))
        .arg(flag("alter", "Change configs."))
        .arg(value(
            "entity-type",
            "type",
            "topics, clients, users, brokers, broker-loggers, ips, client-metrics or groups.",
        ))
        .arg(value("entity-name", "name", "Name of the entity."))
        .arg(flag(
            "entity-default",
            "What holds for all clients, users, brokers or ips.",
        ))
        .arg(flag("all", "Show defaults too."))
        .arg(value("add-config", "k=v,k=[v,v]", "Configs to set."))
        .arg(value(
            "add-config-file",
            "file",
            "Properties file with configs to set.",
        ))
        .arg(value("delete-config", "k,...", "Configs to remove."));
    let command = entity::FLAGS
        .iter()
        .fold(command, |command, (name, _, help)| {
            command.arg(value(name, "name", help))
        });
    let command = entity::DEFAULT_FLAGS
        .iter()
        .fold(command, |command, (name, _, help)| {
            command.arg(flag(name, help))
        });
    command.arg(format::option()).after_help(
        "Examples:\n  \
         ottla configs --bootstrap-server localhost:9092 --describe --topic t\n  \
         ottla configs --bootstrap-server localhost:9092 --alter --topic t --add-config retention.ms=60000\n  \
         ottla configs --bootstrap-server localhost:9092 --alter --user u --add-config \
         producer_byte_rate=1000000",
    )
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    usage::run(
        command(),
        "This tool helps to manipulate and describe entity config for a topic, client, user, broker, ip, \
         client-metrics or group",
        args,
        |options| {
            let entities = check(options)?;
            work(options, &entities).map_err(|error| match error {
                Problem::Wrong(text) => Failure::Failed(text),
                Problem::Failed(text) => Failure::Failed(format!(
                    "Error while executing config command with args '{}'\n{text}",
                    args.join(" ")
                )),
            })?;
            Ok(ExitCode::SUCCESS)
        },
    )
}

/// Why the work was not done.
#[derive(Debug)]
enum Problem {
    /// What was asked cannot be; the text stands alone.
    Wrong(String),
    /// The cluster refused; the text is the exception's.
    Failed(String),
}

impl From<ClientError> for Problem {
    fn from(error: ClientError) -> Self {
        Self::Failed(error.to_java())
    }
}

impl From<OptionError> for Problem {
    fn from(error: OptionError) -> Self {
        Self::Wrong(error.0)
    }
}

/// What was asked cannot be.
fn wrong<T>(text: impl Into<String>) -> Result<T, Problem> {
    Err(Problem::Wrong(text.into()))
}

/// Refuses options that do not go together, in the order in which Kafka's tool looks.
fn check(options: &Options) -> Result<Entities, Failure> {
    let refuse = |text: String| Err(Failure::Usage(text));
    let describes = options.has("describe");
    if describes == options.has("alter") {
        return refuse("Command must include exactly one action: --describe, --alter".to_owned());
    }
    options.excluded("describe", &["add-config", "delete-config"])?;
    let types = entity::types(options)?;
    if !options.has("bootstrap-server") && !options.has("bootstrap-controller") {
        return refuse(
            "Either --bootstrap-server or --bootstrap-controller must be specified.".to_owned(),
        );
    }
    let types = Type::all_of(&types)?;
    if (options.has("entity-name") || options.has("entity-type") || options.has("entity-default"))
        && entity::has_flags(options)
    {
        return refuse(
            "--entity-{type,name,default} should not be used in conjunction with specific entity flags"
                .to_owned(),
        );
    }
    if options.has("bootstrap-server") && options.has("bootstrap-controller") {
        return refuse(
            "Only one of --bootstrap-server or --bootstrap-controller can be specified".to_owned(),
        );
    }
    let entities = Entities {
        names: entity::names(options)?,
        types,
    };
    entities.check_names()?;
    let head = entities.head();
    let named = entities.names.iter().any(|name| !name.is_empty());
    if describes {
        if !head.has_default() && options.has("entity-default") {
            return refuse(format!(
                "--entity-default must not be specified with --describe of {}",
                head.name()
            ));
        }
        if head == Type::BrokerLoggers && !named {
            return refuse(format!(
                "An entity name must be specified with --describe of {}",
                head.name()
            ));
        }
        return Ok(entities);
    }
    if head.has_default() {
        if entities.names.is_empty() {
            return refuse(
                "An entity-name or default entity must be specified with --alter of users, clients, \
                 brokers or ips"
                    .to_owned(),
            );
        }
    } else if !named {
        return refuse(format!(
            "An entity name must be specified with --alter of {}",
            head.name()
        ));
    }
    if options.has("add-config") && options.has("add-config-file") {
        return refuse(
            "Only one of --add-config or --add-config-file must be specified".to_owned(),
        );
    }
    if !["add-config", "add-config-file", "delete-config"]
        .iter()
        .any(|name| options.has(name))
    {
        return refuse(
            "At least one of --add-config, --add-config-file, or --delete-config must be specified with \
             --alter"
                .to_owned(),
        );
    }
    Ok(entities)
}

fn work(options: &Options, entities: &Entities) -> Result<(), Problem> {
    let mut admin = open(options)?;
    if options.has("describe") {
        describe(&mut admin, options, entities)
    } else {
        alter(&mut admin, options, entities)
    }
}

fn open(options: &Options) -> Result<Admin, Problem> {
    let properties = client::properties_of(options).map_err(Problem::Failed)?;
    let (kind, servers) = match options.value("bootstrap-controller")? {
        Some(servers) => (Bootstrap::Controllers, servers),
        None => (
            Bootstrap::Brokers,
            options.value("bootstrap-server")?.unwrap_or_default(),
        ),
    };
    client::admin(kind, servers, &properties)
        .map_err(|error| Problem::Failed(client::failed_to_create(&error)))
}

/// Refuses what controllers do not answer.
fn only_brokers(admin: &Admin) -> Result<(), Problem> {
    if admin.config().kind == Bootstrap::Controllers {
        return Err(ClientError::refused(
            ErrorCode::UnsupportedEndpointType.code(),
            Some(
                "This Admin API is not yet supported when communicating directly with the controller \
                 quorum.",
            ),
        )
        .into());
    }
    Ok(())
}

fn describe(admin: &mut Admin, options: &Options, entities: &Entities) -> Result<(), Problem> {
    let as_json = format::is_json(options)?;
    match entities.head() {
        Type::Users | Type::Clients | Type::Ips => {
            only_brokers(admin)?;
            let mut found = quotas::describe(admin, entities)?;
            let users = entities.head() == Type::Users
                && !entities.types.contains(&Type::Clients)
                && !entities.names.iter().any(String::is_empty);
            if as_json {
                let scram = if users {
                    scram::describe(admin, &entities.names)?
                } else {
                    Vec::new()
                };
                let quotas: Vec<Value> = found.iter().map(quotas::to_json).collect();
                let scram: Vec<Value> = scram.iter().map(scram::to_json).collect();
                format::json(&json!({"quotas": quotas, "scramCredentials": scram}));
                return Ok(());
            }
            for entry in &mut found {
                output::line(&quotas::line(entry));
            }
            if users {
                for user in scram::describe(admin, &entities.names)? {
                    output::line(&scram::line(&user));
                }
            }
            Ok(())
        }
        kind => resources::describe(
            admin,
            kind,
            entities.names.first().map(String::as_str),
            options.has("all"),
            as_json,
        ),
    }
}

fn alter(admin: &mut Admin, options: &Options, entities: &Entities) -> Result<(), Problem> {
    let changes = Changes::of(options)?;
    let name = entities.names.first().map_or("", String::as_str);
    match entities.head() {
        Type::Ips => {
            quotas::check_ip(&changes)?;
            quotas::alter(admin, entities, &changes)?;
        }
        Type::Users | Type::Clients => {
            if scram::check(entities, &changes)? {
                scram::alter(admin, name, &changes)?;
            } else {
                quotas::alter(admin, entities, &changes)?;
            }
        }
        kind => resources::alter(admin, kind, name, &changes)?,
    }
    output::line(&if name.is_empty() {
        format!(
            "Completed updating default config for {} in the cluster.",
            entities.head().name()
        )
    } else {
        format!(
            "Completed updating config for {} {name}.",
            entities.head().singular()
        )
    });
    Ok(())
}
