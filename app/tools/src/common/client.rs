//! From a tool's options to a cluster: addresses, properties files, single properties.

use std::path::Path;

use clap::{Arg, ArgGroup, Command};
use ottla_client::{Admin, Bootstrap, ClientConfig, ClientError, Properties};

use super::argparse::Parsed;
use super::jopt::{Options, value};
use super::output;
use super::usage::Failure;

/// Adds `--bootstrap-server` and `--command-config`.
pub(crate) fn options(command: Command) -> Command {
    command
        .arg(value(
            "bootstrap-server",
            "host:port,...",
            "Nodes to begin with.",
        ))
        .arg(value(
            "command-config",
            "file",
            "Properties file for the client.",
        ))
}

/// What a properties file says.
///
/// # Errors
/// One sentence if it cannot be read.
pub(crate) fn properties_file(path: &str) -> Result<Properties, String> {
    // The exception that Java throws is what users know.
    let bytes = std::fs::read(Path::new(path)).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => format!("{path} (No such file or directory)"),
        std::io::ErrorKind::PermissionDenied => format!("{path} (Permission denied)"),
        _ => format!("{path}: {error}"),
    })?;
    let parsed = ottla_config::parse_properties(&bytes).map_err(|error| error.to_string())?;
    Ok(parsed.into_iter().collect())
}

/// A client for administration.
///
/// # Errors
/// [`ClientError`] for settings that cannot be used.
pub(crate) fn admin(
    kind: Bootstrap,
    servers: &str,
    properties: &Properties,
) -> Result<Admin, ClientError> {
    let mut config = ClientConfig::new(kind, servers, "adminclient-1", properties)?;
    config.warn = |text| {
        output::warn(&format!(
            "[AdminClient clientId=adminclient-1] {text} (org.apache.kafka.clients.NetworkClient)"
        ));
    };
    Admin::new(config)
}

/// What the file of `--command-config` says.
///
/// # Errors
/// One sentence if it cannot be read.
pub(crate) fn properties_of(options: &Options) -> Result<Properties, String> {
    match options.value("command-config").map_err(|error| error.0)? {
        Some(path) => properties_file(path),
        None => Ok(Properties::new()),
    }
}

/// A client of the brokers that `--bootstrap-server` names.
///
/// # Errors
/// The text of the exception that Kafka's tool ends with.
pub(crate) fn admin_for(options: &Options, properties: &Properties) -> Result<Admin, String> {
    let servers = options
        .value("bootstrap-server")
        .map_err(|error| error.0)?
        .unwrap_or_default();
    admin(Bootstrap::Brokers, servers, properties).map_err(|error| failed_to_create(&error))
}

/// A client with what `--bootstrap-server` and `--command-config` say.
///
/// # Errors
/// The text of the exception that Kafka's tool ends with.
pub(crate) fn admin_of(options: &Options) -> Result<Admin, String> {
    admin_for(options, &properties_of(options)?)
}

/// A client for `servers`, with what `--command-config` says.
///
/// # Errors
/// The text of the exception that Kafka's tool ends with.
pub(crate) fn admin_with(options: &Options, servers: &str) -> Result<Admin, String> {
    admin(Bootstrap::Brokers, servers, &properties_of(options)?)
        .map_err(|error| failed_to_create(&error))
}

/// Looks at a list of addresses as those tools do that refuse a wrong one with a page of help.
///
/// # Errors
/// Kafka's sentence.
pub(crate) fn check_addresses(text: &str) -> Result<(), Failure> {
    if text.trim().is_empty() {
        return Err(Failure::Usage(
            "Error while validating the bootstrap address".to_owned(),
        ));
    }
    let has_port = |url: &str| {
        let port = url.rsplit_once(':').map(|(_, port)| port);
        port.is_some_and(|port| port.parse::<u32>().is_ok())
    };
    if text.split(',').all(has_port) {
        Ok(())
    } else {
        Err(Failure::Usage(
            "Please provide valid host:port like host1:9091,host2:9092".to_owned(),
        ))
    }
}

/// What Kafka's tools say of settings that cannot be used, with the reason that they hide in a trace.
pub(crate) fn failed_to_create(error: &ClientError) -> String {
    format!(
        "Failed to create new KafkaAdminClient\nCaused by: {}",
        error.to_java()
    )
}

/// `default.api.timeout.ms`, which requests carry as the time that a server may take.
pub(crate) fn api_timeout_ms(admin: &Admin) -> i32 {
    i32::try_from(admin.config().api_timeout.as_millis()).unwrap_or(i32::MAX)
}

/// Adds `--bootstrap-server`, `--bootstrap-controller` (one of them, `required` or not) and
/// `--command-config` to a tool with argparse4j's grammar.
pub(crate) fn argparse_options(command: Command, required: bool) -> Command {
    command
        .arg(
            Arg::new("bootstrap-server")
                .long("bootstrap-server")
                .help("Brokers to begin with: host:port,..."),
        )
        .arg(
            Arg::new("bootstrap-controller")
                .long("bootstrap-controller")
                .help("Controllers to begin with: host:port,..."),
        )
        .arg(
            Arg::new("command-config")
                .long("command-config")
                .help("Properties file for the client."),
        )
        .group(
            ArgGroup::new("bootstrap")
                .args(["bootstrap-server", "bootstrap-controller"])
                .required(required),
        )
}

/// A client with what the options of [`argparse_options`] say; `config` is the properties file.
///
/// # Errors
/// The text of the exception that Kafka's tool ends with.
pub(crate) fn admin_of_parsed(parsed: &Parsed, config: Option<&str>) -> Result<Admin, String> {
    let properties = match config {
        Some(path) => properties_file(path)?,
        None => Properties::new(),
    };
    let (kind, servers) = match parsed.value("bootstrap-controller") {
        Some(servers) => (Bootstrap::Controllers, servers),
        None => (
            Bootstrap::Brokers,
            parsed.value("bootstrap-server").unwrap_or_default(),
        ),
    };
    admin(kind, servers, &properties)
        .map_err(|error| format!("Failed to create new KafkaAdminClient\n{error}"))
}
