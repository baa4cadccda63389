// Records what Apache Kafka 4.4.0 and the Java library do, as the data files beside this one.
//
//   javac -cp "$KAFKA/*" Recorder.java
//   java -cp "$KAFKA/*:." Recorder rows > kafka-rows.tsv
//   java -cp "$KAFKA/*:." Recorder load < load-cases.txt > load.tsv
//   java -cp "$KAFKA/*:." Recorder properties < properties-cases.txt > properties.tsv
//
// $KAFKA is a directory with the jars of the server.
import java.nio.charset.StandardCharsets;
import java.util.*;
import org.apache.kafka.common.Endpoint;
import org.apache.kafka.common.config.ConfigDef;
import org.apache.kafka.server.config.*;
import org.apache.kafka.storage.internals.log.LogConfig;

public class Recorder {
    public static void main(String[] args) throws Exception {
        switch (args[0]) {
            case "rows" -> {
                rows("broker", AbstractKafkaConfig.CONFIG_DEF);
                rows("topic", LogConfig.configDefCopy());
            }
            case "load" -> load();
            case "properties" -> properties();
        }
    }

    // scope, key, type, default, valid, importance, internal, dynamic, synonyms
    static void rows(String scope, ConfigDef def) {
        Map<String, String> modes = DynamicBrokerConfig.dynamicConfigUpdateModes();
        for (ConfigDef.ConfigKey key : new TreeMap<>(def.configKeys()).values()) {
            String value = key.defaultValue == null ? "null" : key.hasDefault() ? "=" + ConfigDef.convertToString(key.defaultValue, key.type) : "required";
            List<String> synonyms = new ArrayList<>();
            if (scope.equals("broker")) synonyms = DynamicBrokerConfig.brokerConfigSynonyms(key.name, false);
            else for (ConfigSynonym s : ServerTopicConfigSynonyms.ALL_TOPIC_CONFIG_SYNONYMS.getOrDefault(key.name, List.of())) synonyms.add(s.name());
            String valid = String.valueOf(key.validator);
            if (key.type == ConfigDef.Type.LIST) {
                try { key.validator.ensureValid(key.name, List.of()); valid += " may be empty"; } catch (Exception e) { valid += " not empty"; }
            }
            System.out.println(String.join("\t", scope, key.name, key.type.toString(), value, valid.trim(), key.importance.toString(),
                key.internalConfig ? "internal" : "public", scope.equals("topic") ? "-" : modes.getOrDefault(key.name, "read-only"), String.join(",", synonyms)));
        }
    }

    // A case is "k=v|k=v" over a small valid configuration; "-k" removes a key; "!" first starts from nothing.
    static void load() {
        Scanner in = new Scanner(System.in);
        while (in.hasNextLine()) {
            String line = in.nextLine(), text = line;
            Properties p = new Properties();
            if (text.startsWith("!")) text = text.substring(1);
            else for (String kv : ("process.roles=broker,controller|node.id=1|controller.quorum.bootstrap.servers=localhost:9093|"
                + "listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093|controller.listener.names=CONTROLLER").split("\\|")) put(p, kv);
            for (String kv : text.split("\\|")) if (kv.startsWith("-")) p.remove(kv.substring(1)); else if (!kv.isEmpty()) put(p, kv);
            String result;
            try {
                kafka.server.KafkaConfig c = new kafka.server.KafkaConfig(p, false);
                result = "ok\t" + endpoints(c.dataPlaneListeners()) + "\t" + endpoints(c.effectiveAdvertisedBrokerListeners()) + "\t"
                    + endpoints(c.effectiveAdvertisedControllerListeners()) + "\t" + c.interBrokerListenerName().value() + "\t" + c.logDirs() + "\t" + c.metadataLogDir();
            } catch (Throwable e) { result = "error\t" + e.getMessage(); }
            System.out.println(line + "\t" + result);
        }
    }

    static void put(Properties p, String kv) { int i = kv.indexOf('='); p.setProperty(kv.substring(0, i), kv.substring(i + 1)); }

    static String endpoints(scala.collection.Iterable<Endpoint> list) {
        List<String> out = new ArrayList<>();
        for (var it = list.iterator(); it.hasNext();) { Endpoint e = it.next(); String h = e.host() == null ? "" : e.host();
            out.add(e.listener() + "://" + (h.contains(":") ? "[" + h + "]" : h) + ":" + e.port()); }
        return String.join(",", out);
    }

    // A case is a properties file in hexadecimal; the answer its pairs in hexadecimal, sorted, or "error".
    static void properties() throws Exception {
        Scanner in = new Scanner(System.in);
        while (in.hasNextLine()) {
            String hex = in.nextLine(), result;
            Properties p = new Properties();
            try {
                p.load(new java.io.ByteArrayInputStream(HexFormat.of().parseHex(hex)));
                List<String> pairs = new ArrayList<>();
                for (String k : new TreeSet<>(p.stringPropertyNames())) pairs.add(hex(k) + "=" + hex(p.getProperty(k)));
                result = String.join(",", pairs);
            } catch (Exception e) { result = "error"; }
            System.out.println(hex + "\t" + result);
        }
    }

    static String hex(String s) { return HexFormat.of().formatHex(s.getBytes(StandardCharsets.UTF_8)); }
}
