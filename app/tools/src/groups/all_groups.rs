//! `kafka-groups`: lists groups of all types.

use std::process::ExitCode;

use clap::Command;

use crate::common::format::{self, Format};
use crate::common::jopt::{Options, flag, value};
use crate::common::table::{Table, Width, text};
use crate::common::usage::{self, Failure};
use crate::common::{client, output};

use super::ask::{self, Listing};

/// Types that a group may have.
const TYPES: &[&str] = &["Classic", "Consumer", "Share", "Streams"];

/// The options.
pub(crate) fn command() -> Command {
    client::options(Command::new("groups"))
        .about("List groups of all types")
        .after_help(
            "Examples:\n  ottla groups --bootstrap-server localhost:9092 --list\n  ottla groups \
             --bootstrap-server localhost:9092 --list --share",
        )
        .arg(flag("list", "List the groups."))
        .arg(flag("consumer", "Only groups of consumers."))
        .arg(flag("share", "Only share groups."))
        .arg(flag("streams", "Only streams groups."))
        .arg(value(
            "group-type",
            "type",
            "Only groups of this type: classic, consumer, share or streams.",
        ))
        .arg(value(
            "protocol",
            "protocol",
            "Only groups of this protocol type.",
        ))
        .arg(format::option())
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    usage::run(
        command(),
        "This tool helps to list groups of all types.",
        args,
        list,
    )
}

fn list(options: &Options) -> Result<ExitCode, Failure> {
    if !options.has("bootstrap-server") {
        return Err(Failure::Usage(
            "Missing required option(s) [bootstrap-server]".to_owned(),
        ));
    }
    if !options.has("list") {
        return Err(Failure::Usage(
            "Command must include exactly one action: --list.".to_owned(),
        ));
    }
    let kind = options.value("group-type")?;
    if kind.is_some_and(|kind| !TYPES.iter().any(|known| known.eq_ignore_ascii_case(kind))) {
        return Err(Failure::Failed(
            "--group-type must be a valid group type.".to_owned(),
        ));
    }
    options.excluded("consumer", &["share", "streams", "group-type", "protocol"])?;
    options.excluded("share", &["streams", "group-type", "protocol"])?;
    options.excluded("streams", &["group-type", "protocol"])?;
    let format = format::of(options.value(format::OUTPUT)?).map_err(Failure::Usage)?;
    let failed = |text: &str| {
        output::line(&format!("Error while executing groups command : {text}"));
        Ok(ExitCode::FAILURE)
    };
    let mut admin = match client::admin_of(options) {
        Ok(admin) => admin,
        Err(text) if options.has("command-config") => return failed(&text),
        Err(_) => return failed("Failed to create new KafkaAdminClient"),
    };
    let found = match ask::list_groups(&mut admin, &[], &[], None) {
        Ok(found) => found,
        // Only the message of the exception, without its name.
        Err(error) => return failed(error.split_once(": ").map_or(&*error, |(_, text)| text)),
    };
    let table = table(found.into_iter().filter(|group| passes(group, options)));
    match format {
        Format::Json => format::json(&table.json().into()),
        // Kafka puts a blank behind each row, but none behind the header.
        Format::Text => {
            for (index, line) in table.lines().iter().enumerate() {
                output::line(&format!("{line}{}", if index == 0 { "" } else { " " }));
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn passes(group: &Listing, options: &Options) -> bool {
    let is = |kind: &str| group.kind.eq_ignore_ascii_case(kind);
    let of_consumers =
        is("consumer") || is("classic") && ["consumer", ""].contains(&group.protocol.as_str());
    (!options.has("consumer") || of_consumers)
        && (!options.has("share") || is("share"))
        && (!options.has("streams") || is("streams"))
        && options.values("group-type").iter().all(|kind| is(kind))
        && options
            .values("protocol")
            .iter()
            .all(|protocol| *protocol == group.protocol)
}

/// All columns are as wide as the longest cell of them all.
fn table(groups: impl Iterator<Item = Listing>) -> Table {
    let rows: Vec<[String; 3]> = groups
        .map(|group| [group.group, group.kind, group.protocol])
        .collect();
    let width = rows
        .iter()
        .flatten()
        .map(|cell| cell.encode_utf16().count())
        .fold(20, usize::max);
    let mut table = Table::new(vec![
        text("GROUP", Width::Fixed(width), "group"),
        text("TYPE", Width::Fixed(width), "type"),
        text("PROTOCOL", Width::Fixed(width), "protocol"),
    ]);
    for row in rows {
        table.row(row.into());
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_cell_sets_the_width_of_all_columns() {
        let group = Listing {
            group: "a-group-of-22-letters-".to_owned(),
            kind: "Classic".to_owned(),
            protocol: "consumer".to_owned(),
            state: "Stable".to_owned(),
        };
        assert_eq!(
            table([group].into_iter()).lines(),
            [
                "GROUP                  TYPE                   PROTOCOL              ",
                "a-group-of-22-letters- Classic                consumer              ",
            ]
        );
    }
}
