//! The resource BROKER_LOGGER of DescribeConfigs and IncrementalAlterConfigs (KIP-412): log levels.
//!
//! Kafka differs: it has a logger for each class and sets levels while it runs. Here there is the root
//! logger, which lets through what the node was started to log.

use ottla_config::{AlterOp, ConfigSource, DescribedConfig};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::incremental_alter_configs_request::AlterableConfig;
use tracing::level_filters::LevelFilter;

const ROOT: &str = "root";
const LEVELS: [&str; 6] = ["DEBUG", "ERROR", "FATAL", "INFO", "TRACE", "WARN"];

/// The loggers of this node with their levels.
pub(crate) fn describe() -> Vec<DescribedConfig> {
    vec![DescribedConfig {
        name: ROOT.to_owned(),
        value: Some(level().to_owned()),
        read_only: false,
        source: ConfigSource::DynamicBrokerLogger,
        sensitive: false,
        synonyms: Vec::new(),
        kind: None,
        documentation: Some(String::new()),
    }]
}

fn level() -> &'static str {
    match LevelFilter::current() {
        LevelFilter::TRACE => "TRACE",
        LevelFilter::DEBUG => "DEBUG",
        LevelFilter::INFO => "INFO",
        LevelFilter::WARN => "WARN",
        LevelFilter::ERROR => "ERROR",
        _ => "OFF",
    }
}

/// Why levels cannot be changed like this; the first of `configs` that cannot is told.
pub(crate) fn refusal(configs: &[AlterableConfig]) -> Option<(ErrorCode, String)> {
    configs.iter().find_map(|config| {
        let name = &config.name;
        let request = |text: &str| Some((ErrorCode::InvalidRequest, text.to_owned()));
        let invalid = |text: String| Some((ErrorCode::InvalidConfig, text));
        let operation = AlterOp::from_wire(config.config_operation);
        match operation {
            Some(AlterOp::Append) => request(&not_allowed("APPEND")),
            Some(AlterOp::Subtract) => request(&not_allowed("SUBTRACT")),
            None => request(&format!(
                "Unknown operations type {}",
                config.config_operation
            )),
            Some(AlterOp::Set | AlterOp::Delete) if name != ROOT => {
                invalid(format!("Logger {name} does not exist!"))
            }
            Some(AlterOp::Delete) => {
                request("Removing the log level of the root logger is not allowed")
            }
            Some(AlterOp::Set) => {
                let value = config.value.as_deref().unwrap_or_default();
                if value == level() {
                    return None;
                }
                invalid(if LEVELS.contains(&value) {
                    format!("The log level of {name} is set when the node is started")
                } else {
                    let levels = LEVELS.join(", ");
                    format!(
                        "Cannot set the log level of {name} to {value} as it is not a supported log \
                         level. Valid log levels are {levels}"
                    )
                })
            }
        }
    })
}

fn not_allowed(operation: &str) -> String {
    format!("{operation} operation is not allowed for the BROKER_LOGGER resource")
}
