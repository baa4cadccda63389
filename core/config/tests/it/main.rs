//! The rows and what follows from them, held against what Apache Kafka 4.4.0 and Java answered. The
//! answers are in `tests/data`; `Recorder.java` there says how they were made.

mod alter;
mod describe;
mod load;
mod properties;
mod reference;
mod resources;
mod rows;

use std::collections::BTreeMap;

use ottla_config::{BrokerConfig, ConfigError};

/// A small valid configuration of one node that is broker and controller.
const BASE: &str = "process.roles=broker,controller|node.id=1|\
    controller.quorum.bootstrap.servers=localhost:9093|\
    listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093|\
    controller.listener.names=CONTROLLER";

/// Parses `k=v|k=v`; `-k` removes a key.
fn apply(raw: &mut BTreeMap<String, String>, text: &str) {
    for pair in text.split('|').filter(|pair| !pair.is_empty()) {
        match (pair.strip_prefix('-'), pair.split_once('=')) {
            (Some(key), _) => drop(raw.remove(key)),
            (None, Some((key, value))) => drop(raw.insert(key.to_owned(), value.to_owned())),
            (None, None) => panic!("not a pair: {pair}"),
        }
    }
}

/// Reads the small configuration with changes; a `!` first starts from nothing.
fn load(case: &str) -> Result<BrokerConfig, ConfigError> {
    let mut raw = BTreeMap::new();
    match case.strip_prefix('!') {
        Some(case) => apply(&mut raw, case),
        None => {
            apply(&mut raw, BASE);
            apply(&mut raw, case);
        }
    }
    BrokerConfig::load(raw)
}

fn map(text: &str) -> BTreeMap<String, String> {
    let mut raw = BTreeMap::new();
    apply(&mut raw, text);
    raw
}
