"""Scenarios of kafka-python, a lineage of its own in pure Python."""

import time

import kafka
import kafka.errors as errors
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import ConfigResource, OffsetSpec
from kafka.structs import OffsetAndMetadata

from scenario import BOOTSTRAP, check, equal, fresh, main, scenario, until

CODECS = [None, "gzip", "snappy", "lz4", "zstd"]
ADMIN = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)


def create(topic, partitions=1, **config):
    configs = {key.replace("_", "."): str(value) for key, value in config.items()}
    ADMIN.create_topics(
        {topic: {"num_partitions": partitions, "replication_factor": 1, "configs": configs}}, wait_for_metadata=True
    )
    return topic


def refusal(call):
    try:
        call()
    except errors.KafkaError as error:
        return type(error).__name__
    raise AssertionError("not refused")


def send(messages, topic, **config):
    """Sends and waits for every answer; returns (partition, offset) in the order of sending."""
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP, **({"linger_ms": 5} | config))
    try:
        futures = [producer.send(topic, **message) for message in messages]
        producer.flush(20)
        return [(done.partition, done.offset) for done in (future.get(20) for future in futures)]
    finally:
        producer.close(5)


def consumer(group=None, **config):
    base = {
        "bootstrap_servers": BOOTSTRAP,
        "group_id": group,
        "auto_offset_reset": "earliest",
        "enable_auto_commit": False,
        "fetch_max_wait_ms": 100,
    }
    return KafkaConsumer(**(base | config))


def take(client, count, seconds=20):
    records = []

    def more():
        for batch in client.poll(timeout_ms=200, max_records=count - len(records)).values():
            records.extend(batch)
        return len(records) >= count

    until(f"{count} records", more, seconds)
    return records


def nothing_more(client):
    equal(sum(len(batch) for batch in client.poll(timeout_ms=500).values()), 0, "records too many")


def read(topic, count, partition=0):
    client = consumer()
    client.assign([TopicPartition(topic, partition)])
    client.seek_to_beginning()
    records = take(client, count)
    client.close()
    return records


def values(records):
    return [record.value for record in records]


@scenario
def cluster_is_described():
    cluster = ADMIN.describe_cluster()
    check(cluster["cluster_id"], "no cluster id")
    equal(len(cluster["brokers"]), 1, "brokers")


@scenario
def topics_are_created_described_and_deleted():
    topic = create(fresh("create"), 3)
    described = ADMIN.describe_topics([topic])[0]
    equal(sorted(p["partition_index"] for p in described["partitions"]), [0, 1, 2], "partitions")
    check(topic in ADMIN.list_topics(), "not listed")
    equal(refusal(lambda: create(topic)), "TopicAlreadyExistsError")
    equal(refusal(lambda: create("no/slash")), "InvalidTopicError")
    equal(refusal(lambda: create(fresh("none"), 1, no_such_config=1)), "InvalidConfigurationError")
    ADMIN.create_partitions({topic: 5})
    ADMIN.wait_for_topics([topic])
    equal(len(ADMIN.describe_topics([topic])[0]["partitions"]), 5, "partitions after adding")
    equal(send([{"value": b"x", "partition": 4}], topic), [(4, 0)], "new partition")
    ADMIN.delete_topics([topic])
    check(topic not in ADMIN.list_topics(), "still listed")
    equal(refusal(lambda: ADMIN.delete_topics([topic])), "UnknownTopicOrPartitionError")


@scenario
def every_codec_comes_back():
    begin = int(time.time() * 1000) - 3_600_000
    for codec in CODECS:
        topic = create(fresh(f"codec-{codec}"))
        sent = [
            {
                "key": None if n % 7 == 0 else f"key-{n}".encode(),
                "value": None if n % 11 == 0 else (f"value-{n}-".encode() * (n % 40)),
                "headers": [("h", str(n).encode()), ("empty", b"")] if n % 3 == 0 else [],
                "timestamp_ms": begin + n,
            }
            for n in range(200)
        ]
        # A record without key and value is not a record to this client.
        sent = [message for message in sent if message["key"] or message["value"]]
        places = send(sent, topic, compression_type=codec, linger_ms=50)
        equal(places, [(0, n) for n in range(len(sent))], f"{codec}: offsets")
        for wanted, got in zip(sent, read(topic, len(sent)), strict=True):
            equal(got.key, wanted["key"], f"{codec}: key")
            equal(got.value, wanted["value"], f"{codec}: value")
            equal([tuple(h) for h in got.headers], wanted["headers"], f"{codec}: headers")
            equal(got.timestamp, wanted["timestamp_ms"], f"{codec}: timestamp")


@scenario
def large_records_pass_up_to_the_limit():
    topic = create(fresh("large"), max_message_bytes=3_000_000)
    value = bytes(range(256)) * 10_000
    send([{"value": value}, {"value": b"after"}], topic, max_request_size=4_000_000)
    equal(values(read(topic, 2)), [value, b"after"], "large record")
    narrow = create(fresh("narrow"), max_message_bytes=10_000)
    equal(refusal(lambda: send([{"value": b"x" * 20_000}], narrow)), "MessageSizeTooLargeError")


@scenario
def producer_without_idempotence_and_weaker_acks():
    for acks in (0, 1, "all"):
        topic = create(fresh(f"acks-{acks}"))
        messages = [{"value": str(n).encode()} for n in range(100)]
        send(messages, topic, acks=acks, enable_idempotence=False)
        equal([int(value) for value in values(read(topic, 100))], list(range(100)), f"acks={acks}")


@scenario
def idempotent_producer_writes_once_and_in_order():
    topic = create(fresh("idempotent"), 2)
    messages = [{"value": str(n).encode(), "partition": n % 2} for n in range(1000)]
    send(messages, topic, batch_size=200, linger_ms=0)
    for partition in range(2):
        got = [int(value) for value in values(read(topic, 500, partition))]
        equal(got, list(range(partition, 1000, 2)), "order")


@scenario
def consumer_seeks():
    topic = create(fresh("seek"))
    begin = int(time.time() * 1000) - 3_600_000
    send([{"value": str(n).encode(), "timestamp_ms": begin + n * 1000} for n in range(100)], topic)
    place, client = TopicPartition(topic, 0), consumer()
    equal(client.beginning_offsets([place]), {place: 0}, "beginning")
    equal(client.end_offsets([place]), {place: 100}, "end")
    at = lambda stamp: client.offsets_for_times({place: stamp})[place]
    equal(at(begin + 50_001).offset, 51, "time in between")
    equal(at(begin + 1_000_000), None, "time after all")
    client.assign([place])
    client.seek_to_end()
    nothing_more(client)
    client.seek(place, 42)
    equal(values(take(client, 2)), [b"42", b"43"], "offset")
    client.seek_to_beginning()
    equal(values(take(client, 1)), [b"0"], "beginning")
    client.seek(place, 1000)
    equal(values(take(client, 1)), [b"0"], "out of range resets")
    client.close()


@scenario
def group_resumes_at_its_commit():
    topic, group = create(fresh("resume"), 2), fresh("resume")
    send([{"value": str(n).encode(), "partition": n % 2} for n in range(200)], topic)
    first = consumer(group)
    first.subscribe([topic])
    taken = take(first, 90)
    first.commit()
    first.close()
    second = consumer(group)
    second.subscribe([topic])
    rest = take(second, 110)
    nothing_more(second)
    equal(sorted(int(v) for v in values(taken + rest)), list(range(200)), "each record once")
    place = TopicPartition(topic, 0)
    second.commit({place: OffsetAndMetadata(7, "why seven", -1)})
    got = second.committed(place, metadata=True)
    equal((got.offset, got.metadata), (7, "why seven"), "commit")
    second.close()


@scenario
def members_share_and_leave():
    topic, group, members = create(fresh("share"), 4), fresh("share"), []

    def settled(wanted):
        def look():
            for member in members:
                member.poll(timeout_ms=50)
            owned = [sorted(p.partition for p in member.assignment()) for member in members]
            return sorted(p for one in owned for p in one) == [0, 1, 2, 3] and sorted(map(len, owned)) == wanted

        until(f"{wanted} partitions each", look, 30)

    for wanted in ([4], [2, 2]):
        member = consumer(group, session_timeout_ms=10_000, heartbeat_interval_ms=300)
        member.subscribe([topic])
        members.append(member)
        settled(wanted)
    described = ADMIN.describe_groups([group])[group]
    equal(len(described["members"]), 2, "members")
    members.pop(0).close()
    settled([4])
    members.pop().close()


@scenario
def groups_are_listed_altered_and_deleted():
    topic, group = create(fresh("groups")), fresh("groups")
    place = TopicPartition(topic, 0)
    send([{"value": b"x"}] * 3, topic)
    client = consumer(group)
    client.subscribe([topic])
    take(client, 3)
    client.commit()
    client.close()
    check(group in [g["group_id"] for g in ADMIN.list_groups()], "not listed")
    offset = lambda: ADMIN.list_group_offsets(group)[group][place].offset
    equal(offset(), 3, "committed")
    ADMIN.alter_group_offsets(group, {place: OffsetAndMetadata(1, "", -1)})
    equal(offset(), 1, "altered")
    equal(ADMIN.delete_groups([group])[group], "OK", "delete")
    check(group not in [g["group_id"] for g in ADMIN.list_groups()], "still listed")


@scenario
def configs_are_altered_and_described():
    topic = create(fresh("configs"), retention_ms=5000)
    config = lambda: {
        name: entry["value"]
        for name, entry in ADMIN.describe_configs([ConfigResource("topic", topic)], config_filter="all")["topic"][
            topic
        ].items()
    }
    equal((config()["retention.ms"], config()["cleanup.policy"]), ("5000", "delete"), "as created")
    ADMIN.alter_configs([ConfigResource("topic", topic, {"max.message.bytes": "2222"})])
    equal((config()["retention.ms"], config()["max.message.bytes"]), ("5000", "2222"), "incremental")
    # The old API replaces everything that it does not name.
    ADMIN.alter_configs([ConfigResource("topic", topic, {"retention.ms": "6000"})], incremental=False)
    equal((config()["retention.ms"], config()["max.message.bytes"]), ("6000", "2222"), "whole")


@scenario
def offsets_are_listed_and_records_deleted():
    topic = create(fresh("delete-records"))
    place, stamp = TopicPartition(topic, 0), int(time.time() * 1000) - 3_600_000
    send([{"value": str(n).encode(), "timestamp_ms": stamp + n} for n in range(20)], topic)
    ask = lambda spec: ADMIN.list_partition_offsets({place: spec})[place].offset
    equal((ask(OffsetSpec.EARLIEST), ask(OffsetSpec.LATEST), ask(stamp + 5)), (0, 20, 5), "offsets")
    equal(ask(OffsetSpec.MAX_TIMESTAMP), 19, "largest timestamp")
    equal(ADMIN.delete_records({place: 12})[place]["low_watermark"], 12, "low watermark")
    equal(ask(OffsetSpec.EARLIEST), 12, "earliest")
    equal(values(read(topic, 8))[0], b"12", "first record")


main(kafka.__version__)
