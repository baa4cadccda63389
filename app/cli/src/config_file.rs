//! `server.properties` from disk, or the settings of a node that was given none.

use std::path::Path;

use anyhow::{Context as _, Result, bail};
use ottla_config::{BrokerConfig, RawConfigs, parse_properties};

/// Reads and checks a configuration file.
///
/// # Errors
/// If it cannot be read, or says something that cannot be; the file's name comes first.
pub(crate) fn load(path: &Path, overrides: &[String]) -> Result<BrokerConfig> {
    build(read(path)?, overrides).with_context(|| path.display().to_string())
}

/// [`load`] for what does Kafka's tools' work: a wrong value is reported in Kafka's words alone.
///
/// # Errors
/// If the file cannot be read, or says something that cannot be.
pub(crate) fn load_as_kafka(path: &Path) -> Result<BrokerConfig> {
    build(read(path)?, &[])
}

/// The configuration of a node that was given no file, with its data under `data_dir`.
///
/// # Errors
/// If an override is wrong.
pub(crate) fn without_file(data_dir: &Path, overrides: &[String]) -> Result<BrokerConfig> {
    let raw = WITHOUT_FILE
        .iter()
        .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
        .chain([("log.dirs".to_owned(), data_dir.display().to_string())]);
    build(raw.collect(), overrides)
}

/// What a node without a file is configured with, besides its directory.
pub(crate) const WITHOUT_FILE: [(&str, &str); 6] = [
    ("process.roles", "broker,controller"),
    ("node.id", "1"),
    (
        "listeners",
        "PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093",
    ),
    ("controller.listener.names", "CONTROLLER"),
    ("controller.quorum.bootstrap.servers", "localhost:9093"),
    // There is one node, so there is one replica.
    ("offsets.topic.replication.factor", "1"),
];

/// Reads a file as it is, without a check.
///
/// # Errors
/// If it cannot be read or is no properties file.
pub(crate) fn read(path: &Path) -> Result<RawConfigs> {
    let bytes = std::fs::read(path)
        .with_context(|| format!("the configuration file {} cannot be read", path.display()))?;
    parse_properties(&bytes).with_context(|| path.display().to_string())
}

fn build(mut raw: RawConfigs, overrides: &[String]) -> Result<BrokerConfig> {
    for text in overrides {
        let Some((key, value)) = text.split_once('=') else {
            bail!("--override {text}: not of the form key=value");
        };
        raw.insert(key.trim().to_owned(), value.to_owned());
    }
    Ok(BrokerConfig::load(raw)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_without_a_file_is_a_whole_cluster_on_loopback() {
        let config = without_file(Path::new("./data"), &[]).unwrap();
        assert!(config.roles.broker && config.roles.controller);
        assert_eq!(config.log.dirs(), ["./data"]);
        let hosts: Vec<_> = config
            .listeners
            .iter()
            .chain(&config.controller_listeners)
            .map(|l| &l.host)
            .collect();
        assert_eq!(
            hosts,
            [&Some("localhost".to_owned()), &Some("localhost".to_owned())]
        );
        assert_eq!(config.group.offsets_topic_replication_factor, 1);
        assert_eq!(config.warnings(), Vec::<String>::new());
    }

    #[test]
    fn overrides_stand_above_the_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(
            file.path(),
            "process.roles=broker,controller\nnode.id=1\nlisteners=PLAINTEXT://:9092,C://:9093\n\
             controller.listener.names=C\ncontroller.quorum.bootstrap.servers=localhost:9093\n\
             num.partitions=2\n",
        )
        .unwrap();
        assert_eq!(load(file.path(), &[]).unwrap().node.num_partitions, 2);
        let overrides = ["num.partitions=3".to_owned(), "node.id=1".to_owned()];
        assert_eq!(
            load(file.path(), &overrides).unwrap().node.num_partitions,
            3
        );
        let error = load(file.path(), &["num.partitions".to_owned()]).unwrap_err();
        assert!(
            format!("{error:#}").ends_with("not of the form key=value"),
            "{error:#}"
        );
        let error = load(Path::new("/no/such"), &[]).unwrap_err();
        assert!(format!("{error:#}").starts_with("the configuration file /no/such cannot be read"));
    }
}
