//! `kafka-verifiable-share-consumer`: reads a topic as a member of a share group and tells of each step.

use std::collections::BTreeMap;
use std::mem::take;
use std::process::ExitCode;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::{Arg, ArgAction, Command, value_parser};
use krafka::ConsumerRecord;
use krafka::share_consumer::{AcknowledgementCommit, ShareConsumer};
use ottla_client::{Bootstrap, Properties};
use tokio::sync::OnceCell;

use super::{event, quoted, quoted_bytes};
use crate::common::argparse::{self, Manner, Parsed, Wrong};
use crate::common::client::{admin, failed_to_create, properties_file};
use crate::common::configs::{self, Change, Kind};
use crate::common::usage::Failure;
use crate::console::client::Settings;
use crate::console::client::share::ShareSettings;
use crate::console::{failure, log, runtime};

/// Longest wait of one poll, as in Kafka's tool.
const POLL: Duration = Duration::from_secs(5);
/// Pause after an error that passes.
const PAUSE: Duration = Duration::from_millis(100);
/// Logger of what this tool reports.
const LOGGER: &str = "org.apache.kafka.tools.VerifiableShareConsumer";

/// The options.
pub(crate) fn command() -> Command {
    let text = |name: &'static str, place: &'static str, help: &'static str| {
        Arg::new(name).long(name).value_name(place).help(help)
    };
    Command::new("verifiable-share-consumer")
        .about("Read as a member of a share group and print each step as JSON")
        .arg(text("bootstrap-server", "HOST1:PORT1[,HOST2:PORT2[...]]", "Nodes to begin with.").required(true))
        .arg(text("topic", "TOPIC", "Topic to read.").required(true))
        .arg(text("group-id", "GROUP-ID", "Group of the consumer.").required(true))
        .arg(text("max-messages", "MAX-MESSAGES", "Records to acknowledge; -1 for no end.").value_parser(value_parser!(i32)).default_value("-1"))
        .arg(Arg::new("verbose").long("verbose").action(ArgAction::SetTrue).help("Print each record."))
        .arg(text("acknowledgement-mode", "ACKNOWLEDGEMENT-MODE", "auto, sync or async.").default_value("auto"))
        .arg(text("ack-pattern", "ACK-PATTERN", "What becomes of records in turn: accept, release, reject or renew, with commas.").default_value(""))
        .arg(text("offset-reset-strategy", "OFFSET-RESET-STRATEGY", "Where the group begins: earliest or latest.").default_value(""))
        .arg(text("command-config", "CONFIG-FILE", "Properties file for the consumer."))
        .after_help("Examples:\n  ottla verifiable-share-consumer --bootstrap-server localhost:9092 --topic test --group-id s --offset-reset-strategy earliest --max-messages 10")
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    let manner = Manner {
        program: "verifiable-share-consumer",
        help_code: u8::from(!args.is_empty()),
        wrong: Wrong::Usage,
    };
    let help = ["-h".to_owned()];
    let args = if args.is_empty() { &help } else { args };
    argparse::run(manner, command(), args, start)
}

/// When the tool sends what it acknowledges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// With the next poll.
    Auto,
    /// At once, and waits for the answer.
    Sync,
    /// At once.
    Async,
}

/// What becomes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Verdict {
    Accept,
    Release,
    Reject,
    Renew,
}

impl Verdict {
    const ALL: [Self; 4] = [Self::Accept, Self::Release, Self::Reject, Self::Renew];

    const fn name(self) -> &'static str {
        match self {
            Self::Accept => "ACCEPT",
            Self::Release => "RELEASE",
            Self::Reject => "REJECT",
            Self::Renew => "RENEW",
        }
    }
}

struct Plan {
    settings: ShareSettings,
    topic: String,
    /// Records to acknowledge; no end if not given.
    records: Option<u64>,
    verbose: bool,
    mode: Mode,
}

/// The exception of Java for a word that is no constant of an enumeration.
fn no_constant(class: &str, name: &str) -> Failure {
    Failure::Failed(format!(
        "Exception in thread \"main\" java.lang.IllegalArgumentException: No enum constant {class}.{name}"
    ))
}

fn mode(text: &str) -> Result<Mode, Failure> {
    match text.to_uppercase().as_str() {
        "AUTO" => Ok(Mode::Auto),
        "SYNC" => Ok(Mode::Sync),
        "ASYNC" => Ok(Mode::Async),
        other => Err(no_constant(
            "org.apache.kafka.tools.VerifiableShareConsumer.AcknowledgementMode",
            other,
        )),
    }
}

fn pattern(text: &str, mode: Mode) -> Result<Vec<Verdict>, Failure> {
    if text.is_empty() {
        return Ok(Vec::new());
    }
    let mut out = Vec::new();
    for word in crate::common::java::split(text, ',') {
        let word = word.trim().to_uppercase();
        let verdict = Verdict::ALL
            .into_iter()
            .find(|verdict| verdict.name() == word);
        out.push(verdict.ok_or_else(|| {
            no_constant("org.apache.kafka.clients.consumer.AcknowledgeType", &word)
        })?);
    }
    if out.is_empty() {
        return Ok(out);
    }
    if mode == Mode::Auto {
        return Err(Failure::Usage(
            "--ack-pattern requires --acknowledgement-mode to be 'sync' or 'async', not 'auto'"
                .to_owned(),
        ));
    }
    if out.iter().all(|verdict| *verdict == Verdict::Renew) {
        return Err(Failure::Usage(
            "--ack-pattern must contain at least one non-RENEW type; a pattern of only 'renew' would \
             re-deliver every record indefinitely without ever resolving it"
                .to_owned(),
        ));
    }
    Ok(out)
}

fn start(parsed: &Parsed) -> Result<ExitCode, Failure> {
    let text = |name: &str| parsed.value(name).unwrap_or_default();
    let mode = mode(parsed.value("acknowledgement-mode").unwrap_or("auto"))?;
    let pattern = pattern(text("ack-pattern"), mode)?;
    let of_file = match parsed.value("command-config") {
        Some(path) => properties_file(path).map_err(Failure::Usage)?,
        None => Properties::new(),
    };
    let mut properties = of_file.clone();
    let mut put = |key: &str, value: &str| {
        properties.insert(key.to_owned(), value.to_owned());
    };
    put("group.id", text("group-id"));
    put("bootstrap.servers", text("bootstrap-server"));
    if !pattern.is_empty() {
        put("share.acknowledgement.mode", "explicit");
    }
    properties
        .entry("client.id".to_owned())
        .or_insert_with(|| format!("consumer-{}-1", text("group-id")));
    let settings = Settings::new(properties);
    let consumer = ShareSettings::new(&settings)
        .map_err(|why| Failure::Failed(format!("Exception in thread \"main\" {why}")))?;
    settings.warn_of_unserved();
    let records: i64 = parsed.number("max-messages").unwrap_or(-1);
    let plan = Plan {
        settings: consumer,
        topic: text("topic").to_owned(),
        records: u64::try_from(records).ok(),
        verbose: parsed.has("verbose"),
        mode,
    };
    event("startup_complete", &[]);
    let strategy = text("offset-reset-strategy").to_lowercase();
    let prepared = match strategy.as_str() {
        "" => Ok(()),
        strategy => set_strategy(
            text("bootstrap-server"),
            &of_file,
            text("group-id"),
            strategy,
        ),
    };
    work(&plan, pattern, prepared)
}

/// Says where the group begins to read.
fn set_strategy(
    servers: &str,
    properties: &Properties,
    group: &str,
    strategy: &str,
) -> Result<(), String> {
    const KEY: &str = "share.auto.offset.reset";
    if !["earliest", "latest"].contains(&strategy) {
        return Err(format!(
            "java.lang.IllegalArgumentException: Unknown share auto offset reset strategy: {strategy}"
        ));
    }
    let mut admin = admin(Bootstrap::Brokers, servers, properties).map_err(|error| {
        format!(
            "org.apache.kafka.common.KafkaException: {}",
            failed_to_create(&error)
        )
    })?;
    let change = Change {
        name: KEY.to_owned(),
        value: Some(strategy.to_owned()),
    };
    configs::alter(&mut admin, None, Kind::Group, group, &[change]).map_err(|error| {
        format!(
            "java.util.concurrent.ExecutionException: {}",
            error.to_java()
        )
    })?;
    event(
        "offset_reset_strategy_set",
        &[("offsetResetStrategy", quoted(strategy))],
    );
    Ok(())
}

fn work(
    plan: &Plan,
    pattern: Vec<Verdict>,
    prepared: Result<(), String>,
) -> Result<ExitCode, Failure> {
    let cell = OnceCell::new();
    let mut acks = Acks::new(pattern);
    let code = runtime::block_on(&plan.settings.log_name(), async {
        let (code, asked) = tokio::select! {
            biased;
            code = runtime::interrupted() => (code, true),
            result = consume(plan, &cell, &mut acks, prepared) => {
                if let Err(why) = result {
                    log::error(
                        "Error during processing, terminating share consumer process: ",
                        LOGGER,
                        &why,
                    );
                }
                (0, false)
            }
        };
        if asked {
            event("shutdown_requested", &[]);
        }
        if let Some(consumer) = cell.get() {
            let _ = ShareConsumer::close(consumer).await;
        }
        acks.tell();
        event("shutdown_complete", &[]);
        if !asked {
            // Kafka's tool runs its hook for the end of the program after the work is over, too.
            event("shutdown_requested", &[]);
        }
        code
    })?;
    Ok(ExitCode::from(code))
}

async fn consume(
    plan: &Plan,
    cell: &OnceCell<ShareConsumer>,
    acks: &mut Acks,
    prepared: Result<(), String>,
) -> Result<(), String> {
    prepared?;
    let java = |error: krafka::KrafkaError| failure::to_java(&error);
    let kafka = plan.settings.connection.open(None).await.map_err(java)?;
    let told = Arc::clone(&acks.told);
    let consumer = cell
        .get_or_try_init(|| {
            plan.settings
                .builder(&kafka)
                .acknowledgement_commit_callback(move |commit| {
                    let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                    told.push(commit.clone());
                })
                .build()
        })
        .await
        .map_err(java)?;
    while let Err(error) = consumer.subscribe([&plan.topic]).await {
        if !error.is_retriable() {
            return Err(java(error));
        }
        tokio::time::sleep(PAUSE).await;
    }
    // What was renewed is ours still, and comes before anything new.
    let mut renewed = Vec::new();
    while plan.records.is_none_or(|max| acks.total < max) {
        let records = if renewed.is_empty() {
            match consumer.poll(POLL).await {
                Ok(records) => records,
                Err(error) if error.is_retriable() => {
                    tokio::time::sleep(PAUSE).await;
                    Vec::new()
                }
                Err(error) => return Err(java(error)),
            }
        } else {
            take(&mut renewed)
        };
        acks.tell();
        if records.is_empty() {
            continue;
        }
        tell_of_records(plan, &records);
        renewed = acks.settle(consumer, records).map_err(java)?;
        match plan.mode {
            Mode::Auto => {}
            Mode::Sync => {
                let results = consumer.commit().await.map_err(java)?;
                for partition in results.iter().filter(|(_, result)| result.is_err()) {
                    log::error(
                        &format!(
                            "Failed to commit offset synchronously for topic partition: {}-{}",
                            partition.0.topic(),
                            partition.0.partition()
                        ),
                        LOGGER,
                        "",
                    );
                }
            }
            Mode::Async => {
                // It is sent when it is first looked at; nobody waits for the answer.
                let _ = tokio::time::timeout(Duration::ZERO, consumer.commit()).await;
            }
        }
        acks.tell();
    }
    Ok(())
}

/// Prints the records of a poll.
fn tell_of_records(plan: &Plan, records: &[ConsumerRecord]) {
    let mut partitions: BTreeMap<(&str, i32), Vec<&ConsumerRecord>> = BTreeMap::new();
    for record in records {
        partitions
            .entry((&record.topic, record.partition))
            .or_default()
            .push(record);
    }
    let mut told = Vec::new();
    for ((topic, partition), records) in &partitions {
        let mut offsets: Vec<i64> = records.iter().map(|record| record.offset).collect();
        offsets.sort_unstable();
        offsets.dedup();
        told.push(partition_json(topic, *partition, &offsets));
        for record in records.iter().filter(|_| plan.verbose) {
            event(
                "record_data",
                &[
                    ("key", quoted_bytes(record.key.as_deref())),
                    ("value", quoted_bytes(record.value.as_deref())),
                    ("topic", quoted(&record.topic)),
                    ("partition", record.partition.to_string()),
                    ("offset", record.offset.to_string()),
                ],
            );
        }
    }
    event(
        "records_consumed",
        &[
            ("count", records.len().to_string()),
            ("partitions", format!("[{}]", told.join(","))),
        ],
    );
}

fn partition_json(topic: &str, partition: i32, offsets: &[i64]) -> String {
    let numbers: Vec<String> = offsets.iter().map(i64::to_string).collect();
    format!(
        "{{\"topic\":{},\"partition\":{partition},\"count\":{},\"offsets\":[{}]}}",
        quoted(topic),
        offsets.len(),
        numbers.join(",")
    )
}

/// A record of a topic: its partition and its offset.
type Place = (String, i32, i64);

/// What is acknowledged, and what became of it.
struct Acks {
    /// What becomes of records in turn; everything is accepted if empty.
    pattern: Vec<Verdict>,
    /// Where in the pattern those records are that were renewed.
    renewed: BTreeMap<Place, usize>,
    /// What was said of records whose answers have not come.
    pending: BTreeMap<Place, Verdict>,
    /// Answers that came and were not told yet: at most one for each partition and commit.
    told: Arc<Mutex<Vec<AcknowledgementCommit>>>,
    /// Records whose acknowledgement the server took.
    total: u64,
}

impl Acks {
    fn new(pattern: Vec<Verdict>) -> Self {
        Self {
            pattern,
            renewed: BTreeMap::new(),
            pending: BTreeMap::new(),
            told: Arc::default(),
            total: 0,
        }
    }

    /// What becomes of a record: its turn in the pattern, by its offset and how often it was renewed.
    fn verdict(&mut self, place: &Place) -> Option<Verdict> {
        let length = i64::try_from(self.pattern.len()).ok()?;
        let first = usize::try_from(place.2.checked_rem(length)?).ok()?;
        let at = self.renewed.get(place).copied().unwrap_or(first);
        let verdict = self.pattern.get(at).copied()?;
        if verdict == Verdict::Renew {
            let next = (at + 1) % self.pattern.len();
            self.renewed.insert(place.clone(), next);
        } else {
            self.renewed.remove(place);
        }
        self.pending.insert(place.clone(), verdict);
        Some(verdict)
    }

    /// Settles records by the pattern; gives those that were renewed.
    fn settle(
        &mut self,
        consumer: &ShareConsumer,
        records: Vec<ConsumerRecord>,
    ) -> Result<Vec<ConsumerRecord>, krafka::KrafkaError> {
        let mut renewed = Vec::new();
        for record in records {
            let place = (record.topic.to_string(), record.partition, record.offset);
            match self.verdict(&place) {
                // Without a pattern the next poll or commit accepts.
                None => {}
                Some(Verdict::Accept) => consumer.ack(&record)?,
                Some(Verdict::Release) => consumer.release(&record)?,
                Some(Verdict::Reject) => consumer.reject(&record)?,
                Some(Verdict::Renew) => {
                    consumer.renew(&record)?;
                    renewed.push(record);
                }
            }
        }
        Ok(renewed)
    }

    /// Prints the answers that have come.
    fn tell(&mut self) {
        let answers = take(&mut *self.told.lock().unwrap_or_else(PoisonError::into_inner));
        for answer in answers {
            self.tell_one(&answer);
        }
    }

    fn tell_one(&mut self, answer: &AcknowledgementCommit) {
        let offsets: Vec<i64> = answer.offsets.iter().cloned().flatten().collect();
        let count = u64::try_from(offsets.len()).unwrap_or_default();
        let mut by_kind: BTreeMap<Verdict, u64> = BTreeMap::new();
        for offset in &offsets {
            let place = (answer.topic.clone(), answer.partition, *offset);
            if let Some(verdict) = self.pending.remove(&place) {
                *by_kind.entry(verdict).or_default() += 1;
            }
        }
        let mut fields = vec![
            ("count", count.to_string()),
            (
                "partitions",
                format!(
                    "[{}]",
                    partition_json(&answer.topic, answer.partition, &offsets)
                ),
            ),
            ("success", answer.result.is_ok().to_string()),
        ];
        match &answer.result {
            Ok(()) => {
                self.total = self.total.saturating_add(count);
                if !self.pattern.is_empty() {
                    let kinds: Vec<String> = by_kind
                        .iter()
                        .map(|(verdict, count)| format!("\"{}\":{count}", verdict.name()))
                        .collect();
                    fields.push(("ackTypeCounts", format!("{{{}}}", kinds.join(","))));
                }
            }
            Err(error) => {
                let why = failure::to_java(error);
                let message = why.split_once(": ").map_or(&*why, |(_, message)| message);
                fields.push(("error", quoted(message)));
            }
        }
        event("offsets_acknowledged", &fields);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_goes_by_offset_and_goes_on_for_what_was_renewed() {
        let mut acks = Acks::new(vec![Verdict::Accept, Verdict::Renew, Verdict::Reject]);
        let mut verdict = |offset| acks.verdict(&("t".to_owned(), 0, offset));
        assert_eq!(verdict(0), Some(Verdict::Accept));
        assert_eq!(verdict(4), Some(Verdict::Renew));
        assert_eq!(verdict(4), Some(Verdict::Reject));
        assert_eq!(verdict(5), Some(Verdict::Reject));
        assert_eq!(verdict(-1), None);
        assert_eq!(Acks::new(Vec::new()).verdict(&("t".to_owned(), 0, 0)), None);
    }

    #[test]
    fn patterns_are_checked() {
        let all = pattern("accept, RELEASE,reject,renew", Mode::Sync);
        assert_eq!(all.expect("it is right"), Verdict::ALL);
        for (text, mode) in [
            ("renew", Mode::Async),
            ("accept", Mode::Auto),
            ("x", Mode::Sync),
        ] {
            assert!(pattern(text, mode).is_err(), "{text}");
        }
        assert_eq!(pattern("", Mode::Auto).expect("there is none"), []);
    }
}
