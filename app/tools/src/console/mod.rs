//! Producing and consuming by hand, measuring both, and the programs that drive system tests.

mod client;
mod console_consumer;
mod console_producer;
mod console_share_consumer;
mod failure;
mod formatter;
mod line_reader;
mod lines;
mod log;
mod options;
mod perf;
mod print;
mod random;
mod runtime;
mod throttle;
mod topics;
mod verifiable;

use crate::registry::{Kind, Tool};

/// The tools of this folder.
pub(crate) const TOOLS: &[Tool] = &[
    Tool {
        name: "console-producer",
        kind: Kind::Console,
        classes: &[
            "org.apache.kafka.tools.ConsoleProducer",
            "kafka.tools.ConsoleProducer",
        ],
        command: console_producer::command,
        run: console_producer::run,
    },
    Tool {
        name: "console-consumer",
        kind: Kind::Console,
        classes: &[
            "org.apache.kafka.tools.consumer.ConsoleConsumer",
            "kafka.tools.ConsoleConsumer",
        ],
        command: console_consumer::command,
        run: console_consumer::run,
    },
    Tool {
        name: "console-share-consumer",
        kind: Kind::Console,
        classes: &["org.apache.kafka.tools.consumer.ConsoleShareConsumer"],
        command: console_share_consumer::command,
        run: console_share_consumer::run,
    },
    Tool {
        name: "producer-perf-test",
        kind: Kind::Console,
        classes: &["org.apache.kafka.tools.ProducerPerformance"],
        command: perf::producer::command,
        run: perf::producer::run,
    },
    Tool {
        name: "consumer-perf-test",
        kind: Kind::Console,
        classes: &[
            "org.apache.kafka.tools.ConsumerPerformance",
            "kafka.tools.ConsumerPerformance",
        ],
        command: perf::consumer::command,
        run: perf::consumer::run,
    },
    Tool {
        name: "share-consumer-perf-test",
        kind: Kind::Console,
        classes: &["org.apache.kafka.tools.ShareConsumerPerformance"],
        command: perf::share_consumer::command,
        run: perf::share_consumer::run,
    },
    Tool {
        name: "e2e-latency",
        kind: Kind::Console,
        classes: &[
            "org.apache.kafka.tools.EndToEndLatency",
            "kafka.tools.EndToEndLatency",
        ],
        command: perf::e2e_latency::command,
        run: perf::e2e_latency::run,
    },
    Tool {
        name: "verifiable-producer",
        kind: Kind::Console,
        classes: &["org.apache.kafka.tools.VerifiableProducer"],
        command: verifiable::producer::command,
        run: verifiable::producer::run,
    },
    Tool {
        name: "verifiable-consumer",
        kind: Kind::Console,
        classes: &["org.apache.kafka.tools.VerifiableConsumer"],
        command: verifiable::consumer::command,
        run: verifiable::consumer::run,
    },
    Tool {
        name: "verifiable-share-consumer",
        kind: Kind::Console,
        classes: &["org.apache.kafka.tools.VerifiableShareConsumer"],
        command: verifiable::share_consumer::command,
        run: verifiable::share_consumer::run,
    },
];
