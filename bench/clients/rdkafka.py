"""librdkafka as a load generator, through confluent-kafka, at librdkafka's defaults. One line of JSON tells what it did.

    rdkafka.py produce HOST:PORT TOPIC VALUE_BYTES SECONDS RECORDS_MAX   as fast as it takes records
    rdkafka.py pace    HOST:PORT TOPIC VALUE_BYTES SECONDS PER_SECOND    one by one at fixed moments, linger.ms=0
    rdkafka.py consume HOST:PORT TOPIC SECONDS RECORDS                   the topic's RECORDS, again until the time is over

Everything goes to and comes from partition 0.
"""

import json
import os
import sys
import time

import confluent_kafka
from confluent_kafka import Consumer, Producer, TopicPartition

# Records that are handed over at a time.
CHUNK = 1_000
# Seconds between two records whose way is timed while others fill the queue.
SAMPLE = 0.002
# Seconds after which nothing comes any more.
SILENCE = 30


class Latencies:
    """From the hand-over of a record to its acknowledgement."""

    def __init__(self):
        self.seconds = []

    def note(self, error, message):
        if error is not None:
            raise SystemExit(f"not delivered: {error}")
        self.seconds.append(message.latency())

    def figures(self):
        ordered = sorted(self.seconds)
        at = lambda share: ordered[min(int(share * len(ordered)), len(ordered) - 1)] * 1e6
        if not ordered:
            return {}
        return {"p50_us": at(0.5), "p99_us": at(0.99), "p999_us": at(0.999), "max_us": ordered[-1] * 1e6}


def report(records, value_bytes, seconds, more):
    library = f"librdkafka {confluent_kafka.libversion()[0]}"
    figures = {"records": records, "bytes": records * value_bytes, "seconds": seconds, **more}
    print(json.dumps({"version": library, "figures": figures}))


def finish(producer):
    if producer.flush(SILENCE) > 0:
        raise SystemExit("not everything was acknowledged")


def produce(bootstrap, topic, value_bytes, seconds, records_max):
    producer = Producer({"bootstrap.servers": bootstrap})
    values = [os.urandom(value_bytes) for _ in range(CHUNK)]
    latencies, sent = Latencies(), 0
    begun = time.perf_counter()
    next_sample = begun
    while sent < records_max and (now := time.perf_counter()) < begun + seconds:
        if now >= next_sample:
            try:
                producer.produce(topic, values[0], partition=0, on_delivery=latencies.note)
                sent += 1
                next_sample = now + SAMPLE
            except BufferError:
                pass
        taken = producer.produce_batch(topic, [{"value": value} for value in values], partition=0)
        sent += taken
        # A full queue has room again once something was acknowledged.
        producer.poll(0 if taken == CHUNK else 0.001)
    finish(producer)
    report(sent, value_bytes, time.perf_counter() - begun, latencies.figures())


def pace(bootstrap, topic, value_bytes, seconds, per_second):
    producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 0})
    value, latencies, sent = os.urandom(value_bytes), Latencies(), 0
    begun = time.perf_counter()
    while (due := begun + sent / per_second) < begun + seconds:
        while (left := due - time.perf_counter()) > 0:
            producer.poll(left)
        producer.produce(topic, value, partition=0, on_delivery=latencies.note)
        sent += 1
    finish(producer)
    report(sent, value_bytes, time.perf_counter() - begun, latencies.figures())


def consume(bootstrap, topic, seconds, records):
    consumer = Consumer({
        "bootstrap.servers": bootstrap, "group.id": "rdkafka", "auto.offset.reset": "earliest", "enable.auto.commit": False,
    })
    start = TopicPartition(topic, 0, 0)
    seen, bytes_seen, rounds, begun, end = 0, 0, 0, None, None
    while begun is None or end < begun + seconds:
        consumer.assign([start])
        left = records
        while left > 0:
            messages = consumer.consume(min(left, 10_000), timeout=SILENCE)
            if not messages:
                raise SystemExit(f"{left} records did not come")
            if messages[0].error() is not None:
                raise SystemExit(str(messages[0].error()))
            # From the first records on: finding the partition is not consuming.
            begun = begun or time.perf_counter()
            left -= len(messages)
            seen += len(messages)
            bytes_seen += sum(map(len, messages))
        end = time.perf_counter()
        rounds += 1
    consumer.close()
    report(seen, 0, end - begun, {"bytes": bytes_seen, "rounds": rounds})


if __name__ == "__main__":
    what, bootstrap, topic, *numbers = sys.argv[1:]
    numbers = [float(number) for number in numbers]
    if what == "produce":
        produce(bootstrap, topic, int(numbers[0]), numbers[1], int(numbers[2]))
    elif what == "pace":
        pace(bootstrap, topic, int(numbers[0]), numbers[1], numbers[2])
    else:
        consume(bootstrap, topic, numbers[0], int(numbers[1]))
