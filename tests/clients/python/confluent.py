"""Scenarios of confluent-kafka, which is librdkafka, the most used client outside of Java."""

import time

import confluent_kafka
from confluent_kafka import (
    OFFSET_BEGINNING,
    OFFSET_END,
    Consumer,
    ConsumerGroupTopicPartitions,
    KafkaError,
    KafkaException,
    Producer,
    TopicCollection,
    TopicPartition,
)
from confluent_kafka.admin import (
    AdminClient,
    AlterConfigOpType,
    ConfigEntry,
    ConfigResource,
    NewPartitions,
    NewTopic,
    OffsetSpec,
    ResourceType,
)

from scenario import BOOTSTRAP, check, equal, fresh, main, scenario, until

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
ADMIN = AdminClient({"bootstrap.servers": BOOTSTRAP})


def create(topic, partitions=1, **config):
    new = NewTopic(topic, partitions, 1, config={key.replace("_", "."): str(value) for key, value in config.items()})
    ADMIN.create_topics([new])[topic].result(15)
    return topic


def refusal(call):
    """The name of the error that a call ends with."""
    try:
        call()
    except KafkaException as error:
        return error.args[0].name()
    raise AssertionError("not refused")


def producer(**config):
    return Producer({"bootstrap.servers": BOOTSTRAP, "linger.ms": 5} | {k.replace("_", "."): v for k, v in config.items()})


def send(messages, topic, **config):
    """Sends and waits for every answer; returns (partition, offset) in the order of sending."""
    places, errors = {}, []

    def report(number):
        def callback(error, message):
            if error:
                errors.append(error)
            else:
                places[number] = (message.partition(), message.offset())

        return callback

    client = producer(**config)
    for number, message in enumerate(messages):
        while True:
            try:
                client.produce(topic, on_delivery=report(number), **message)
                break
            except BufferError:
                client.poll(0.1)
    equal(client.flush(30), 0, "messages left in the queue")
    if errors:
        raise KafkaException(errors[0])
    equal(len(places), len(messages), "answers")
    return [places[number] for number in range(len(messages))]


def consumer(group=None, **config):
    base = {
        "bootstrap.servers": BOOTSTRAP,
        "group.id": group or fresh("unused"),
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "fetch.wait.max.ms": 100,
    }
    return Consumer(base | {k.replace("_", "."): v for k, v in config.items()})


def take(client, count, seconds=20):
    """Polls until `count` messages came."""
    messages = []

    def more():
        message = client.poll(0.2)
        if message is not None:
            if message.error():
                raise KafkaException(message.error())
            messages.append(message)
        return len(messages) >= count

    until(f"{count} messages", more, seconds)
    return messages


def nothing_more(client, seconds=0.5):
    message = client.poll(seconds)
    check(message is None, f"one message too many: {message and message.value()}")


def read(topic, count, partition=0, offset=OFFSET_BEGINNING, **config):
    client = consumer(**config)
    client.assign([TopicPartition(topic, partition, offset)])
    messages = take(client, count)
    client.close()
    return messages


def values(messages):
    return [message.value() for message in messages]


@scenario
def cluster_is_described():
    cluster = ADMIN.describe_cluster().result(10)
    check(cluster.cluster_id, "no cluster id")
    equal(len(cluster.nodes), 1, "nodes")
    check(cluster.controller is not None, "no controller")
    metadata = ADMIN.list_topics(timeout=10)
    equal(len(metadata.brokers), 1, "brokers")


@scenario
def topics_are_created_and_described():
    topic = create(fresh("create"), 3, retention_ms=123456, cleanup_policy="compact")
    description = ADMIN.describe_topics(TopicCollection([topic]))[topic].result(10)
    equal([p.id for p in description.partitions], [0, 1, 2], "partitions")
    check(all(len(p.isr) == 1 and p.leader is not None for p in description.partitions), "leader and ISR")
    check(ADMIN.list_topics(topic, timeout=10).topics[topic].error is None, "metadata names an error")
    equal(refusal(lambda: create(topic)), "TOPIC_ALREADY_EXISTS")
    equal(refusal(lambda: create("no/slash")), "TOPIC_EXCEPTION")
    equal(refusal(lambda: create("x" * 250)), "TOPIC_EXCEPTION")
    equal(refusal(lambda: create(fresh("none"), 0)), "INVALID_PARTITIONS")
    equal(refusal(lambda: create(fresh("none"), 1, no_such_config=1)), "INVALID_CONFIG")
    equal(refusal(lambda: create(fresh("none"), 1, retention_ms="soon")), "INVALID_CONFIG")
    many = NewTopic(fresh("none"), 1, 3)
    equal(refusal(lambda: ADMIN.create_topics([many])[many.topic].result(10)), "INVALID_REPLICATION_FACTOR")
    dry = NewTopic(fresh("dry"), 1, 1)
    ADMIN.create_topics([dry], validate_only=True)[dry.topic].result(10)
    check(dry.topic not in ADMIN.list_topics(timeout=10).topics, "a dry run made a topic")


@scenario
def every_codec_comes_back():
    for codec in CODECS:
        topic = create(fresh(f"codec-{codec}"))
        begin = int(time.time() * 1000) - 3_600_000
        sent = [
            {
                "key": None if n % 7 == 0 else f"key-{n}".encode(),
                "value": None if n % 11 == 0 else (f"value-{n}-".encode() * (n % 40)),
                "headers": [("h", str(n).encode()), ("h", b""), ("none", None)] if n % 3 == 0 else [],
                "timestamp": begin + n,
            }
            for n in range(400)
        ]
        places = send(sent, topic, compression_type=codec, linger_ms=50)
        equal(places, [(0, n) for n in range(400)], f"{codec}: offsets")
        for number, message in enumerate(read(topic, 400, check_crcs=True)):
            wanted = sent[number]
            equal(message.offset(), number, f"{codec}: offset")
            equal(message.key(), wanted["key"], f"{codec}: key")
            equal(message.value(), wanted["value"], f"{codec}: value")
            equal(message.headers() or [], wanted["headers"], f"{codec}: headers")
            equal(message.timestamp(), (1, wanted["timestamp"]), f"{codec}: timestamp")


@scenario
def log_append_time_is_the_servers():
    topic = create(fresh("append-time"), message_timestamp_type="LogAppendTime")
    before = int(time.time() * 1000)
    send([{"value": b"x", "timestamp": 1000}], topic)
    kind, stamp = read(topic, 1)[0].timestamp()
    equal(kind, 2, "timestamp type")
    check(before - 1000 <= stamp <= int(time.time() * 1000) + 1000, f"append time {stamp}")


@scenario
def large_records_pass_up_to_the_limit():
    topic = create(fresh("large"), max_message_bytes=3_000_000)
    value = bytes(range(256)) * 10_000
    send([{"value": value}, {"value": b"after"}], topic, message_max_bytes=4_000_000)
    equal(values(read(topic, 2)), [value, b"after"], "large record")
    narrow = create(fresh("narrow"), max_message_bytes=10_000)
    equal(refusal(lambda: send([{"value": b"x" * 20_000}], narrow)), "MSG_SIZE_TOO_LARGE")
    send([{"value": b"fits"}], narrow)
    equal(values(read(narrow, 1)), [b"fits"], "after a refusal")


@scenario
def many_small_records_come_back_in_order():
    topic = create(fresh("many"), 4)
    count = 20_000
    places = send([{"value": str(n).encode(), "partition": n % 4} for n in range(count)], topic, compression_type="lz4", enable_idempotence=True)
    for partition in range(4):
        offsets = [offset for where, offset in places if where == partition]
        equal(offsets, list(range(count // 4)), "offsets answered")
        got = [int(value) for value in values(read(topic, count // 4, partition))]
        equal(got, list(range(partition, count, 4)), "order")


@scenario
def idempotent_producer_writes_once_and_in_order():
    topic = create(fresh("idempotent"), 2)
    messages = [{"value": str(n).encode(), "partition": n % 2} for n in range(4000)]
    send(messages, topic, enable_idempotence=True, batch_num_messages=50, linger_ms=0)
    for partition in range(2):
        got = [int(value) for value in values(read(topic, 2000, partition))]
        equal(got, list(range(partition, 4000, 2)), "order")


@scenario
def weaker_acks_are_answered():
    for acks in (0, 1, -1):
        topic = create(fresh(f"acks{acks}"))
        client = producer(acks=acks)
        for n in range(100):
            client.produce(topic, str(n).encode())
        equal(client.flush(10), 0, "left")
        equal([int(value) for value in values(read(topic, 100))], list(range(100)), f"acks={acks}")


@scenario
def consumer_seeks():
    topic = create(fresh("seek"))
    begin = int(time.time() * 1000) - 3_600_000
    send([{"value": str(n).encode(), "timestamp": begin + n * 1000} for n in range(100)], topic)
    client = consumer()
    equal(client.get_watermark_offsets(TopicPartition(topic, 0), timeout=10), (0, 100), "watermarks")
    client.assign([TopicPartition(topic, 0, OFFSET_END)])
    nothing_more(client)
    client.seek(TopicPartition(topic, 0, OFFSET_BEGINNING))
    equal(values(take(client, 1)), [b"0"], "beginning")
    client.seek(TopicPartition(topic, 0, 42))
    equal(values(take(client, 2)), [b"42", b"43"], "offset")
    at = lambda stamp: client.offsets_for_times([TopicPartition(topic, 0, stamp)], timeout=10)[0].offset
    equal(at(begin + 50_000), 50, "exact time")
    equal(at(begin + 50_001), 51, "time in between")
    equal(at(begin - 1), 0, "time before all")
    equal(at(begin + 1_000_000), -1, "time after all")
    client.seek(TopicPartition(topic, 0, at(begin + 97_500)))
    equal(values(take(client, 2)), [b"98", b"99"], "time")
    nothing_more(client)
    send([{"value": b"new"}], topic)
    equal(values(take(client, 1)), [b"new"], "a waiting fetch sees what comes")
    client.close()


@scenario
def reset_follows_an_offset_out_of_range():
    topic = create(fresh("reset"))
    send([{"value": str(n).encode()} for n in range(10)], topic)
    equal(values(read(topic, 10, offset=1000))[0], b"0", "earliest")
    client = consumer(auto_offset_reset="error")
    client.assign([TopicPartition(topic, 0, 1000)])
    message = until("an error", lambda: client.poll(0.5))
    equal(message.error() and message.error().name(), "_AUTO_OFFSET_RESET", "error")
    client.close()


@scenario
def group_resumes_at_its_commit():
    topic, group = create(fresh("resume"), 2), fresh("resume")
    send([{"value": str(n).encode(), "partition": n % 2} for n in range(200)], topic)
    first = consumer(group)
    first.subscribe([topic])
    taken = take(first, 90)
    first.commit(asynchronous=False)
    committed = first.committed([TopicPartition(topic, p) for p in range(2)], timeout=10)
    equal(sum(max(p.offset, 0) for p in committed), 90, "committed")
    first.close()
    second = consumer(group)
    second.subscribe([topic])
    rest = take(second, 110)
    nothing_more(second)
    second.close()
    equal(sorted(int(v) for v in values(taken + rest)), list(range(200)), "each record once")


@scenario
def commit_carries_metadata():
    topic, group = create(fresh("metadata")), fresh("metadata")
    client = consumer(group)
    client.commit(offsets=[TopicPartition(topic, 0, 7, "why seven")], asynchronous=False)
    got = client.committed([TopicPartition(topic, 0)], timeout=10)[0]
    equal((got.offset, got.metadata), (7, "why seven"), "commit")
    equal(consumer(fresh("other")).committed([TopicPartition(topic, 0)], timeout=10)[0].offset, -1001, "no commit")
    client.close()


def share(topic, group, strategy, **config):
    """Three members come, share six partitions, and leave one after the other."""
    members = []

    def settled(wanted):
        def look():
            for member in members:
                member.poll(0.05)
            owned = [sorted(p.partition for p in member.assignment()) for member in members]
            flat = sorted(p for one in owned for p in one)
            return flat == list(range(6)) and sorted(len(one) for one in owned) == wanted

        until(f"{strategy}: {wanted} partitions each", look, 30)

    for wanted in ([6], [3, 3], [2, 2, 2]):
        extra = {"partition_assignment_strategy": strategy} if strategy else {}
        member = consumer(group, session_timeout_ms=10_000, **extra, **config)
        member.subscribe([topic])
        members.append(member)
        settled(wanted)
    members.pop(1).close()
    settled([3, 3])
    members.pop(0).close()
    settled([6])
    members.pop().close()


@scenario
def members_share_by_range():
    share(create(fresh("range"), 6), fresh("range"), "range", heartbeat_interval_ms=300)


@scenario
def members_share_cooperatively():
    share(create(fresh("sticky"), 6), fresh("sticky"), "cooperative-sticky", heartbeat_interval_ms=300)


@scenario
def static_member_comes_back_to_its_partitions():
    topic, group = create(fresh("static"), 2), fresh("static")
    config = {"session_timeout_ms": 20_000, "heartbeat_interval_ms": 300}
    a, b = (consumer(group, group_instance_id=name, **config) for name in ("a", "b"))
    for member in (a, b):
        member.subscribe([topic])

    def settled():
        a.poll(0.05), b.poll(0.05)
        return len(a.assignment()) == len(b.assignment()) == 1

    until("one partition each", settled)
    owned = a.assignment()[0].partition
    # A static member that closes does not leave, so its place is kept.
    a.close()
    group_now = ADMIN.describe_consumer_groups([group])[group].result(10)
    equal(sorted(m.group_instance_id for m in group_now.members), ["a", "b"], "members after close")
    a = consumer(group, group_instance_id="a", **config)
    a.subscribe([topic])
    until("the old place", settled)
    equal(a.assignment()[0].partition, owned, "partition")
    a.close(), b.close()


@scenario
def regular_expression_subscribes():
    prefix = fresh("pattern")
    for n in range(2):
        create(f"{prefix}-{n}")
        send([{"value": str(n).encode()}], f"{prefix}-{n}")
    client = consumer(topic_metadata_refresh_interval_ms=500)
    client.subscribe([f"^{prefix}-.*"])
    equal(sorted(values(take(client, 2))), [b"0", b"1"], "both topics")
    client.close()


@scenario
def groups_are_listed_described_and_deleted():
    topic, group = create(fresh("groups"), 2), fresh("groups")
    send([{"value": b"x"}], topic)
    client = consumer(group, client_id="who")
    client.subscribe([topic])
    take(client, 1)
    client.commit(asynchronous=False)
    listed = ADMIN.list_consumer_groups().result(10)
    check(group in [g.group_id for g in listed.valid], "not listed")
    described = ADMIN.describe_consumer_groups([group])[group].result(10)
    equal(described.state.name, "STABLE", "state")
    equal([m.client_id for m in described.members], ["who"], "members")
    equal(len(described.members[0].assignment.topic_partitions), 2, "assignment")
    equal(refusal(lambda: ADMIN.delete_consumer_groups([group])[group].result(10)), "NON_EMPTY_GROUP")
    client.close()
    equal(ADMIN.describe_consumer_groups([group])[group].result(10).state.name, "EMPTY", "state after close")
    asked = lambda: ADMIN.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group)])[group].result(10)
    offsets = {p.partition: p.offset for p in asked().topic_partitions}
    equal(sum(offset for offset in offsets.values() if offset > 0), 1, f"offsets {offsets}")
    moved = ConsumerGroupTopicPartitions(group, [TopicPartition(topic, 0, 5), TopicPartition(topic, 1, 6)])
    ADMIN.alter_consumer_group_offsets([moved])[group].result(10)
    equal([(p.partition, p.offset) for p in asked().topic_partitions], [(0, 5), (1, 6)], "altered offsets")
    ADMIN.delete_consumer_groups([group])[group].result(10)
    check(group not in [g.group_id for g in ADMIN.list_consumer_groups().result(10).valid], "still listed")
    equal(refusal(lambda: ADMIN.delete_consumer_groups([group])[group].result(10)), "GROUP_ID_NOT_FOUND")


def configs(resource):
    described = ADMIN.describe_configs([resource])[resource].result(10)
    return {name: entry.value for name, entry in described.items()}


@scenario
def configs_are_altered_and_described():
    topic = create(fresh("configs"), retention_ms=5000)
    resource = ConfigResource(ResourceType.TOPIC, topic)
    before = configs(resource)
    equal(before["retention.ms"], "5000", "as created")
    equal(before["cleanup.policy"], "delete", "default")
    check(len(before) > 25, f"only {len(before)} configs described")

    def alter(name, value, operation=AlterConfigOpType.SET):
        entry = ConfigEntry(name, value, incremental_operation=operation)
        change = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
        ADMIN.incremental_alter_configs([change])[change].result(10)

    alter("max.message.bytes", "2222")
    alter("cleanup.policy", "compact", AlterConfigOpType.APPEND)
    after = configs(resource)
    equal((after["max.message.bytes"], after["retention.ms"]), ("2222", "5000"), "after set")
    equal(sorted(after["cleanup.policy"].split(",")), ["compact", "delete"], "after append")
    alter("retention.ms", None, AlterConfigOpType.DELETE)
    alter("cleanup.policy", "compact", AlterConfigOpType.SUBTRACT)
    after = configs(resource)
    equal((after["retention.ms"], after["cleanup.policy"]), ("604800000", "delete"), "after delete and subtract")
    equal(refusal(lambda: alter("no.such.config", "1")), "INVALID_CONFIG")
    equal(refusal(lambda: alter("retention.ms", "soon")), "INVALID_CONFIG")
    equal(refusal(lambda: send([{"value": b"x" * 5000}], topic)), "MSG_SIZE_TOO_LARGE")
    broker = next(iter(ADMIN.list_topics(timeout=10).brokers))
    described = configs(ConfigResource(ResourceType.BROKER, str(broker)))
    equal(described["log.segment.bytes"], "1073741824", "broker default")
    missing = ConfigResource(ResourceType.TOPIC, fresh("missing"))
    equal(refusal(lambda: ADMIN.describe_configs([missing])[missing].result(10)), "UNKNOWN_TOPIC_OR_PART")


@scenario
def partitions_are_added():
    topic = create(fresh("add"), 1)
    ADMIN.create_partitions([NewPartitions(topic, 3)])[topic].result(10)
    send([{"value": str(n).encode(), "partition": n} for n in range(3)], topic)
    equal([values(read(topic, 1, n))[0] for n in range(3)], [b"0", b"1", b"2"], "new partitions")
    fewer = lambda count: refusal(lambda: ADMIN.create_partitions([NewPartitions(topic, count)])[topic].result(10))
    equal((fewer(3), fewer(2)), ("INVALID_PARTITIONS", "INVALID_PARTITIONS"), "not more")
    missing = fresh("missing")
    gone = lambda: ADMIN.create_partitions([NewPartitions(missing, 2)])[missing].result(10)
    equal(refusal(gone), "UNKNOWN_TOPIC_OR_PART")


@scenario
def deleted_topic_is_gone_and_can_be_made_again():
    topic = create(fresh("delete"))
    send([{"value": b"old"}] * 5, topic)
    ADMIN.delete_topics([topic])[topic].result(15)
    check(topic not in ADMIN.list_topics(timeout=10).topics, "still listed")
    equal(refusal(lambda: ADMIN.delete_topics([topic])[topic].result(10)), "UNKNOWN_TOPIC_OR_PART")
    create(topic)
    equal(send([{"value": b"new"}], topic), [(0, 0)], "offset in the new topic")
    client = consumer()
    client.assign([TopicPartition(topic, 0, OFFSET_BEGINNING)])
    equal(values(take(client, 1)), [b"new"], "only new records")
    nothing_more(client)
    client.close()


@scenario
def offsets_are_listed():
    topic = create(fresh("list"))
    stamps = [int(time.time() * 1000) - 3_600_000 + n * 10 for n in (3, 1, 9, 4)]
    for stamp in stamps:
        send([{"value": b"x", "timestamp": stamp}], topic)
    ask = lambda spec: ADMIN.list_offsets({TopicPartition(topic, 0): spec})[TopicPartition(topic, 0)].result(10)
    equal(ask(OffsetSpec.earliest()).offset, 0, "earliest")
    equal(ask(OffsetSpec.latest()).offset, 4, "latest")
    newest = ask(OffsetSpec.max_timestamp())
    equal((newest.offset, newest.timestamp), (2, stamps[2]), "largest timestamp")
    equal(ask(OffsetSpec.for_timestamp(stamps[0] + 1)).offset, 2, "for a time")


@scenario
def records_are_deleted():
    topic = create(fresh("records"))
    send([{"value": str(n).encode()} for n in range(20)], topic)
    cut = lambda offset: ADMIN.delete_records([TopicPartition(topic, 0, offset)])
    done = cut(12)[TopicPartition(topic, 0)].result(10)
    equal(done.low_watermark, 12, "low watermark")
    equal(consumer().get_watermark_offsets(TopicPartition(topic, 0), timeout=10), (12, 20), "watermarks")
    equal(values(read(topic, 8)), [str(n).encode() for n in range(12, 20)], "what is left")
    equal(refusal(lambda: cut(100)[TopicPartition(topic, 0)].result(10)), "OFFSET_OUT_OF_RANGE")
    equal(cut(OFFSET_END)[TopicPartition(topic, 0)].result(10).low_watermark, 20, "all")


@scenario
def compacted_topic_wants_keys():
    topic = create(fresh("compact"), cleanup_policy="compact")
    equal(refusal(lambda: send([{"value": b"no key"}], topic)), "INVALID_RECORD")
    send([{"key": b"k", "value": b"1"}, {"key": b"k", "value": None}], topic)
    equal([(m.key(), m.value()) for m in read(topic, 2)], [(b"k", b"1"), (b"k", None)], "tombstone")


@scenario
def unknown_topics_are_made_by_a_producer_only():
    topic = fresh("auto")
    equal(send([{"value": b"x"}], topic), [(0, 0)], "first offset")
    equal(values(read(topic, 1)), [b"x"], "record")
    other = fresh("not-auto")
    client = consumer()
    client.subscribe([other])
    error = until("an error", lambda: client.poll(0.5)).error()
    equal(error and error.name(), "UNKNOWN_TOPIC_OR_PART", "consumer's error")
    client.close()
    check(other not in ADMIN.list_topics(timeout=10).topics, "a consumer made a topic")


main(f"{confluent_kafka.__version__} with librdkafka {confluent_kafka.libversion()[0]}")
