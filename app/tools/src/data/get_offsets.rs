//! `kafka-get-offsets`: offsets of partitions at a time, first, last or in between.

use std::process::ExitCode;

use clap::Command;
use serde_json::{Value, json};

use crate::common::filter::TopicFilter;
use crate::common::jopt::{Options, flag, value};
use crate::common::leaders::{self, Outcomes, TopicPartition};
use crate::common::usage::{self, Failure};
use crate::common::{client, format, java, output, topics};

/// What Kafka's tool puts before what is wrong.
const WORDS: &str = "Error occurred: ";

/// Names of times that are none, with what stands for them on the wire and the first version that has it.
const TIMES: &[(&str, i64, i16)] = &[
    ("latest", -1, 0),
    ("earliest", -2, 0),
    ("max-timestamp", -3, 7),
    ("earliest-local", -4, 8),
    ("latest-tiered", -5, 9),
    ("earliest-pending-upload", -6, 11),
];

/// The options.
pub(crate) fn command() -> Command {
    let command = client::options(Command::new("get-offsets"))
        .about("Show offsets of partitions")
        .arg(value(
            "topic-partitions",
            "t:0-3,u",
            "Topics with partitions: t, t:1, t:1-3 (without 3), t:1-, t:-3, :1; topics are expressions.",
        ))
        .arg(value("topic", "topic", "Topics, as a regular expression; all if left out."))
        .arg(value("partitions", "n,...", "Partitions; all if left out."))
        .arg(value(
            "time",
            "time",
            "Milliseconds since 1970; or latest (the default), earliest, max-timestamp, earliest-local, \
             latest-tiered, earliest-pending-upload.",
        ))
        .arg(flag("exclude-internal-topics", "Leave internal topics out."));
    command.arg(format::option()).after_help(
        "Examples:\n  \
         ottla get-offsets --bootstrap-server localhost:9092 --topic t\n  \
         ottla get-offsets --bootstrap-server localhost:9092 --topic-partitions t:0,u:1-3 --time earliest",
    )
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    usage::run_saying(
        command(),
        "An interactive shell for getting topic-partition offsets.",
        args,
        WORDS,
        |options| {
            options.required(&["bootstrap-server"])?;
            client::check_addresses(options.value("bootstrap-server")?.unwrap_or_default())?;
            work(options).map_err(|failure| match failure {
                Failure::Usage(error) | Failure::Failed(error) => {
                    Failure::Failed(format!("{WORDS}{error}"))
                }
            })?;
            Ok(ExitCode::SUCCESS)
        },
    )
}

fn work(options: &Options) -> Result<(), Failure> {
    if options.has("topic-partitions") && (options.has("topic") || options.has("partitions")) {
        return Err(Failure::Failed(
            "--topic-partitions cannot be used with --topic or --partitions".to_owned(),
        ));
    }
    let (time, version) = time(options.value("time")?.unwrap_or("latest"))?;
    let no_internal = options.has("exclude-internal-topics");
    let chosen = match options.value("topic-partitions")? {
        Some(rules) => Rule::list(rules)?,
        None => vec![Rule::of_options(
            options.value("topic")?,
            options.value("partitions")?,
        )?],
    };
    let mut admin = client::admin_of(options)?;
    let listed = topics::list(&mut admin).map_err(|error| error.to_java())?;
    let names: Vec<String> = listed
        .into_iter()
        .filter(|topic| !(no_internal && topic.internal))
        .map(|topic| topic.name)
        .filter(|name| chosen.iter().any(|rule| rule.topics.matches(name)))
        .collect();
    let described = topics::describe(&mut admin, &names, topics::PARTITIONS_PER_RESPONSE)
        .map_err(|error| error.to_java())?;
    let partitions: Vec<TopicPartition> = described
        .into_iter()
        .flat_map(|topic| {
            let name = topic.name;
            topic
                .partitions
                .into_iter()
                .map(move |partition| (name.clone(), partition.index))
        })
        .filter(|partition| chosen.iter().any(|rule| rule.matches(partition)))
        .collect();
    if partitions.is_empty() {
        return Err(Failure::Failed(
            "Could not match any topic-partitions with the specified filters".to_owned(),
        ));
    }
    let outcomes = leaders::ask(
        &mut admin,
        "listOffsets",
        partitions,
        |admin, leader, led| leaders::offsets(admin, leader, led, time, version),
    );
    show(outcomes, format::is_json(options)?);
    Ok(())
}

fn show(outcomes: Outcomes<i64>, as_json: bool) {
    let mut found: Vec<Value> = Vec::new();
    for ((topic, index), outcome) in outcomes {
        match outcome {
            // There is no such offset.
            Ok(-1) => {}
            Ok(offset) if as_json => {
                found.push(json!({"topic": topic, "partition": index, "offset": offset}));
            }
            Ok(offset) => output::line(&format!("{topic}:{index}:{offset}")),
            Err(error) => output::error_line(&format!(
                "Skip getting offsets for topic-partition {topic}-{index} due to error: {}",
                error.to_java()
            )),
        }
    }
    if as_json {
        format::json(&Value::Array(found));
    }
}

/// A time as it stands on the wire, with the first version that knows it.
fn time(text: &str) -> Result<(i64, i16), String> {
    let named = TIMES.iter().find(|(name, _, _)| *name == text);
    let number = || text.parse().ok();
    let Some(time) = named.map(|(_, time, _)| *time).or_else(number) else {
        return Err(format!(
            "Malformed time argument {text}. Please use -1 or latest / -2 or earliest / -3 or \
             max-timestamp / -4 or earliest-local / -5 or latest-tiered / -6 or earliest-pending-upload, \
             or a specified long format timestamp"
        ));
    };
    let version = TIMES
        .iter()
        .find(|(_, other, _)| *other == time)
        .map_or(0, |(_, _, version)| *version);
    Ok((time, version))
}

/// Topics and partitions of them.
#[derive(Debug)]
struct Rule {
    topics: TopicFilter,
    partitions: Partitions,
}

/// Which partitions of a topic are chosen.
#[derive(Debug, PartialEq, Eq)]
enum Partitions {
    All,
    These(Vec<i32>),
    /// From the first to before the second.
    Range(i32, i32),
}

impl Rule {
    /// What `--topic-partitions` says.
    fn list(text: &str) -> Result<Vec<Self>, String> {
        java::split(text, ',')
            .into_iter()
            .map(Self::parse)
            .collect()
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (topics, partitions) = match text.split_once(':') {
            None => (text, Partitions::All),
            Some((topics, partitions)) => (
                topics,
                Partitions::parse(partitions)?.ok_or_else(|| {
                    format!(
                        "org.apache.kafka.tools.TerseException: Invalid rule specification: {text}"
                    )
                })?,
            ),
        };
        let topics = if topics.is_empty() { ".*" } else { topics };
        Ok(Self {
            topics: TopicFilter::new(topics)?,
            partitions,
        })
    }

    /// What `--topic` and `--partitions` say.
    fn of_options(topics: Option<&str>, partitions: Option<&str>) -> Result<Self, String> {
        let text = partitions.unwrap_or_default();
        let list = text
            .split(',')
            .filter(|part| !part.is_empty())
            .map(str::parse)
            .collect::<Result<Vec<i32>, _>>()
            .map_err(|_| {
                format!(
                    "--partitions expects a comma separated list of numeric partition ids, but received: \
                     {text}"
                )
            })?;
        Ok(Self {
            topics: TopicFilter::new(topics.unwrap_or(".*"))?,
            partitions: if list.is_empty() {
                Partitions::All
            } else {
                Partitions::These(list)
            },
        })
    }

    fn matches(&self, (topic, index): &TopicPartition) -> bool {
        let partition = match &self.partitions {
            Partitions::All => true,
            Partitions::These(list) => list.contains(index),
            Partitions::Range(first, end) => first <= index && index < end,
        };
        partition && self.topics.matches(topic)
    }
}

impl Partitions {
    /// `1`, `1-3`, `1-`, `-3` or nothing; `None` for anything else.
    fn parse(text: &str) -> Result<Option<Self>, String> {
        let number = |text: &str, default| {
            if text.is_empty() {
                Ok(default)
            } else {
                java::number::<i32>(text)
            }
        };
        let digits = |text: &str| text.chars().all(|c| c.is_ascii_digit());
        match text.split_once('-') {
            None if text.is_empty() => Ok(Some(Self::All)),
            None if digits(text) => Ok(Some(Self::These(vec![number(text, 0)?]))),
            Some((first, end)) if digits(first) && digits(end) => {
                Ok(Some(Self::Range(number(first, 0)?, number(end, i32::MAX)?)))
            }
            _ => Ok(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_choose_partitions() {
        let check = |rules: &str, expected: &[(&str, i32)]| {
            let rules = Rule::list(rules).expect("right");
            let all = [("t1", 0), ("t1", 1), ("t1", 2), ("t2", 0), ("t2", 1)];
            let chosen: Vec<(&str, i32)> = all
                .into_iter()
                .filter(|(topic, index)| {
                    let key = ((*topic).to_owned(), *index);
                    rules.iter().any(|rule| rule.matches(&key))
                })
                .collect();
            assert_eq!(chosen, expected);
        };
        check("t1:0", &[("t1", 0)]);
        check("t1:0-2", &[("t1", 0), ("t1", 1)]);
        check("t1:1-", &[("t1", 1), ("t1", 2)]);
        check("t1:-1", &[("t1", 0)]);
        check("t2", &[("t2", 0), ("t2", 1)]);
        check(":0,t2:1", &[("t1", 0), ("t2", 0), ("t2", 1)]);
        check("t.*:1", &[("t1", 1), ("t2", 1)]);
        check("t1:2-1", &[]);
    }

    #[test]
    fn what_is_no_rule_is_refused() {
        let check = |text: &str, expected: &str| {
            assert_eq!(Rule::parse(text).expect_err("wrong"), expected);
        };
        let wrong = "org.apache.kafka.tools.TerseException: Invalid rule specification: ";
        check("t1:x", &format!("{wrong}t1:x"));
        check("t1:1:2", &format!("{wrong}t1:1:2"));
        check("[", "[ is an invalid regex.");
        check("t:99999999999", "For input string: \"99999999999\"");
    }

    #[test]
    fn times_have_names() {
        assert_eq!(time("earliest"), Ok((-2, 0)));
        assert_eq!(time("-3"), Ok((-3, 7)));
        assert_eq!(time("1000"), Ok((1000, 0)));
        assert!(time("x").is_err());
    }
}
