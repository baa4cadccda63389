import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.kafka.clients.admin.Admin;
import org.apache.kafka.clients.admin.AlterConfigOp;
import org.apache.kafka.clients.admin.ConfigEntry;
import org.apache.kafka.clients.admin.NewPartitions;
import org.apache.kafka.clients.admin.NewTopic;
import org.apache.kafka.clients.admin.OffsetSpec;
import org.apache.kafka.clients.admin.RecordsToDelete;
import org.apache.kafka.clients.consumer.ConsumerRecord;
import org.apache.kafka.clients.consumer.KafkaConsumer;
import org.apache.kafka.clients.consumer.KafkaShareConsumer;
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
import org.apache.kafka.common.GroupType;
import org.apache.kafka.common.TopicPartition;
import org.apache.kafka.common.config.ConfigResource;
import org.apache.kafka.common.serialization.ByteArrayDeserializer;
import org.apache.kafka.common.serialization.ByteArraySerializer;

/**
 * Fills a node with something of everything and writes down what a client then sees: one line each, fields separated
 * by tabs, bytes in hexadecimal, `-` for null.
 *
 *   log        TOPIC PARTITION START END
 *   committed  TOPIC PARTITION OFFSET TIMESTAMP KEY VALUE HEADERS     (read_committed)
 *   all        the same, read_uncommitted, of topics with transactions
 *   time       TOPIC PARTITION TIMESTAMP OFFSET     (the first record at or after it; -1 if there is none)
 *   config     TOPIC NAME VALUE
 *   group      GROUP TOPIC PARTITION OFFSET METADATA
 *
 * java -cp 'JARS/*' Fixture.java HOST:PORT OUTPUT [FEATURE...]
 *   features: transactions compaction consumer-protocol share; `more` goes on with what is there instead of beginning
 */
public final class Fixture {
    static final long TIME = 1_760_000_000_000L;
    static final Set<String> topics = new TreeSet<>();
    static String bootstrap;
    static Admin admin;

    public static void main(String[] arguments) throws Exception {
        bootstrap = arguments[0];
        List<String> features = Arrays.asList(arguments).subList(2, arguments.length);
        admin = Admin.create(Map.of("bootstrap.servers", bootstrap));
        if (features.contains("more")) {
            more();
        } else {
            fill();
        }
        if (features.contains("transactions")) {
            transactions();
        }
        if (features.contains("compaction")) {
            compaction();
        }
        groups(features.contains("consumer-protocol"));
        if (features.contains("share")) {
            share();
        }
        try (var out = new PrintWriter(Files.newBufferedWriter(Path.of(arguments[1])))) {
            write(out);
        }
        System.exit(0);
    }

    static Map<String, Object> merged(Map<String, Object> base, Object... more) {
        Map<String, Object> all = new HashMap<>(base);
        for (int n = 0; n < more.length; n += 2) {
            all.put((String) more[n], more[n + 1]);
        }
        return all;
    }

    static KafkaProducer<byte[], byte[]> producer(Object... config) {
        return new KafkaProducer<>(merged(Map.of("bootstrap.servers", bootstrap, "linger.ms", 20), config),
            new ByteArraySerializer(), new ByteArraySerializer());
    }

    static KafkaConsumer<byte[], byte[]> consumer(Object... config) {
        return new KafkaConsumer<>(merged(Map.of("bootstrap.servers", bootstrap, "enable.auto.commit", false,
            "auto.offset.reset", "earliest"), config), new ByteArrayDeserializer(), new ByteArrayDeserializer());
    }

    static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    static void create(String topic, int partitions, String... config) throws Exception {
        Map<String, String> configs = new HashMap<>();
        for (int n = 0; n < config.length; n += 2) {
            configs.put(config[n], config[n + 1]);
        }
        if (!topics.add(topic)) {
            // It is of a round before.
            return;
        }
        admin.createTopics(List.of(new NewTopic(topic, partitions, (short) 1).configs(configs))).all().get();
    }

    /** Record `n` of a topic; every third has headers, every seventh no key, every eleventh no value. */
    static ProducerRecord<byte[], byte[]> record(String topic, int partition, int n) {
        byte[] key = n % 7 == 6 ? null : bytes("key-" + n);
        byte[] value = n % 11 == 10 ? null : bytes((topic + "-" + n + " ").repeat(1 + n % 5));
        var record = new ProducerRecord<>(topic, partition, TIME + n * 1000L, key, value);
        if (n % 3 == 0) {
            record.headers().add("number", bytes("" + n)).add("nothing", null);
        }
        return record;
    }

    static void send(String topic, int partitions, int count, Object... config) throws Exception {
        sendFrom(0, topic, partitions, count, config);
    }

    static void sendFrom(int first, String topic, int partitions, int count, Object... config) throws Exception {
        try (var producer = producer(config)) {
            List<java.util.concurrent.Future<?>> sent = new ArrayList<>();
            for (int n = first; n < first + count; n++) {
                sent.add(producer.send(record(topic, n % partitions, n)));
            }
            producer.flush();
            for (var one : sent) {
                one.get();
            }
        }
    }

    static void fill() throws Exception {
        create("plain", 3);
        send("plain", 3, 90, "enable.idempotence", false, "acks", "all");
        for (String codec : List.of("gzip", "snappy", "lz4", "zstd")) {
            create("codec-" + codec, 1);
            send("codec-" + codec, 1, 40, "compression.type", codec);
        }
        create("idempotent", 2);
        send("idempotent", 2, 60, "enable.idempotence", true, "batch.size", 200);
        send("idempotent", 2, 20, "enable.idempotence", true);
        create("append-time", 1, "message.timestamp.type", "LogAppendTime");
        send("append-time", 1, 10);
        create("broker-codec", 1, "compression.type", "gzip");
        send("broker-codec", 1, 20, "compression.type", "lz4");
        create("dotted.name", 1, "retention.ms", "-1", "max.message.bytes", "200000");
        send("dotted.name", 1, 5);
        create("empty", 2, "cleanup.policy", "compact,delete");
        create("grown", 1);
        send("grown", 1, 5);
        admin.createPartitions(Map.of("grown", NewPartitions.increaseTo(3))).all().get();
        // Half a second between two sends rolls a segment each.
        create("rolled", 1, "segment.ms", "400");
        for (int n = 0; n < 3; n++) {
            try (var producer = producer()) {
                for (int m = 0; m < 8; m++) {
                    var record = record("rolled", 0, n * 8 + m);
                    producer.send(new ProducerRecord<>("rolled", 0, null, record.key(), record.value())).get();
                }
            }
            Thread.sleep(500);
        }
        create("cut", 1);
        send("cut", 1, 30);
        admin.deleteRecords(Map.of(new TopicPartition("cut", 0), RecordsToDelete.beforeOffset(12))).all().get();
        create("altered", 1, "retention.ms", "1000000000");
        var altered = new ConfigResource(ConfigResource.Type.TOPIC, "altered");
        admin.incrementalAlterConfigs(Map.of(altered, List.of(
            new AlterConfigOp(new ConfigEntry("retention.bytes", "123456789"), AlterConfigOp.OpType.SET),
            new AlterConfigOp(new ConfigEntry("retention.ms", null), AlterConfigOp.OpType.DELETE)))).all().get();
        create("gone", 1);
        send("gone", 1, 5);
        admin.deleteTopics(List.of("gone")).all().get();
        topics.remove("gone");
    }

    /** More of everything, on a node that was filled before, whoever served it then. */
    static void more() throws Exception {
        topics.addAll(admin.listTopics().names().get());
        long rounds = topics.stream().filter(topic -> topic.startsWith("later-")).count();
        // Far enough from the records before that every log rolls.
        int first = Math.toIntExact(1000 * (rounds + 1));
        create("later-" + rounds, 2);
        sendFrom(first, "later-" + rounds, 2, 20);
        sendFrom(first, "plain", 3, 60, "enable.idempotence", false, "acks", "all");
        for (String codec : List.of("gzip", "snappy", "lz4", "zstd")) {
            sendFrom(first, "codec-" + codec, 1, 30, "compression.type", codec);
        }
        sendFrom(first, "idempotent", 2, 40, "batch.size", 200);
        sendFrom(first, "append-time", 1, 10);
        sendFrom(first, "broker-codec", 1, 20, "compression.type", "zstd");
        sendFrom(first, "dotted.name", 1, 5);
        // Behind what is open, and between what was aborted: without a transaction.
        sendFrom(first, "transactional", 2, 10);
        try (var producer = producer()) {
            for (int n = 0; n < 8; n++) {
                // A new value for some keys, none any more for one.
                byte[] value = n == 3 ? null : bytes("later " + rounds + " " + n);
                producer.send(new ProducerRecord<>("compacted", bytes("key-" + n % 5), value)).get();
            }
            for (int n = 0; n < 6; n++) {
                producer.send(new ProducerRecord<>("empty", n % 2, TIME + (first + n) * 1000L, bytes("key-" + n), bytes("" + n))).get();
            }
            for (int n = 0; n < 4; n++) {
                producer.send(new ProducerRecord<>("rolled", 0, null, bytes("key-" + n), bytes("later " + n))).get();
            }
        }
        int partitions = admin.describeTopics(List.of("grown")).allTopicNames().get().get("grown").partitions().size();
        admin.createPartitions(Map.of("grown", NewPartitions.increaseTo(partitions + 1))).all().get();
        sendFrom(first, "grown", partitions, 8);
        var cut = new TopicPartition("cut", 0);
        long start = admin.listOffsets(Map.of(cut, OffsetSpec.earliest())).partitionResult(cut).get().offset();
        admin.deleteRecords(Map.of(cut, RecordsToDelete.beforeOffset(Math.max(start, 12) + 5))).all().get();
        var altered = new ConfigResource(ConfigResource.Type.TOPIC, "altered");
        admin.incrementalAlterConfigs(Map.of(altered, List.of(
            new AlterConfigOp(new ConfigEntry("retention.bytes", "" + (223456789 + rounds)), AlterConfigOp.OpType.SET),
            new AlterConfigOp(new ConfigEntry("flush.ms", "54321"), AlterConfigOp.OpType.SET)))).all().get();
        admin.alterConsumerGroupOffsets("transactional-group",
            Map.of(new TopicPartition("plain", 2), new OffsetAndMetadata(first, Optional.of(0), "round " + rounds))).all().get();
        admin.alterConsumerGroupOffsets("later-group-" + rounds, Map.of(new TopicPartition("later-" + rounds, 1), new OffsetAndMetadata(4))).all().get();
    }

    static void transactions() throws Exception {
        create("transactional", 2);
        try (var producer = producer("transactional.id", "writer"); var member = consumer("group.id", "transactional-group")) {
            var group = member.groupMetadata();
            producer.initTransactions();
            for (int round = 0; round < 6; round++) {
                producer.beginTransaction();
                for (int n = 0; n < 6; n++) {
                    producer.send(record("transactional", n % 2, round * 6 + n)).get();
                }
                if (round >= 3) {
                    // Round 3 is committed, round 4 aborted: the group stays at 17.
                    var offset = new OffsetAndMetadata(round == 3 ? 17 : 99);
                    if (round < 5) {
                        producer.sendOffsetsToTransaction(Map.of(new TopicPartition("plain", 1), offset), group);
                    }
                }
                if (round % 3 == 1) {
                    producer.abortTransaction();
                } else {
                    producer.commitTransaction();
                }
            }
        }
        // A second one whose last transaction stays undecided.
        var open = producer("transactional.id", "undecided", "transaction.timeout.ms", 900_000);
        open.initTransactions();
        open.beginTransaction();
        open.send(record("transactional", 1, 100)).get();
        open.flush();
    }

    static void compaction() throws Exception {
        create("compacted", 1, "cleanup.policy", "compact", "segment.ms", "100", "min.cleanable.dirty.ratio", "0.01",
            "min.compaction.lag.ms", "0");
        try (var producer = producer()) {
            for (int round = 0; round < 4; round++) {
                for (int n = 0; n < 10; n++) {
                    producer.send(new ProducerRecord<>("compacted", bytes("key-" + n % 7), bytes("round " + round + " " + n))).get();
                }
                Thread.sleep(200);
            }
            producer.send(new ProducerRecord<>("compacted", bytes("end"), bytes("end"))).get();
        }
        var latest = latest();
        long end = System.nanoTime() + 60_000_000_000L;
        while (!isCompacted()) {
            if (System.nanoTime() > end) {
                throw new AssertionError("the log is not compacted");
            }
        }
        if (!latest.equals(latest())) {
            throw new AssertionError("compacted " + latest + " to " + latest());
        }
    }

    /** Whether the cleaner has been everywhere: no key is there twice, but for the one in the active segment. */
    static boolean isCompacted() throws Exception {
        var records = read("compacted", 0, "read_committed");
        return records.size() <= records.stream().map(record -> hex(record.key())).distinct().count() + 1;
    }

    /** The last value of each key of the compacted topic. */
    static Map<String, String> latest() throws Exception {
        Map<String, String> latest = new TreeMap<>();
        for (var record : read("compacted", 0, "read_committed")) {
            if (record.value() == null) {
                latest.remove(hex(record.key()));
            } else {
                latest.put(hex(record.key()), hex(record.value()));
            }
        }
        return latest;
    }

    /** Reads by a share group, which leaves its state in a topic of its own. */
    static void share() throws Exception {
        var group = new ConfigResource(ConfigResource.Type.GROUP, "share-group");
        admin.incrementalAlterConfigs(Map.of(group, List.of(
            new AlterConfigOp(new ConfigEntry("share.auto.offset.reset", "earliest"), AlterConfigOp.OpType.SET)))).all().get();
        Map<String, Object> config = Map.of("bootstrap.servers", bootstrap, "group.id", "share-group");
        try (var consumer = new KafkaShareConsumer<>(config, new ByteArrayDeserializer(), new ByteArrayDeserializer())) {
            consumer.subscribe(List.of("plain"));
            int seen = 0;
            while (seen < 30) {
                seen += consumer.poll(Duration.ofMillis(200)).count();
                consumer.commitSync();
            }
        }
    }

    /** Reads a topic to its end as a member of the consumer's group. */
    static void drain(KafkaConsumer<byte[], byte[]> consumer, String topic) {
        consumer.subscribe(List.of(topic));
        while (consumer.assignment().size() < consumer.partitionsFor(topic).size()
                || consumer.endOffsets(consumer.assignment()).entrySet().stream().anyMatch(end -> consumer.position(end.getKey()) < end.getValue())) {
            consumer.poll(Duration.ofMillis(100));
        }
    }

    static void groups(boolean consumerProtocol) throws Exception {
        try (var consumer = consumer("group.id", "classic-group")) {
            drain(consumer, "plain");
            consumer.commitSync();
            consumer.commitSync(Map.of(new TopicPartition("plain", 0), new OffsetAndMetadata(21, Optional.of(0), "by hand")));
        }
        admin.alterConsumerGroupOffsets("simple-group", Map.of(new TopicPartition("idempotent", 1), new OffsetAndMetadata(3))).all().get();
        if (consumerProtocol) {
            try (var consumer = consumer("group.id", "consumer-group", "group.protocol", "consumer")) {
                drain(consumer, "idempotent");
                consumer.commitSync();
            }
        }
        admin.alterConsumerGroupOffsets("deleted-group", Map.of(new TopicPartition("plain", 0), new OffsetAndMetadata(1))).all().get();
        admin.deleteConsumerGroups(List.of("deleted-group")).all().get();
    }

    static List<ConsumerRecord<byte[], byte[]>> read(String topic, int partition, String isolation) throws Exception {
        var place = new TopicPartition(topic, partition);
        List<ConsumerRecord<byte[], byte[]>> records = new ArrayList<>();
        try (var consumer = consumer("isolation.level", isolation)) {
            consumer.assign(List.of(place));
            consumer.seekToBeginning(List.of(place));
            long end = consumer.endOffsets(List.of(place)).get(place);
            while (consumer.position(place) < end) {
                consumer.poll(Duration.ofMillis(50)).forEach(records::add);
            }
        }
        return records;
    }

    static String hex(byte[] bytes) {
        return bytes == null ? "-" : "x" + HexFormat.of().formatHex(bytes);
    }

    static void line(PrintWriter out, Object... fields) {
        out.println(Arrays.stream(fields).map(String::valueOf).collect(Collectors.joining("\t")));
    }

    static void records(PrintWriter out, String kind, String topic, int partition, String isolation) throws Exception {
        for (var record : read(topic, partition, isolation)) {
            String headers = Arrays.stream(record.headers().toArray())
                .map(header -> header.key() + "=" + hex(header.value()))
                .collect(Collectors.joining(","));
            line(out, kind, topic, partition, record.offset(), record.timestamp(), hex(record.key()), hex(record.value()), headers);
        }
    }

    static void write(PrintWriter out) throws Exception {
        for (var topic : admin.describeTopics(topics).allTopicNames().get().values().stream()
                .sorted((a, b) -> a.name().compareTo(b.name())).collect(Collectors.toList())) {
            var resource = new ConfigResource(ConfigResource.Type.TOPIC, topic.name());
            for (var entry : admin.describeConfigs(List.of(resource)).all().get().get(resource).entries()) {
                if (entry.source() == ConfigEntry.ConfigSource.DYNAMIC_TOPIC_CONFIG) {
                    line(out, "config", topic.name(), entry.name(), entry.value());
                }
            }
            for (int partition = 0; partition < topic.partitions().size(); partition++) {
                var place = new TopicPartition(topic.name(), partition);
                long start = admin.listOffsets(Map.of(place, OffsetSpec.earliest())).partitionResult(place).get().offset();
                long end = admin.listOffsets(Map.of(place, OffsetSpec.latest())).partitionResult(place).get().offset();
                line(out, "log", topic.name(), partition, start, end);
                for (long time : new long[] {0, TIME + 10_000, TIME + 900_000, TIME + 1_005_000, Long.MAX_VALUE}) {
                    var found = admin.listOffsets(Map.of(place, OffsetSpec.forTimestamp(time))).partitionResult(place).get().offset();
                    line(out, "time", topic.name(), partition, time, found);
                }
                var largest = admin.listOffsets(Map.of(place, OffsetSpec.maxTimestamp())).partitionResult(place).get().offset();
                line(out, "time", topic.name(), partition, -3, largest);
                records(out, "committed", topic.name(), partition, "read_committed");
                if (topic.name().equals("transactional")) {
                    records(out, "all", topic.name(), partition, "read_uncommitted");
                }
            }
        }
        for (var group : new TreeSet<>(admin.listGroups().all().get().stream()
                .filter(one -> one.type().orElse(null) != GroupType.SHARE).map(one -> one.groupId()).collect(Collectors.toList()))) {
            admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().entrySet().stream()
                .map(entry -> String.join("\t", "group", group, entry.getKey().topic(), "" + entry.getKey().partition(),
                    "" + entry.getValue().offset(), entry.getValue().metadata()))
                .sorted().forEach(out::println);
        }
    }
}
