//! What a node that has started tells the person before the terminal.

use ottla_config::{BrokerConfig, CommitFlush, Listener};

/// The lines to print once a node answers. `listeners` are those it really listens on, ports filled in.
pub(crate) fn lines(
    config: &BrokerConfig,
    listeners: &[Listener],
    cluster_id: &str,
) -> Vec<String> {
    let addresses: Vec<String> = listeners.iter().map(address).collect();
    let row = |name: &str, text: &str| format!("  {name:<11} {text}");
    let mut lines = vec![
        format!(
            "Ottla {} is ready, node {}.",
            env!("CARGO_PKG_VERSION"),
            config.node_id
        ),
        row("listens on", &addresses.join(", ")),
        row("data", &config.log.dirs().join(", ")),
        row("cluster id", cluster_id),
        row("durability", durability(config.ottla.commit_flush)),
    ];
    if let Some(first) = addresses.first() {
        lines.push(row(
            "try",
            &format!("ottla topics --create --topic test --bootstrap-server {first}"),
        ));
        lines.push(row("commands", "ottla help"));
    }
    lines
}

/// What a client on this machine connects to.
fn address(listener: &Listener) -> String {
    match listener.host.as_deref() {
        None | Some("0.0.0.0" | "::") => format!("localhost:{}", listener.port),
        Some(host) if host.contains(':') => format!("[{host}]:{}", listener.port),
        Some(host) => format!("{host}:{}", listener.port),
    }
}

fn durability(flush: CommitFlush) -> &'static str {
    match flush {
        CommitFlush::Alone => {
            "acks=all waits for the disk of one node or the memory of two \
             (ottla.commit.flush=alone)"
        }
        CommitFlush::Always => {
            "acks=all waits for the disk of every in-sync replica (ottla.commit.flush=always)"
        }
        CommitFlush::Never => {
            "acks=all waits for the memory of the in-sync replicas, as in Apache Kafka \
             (ottla.commit.flush=never)"
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_new_node_says_where_it_is_and_what_to_try() {
        let config = crate::config_file::without_file(Path::new("./ottla-data"), &[]).unwrap();
        let text = lines(&config, &config.listeners, "id").join("\n");
        for part in [
            "localhost:9092",
            "./ottla-data",
            "cluster id  id",
            "=alone",
            "ottla topics --create --topic test --bootstrap-server localhost:9092",
            "ottla help",
        ] {
            assert!(text.contains(part), "{part} is missing in\n{text}");
        }
    }

    #[test]
    fn an_address_is_one_to_connect_to() {
        let at = |host: Option<&str>| {
            address(&Listener {
                name: "A".to_owned(),
                host: host.map(str::to_owned),
                port: 1,
                protocol: ottla_config::SecurityProtocol::Plaintext,
            })
        };
        assert_eq!(at(None), "localhost:1");
        assert_eq!(at(Some("0.0.0.0")), "localhost:1");
        assert_eq!(at(Some("::1")), "[::1]:1");
        assert_eq!(at(Some("h")), "h:1");
    }
}
