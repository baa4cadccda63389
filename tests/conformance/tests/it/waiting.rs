//! Fetches that wait: what ends the waiting, and what does not.

use std::net::SocketAddr;
use std::sync::mpsc::{Receiver, TryRecvError, channel};
use std::thread::{self, JoinHandle};

use ottla_conformance::batch;
use ottla_conformance::client::{Apis, Client, Reply};
use ottla_schema::json::to_hex;
use serde_json::{Value, json};

use crate::node;

/// Longer than any test may take: a fetch that is answered was woken.
const FOREVER_MS: i64 = 25_000;

fn call(apis: &Apis, client: &mut Client, api: &str, version: i16, body: &Value) -> Value {
    let api = apis.get(api).expect("an API");
    match client.call(api, version, body, true).expect("an answer") {
        Reply::Answer(value) => value,
        other => panic!("{other:?}"),
    }
}

fn create(apis: &Apis, address: SocketAddr, topic: &str, partitions: i32) {
    let mut client = Client::connect(address).expect("a node");
    let body = json!({"timeoutMs": 30000, "Topics": [
        {"Name": topic, "NumPartitions": partitions, "ReplicationFactor": 1}]});
    let answer = call(apis, &mut client, "CreateTopics", 7, &body);
    assert_eq!(answer["Topics"][0]["ErrorCode"], 0, "{answer}");
}

fn produce(apis: &Apis, client: &mut Client, topic: &str, partition: i32, bytes: usize) {
    let records = batch::build(&json!({"records": [{"value": bytes}]})).expect("a batch");
    let body = json!({"Acks": -1, "TimeoutMs": 30000, "TopicData": [{"Name": topic, "PartitionData": [
        {"Index": partition, "Records": to_hex(&records)}]}]});
    let answer = call(apis, client, "Produce", 9, &body);
    let error = &answer["Responses"][0]["PartitionResponses"][0]["ErrorCode"];
    assert_eq!(*error, 0, "{answer}");
}

fn fetch_body(topic: &str, partitions: i32, min_bytes: usize, max_wait_ms: i64) -> Value {
    let partitions: Vec<Value> = (0..partitions)
        .map(|index| json!({"Partition": index, "FetchOffset": 0, "PartitionMaxBytes": 1_000_000}))
        .collect();
    json!({"MaxWaitMs": max_wait_ms, "MinBytes": min_bytes, "MaxBytes": 1_000_000, "SessionEpoch": -1,
        "Topics": [{"Topic": topic, "Partitions": partitions}]})
}

/// A fetch on a connection and a thread of its own.
fn fetching(address: SocketAddr, body: Value) -> (Receiver<Value>, JoinHandle<()>) {
    let (tell, told) = channel();
    let apis = Apis::load().expect("schemas");
    let mut client = Client::connect(address).expect("a node");
    let thread = thread::spawn(move || {
        let answer = call(&apis, &mut client, "Fetch", 11, &body);
        tell.send(answer).expect("the test waits");
    });
    (told, thread)
}

fn bytes(answer: &Value, partition: usize) -> usize {
    let records = &answer["Responses"][0]["Partitions"][partition]["Records"];
    records.as_str().map_or(0, str::len) / 2
}

#[test]
fn a_fetch_ends_when_there_is_enough_in_any_of_its_partitions() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let node = node::start_in(folder.path());
    let address = node::address(&node);
    let apis = Apis::load().expect("schemas");
    create(&apis, address, "t", 3);
    let (told, thread) = fetching(address, fetch_body("t", 3, 2000, FOREVER_MS));
    let mut client = Client::connect(address).expect("a node");
    produce(&apis, &mut client, "t", 1, 900);
    // Acknowledged, so the fetch was woken; it is not enough.
    assert_eq!(told.try_recv(), Err(TryRecvError::Empty));
    produce(&apis, &mut client, "t", 2, 900);
    produce(&apis, &mut client, "t", 0, 900);
    let answer = told.recv().expect("an answer");
    thread.join().expect("no panic");
    assert!(
        (0..3)
            .map(|partition| bytes(&answer, partition))
            .sum::<usize>()
            >= 2000
    );
    node.stop();
}

#[test]
fn a_fetch_ends_with_its_time_or_with_an_error() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let node = node::start_in(folder.path());
    let address = node::address(&node);
    let apis = Apis::load().expect("schemas");
    create(&apis, address, "t", 1);
    let mut client = Client::connect(address).expect("a node");
    let answer = call(&apis, &mut client, "Fetch", 11, &fetch_body("t", 1, 1, 30));
    assert_eq!(answer["Responses"][0]["Partitions"][0]["ErrorCode"], 0);
    assert_eq!(bytes(&answer, 0), 0);
    // One partition that does not exist is told at once.
    let answer = call(
        &apis,
        &mut client,
        "Fetch",
        11,
        &fetch_body("t", 2, 1, FOREVER_MS),
    );
    assert_eq!(answer["Responses"][0]["Partitions"][1]["ErrorCode"], 3);
    node.stop();
}

#[test]
fn a_fetch_ends_when_its_topic_is_deleted() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let node = node::start_in(folder.path());
    let address = node::address(&node);
    let apis = Apis::load().expect("schemas");
    create(&apis, address, "t", 1);
    let (told, thread) = fetching(address, fetch_body("t", 1, 1, FOREVER_MS));
    let mut client = Client::connect(address).expect("a node");
    let body = json!({"TopicNames": ["t"], "TimeoutMs": 30000});
    let answer = call(&apis, &mut client, "DeleteTopics", 4, &body);
    assert_eq!(answer["Responses"][0]["ErrorCode"], 0, "{answer}");
    let answer = told.recv().expect("an answer");
    thread.join().expect("no panic");
    let error = answer["Responses"][0]["Partitions"][0]["ErrorCode"].as_i64();
    assert!(matches!(error, Some(3 | 6)), "{answer}");
    node.stop();
}

#[test]
fn requests_behind_a_waiting_fetch_are_answered_after_it() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let node = node::start_in(folder.path());
    let address = node::address(&node);
    let apis = Apis::load().expect("schemas");
    create(&apis, address, "t", 1);
    let mut waiting = Client::connect(address).expect("a node");
    let fetch = apis.get("Fetch").expect("an API");
    let sent = waiting.call(fetch, 11, &fetch_body("t", 1, 1, FOREVER_MS), false);
    assert_eq!(sent.expect("sent"), Reply::None);
    let list = apis.get("ListOffsets").expect("an API");
    let body =
        json!({"Topics": [{"Name": "t", "Partitions": [{"PartitionIndex": 0, "Timestamp": -1}]}]});
    assert_eq!(
        waiting.call(list, 7, &body, false).expect("sent"),
        Reply::None
    );
    let mut client = Client::connect(address).expect("a node");
    produce(&apis, &mut client, "t", 0, 10);
    // The second request sees what ended the first.
    let first = waiting.receive(fetch, 11, 1).expect("an answer");
    assert!(bytes(&first, 0) > 0);
    let second = waiting.receive(list, 7, 2).expect("an answer");
    assert_eq!(second["Topics"][0]["Partitions"][0]["Offset"], 1);
    node.stop();
}
