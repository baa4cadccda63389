//! The options of the console share consumer, and what they say of its properties.

use clap::Command;
use ottla_client::Properties;

use crate::common::jopt::{Options, flag, value};
use crate::common::usage::Failure;
use crate::console::options::{file_and_pairs, one_group, set};

/// The group of those who name none.
const GROUP: &str = "console-share-consumer";

/// The options.
pub(crate) fn command() -> Command {
    Command::new("console-share-consumer")
        .about("Print the records of a topic as a member of a share group")
        .arg(value("topic", "topic", "REQUIRED: The topic to read."))
        .arg(value("bootstrap-server", "host:port,...", "REQUIRED: Nodes to begin with."))
        .arg(value("group", "group", "The share group (console-share-consumer)."))
        .arg(value("max-messages", "n", "End after this many records."))
        .arg(value("timeout-ms", "ms", "End if no record arrives for this long."))
        .arg(flag("reject", "Reject each record instead of accepting it."))
        .arg(flag("release", "Release each record, so that it is delivered again."))
        .arg(flag("reject-message-on-error", "Reject a record that cannot be printed, and go on."))
        .arg(value("key-deserializer", "class", "What keys are."))
        .arg(value("value-deserializer", "class", "What values are."))
        .arg(value("formatter", "class", "How records are printed."))
        .arg(value("formatter-property", "key=value", "print.timestamp, print.key, print.offset, print.delivery, print.epoch, print.partition, print.headers, print.value, key.separator, line.separator, headers.separator, null.literal, key.deserializer, value.deserializer, headers.deserializer."))
        .arg(value("formatter-config", "file", "Properties file for the formatter."))
        .arg(value("command-property", "key=value", "A property of the consumer."))
        .arg(value("command-config", "file", "Properties file for the consumer."))
        .arg(flag("enable-systest-events", "Print when the consumer ends.").hide(true))
        .arg(value("property", "key=value", "(Deprecated) Use --formatter-property.").hide(true))
        .arg(value("consumer-property", "key=value", "(Deprecated) Use --command-property.").hide(true))
        .arg(value("consumer-config", "file", "(Deprecated) Use --command-config.").hide(true))
        .after_help(
            "Examples:\n  ottla console-share-consumer --bootstrap-server localhost:9092 --topic test\n  \
             ottla console-share-consumer --bootstrap-server localhost:9092 --topic test --group s --release \
             --formatter-property print.delivery=true",
        )
}

/// The consumer's properties: those of files and options, with the tool's own options over them.
pub(super) fn properties(options: &Options) -> Result<Properties, Failure> {
    let of_files = file_and_pairs(options, &["command-config", "consumer-config"], &[])?;
    let of_pairs = file_and_pairs(options, &[], &["consumer-property", "command-property"])?;
    let group = one_group(options, &of_pairs, &of_files, "--consumer-config")?;
    let mut properties = of_files;
    properties.extend(of_pairs);
    let servers = options.value("bootstrap-server")?.unwrap_or_default();
    properties.insert("bootstrap.servers".to_owned(), servers.to_owned());
    set(&mut properties, "client.id", GROUP, None);
    let group = group.unwrap_or_else(|| GROUP.to_owned());
    properties.insert("group.id".to_owned(), group);
    properties.insert(
        "share.acknowledgement.mode".to_owned(),
        "explicit".to_owned(),
    );
    Ok(properties)
}
