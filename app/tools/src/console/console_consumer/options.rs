//! The options of the console consumer, and what they say of its properties.

use clap::Command;
use ottla_client::Properties;

use crate::common::jopt::{Options, flag, value};
use crate::common::usage::Failure;
use crate::console::options::{file_and_pairs, one_group, set};

/// The options.
pub(crate) fn command() -> Command {
    Command::new("console-consumer")
        .about("Print the records of a topic")
        .arg(value("topic", "topic", "The topic to read."))
        .arg(value("include", "regex", "Topics to read, by a regular expression."))
        .arg(value("bootstrap-server", "host:port,...", "REQUIRED: Nodes to begin with."))
        .arg(flag("from-beginning", "Start with the first record if the group has no offset."))
        .arg(value("partition", "n", "Read this partition only, from its end unless --offset is given."))
        .arg(value("offset", "offset", "Where to begin: a number, earliest or latest."))
        .arg(value("group", "group", "Group of the consumer."))
        .arg(value("max-messages", "n", "End after this many records."))
        .arg(value("timeout-ms", "ms", "End if no record arrives for this long."))
        .arg(value("isolation-level", "level", "read_committed or read_uncommitted."))
        .arg(flag("skip-message-on-error", "Go on after a record that cannot be printed."))
        .arg(value("key-deserializer", "class", "What keys are."))
        .arg(value("value-deserializer", "class", "What values are."))
        .arg(value("formatter", "class", "How records are printed."))
        .arg(value("formatter-property", "key=value", "print.timestamp, print.key, print.offset, print.epoch, print.partition, print.headers, print.value, key.separator, line.separator, headers.separator, null.literal, key.deserializer, value.deserializer, headers.deserializer."))
        .arg(value("formatter-config", "file", "Properties file for the formatter."))
        .arg(value("command-property", "key=value", "A property of the consumer."))
        .arg(value("command-config", "file", "Properties file for the consumer."))
        .arg(flag("enable-systest-events", "Print when the consumer ends.").hide(true))
        .arg(value("property", "key=value", "(Deprecated) Use --formatter-property.").hide(true))
        .arg(value("consumer-property", "key=value", "(Deprecated) Use --command-property.").hide(true))
        .arg(value("consumer.config", "file", "(Deprecated) Use --command-config.").hide(true))
        .after_help(
            "Examples:\n  ottla console-consumer --bootstrap-server localhost:9092 --topic test --from-beginning\n  \
             ottla console-consumer --bootstrap-server localhost:9092 --topic test --partition 0 --offset 4\n  \
             ottla console-consumer --bootstrap-server localhost:9092 --topic test --formatter-property print.key=true",
        )
}

/// Partition and offset, if one partition is wanted.
pub(super) fn place(options: &Options) -> Result<Option<(i32, i64)>, Failure> {
    if options.has("partition") && !options.has("topic") {
        return Err(Failure::Usage(
            "The topic is required when partition is specified.".to_owned(),
        ));
    }
    if options.has("from-beginning") && options.has("offset") {
        return Err(Failure::Usage(
            "Options from-beginning and offset cannot be specified together.".to_owned(),
        ));
    }
    let partition: Option<i32> = options.number("partition")?;
    let offset = options.value("offset")?;
    if offset.is_some() && partition.is_none() {
        return Err(Failure::Usage(
            "The partition is required when offset is specified.".to_owned(),
        ));
    }
    let refused = |text: &str| {
        Failure::Usage(format!(
            "The provided offset value '{text}' is incorrect. Valid values are 'earliest', 'latest', or \
             a non-negative long."
        ))
    };
    let offset = match offset {
        None if options.has("from-beginning") => -2,
        None => -1,
        Some(text) if text.eq_ignore_ascii_case("earliest") => -2,
        Some(text) if text.eq_ignore_ascii_case("latest") => -1,
        Some(text) => text
            .parse::<i64>()
            .ok()
            .filter(|offset| *offset >= 0)
            .ok_or_else(|| refused(text))?,
    };
    Ok(partition.map(|partition| (partition, offset)))
}

/// The consumer's properties: those of files and options, with the tool's own options over them.
pub(super) fn properties(options: &Options, by_partition: bool) -> Result<Properties, Failure> {
    let files = ["command-config", "consumer.config"];
    let pairs = ["consumer-property", "command-property"];
    let of_files = file_and_pairs(options, &files, &[])?;
    let of_pairs = file_and_pairs(options, &[], &pairs)?;
    let group = one_group(options, &of_pairs, &of_files, "--consumer.config")?;
    if by_partition && group.is_some() {
        return Err(Failure::Usage(
            "Options group and partition cannot be specified together.".to_owned(),
        ));
    }
    let mut properties = of_files;
    properties.extend(of_pairs);
    let random_group = group.is_none();
    let group = match group {
        Some(group) => group,
        None => format!("console-consumer-{}", random_number()?),
    };
    properties.insert("group.id".to_owned(), group);
    let servers = options.value("bootstrap-server")?.unwrap_or_default();
    properties.insert("bootstrap.servers".to_owned(), servers.to_owned());
    set(&mut properties, "client.id", "console-consumer", None);
    let isolation = options.value("isolation-level")?;
    set(
        &mut properties,
        "isolation.level",
        "read_uncommitted",
        isolation,
    );
    if random_group {
        set(&mut properties, "enable.auto.commit", "false", None);
    }
    let reset = if options.has("from-beginning") {
        "earliest"
    } else {
        "latest"
    };
    set(&mut properties, "auto.offset.reset", reset, None);
    let now = properties.get("auto.offset.reset").map(String::as_str);
    if let Some(other) = now.filter(|now| options.has("from-beginning") && *now != "earliest") {
        return Err(Failure::Failed(format!(
            "Can't simultaneously specify --from-beginning and 'auto.offset.reset={other}', please \
             remove one option"
        )));
    }
    Ok(properties)
}

/// A number below 100000 that no other consumer has, most likely.
fn random_number() -> Result<u32, Failure> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes).map_err(|error| Failure::Failed(error.to_string()))?;
    Ok(u32::from_be_bytes(bytes) % 100_000)
}
