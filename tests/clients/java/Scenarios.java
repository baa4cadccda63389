import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.AlterConfigOp.OpType;
import org.apache.kafka.clients.admin.Config;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.clients.producer.RecordMetadata;
import org.apache.kafka.common.KafkaFuture;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.header.internals.RecordHeader;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;
import org.apache.kafka.common.utils.AppInfoParser;

/**
 * Scenarios of Apache Kafka's own Java clients. Prints `plan A B`, then `ok NAME MILLISECONDS` or `FAIL NAME: why` for
 * each, as the Python clients do. Run without being built: java -cp 'JARS/*' Scenarios.java HOST:PORT [SCENARIO...]
 */
public final class Scenarios {
    static final List<String> CODECS = List.of("none", "gzip", "snappy", "lz4", "zstd");
    static final String RUN = Long.toHexString(new Random().nextLong());
    static String bootstrap;
    static Admin admin;
    static int names;

    interface Scenario {
        void run() throws Exception;
    }

    interface Condition {
        boolean holds() throws Exception;
    }

    public static void main(String[] arguments) {
        bootstrap = arguments[0];
        admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
        Map<String, Scenario> all = new LinkedHashMap<>();
        all.put("cluster_is_described", Scenarios::clusterIsDescribed);
        all.put("topics_are_created_described_and_deleted", Scenarios::topics);
        all.put("every_codec_comes_back", Scenarios::everyCodec);
        all.put("large_records_pass_up_to_the_limit", Scenarios::largeRecords);
        all.put("many_records_with_five_in_flight_keep_their_order", Scenarios::manyInFlight);
        all.put("batches_over_the_limit_are_split", Scenarios::splitBatches);
        all.put("weaker_acks_are_answered", Scenarios::weakerAcks);
        all.put("consumer_seeks", Scenarios::consumerSeeks);
        all.put("group_resumes_at_its_commit", Scenarios::groupResumes);
        all.put("members_share_by_range_and_cooperatively", Scenarios::membersShare);
        all.put("groups_are_listed_described_and_deleted", Scenarios::groups);
        all.put("configs_are_altered_and_described", Scenarios::configs);
        all.put("partitions_are_added", Scenarios::partitions);
        all.put("offsets_are_listed_and_records_deleted", Scenarios::offsets);
        Set<String> wanted = new HashSet<>(Arrays.asList(arguments).subList(1, arguments.length));
        if (!wanted.isEmpty()) {
            all.keySet().retainAll(wanted);
        }
        System.out.println("version " + AppInfoParser.getVersion());
        System.out.println("plan " + String.join(" ", all.keySet()));
        boolean[] failed = {false};
        all.forEach((name, scenario) -> {
            long begun = System.nanoTime();
            try {
                scenario.run();
                System.out.printf("ok %s %d%n", name, (System.nanoTime() - begun) / 1_000_000);
            } catch (Throwable error) {
                failed[0] = true;
                System.out.printf("FAIL %s: %s%n", name, error.toString().replace('\n', ' '));
                error.printStackTrace();
            }
        });
        // Clients that a failed scenario left open have threads of their own.
        System.exit(failed[0] ? 1 : 0);
    }

    // --- tools ---

    static void equal(Object got, Object wanted, String what) {
        if (!Objects.equals(got, wanted)) {
            throw new AssertionError(what + ": got " + shorten(got) + ", wanted " + shorten(wanted));
        }
    }

    static String shorten(Object value) {
        String text = String.valueOf(value);
        return text.length() <= 300 ? text : text.substring(0, 300) + "... (" + text.length() + " characters)";
    }

    static void check(boolean condition, String what) {
        if (!condition) {
            throw new AssertionError(what);
        }
    }

    /** Polls `condition`, which has to wait by itself. */
    static void until(String what, Condition condition) throws Exception {
        long end = System.nanoTime() + 30_000_000_000L;
        while (!condition.holds()) {
            check(System.nanoTime() < end, "never came: " + what);
        }
    }

    static String refusal(KafkaFuture<?> future) throws Exception {
        try {
            future.get();
        } catch (ExecutionException error) {
            return error.getCause().getClass().getSimpleName();
        }
        throw new AssertionError("not refused");
    }

    static String fresh(String name) {
        return name + "-" + RUN + "-" + names++;
    }

    static String create(String name, int partitions, String... config) throws Exception {
        String topic = fresh(name);
        Map<String, String> configs = new HashMap<>();
        for (int n = 0; n < config.length; n += 2) {
            configs.put(config[n], config[n + 1]);
        }
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(configs))).all().get();
        return topic;
    }

    static Map<String, Object> merged(Map<String, Object> base, Object... more) {
        Map<String, Object> all = new HashMap<>(base);
        for (int n = 0; n < more.length; n += 2) {
            all.put((String) more[n], more[n + 1]);
        }
        return all;
    }

    static KafkaProducer<byte[], byte[]> producer(Object... config) {
        return new KafkaProducer<>(merged(Map.of("bootstrap.servers", bootstrap, "linger.ms", 5), config),
            new ByteArraySerializer(), new ByteArraySerializer());
    }

    static KafkaConsumer<byte[], byte[]> consumer(Object... config) {
        return new KafkaConsumer<>(merged(Map.of("bootstrap.servers", bootstrap, "auto.offset.reset", "earliest",
            "enable.auto.commit", false, "fetch.max.wait.ms", 100), config), new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static String text(byte[] bytes) {
        return bytes == null ? null : new String(bytes, StandardCharsets.UTF_8);
    }

    static List<RecordMetadata> send(List<ProducerRecord<byte[], byte[]>> records, Object... config) throws Exception {
        List<RecordMetadata> places = new ArrayList<>();
        try (var producer = producer(config)) {
            List<Future<RecordMetadata>> futures = new ArrayList<>();
            for (var record : records) {
                futures.add(producer.send(record));
            }
            producer.flush();
            for (var future : futures) {
                places.add(future.get());
            }
        }
        return places;
    }

    static List<ProducerRecord<byte[], byte[]>> numbered(String topic, int count, int partitions) {
        return IntStream.range(0, count)
            .mapToObj(n -> new ProducerRecord<byte[], byte[]>(topic, n % partitions, null, bytes("" + n)))
            .collect(Collectors.toList());
    }

    static List<ConsumerRecord<byte[], byte[]>> take(KafkaConsumer<byte[], byte[]> consumer, int count) throws Exception {
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        until(count + " records", () -> {
            consumer.poll(Duration.ofMillis(100)).forEach(records::add);
            return records.size() >= count;
        });
        return records;
    }

    static List<ConsumerRecord<byte[], byte[]>> read(String topic, int partition, int count) throws Exception {
        try (var consumer = consumer()) {
            var place = new TopicPartition(topic, partition);
            consumer.assign(List.of(place));
            consumer.seekToBeginning(List.of(place));
            return take(consumer, count);
        }
    }

    static List<String> values(Collection<ConsumerRecord<byte[], byte[]>> records) {
        return records.stream().map(record -> text(record.value())).collect(Collectors.toList());
    }

    static List<String> numbers(int from, int to, int step) {
        return IntStream.range(from, to).filter(n -> (n - from) % step == 0).mapToObj(n -> "" + n).collect(Collectors.toList());
    }

    // --- scenarios ---

    static void clusterIsDescribed() throws Exception {
        var cluster = admin.describeCluster();
        check(!cluster.clusterId().get().isEmpty(), "no cluster id");
        equal(cluster.nodes().get().size(), 1, "nodes");
        check(cluster.controller().get() != null, "no controller");
        var features = admin.describeFeatures().featureMetadata().get();
        check(features.finalizedFeatures().containsKey("metadata.version"), "features " + features);
    }

    static void topics() throws Exception {
        String topic = create("create", 3, "retention.ms", "5000");
        var described = admin.describeTopics(List.of(topic)).allTopicNames().get().get(topic);
        equal(described.partitions().size(), 3, "partitions");
        equal(described.partitions().get(2).isr().size(), 1, "ISR");
        var byId = admin.describeTopics(org.apache.kafka.common.TopicCollection.ofTopicIds(List.of(described.topicId())));
        equal(byId.allTopicIds().get().get(described.topicId()).name(), topic, "name by id");
        var again = new NewTopic(topic, 1, (short) 1);
        equal(refusal(admin.createTopics(List.of(again)).all()), "TopicExistsException", "again");
        equal(refusal(admin.createTopics(List.of(new NewTopic("a/b", 1, (short) 1))).all()), "InvalidTopicException", "name");
        var defaults = new NewTopic(fresh("default"), Optional.empty(), Optional.empty());
        var created = admin.createTopics(List.of(defaults));
        created.all().get();
        equal(created.numPartitions(defaults.name()).get(), 1, "default partitions");
        equal(created.config(defaults.name()).get().get("retention.ms").value(), "604800000", "default config");
        admin.deleteTopics(List.of(topic)).all().get();
        equal(refusal(admin.deleteTopics(List.of(topic)).all()), "UnknownTopicOrPartitionException", "deleted");
        check(!admin.listTopics().names().get().contains(topic), "still listed");
    }

    static void everyCodec() throws Exception {
        long begin = System.currentTimeMillis() - 3_600_000;
        for (String codec : CODECS) {
            String topic = create("codec-" + codec, 1);
            List<ProducerRecord<byte[], byte[]>> sent = new ArrayList<>();
            for (int n = 0; n < 400; n++) {
                byte[] key = n % 7 == 0 ? null : bytes("key-" + n);
                byte[] value = n % 11 == 0 ? null : bytes(("value-" + n).repeat(n % 40));
                var record = new ProducerRecord<>(topic, 0, begin + n, key, value);
                if (n % 3 == 0) {
                    record.headers().add(new RecordHeader("h", bytes("" + n))).add(new RecordHeader("none", (byte[]) null));
                }
                sent.add(record);
            }
            var places = send(sent, "compression.type", codec, "linger.ms", 50);
            var got = read(topic, 0, 400);
            for (int n = 0; n < 400; n++) {
                equal(places.get(n).offset(), (long) n, codec + ": offset answered");
                equal(got.get(n).offset(), (long) n, codec + ": offset");
                equal(text(got.get(n).key()), text(sent.get(n).key()), codec + ": key");
                equal(text(got.get(n).value()), text(sent.get(n).value()), codec + ": value");
                equal(got.get(n).timestamp(), begin + n, codec + ": timestamp");
                equal(got.get(n).headers(), sent.get(n).headers(), codec + ": headers");
            }
        }
    }

    static void largeRecords() throws Exception {
        String topic = create("large", 1, "max.message.bytes", "3000000");
        byte[] value = new byte[2_500_000];
        new Random(7).nextBytes(value);
        send(List.of(new ProducerRecord<>(topic, value), new ProducerRecord<>(topic, bytes("after"))), "max.request.size", 4_000_000);
        var got = read(topic, 0, 2);
        check(Arrays.equals(got.get(0).value(), value), "large record differs");
        String narrow = create("narrow", 1, "max.message.bytes", "10000");
        try (var producer = producer()) {
            producer.send(new ProducerRecord<>(narrow, new byte[20_000])).get();
            throw new AssertionError("not refused");
        } catch (ExecutionException error) {
            equal(error.getCause().getClass().getSimpleName(), "RecordTooLargeException", "refusal");
        }
    }

    static void manyInFlight() throws Exception {
        String topic = create("many", 3);
        var places = send(numbered(topic, 30_000, 3), "batch.size", 500, "linger.ms", 0);
        equal(places.get(29_999).offset(), 9_999L, "last offset");
        for (int partition = 0; partition < 3; partition++) {
            equal(values(read(topic, partition, 10_000)), numbers(partition, 30_000, 3), "order");
        }
    }

    static void splitBatches() throws Exception {
        String topic = create("split", 1, "max.message.bytes", "5000");
        var records = IntStream.range(0, 40)
            .mapToObj(n -> new ProducerRecord<byte[], byte[]>(topic, 0, null, bytes(n + "-" + "x".repeat(1000))))
            .collect(Collectors.toList());
        send(records, "batch.size", 30_000, "linger.ms", 100);
        equal(values(read(topic, 0, 40)), records.stream().map(r -> text(r.value())).collect(Collectors.toList()), "records");
    }

    static void weakerAcks() throws Exception {
        for (String acks : List.of("0", "1", "all")) {
            String topic = create("acks-" + acks, 1);
            // Nobody hears of a refusal at acks=0, so the partition has to be there.
            admin.listOffsets(Map.of(new TopicPartition(topic, 0), OffsetSpec.latest())).all().get();
            send(numbered(topic, 200, 1), "acks", acks, "enable.idempotence", false);
            equal(values(read(topic, 0, 200)), numbers(0, 200, 1), "acks=" + acks);
        }
    }

    static void consumerSeeks() throws Exception {
        String topic = create("seek", 1);
        long begin = System.currentTimeMillis() - 3_600_000;
        send(IntStream.range(0, 100)
            .mapToObj(n -> new ProducerRecord<byte[], byte[]>(topic, 0, begin + n * 1000L, null, bytes("" + n)))
            .collect(Collectors.toList()));
        var place = new TopicPartition(topic, 0);
        try (var consumer = consumer()) {
            consumer.assign(List.of(place));
            equal(consumer.beginningOffsets(List.of(place)).get(place), 0L, "beginning");
            equal(consumer.endOffsets(List.of(place)).get(place), 100L, "end");
            equal(consumer.offsetsForTimes(Map.of(place, begin + 50_001)).get(place).offset(), 51L, "time in between");
            equal(consumer.offsetsForTimes(Map.of(place, begin + 1_000_000)).get(place), null, "time after all");
            consumer.seekToEnd(List.of(place));
            equal(consumer.poll(Duration.ofMillis(300)).count(), 0, "records at the end");
            consumer.seek(place, 42);
            equal(values(take(consumer, 58)).get(0), "42", "offset");
            consumer.seek(place, 1_000);
            equal(values(take(consumer, 100)).get(0), "0", "out of range resets");
            equal(consumer.currentLag(place).orElse(-1), 0L, "lag");
        }
    }

    static void groupResumes() throws Exception {
        String topic = create("resume", 2);
        String group = fresh("group");
        send(numbered(topic, 200, 2));
        List<String> seen = new ArrayList<>();
        try (var first = consumer("group.id", group, "max.poll.records", 30)) {
            first.subscribe(List.of(topic));
            seen.addAll(values(take(first, 90)));
            first.commitSync();
        }
        int before = seen.size();
        try (var second = consumer("group.id", group)) {
            second.subscribe(List.of(topic));
            seen.addAll(values(take(second, 200 - before)));
            equal(second.poll(Duration.ofMillis(300)).count(), 0, "records too many");
            var place = new TopicPartition(topic, 0);
            second.commitSync(Map.of(place, new OffsetAndMetadata(7, Optional.of(0), "why seven")));
            equal(second.committed(Set.of(place)).get(place), new OffsetAndMetadata(7, Optional.of(0), "why seven"), "commit");
        }
        equal(new HashSet<>(seen), new HashSet<>(numbers(0, 200, 1)), "records seen");
        equal(seen.size(), 200, "each once");
    }

    static void membersShare() throws Exception {
        for (String assignor : List.of("RangeAssignor", "CooperativeStickyAssignor")) {
            String topic = create("share", 6);
            String group = fresh("group");
            String name = "org.apache.kafka.clients.consumer." + assignor;
            List<KafkaConsumer<byte[], byte[]>> members = new ArrayList<>();
            for (List<Integer> wanted : List.of(List.of(6), List.of(3, 3), List.of(2, 2, 2))) {
                var member = consumer("group.id", group, "partition.assignment.strategy", name, "heartbeat.interval.ms", 300,
                    "session.timeout.ms", 10_000);
                member.subscribe(List.of(topic));
                members.add(member);
                settle(members, wanted);
            }
            members.remove(1).close();
            settle(members, List.of(3, 3));
            members.remove(0).close();
            settle(members, List.of(6));
            members.remove(0).close();
        }
    }

    static void settle(List<KafkaConsumer<byte[], byte[]>> members, List<Integer> wanted) throws Exception {
        until(wanted + " partitions each", () -> {
            members.forEach(member -> member.poll(Duration.ofMillis(30)));
            var sizes = members.stream().map(member -> member.assignment().size()).sorted().collect(Collectors.toList());
            var all = members.stream().flatMap(member -> member.assignment().stream()).collect(Collectors.toSet());
            return sizes.equals(wanted) && all.size() == 6;
        });
    }

    static void groups() throws Exception {
        String topic = create("groups", 2);
        String group = fresh("group");
        send(numbered(topic, 10, 2));
        try (var consumer = consumer("group.id", group, "client.id", "who")) {
            consumer.subscribe(List.of(topic));
            take(consumer, 10);
            consumer.commitSync();
            check(admin.listGroups().all().get().stream().anyMatch(one -> one.groupId().equals(group)), "not listed");
            var described = admin.describeConsumerGroups(List.of(group)).all().get().get(group);
            equal(described.groupState().toString(), "Stable", "state");
            equal(described.members().iterator().next().assignment().topicPartitions().size(), 2, "assignment");
            equal(refusal(admin.deleteConsumerGroups(List.of(group)).all()), "GroupNotEmptyException", "delete");
        }
        var place = new TopicPartition(topic, 0);
        equal(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(place).offset(), 5L, "offset");
        admin.alterConsumerGroupOffsets(group, Map.of(place, new OffsetAndMetadata(2))).all().get();
        equal(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(place).offset(), 2L, "altered");
        admin.deleteConsumerGroupOffsets(group, Set.of(place)).all().get();
        equal(admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().get(place), null, "deleted offset");
        admin.deleteConsumerGroups(List.of(group)).all().get();
        equal(refusal(admin.deleteConsumerGroups(List.of(group)).all()), "GroupIdNotFoundException", "deleted group");
    }

    static Config config(ConfigResource resource) throws Exception {
        return admin.describeConfigs(List.of(resource)).all().get().get(resource);
    }

    static void alter(ConfigResource resource, String name, String value, OpType type) throws Exception {
        admin.incrementalAlterConfigs(Map.of(resource, List.of(new AlterConfigOp(new ConfigEntry(name, value), type)))).all().get();
    }

    static void configs() throws Exception {
        var topic = new ConfigResource(ConfigResource.Type.TOPIC, create("configs", 1, "retention.ms", "5000"));
        var before = config(topic);
        equal(before.get("retention.ms").value(), "5000", "as created");
        equal(before.get("retention.ms").source(), ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG, "source");
        check(before.get("cleanup.policy").isDefault(), "default");
        alter(topic, "cleanup.policy", "compact", OpType.APPEND);
        equal(config(topic).get("cleanup.policy").value(), "delete,compact", "append");
        alter(topic, "cleanup.policy", "delete", OpType.SUBTRACT);
        equal(config(topic).get("cleanup.policy").value(), "compact", "subtract");
        alter(topic, "retention.ms", null, OpType.DELETE);
        equal(config(topic).get("retention.ms").value(), "604800000", "delete");
        try {
            alter(topic, "no.such.config", "1", OpType.SET);
            throw new AssertionError("not refused");
        } catch (ExecutionException error) {
            equal(error.getCause().getClass().getSimpleName(), "InvalidConfigurationException", "unknown config");
        }
        var broker = new ConfigResource(ConfigResource.Type.BROKER, "" + admin.describeCluster().nodes().get().iterator().next().id());
        alter(broker, "log.cleaner.threads", "2", OpType.SET);
        // A broker applies what the controller decided a moment later.
        until("broker config", () -> config(broker).get("log.cleaner.threads").value().equals("2"));
        alter(broker, "log.cleaner.threads", null, OpType.DELETE);
        until("broker config deleted", () -> config(broker).get("log.cleaner.threads").value().equals("1"));
    }

    static void partitions() throws Exception {
        String topic = create("add", 1);
        admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(4))).all().get();
        send(List.of(new ProducerRecord<>(topic, 3, null, bytes("x"))));
        equal(values(read(topic, 3, 1)), List.of("x"), "new partition");
        equal(refusal(admin.createPartitions(Map.of(topic, NewPartitions.increaseTo(4))).all()), "InvalidPartitionsException", "same");
    }

    static void offsets() throws Exception {
        String topic = create("offsets", 1);
        var place = new TopicPartition(topic, 0);
        long begin = System.currentTimeMillis() - 3_600_000;
        send(IntStream.range(0, 20)
            .mapToObj(n -> new ProducerRecord<byte[], byte[]>(topic, 0, begin + n, null, bytes("" + n)))
            .collect(Collectors.toList()));
        Map<OffsetSpec, Long> wanted = new LinkedHashMap<>();
        wanted.put(OffsetSpec.earliest(), 0L);
        wanted.put(OffsetSpec.latest(), 20L);
        wanted.put(OffsetSpec.maxTimestamp(), 19L);
        wanted.put(OffsetSpec.forTimestamp(begin + 5), 5L);
        wanted.put(OffsetSpec.earliestLocal(), 0L);
        for (var one : wanted.entrySet()) {
            var got = admin.listOffsets(Map.of(place, one.getKey())).partitionResult(place).get();
            equal(got.offset(), one.getValue(), one.getKey().getClass().getSimpleName());
        }
        var deleted = admin.deleteRecords(Map.of(place, RecordsToDelete.beforeOffset(12))).lowWatermarks().get(place).get();
        equal(deleted.lowWatermark(), 12L, "low watermark");
        equal(values(read(topic, 0, 8)).get(0), "12", "first record");
        var beyond = admin.deleteRecords(Map.of(place, RecordsToDelete.beforeOffset(100))).all();
        equal(refusal(beyond), "OffsetOutOfRangeException", "beyond the end");
    }
}
