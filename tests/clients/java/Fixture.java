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
import org.apache.kafka.clients.consumer.OffsetAndMetadata;
import org.apache.kafka.clients.producer.KafkaProducer;
import org.apache.kafka.clients.producer.ProducerRecord;
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
 *   config     TOPIC NAME VALUE
 *   group      GROUP TOPIC PARTITION OFFSET METADATA
 *
 * java -cp 'JARS/*' Fixture.java HOST:PORT OUTPUT [FEATURE...]    features: transactions compaction consumer-protocol
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
        fill();
        if (features.contains("transactions")) {
            transactions();
        }
        if (features.contains("compaction")) {
            compaction();
        }
        groups(features.contains("consumer-protocol"));
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
        topics.add(topic);
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
        try (var producer = producer(config)) {
            List<java.util.concurrent.Future<?>> sent = new ArrayList<>();
            for (int n = 0; n < count; n++) {
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
        // 41 records of 8 keys: the cleaner has been here once most are gone.
        long end = System.nanoTime() + 60_000_000_000L;
        while (read("compacted", 0, "read_committed").size() > 20) {
            if (System.nanoTime() > end) {
                throw new AssertionError("the log is not compacted");
            }
        }
    }

    static void groups(boolean consumerProtocol) throws Exception {
        try (var consumer = consumer("group.id", "classic-group")) {
            consumer.subscribe(List.of("plain"));
            int seen = 0;
            while (seen < 90) {
                seen += consumer.poll(Duration.ofMillis(100)).count();
            }
            consumer.commitSync();
            consumer.commitSync(Map.of(new TopicPartition("plain", 0), new OffsetAndMetadata(21, Optional.of(0), "by hand")));
        }
        admin.alterConsumerGroupOffsets("simple-group", Map.of(new TopicPartition("idempotent", 1), new OffsetAndMetadata(3))).all().get();
        if (consumerProtocol) {
            try (var consumer = consumer("group.id", "consumer-group", "group.protocol", "consumer")) {
                consumer.subscribe(List.of("idempotent"));
                int seen = 0;
                while (seen < 80) {
                    seen += consumer.poll(Duration.ofMillis(100)).count();
                }
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
                records(out, "committed", topic.name(), partition, "read_committed");
                if (topic.name().equals("transactional")) {
                    records(out, "all", topic.name(), partition, "read_uncommitted");
                }
            }
        }
        for (var group : new TreeSet<>(admin.listGroups().all().get().stream().map(one -> one.groupId()).collect(Collectors.toList()))) {
            admin.listConsumerGroupOffsets(group).partitionsToOffsetAndMetadata().get().entrySet().stream()
                .map(entry -> String.join("\t", "group", group, entry.getKey().topic(), "" + entry.getKey().partition(),
                    "" + entry.getValue().offset(), entry.getValue().metadata()))
                .sorted().forEach(out::println);
        }
    }
}
