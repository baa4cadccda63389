//! Requests that are well formed and ask for what cannot be, or for very much of it.

use std::time::{Duration, Instant};

use ottla_base::{Offset, WallMillis};
use ottla_protocol::{ApiKey, ErrorCode};
use ottla_records::BatchBuilder;
use ottla_records::codec::Compressor;
use ottla_schema::json::to_hex;
use serde_json::{Value, json};

use crate::memory;
use crate::whole::{Whole, with_node};

/// Longest that a test waits for what must come in the end.
const LONG: Duration = Duration::from_secs(30);

fn code(value: &Value) -> ErrorCode {
    let code = value.as_i64().and_then(|code| i16::try_from(code).ok());
    ErrorCode::from_code(code.expect("a number")).expect("an error code")
}

impl Whole {
    /// Fetches within a session; answers with the error and the session's id.
    async fn fetch_in(&self, session: i32, epoch: i32) -> (ErrorCode, i64) {
        let body = fetch_body((session, epoch), 0, (0, 1, 1000));
        let answer = self
            .call(ApiKey::Fetch, 12, &body)
            .await
            .expect("an answer");
        (
            code(&answer["ErrorCode"]),
            answer["SessionId"].as_i64().expect("an id"),
        )
    }

    /// Makes `t` with three records in three batches.
    async fn with_records(&self) -> String {
        let id = self.create_topic("t", &[]).await;
        for _ in 0..3 {
            let mut builder = BatchBuilder::new(Offset::ZERO);
            builder
                .append(WallMillis(1000), None, Some(b"value"))
                .expect("small");
            let batch = builder.build(&mut Compressor::new()).expect("small");
            let body = json!({
                "Acks": -1, "TimeoutMs": 30_000,
                "TopicData": [{"Name": "t", "PartitionData": [
                    {"Index": 0, "Records": to_hex(&batch)},
                ]}],
            });
            let answer = self
                .call(ApiKey::Produce, 9, &body)
                .await
                .expect("an answer");
            let partition = &answer["Responses"][0]["PartitionResponses"][0];
            assert_eq!(partition["ErrorCode"], 0, "{answer}");
        }
        id
    }
}

fn fetch_body(session: (i32, i32), offset: i64, numbers: (i32, i32, i32)) -> Value {
    let (max_wait, min_bytes, max_bytes) = numbers;
    json!({
        "MaxWaitMs": max_wait, "MinBytes": min_bytes, "MaxBytes": max_bytes,
        "SessionId": session.0, "SessionEpoch": session.1,
        "Topics": [{"Topic": "t", "Partitions": [
            {"Partition": 0, "FetchOffset": offset, "PartitionMaxBytes": max_bytes},
        ]}],
    })
}

#[test]
fn fetch_outside_of_the_log_is_told_so() {
    use ErrorCode::{None, OffsetOutOfRange};
    with_node(&[], async |node| {
        node.with_records().await;
        for (offset, numbers, error, has_records) in [
            (0, (0, 1, 1 << 20), None, true),
            // However little is asked for, one batch comes.
            (0, (0, 1, 1), None, true),
            (0, (0, 1, 0), None, true),
            (0, (0, 1, i32::MAX), None, true),
            (0, (-1, -1, i32::MAX), None, true),
            // More than there is: the answer comes when the wait is over.
            (0, (1, i32::MAX, i32::MAX), None, true),
            (3, (0, 1, i32::MAX), None, false),
            (4, (0, 1, i32::MAX), OffsetOutOfRange, false),
            (-1, (0, 1, i32::MAX), OffsetOutOfRange, false),
            (i64::MIN, (0, 1, i32::MAX), OffsetOutOfRange, false),
            (i64::MAX, (0, 1, i32::MAX), OffsetOutOfRange, false),
        ] {
            let body = fetch_body((0, -1), offset, numbers);
            let answer = node
                .call(ApiKey::Fetch, 12, &body)
                .await
                .expect("an answer");
            let partition = &answer["Responses"][0]["Partitions"][0];
            let what = format!("{offset} {numbers:?}: {answer}");
            assert_eq!(code(&partition["ErrorCode"]), error, "{what}");
            let records = partition["Records"].as_str().unwrap_or_default();
            assert_eq!(!records.is_empty(), has_records, "{what}");
        }
    });
}

#[test]
fn fetch_sessions_are_bounded_and_nobody_elses() {
    let extra = [("max.incremental.fetch.session.cache.slots", "5")];
    with_node(&extra, async |node| {
        node.with_records().await;
        for (session, epoch, error) in [
            (77, 1, ErrorCode::FetchSessionIdNotFound),
            (-1, 1, ErrorCode::FetchSessionIdNotFound),
            (i32::MAX, i32::MAX, ErrorCode::FetchSessionIdNotFound),
        ] {
            assert_eq!(
                node.fetch_in(session, epoch).await,
                (error, 0),
                "{session} {epoch}"
            );
        }
        let mut made = 0;
        for _ in 0..50 {
            let (error, session) = node.fetch_in(0, 0).await;
            assert_eq!(error, ErrorCode::None);
            made += usize::from(session != 0);
        }
        assert!((1..=5).contains(&made), "{made} sessions");
    });
}

#[test]
fn session_goes_on_with_its_next_epoch_only() {
    with_node(&[], async |node| {
        node.with_records().await;
        let (_, session) = node.fetch_in(0, 0).await;
        assert_ne!(session, 0);
        let id = i32::try_from(session).expect("fits");
        assert_eq!(
            node.fetch_in(id, 7).await.0,
            ErrorCode::InvalidFetchSessionEpoch
        );
        assert_eq!(node.fetch_in(id, 1).await, (ErrorCode::None, session));
        assert_eq!(
            node.fetch_in(id, 1).await.0,
            ErrorCode::InvalidFetchSessionEpoch
        );
    });
}

#[test]
fn offsets_that_are_asked_for_do_not_wrap() {
    with_node(&[], async |node| {
        node.with_records().await;
        for (timestamp, offset) in [
            (-1, 3),
            (-2, 0),
            (0, 0),
            (1000, 0),
            (1001, -1),
            (i64::MAX, -1),
        ] {
            let body = json!({"ReplicaId": -1, "Topics": [{"Name": "t", "Partitions": [
                {"PartitionIndex": 0, "Timestamp": timestamp},
            ]}]});
            let answer = node
                .call(ApiKey::ListOffsets, 7, &body)
                .await
                .expect("an answer");
            let partition = &answer["Topics"][0]["Partitions"][0];
            assert_eq!(partition["ErrorCode"], 0, "{timestamp}: {answer}");
            assert_eq!(partition["Offset"], offset, "{timestamp}");
        }
        for (epoch, error) in [
            (0, ErrorCode::None),
            (1, ErrorCode::UnknownLeaderEpoch),
            (i32::MAX, ErrorCode::UnknownLeaderEpoch),
        ] {
            let body = json!({"ReplicaId": -2, "Topics": [{"Topic": "t", "Partitions": [
                {"Partition": 0, "CurrentLeaderEpoch": epoch, "LeaderEpoch": 0},
            ]}]});
            let answer = node.call(ApiKey::OffsetForLeaderEpoch, 4, &body).await;
            let answer = answer.expect("an answer");
            let partition = &answer["Topics"][0]["Partitions"][0];
            assert_eq!(code(&partition["ErrorCode"]), error, "{epoch}: {answer}");
        }
        for (offset, error, low) in [
            (4, ErrorCode::OffsetOutOfRange, -1),
            (i64::MAX, ErrorCode::OffsetOutOfRange, -1),
            (-2, ErrorCode::OffsetOutOfRange, -1),
            (i64::MIN, ErrorCode::OffsetOutOfRange, -1),
            (1, ErrorCode::None, 1),
            (0, ErrorCode::None, 1),
            (-1, ErrorCode::None, 3),
        ] {
            let body = json!({"TimeoutMs": 10_000, "Topics": [{"Name": "t", "Partitions": [
                {"PartitionIndex": 0, "Offset": offset},
            ]}]});
            let answer = node
                .call(ApiKey::DeleteRecords, 2, &body)
                .await
                .expect("an answer");
            let partition = &answer["Topics"][0]["Partitions"][0];
            assert_eq!(code(&partition["ErrorCode"]), error, "{offset}: {answer}");
            assert_eq!(partition["LowWatermark"], low, "{offset}");
        }
    });
}

#[test]
fn topic_names_are_kafkas() {
    let long = "a".repeat(250);
    with_node(&[], async |node| {
        node.create_topic("a.b", &[]).await;
        node.create_topic(&"a".repeat(249), &[]).await;
        let names = [
            "", ".", "..", &long, "a/b", "a b", "a\u{0}", "é", "a\n", "a_b",
        ];
        for name in names {
            let body = json!({"Topics": [
                {"Name": name, "NumPartitions": 1, "ReplicationFactor": 1},
            ]});
            let answer = node
                .call(ApiKey::CreateTopics, 7, &body)
                .await
                .expect("an answer");
            let error = code(&answer["Topics"][0]["ErrorCode"]);
            assert_eq!(
                error,
                ErrorCode::InvalidTopicException,
                "{name:?}: {answer}"
            );
            if name == "a_b" {
                continue;
            }
            let body = json!({"Topics": [{"Name": name}], "AllowAutoTopicCreation": true});
            let answer = node
                .call(ApiKey::Metadata, 9, &body)
                .await
                .expect("an answer");
            let error = code(&answer["Topics"][0]["ErrorCode"]);
            assert_eq!(
                error,
                ErrorCode::InvalidTopicException,
                "{name:?}: {answer}"
            );
        }
    });
}

#[test]
fn group_takes_no_more_members_than_it_may() {
    let extra = [
        ("group.max.size", "3"),
        ("group.initial.rebalance.delay.ms", "0"),
    ];
    with_node(&extra, async |node| {
        let body = json!({
            "GroupId": "g", "SessionTimeoutMs": 30_000, "RebalanceTimeoutMs": 30_000,
            "MemberId": "", "ProtocolType": "consumer",
            "Protocols": [{"Name": "range", "Metadata": "00"}],
        });
        // The first finds the coordinator still on its way.
        let begun = Instant::now();
        loop {
            let answer = node
                .call(ApiKey::JoinGroup, 4, &body)
                .await
                .expect("an answer");
            match code(&answer["ErrorCode"]) {
                ErrorCode::MemberIdRequired => break,
                error => assert!(begun.elapsed() < LONG, "{error:?}"),
            }
            let find = json!({"Key": "g", "KeyType": 0});
            node.call(ApiKey::FindCoordinator, 3, &find)
                .await
                .expect("an answer");
        }
        // Without a wait for a member id, each joins at once and waits for the others.
        let mut waiting = Vec::new();
        for _ in 0..3 {
            let mut peer = node.connect().await;
            peer.send(&crate::whole::frame(ApiKey::JoinGroup, 3, &body))
                .await
                .expect("open");
            waiting.push(peer);
        }
        let begun = Instant::now();
        loop {
            let mut peer = node.connect().await;
            let ask = peer.call(ApiKey::JoinGroup, 3, &body);
            if let Ok(answer) = tokio::time::timeout(Duration::from_secs(5), ask).await {
                let answer = answer.expect("an answer");
                if code(&answer["ErrorCode"]) == ErrorCode::GroupMaxSizeReached {
                    break;
                }
            }
            assert!(begun.elapsed() < LONG);
            waiting.push(peer);
        }
        assert!(waiting.len() <= 4, "{} are waiting", waiting.len());
    });
}

/// Asks a node for the same thing very often.
async fn much_of(node: Whole, api: ApiKey, version: i16, body: Value) {
    let frame = crate::whole::frame(api, version, &body);
    // The body takes more memory than anything that is looked for here.
    drop(body);
    let before = memory::resident();
    // An answer, or a close, before the watchdog barks; the node goes on.
    let mut peer = node.connect().await;
    peer.send(&frame).await.expect("open");
    drop(peer.answer().await);
    memory::assert_bounded(before);
    assert!(crate::peer::is_served(node.address).await);
}

#[test]
fn the_same_again_and_again_is_bounded() {
    // One node for all of it: what one request leaves behind must not add up either.
    with_node(&[("ottla.workers", "1")], async |node| {
        node.with_records().await;
        let many = |count: usize, one: Value| Value::Array(vec![one; count]);
        let broker = json!({"ResourceType": 4, "ResourceName": "1", "ConfigurationKeys": null});
        let configs = |one: Value, count| json!({"Resources": many(count, one), "IncludeSynonyms": true, "IncludeDocumentation": true});
        much_of(node, ApiKey::DescribeConfigs, 4, configs(broker, 20_000)).await;
        let indexes = |name: &str| -> Vec<Value> {
            (0..100_000)
                .map(|index| json!({name: index, "FetchOffset": 0}))
                .collect()
        };
        let partitions: Vec<Value> = (0..100_000)
            .map(|index| json!({"PartitionIndex": index}))
            .collect();
        let list = json!({"ReplicaId": -1, "Topics": [{"Name": "t", "Partitions": partitions}]});
        much_of(node, ApiKey::ListOffsets, 7, list).await;
        let fetch = json!({
            "MaxWaitMs": 0, "MinBytes": 0, "MaxBytes": 1000,
            "Topics": [{"Topic": "t", "Partitions": indexes("Partition")}],
        });
        much_of(node, ApiKey::Fetch, 12, fetch).await;
        let same = json!({"Partition": 0, "FetchOffset": 0, "PartitionMaxBytes": 1 << 20});
        let fetch = json!({
            "MaxWaitMs": 0, "MinBytes": 0, "MaxBytes": i32::MAX,
            "Topics": [{"Topic": "t", "Partitions": many(100_000, same)}],
        });
        much_of(node, ApiKey::Fetch, 12, fetch).await;
        let metadata = json!({"Topics": many(100_000, json!({"Name": "t"}))});
        much_of(node, ApiKey::Metadata, 9, metadata).await;
        let unknown: Vec<Value> = (0..100_000)
            .map(|n| json!({"Name": format!("u{n}")}))
            .collect();
        let metadata = json!({"Topics": unknown, "AllowAutoTopicCreation": false});
        much_of(node, ApiKey::Metadata, 9, metadata).await;
        let create = json!({"Name": "x", "NumPartitions": 1, "ReplicationFactor": 1});
        much_of(
            node,
            ApiKey::CreateTopics,
            7,
            json!({"Topics": many(100_000, create)}),
        )
        .await;
        let create = json!({"Name": "y", "NumPartitions": i32::MAX, "ReplicationFactor": 1});
        much_of(node, ApiKey::CreateTopics, 7, json!({"Topics": [create]})).await;
        let delete = json!({"Name": "nothing"});
        much_of(
            node,
            ApiKey::DeleteTopics,
            6,
            json!({"Topics": many(100_000, delete)}),
        )
        .await;
        let describe = json!({"Groups": many(100_000, json!("g"))});
        much_of(node, ApiKey::DescribeGroups, 5, describe).await;
        let names = json!({"CoordinatorKeys": many(100_000, json!("g")), "KeyType": 0});
        much_of(node, ApiKey::FindCoordinator, 4, names).await;
        let topics = json!({"Topics": many(100_000, json!({"Name": "t"})), "ResponsePartitionLimit": i32::MAX});
        much_of(node, ApiKey::DescribeTopicPartitions, 0, topics).await;
        let deletes: Vec<Value> = (0..100_000)
            .map(|index| json!({"PartitionIndex": index, "Offset": -1}))
            .collect();
        much_of(
            node,
            ApiKey::DeleteRecords,
            2,
            json!({"Topics": [{"Name": "t", "Partitions": deletes}]}),
        )
        .await;
        let group = json!({"GroupId": "g", "Topics": null});
        much_of(
            node,
            ApiKey::OffsetFetch,
            8,
            json!({"Groups": many(100_000, group)}),
        )
        .await;
        let dirs = json!({"Topics": many(100_000, json!({"Topic": "t", "Partitions": [0]}))});
        much_of(node, ApiKey::DescribeLogDirs, 4, dirs).await;
    });
}
