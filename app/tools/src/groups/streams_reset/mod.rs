//! `kafka-streams-application-reset`: makes an application of Kafka Streams begin anew.

mod offsets;

use std::process::ExitCode;

use clap::Command;
use ottla_client::{Admin, Bootstrap, ClientError, Properties};
use ottla_protocol::ErrorCode;
use ottla_protocol::messages::LeaveGroupRequest;
use ottla_protocol::messages::leave_group_request::MemberIdentity;

use crate::common::client;
use crate::common::jopt::{Options, flag, value};
use crate::common::usage::{self, Failure};
use crate::common::{java, output};

use super::consumer_groups::described;
use super::streams_groups::{delete_topics, is_internal};
use super::{ask, consumer_groups};

/// Node to begin with if none is named.
const SERVER: &str = "localhost:9092";

/// How often members are removed that turn out to be gone meanwhile.
const TRIES_MAX: usize = 3;

const ABOUT: &str =
    "This tool helps to quickly reset an application in order to reprocess its data from scratch.";

/// The options.
pub(crate) fn command() -> Command {
    Command::new("streams-application-reset")
        .about("Make an application of Kafka Streams begin anew")
        .arg(value("application-id", "id", "REQUIRED: The application (application.id)."))
        .arg(value("bootstrap-server", "host:port,...", "Nodes to begin with (localhost:9092)."))
        .arg(value("input-topics", "topics", "Topics to read again, with commas; from their beginning if nothing else is said."))
        .arg(value("intermediate-topics", "topics", "(Deprecated) Topics to skip to the end of, with commas."))
        .arg(value("internal-topics", "topics", "Internal topics to delete, with commas; all if not given."))
        .arg(flag("to-earliest", "Reset input topics to the earliest offset."))
        .arg(flag("to-latest", "Reset input topics to the latest offset."))
        .arg(value("to-offset", "offset", "Reset input topics to this offset."))
        .arg(value("to-datetime", "datetime", "Reset input topics to the offset at YYYY-MM-DDThh:mm:ss.sss."))
        .arg(value("by-duration", "duration", "Reset input topics to the offset this long ago: PnDTnHnMnS."))
        .arg(value("shift-by", "number", "Shift by so many records, forward or back."))
        .arg(value("from-file", "file", "Reset input topics to the offsets of a CSV file."))
        .arg(value("command-config", "file", "Properties file for the client."))
        .arg(value("config-file", "file", "(Deprecated) Use --command-config.").hide(true))
        .arg(flag("force", "Remove members that are still in the group."))
        .arg(flag("dry-run", "Only show what would be done."))
        .after_help(
            "Examples:\n  ottla streams-application-reset --application-id app --input-topics in --dry-run\n  \
             ottla streams-application-reset --bootstrap-server localhost:9092 --application-id app \
             --input-topics in --to-datetime 2026-01-01T00:00:00.000",
        )
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    usage::run(command(), ABOUT, args, work)
}

fn work(options: &Options) -> Result<ExitCode, Failure> {
    if !options.has("application-id") {
        return Err(Failure::Usage(
            "Missing required option(s) [application-id]".to_owned(),
        ));
    }
    for mode in offsets::MODES {
        let others: Vec<&str> = offsets::MODES
            .iter()
            .copied()
            .filter(|other| other != mode)
            .collect();
        options.excluded(mode, &others)?;
    }
    options.excluded("config-file", &["command-config"])?;
    Ok(reset(options).unwrap_or_else(|why| {
        output::error_line(&format!("ERROR: {why}"));
        ExitCode::FAILURE
    }))
}

/// An option that may be given once; the error is Java's exception.
fn once<'a>(options: &'a Options, name: &str) -> Result<Option<&'a str>, String> {
    options
        .value(name)
        .map_err(|error| format!("joptsimple.MultipleArgumentsForOptionException: {error}"))
}

/// Topics of an option that takes a list.
fn listed(options: &Options, name: &str) -> Vec<String> {
    let values = options.values(name).iter();
    values
        .flat_map(|value| java::split(value, ','))
        .map(str::to_owned)
        .collect()
}

fn reset(options: &Options) -> Result<ExitCode, String> {
    let application = once(options, "application-id")?.unwrap_or_default();
    let config = if options.has("config-file") {
        output::line(
            "Option --config-file has been deprecated and will be removed in a future version. Use \
             --command-config instead.",
        );
        once(options, "config-file")?
    } else {
        once(options, "command-config")?
    };
    let properties = match config {
        Some(path) => client::properties_file(path)
            .map_err(|why| format!("java.io.FileNotFoundException: {why}"))?,
        None => Properties::new(),
    };
    let servers = once(options, "bootstrap-server")?.unwrap_or(SERVER);
    let mut admin = client::admin(Bootstrap::Brokers, servers, &properties).map_err(|error| {
        format!(
            "org.apache.kafka.common.KafkaException: {}",
            client::failed_to_create(&error)
        )
    })?;
    check_members(&mut admin, application, options.has("force"))?;
    let topics = topics(&mut admin)?;
    let dry = options.has("dry-run");
    if dry {
        output::line(
            "----Dry run displays the actions which will be performed when running Streams Reset Tool----",
        );
    }
    let inputs = listed(options, "input-topics");
    if options.has("intermediate-topics") {
        output::line(
            "WARN: `--intermediate-topics` is deprecated and will be removed in a future release",
        );
    }
    let between = listed(options, "intermediate-topics");
    let found_all = offsets::reset(&mut admin, options, application, &inputs, &between, &topics)?;
    let internal: Vec<String> = topics
        .iter()
        .filter(|topic| {
            !inputs.contains(topic) && !between.contains(topic) && is_internal(topic, application)
        })
        .cloned()
        .collect();
    delete_internal(
        &mut admin,
        listed(options, "internal-topics"),
        internal,
        dry,
    )?;
    Ok(if found_all {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Refuses to work while the application runs; with `force` removes its members.
fn check_members(admin: &mut Admin, group: &str, force: bool) -> Result<(), String> {
    let execution = |error: &ClientError| {
        format!(
            "java.util.concurrent.ExecutionException: {}",
            error.to_java()
        )
    };
    for last in (0..TRIES_MAX).map(|tried| tried + 1 == TRIES_MAX) {
        let members = match described(admin, group) {
            Ok(description) => description.members,
            Err(error) if error.code() == Some(ErrorCode::GroupIdNotFound) => return Ok(()),
            Err(error) => return Err(execution(&error)),
        };
        if members.is_empty() {
            return Ok(());
        }
        if !force {
            let members: Vec<String> = members
                .iter()
                .map(consumer_groups::Member::to_java)
                .collect();
            return Err(format!(
                "java.lang.IllegalStateException: Consumer group '{group}' is still active and has \
                 following members: [{}]. Make sure to stop all running application instances before \
                 running the reset tool. You can use option '--force' to remove active members from the \
                 group.",
                members.join(", ")
            ));
        }
        output::line(&format!(
            "Force deleting all active members in the group: {group}"
        ));
        match remove(admin, group, &members) {
            Err(error) if error.code() == Some(ErrorCode::UnknownMemberId) && !last => {}
            other => return other.map_err(|error| execution(&error)),
        }
    }
    Ok(())
}

fn remove(
    admin: &mut Admin,
    group: &str,
    members: &[consumer_groups::Member],
) -> Result<(), ClientError> {
    let members: Vec<MemberIdentity> = members
        .iter()
        .map(|member| {
            let mut identity = MemberIdentity::default();
            if member.instance.is_empty() {
                identity.member_id.clone_from(&member.id);
            } else {
                identity.group_instance_id = Some(member.instance.clone());
            }
            identity.reason = Some("member was removed by an admin".to_owned());
            identity
        })
        .collect();
    let (_, answer) = ask::coordinator::<LeaveGroupRequest>(
        admin,
        "leaveGroup",
        group,
        |_| LeaveGroupRequest {
            group_id: group.to_owned(),
            members: members.clone(),
            ..Default::default()
        },
        i16::MAX,
        |answer| answer.error_code,
    )?;
    ClientError::check(answer.error_code, None)?;
    for member in &answer.members {
        ClientError::check(member.error_code, None)?;
    }
    Ok(())
}

/// All topics but those that the nodes keep for themselves, in the order of a Java map.
fn topics(admin: &mut Admin) -> Result<Vec<String>, String> {
    let answer = admin.metadata("listTopics", None).map_err(|error| {
        format!(
            "java.util.concurrent.ExecutionException: {}",
            error.to_java()
        )
    })?;
    let mut names: Vec<String> = answer
        .topics
        .into_iter()
        .filter(|topic| !topic.is_internal && topic.error_code == 0)
        .filter_map(|topic| topic.name)
        .collect();
    java::name_order(&mut names, |name| name);
    Ok(names)
}

fn delete_internal(
    admin: &mut Admin,
    wanted: Vec<String>,
    inferred: Vec<String>,
    dry: bool,
) -> Result<(), String> {
    let (which, topics) = if wanted.is_empty() {
        ("inferred", inferred)
    } else if wanted.iter().all(|topic| inferred.contains(topic)) {
        ("specified", wanted)
    } else {
        return Err(
            "java.lang.IllegalArgumentException: Invalid topic specified in the --internal-topics option. \
             Ensure that the topics specified are all internal topics. Do a dry run without the \
             --internal-topics option to see the list of all internal topics that can be deleted."
                .to_owned(),
        );
    };
    output::line(&format!(
        "Deleting {which} internal topics [{}]",
        topics.join(", ")
    ));
    if !dry && !topics.is_empty() {
        let failed = delete_topics(admin, &topics);
        for (topic, error) in &failed {
            output::error_line(&format!("ERROR: deleting topic {topic}"));
            output::error_line(&format!(
                "java.util.concurrent.ExecutionException: {}",
                error.to_java()
            ));
        }
        if !failed.is_empty() {
            return Err(
                "java.lang.RuntimeException: Encountered an error deleting one or more topics"
                    .to_owned(),
            );
        }
    }
    output::line("Done.");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::jopt;

    #[test]
    fn lists_may_be_given_in_parts() {
        let args = ["--input-topics", "a,b,", "--input-topics=c"].map(str::to_owned);
        let options = jopt::parse(&command(), &args).expect("it is right");
        assert_eq!(listed(&options, "input-topics"), ["a", "b", "c"]);
        assert_eq!(listed(&options, "internal-topics"), Vec::<String>::new());
    }
}
