//! Scenarios of krafka, a client of its own lineage in Rust.
//!
//! Prints `plan A B`, then `ok NAME MILLISECONDS` or `FAIL NAME: why` for each, as the Python clients do.
//! Left out, because other clients do it here: zstd, for which krafka compiles C; groups of several members, which in
//! one process do not come to share against Apache Kafka either.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use krafka::admin::{ConfigOp, ConfigResource, NewTopic, OffsetSpec, TopicPartition};
use krafka::consumer::{AutoOffsetReset, Consumer};
use krafka::producer::Acks;
use krafka::{Compression, ConsumerRecord, Kafka, Record};

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// No scenario may take longer.
const SCENARIO_MAX: Duration = Duration::from_secs(45);

macro_rules! ensure {
    ($condition:expr, $($why:tt)*) => {
        if !$condition {
            return Err(format!($($why)*).into());
        }
    };
}

#[tokio::main(flavor = "current_thread")]
async fn main() {
    let bootstrap = std::env::args()
        .nth(1)
        .unwrap_or_else(|| "127.0.0.1:9092".into());
    let names = [
        "cluster_and_topics",
        "codecs_come_back",
        "acks",
        "idempotent_producer_writes_in_order",
        "consumer_seeks",
        "group_resumes_at_its_commit",
        "configs",
        "offsets_and_deleted_records",
    ];
    println!("plan {}", names.join(" "));
    let kafka = match Kafka::builder(bootstrap).connect().await {
        Ok(kafka) => kafka,
        Err(error) => return println!("FAIL {}: {error}", names[0]),
    };
    for name in names {
        let begun = Instant::now();
        let scenario = async {
            match name {
                "cluster_and_topics" => cluster_and_topics(&kafka).await,
                "codecs_come_back" => codecs_come_back(&kafka).await,
                "acks" => acks(&kafka).await,
                "idempotent_producer_writes_in_order" => idempotent(&kafka).await,
                "consumer_seeks" => consumer_seeks(&kafka).await,
                "group_resumes_at_its_commit" => group_resumes(&kafka).await,
                "configs" => configs(&kafka).await,
                _ => offsets(&kafka).await,
            }
        };
        match tokio::time::timeout(SCENARIO_MAX, scenario).await {
            Ok(Ok(())) => println!("ok {name} {}", begun.elapsed().as_millis()),
            Ok(Err(error)) => println!("FAIL {name}: {}", error.to_string().replace('\n', " ")),
            Err(_) => println!("FAIL {name}: no end within {SCENARIO_MAX:?}"),
        }
    }
}

/// A name that no other run used.
fn fresh(name: &str) -> String {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    format!("krafka-{name}-{}", now.as_nanos())
}

fn now_ms() -> i64 {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    i64::try_from(now.as_millis()).unwrap_or(0)
}

async fn create(
    kafka: &Kafka,
    name: &str,
    partitions: i32,
) -> Result<String, Box<dyn std::error::Error>> {
    let topic = fresh(name);
    let admin = kafka.admin();
    let created = admin.create_topics([NewTopic::new(&topic, partitions, 1)?], Default::default());
    for (_, result) in created.await? {
        result?;
    }
    Ok(topic)
}

async fn take(
    consumer: &Consumer,
    count: usize,
) -> Result<Vec<ConsumerRecord>, Box<dyn std::error::Error>> {
    let mut records = Vec::new();
    let begun = Instant::now();
    while records.len() < count {
        records.extend(consumer.poll(Duration::from_millis(200)).await?);
        ensure!(
            begun.elapsed() < Duration::from_secs(20),
            "{} of {count} records came",
            records.len()
        );
    }
    Ok(records)
}

async fn read(
    kafka: &Kafka,
    topic: &str,
    count: usize,
) -> Result<Vec<ConsumerRecord>, Box<dyn std::error::Error>> {
    let consumer = kafka
        .consumer_without_group()
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .build()
        .await?;
    consumer.assign(topic, vec![0]).await?;
    let records = take(&consumer, count).await?;
    consumer.close().await?;
    Ok(records)
}

fn texts(records: &[ConsumerRecord]) -> Vec<&str> {
    records
        .iter()
        .map(|record| record.value_str().unwrap_or_default())
        .collect()
}

async fn cluster_and_topics(kafka: &Kafka) -> Outcome {
    let admin = kafka.admin();
    let cluster = admin.describe_cluster(Default::default()).await?;
    ensure!(
        cluster.brokers.len() == 1,
        "{} brokers",
        cluster.brokers.len()
    );
    let topic = create(kafka, "topics", 3).await?;
    ensure!(
        admin
            .list_topics(Default::default())
            .await?
            .contains(&topic),
        "not listed"
    );
    let again = admin
        .create_topics([NewTopic::new(&topic, 1, 1)?], Default::default())
        .await?;
    ensure!(again.values().all(Result::is_err), "made twice");
    for result in admin
        .create_partitions([(&topic, 5)], Default::default())
        .await?
        .into_values()
    {
        result?;
    }
    for description in admin
        .describe_topics([&topic], Default::default())
        .await?
        .into_values()
    {
        let description = description?;
        ensure!(
            description.partitions.len() == 5,
            "{} partitions",
            description.partitions.len()
        );
        ensure!(
            description
                .partitions
                .iter()
                .all(|one| one.leader.is_some()),
            "no leader"
        );
    }
    for result in admin
        .delete_topics([&topic], Default::default())
        .await?
        .into_values()
    {
        result?;
    }
    ensure!(
        !admin
            .list_topics(Default::default())
            .await?
            .contains(&topic),
        "still listed"
    );
    Ok(())
}

async fn codecs_come_back(kafka: &Kafka) -> Outcome {
    for codec in [
        Compression::None,
        Compression::Gzip,
        Compression::Snappy,
        Compression::Lz4,
    ] {
        let topic = create(kafka, "codec", 1).await?;
        let producer = kafka
            .producer()
            .compression(codec)
            .linger(Duration::from_millis(20))
            .build()
            .await?;
        let begin = now_ms() - 3_600_000;
        let mut sent = Vec::new();
        for n in 0..300_i64 {
            let mut record = Record::new(
                &topic,
                format!("value-{n} ").repeat(usize::try_from(n % 30)?),
            )
            .partition(0)
            .timestamp(begin + n);
            if n % 7 != 0 {
                record = record.key(format!("key-{n}"));
            }
            if n % 11 == 0 {
                record = record.key(format!("key-{n}")).without_value();
            }
            if n % 3 == 0 {
                record = record.header("n", n.to_string()).null_header("none");
            }
            sent.push((producer.enqueue(record.clone()).await?, record));
        }
        let got = read(kafka, &topic, 300).await?;
        for (n, ((handle, record), got)) in (0..).zip(sent.into_iter().zip(&got)) {
            let place = handle.await?;
            ensure!(
                place.offset == n && got.offset == n,
                "{codec:?}: offsets {} {}",
                place.offset,
                got.offset
            );
            ensure!(
                got.timestamp == begin + n,
                "{codec:?}: timestamp {}",
                got.timestamp
            );
            ensure!(
                got.key_str() == record.key_str(),
                "{codec:?}: key {:?}",
                got.key_str()
            );
            ensure!(
                got.value_str() == record.value_str(),
                "{codec:?}: value {:?}",
                got.value_str()
            );
            let header = (n % 3 == 0).then(|| n.to_string());
            ensure!(
                got.header_str("n") == header.as_deref(),
                "{codec:?}: header {:?}",
                got.header_str("n")
            );
        }
        producer.close().await?;
    }
    Ok(())
}

async fn acks(kafka: &Kafka) -> Outcome {
    for acks in [Acks::None, Acks::Leader, Acks::All] {
        let topic = create(kafka, "acks", 1).await?;
        // Nobody hears of a refusal without acknowledgements, so the partition has to be there.
        read(kafka, &topic, 0).await?;
        let producer = kafka
            .producer()
            .acks(acks)
            .idempotent(false)
            .build()
            .await?;
        for n in 0..50 {
            let _ = producer
                .send(Record::new(&topic, n.to_string()).partition(0))
                .await?;
        }
        producer.close().await?;
        let got = read(kafka, &topic, 50).await?;
        ensure!(got.len() == 50, "{acks:?}: {} records", got.len());
    }
    Ok(())
}

async fn idempotent(kafka: &Kafka) -> Outcome {
    let topic = create(kafka, "idempotent", 1).await?;
    let producer = kafka.producer().batch_size(300).build().await?;
    let mut handles = Vec::new();
    for n in 0..3000 {
        handles.push(
            producer
                .enqueue(Record::new(&topic, n.to_string()).partition(0))
                .await?,
        );
    }
    producer.flush().await?;
    for handle in handles {
        let _ = handle.await?;
    }
    producer.close().await?;
    let got = read(kafka, &topic, 3000).await?;
    let in_order = (0..)
        .zip(texts(&got))
        .all(|(n, text): (i32, _)| text == n.to_string());
    ensure!(in_order, "out of order");
    Ok(())
}

async fn consumer_seeks(kafka: &Kafka) -> Outcome {
    let topic = create(kafka, "seek", 1).await?;
    let producer = kafka.producer().build().await?;
    let begin = now_ms() - 3_600_000;
    for n in 0..100 {
        let _ = producer
            .send(
                Record::new(&topic, n.to_string())
                    .partition(0)
                    .timestamp(begin + n * 1000),
            )
            .await?;
    }
    producer.close().await?;
    let consumer = kafka.consumer_without_group().build().await?;
    consumer.assign(&topic, vec![0]).await?;
    consumer.seek(&topic, 0, 42).await?;
    ensure!(
        texts(&take(&consumer, 2).await?)[..2] == ["42", "43"],
        "offset"
    );
    consumer.seek_to_beginning(&topic, 0).await?;
    ensure!(texts(&take(&consumer, 1).await?)[0] == "0", "beginning");
    consumer
        .seek_to_timestamp(&topic, 0, begin + 50_001)
        .await?;
    ensure!(texts(&take(&consumer, 1).await?)[0] == "51", "time");
    let late = consumer
        .offsets_for_times(&[(&topic, 0)], begin + 10_000_000)
        .await;
    ensure!(
        late.into_values()
            .all(|offset| offset.is_ok_and(|offset| offset == -1)),
        "a time after all"
    );
    consumer.close().await?;
    Ok(())
}

async fn member(
    kafka: &Kafka,
    group: &str,
    topic: &str,
) -> Result<Consumer, Box<dyn std::error::Error>> {
    let consumer = kafka
        .consumer(group)
        .auto_offset_reset(AutoOffsetReset::Earliest)
        .enable_auto_commit(false)
        .heartbeat_interval(Duration::from_millis(300))
        .session_timeout(Duration::from_secs(10))
        .max_poll_records(50)
        .build()
        .await?;
    consumer.subscribe([topic]).await?;
    Ok(consumer)
}

async fn group_resumes(kafka: &Kafka) -> Outcome {
    let (topic, group) = (create(kafka, "resume", 1).await?, fresh("resume"));
    let producer = kafka.producer().build().await?;
    for n in 0..200 {
        let _ = producer
            .send(Record::new(&topic, n.to_string()).partition(0))
            .await?;
    }
    producer.close().await?;
    let first = member(kafka, &group, &topic).await?;
    let taken = take(&first, 90).await?.len();
    first.commit().await?;
    first.close().await?;
    let second = member(kafka, &group, &topic).await?;
    let rest = take(&second, 200 - taken).await?;
    ensure!(
        rest[0].offset == i64::try_from(taken)?,
        "resumed at {} after {taken}",
        rest[0].offset
    );
    ensure!(
        rest.len() == 200 - taken,
        "{} records after {taken}",
        rest.len()
    );
    second.close().await?;
    Ok(())
}

async fn configs(kafka: &Kafka) -> Outcome {
    let topic = create(kafka, "configs", 1).await?;
    let (admin, resource) = (kafka.admin(), ConfigResource::topic(&topic));
    let change = (
        resource.clone(),
        vec![ConfigOp::set("retention.ms", "12345")],
    );
    for result in admin
        .incremental_alter_configs([change], Default::default())
        .await?
        .into_values()
    {
        result?;
    }
    let unknown = (resource.clone(), vec![ConfigOp::set("no.such.config", "1")]);
    let refused = admin
        .incremental_alter_configs([unknown], Default::default())
        .await?;
    ensure!(
        refused.values().all(Result::is_err),
        "an unknown configuration was taken"
    );
    for entries in admin
        .describe_configs([resource], Default::default())
        .await?
        .into_values()
    {
        let entries = entries?;
        let value = |name| {
            entries
                .iter()
                .find(|entry| entry.name == name)
                .map(|entry| entry.config_value())
        };
        let retention = value("retention.ms");
        ensure!(
            retention.as_ref().and_then(|value| value.as_str()) == Some("12345"),
            "retention.ms {retention:?}"
        );
        ensure!(entries.len() > 25, "only {} configurations", entries.len());
    }
    Ok(())
}

async fn offsets(kafka: &Kafka) -> Outcome {
    let topic = create(kafka, "offsets", 1).await?;
    let producer = kafka.producer().build().await?;
    for n in 0..20 {
        let _ = producer
            .send(Record::new(&topic, n.to_string()).partition(0))
            .await?;
    }
    producer.close().await?;
    let (admin, place) = (kafka.admin(), TopicPartition::new(&topic, 0));
    for result in admin
        .delete_records([(place.clone(), 12)], Default::default())
        .await?
        .into_values()
    {
        let low = result?;
        ensure!(low == 12, "low watermark {low}");
    }
    for (spec, wanted) in [(OffsetSpec::Earliest, 12), (OffsetSpec::Latest, 20)] {
        for listed in admin
            .list_offsets([(place.clone(), spec)], Default::default())
            .await?
            .into_values()
        {
            let offset = listed?.offset;
            ensure!(offset == wanted, "offset {offset}, not {wanted}");
        }
    }
    let got = read(kafka, &topic, 8).await?;
    ensure!(texts(&got)[0] == "12", "first record {}", texts(&got)[0]);
    Ok(())
}
