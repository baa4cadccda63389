//! Plays every scenario against a node of this build and holds the answers against Apache Kafka's.
use std::path::{Path, PathBuf};

use ottla_conformance::client::{Apis, Client};
use ottla_conformance::table::{Table, announced};
use ottla_conformance::{compare, play, scenario};

use crate::node;

fn files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = std::fs::read_dir(folder).expect("the folder");
    let mut paths: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths
}

#[test]
fn answers_are_those_of_apache_kafka() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let node = node::start_in(folder.path());
    let address = node::address(&node);
    let apis = Apis::load().expect("schemas");
    let mut unexplained = Vec::new();
    let mut unused: Vec<_> = compare::rows().collect();
    let mut table = Table::default();
    for path in files("scenarios") {
        let name = path
            .file_stem()
            .and_then(|name| name.to_str())
            .expect("a name");
        let text = std::fs::read_to_string(&path).expect("a scenario");
        let steps = scenario::parse(&text).expect(name);
        let golden = path.with_file_name(format!("../golden/{name}.tsv"));
        let golden = std::fs::read_to_string(golden).expect("golden answers");
        let kafka = compare::read(&golden).expect(name);
        let ours = play::play(&apis, address, name, "1", &steps).expect(name);
        let differences = compare::compare(name, &kafka, &ours).expect(name);
        unused.retain(|row| {
            let about = |one: &compare::Difference| row.explains(name, &one.step, &one.field);
            !differences.iter().any(about)
        });
        table.add(name, &ours, &differences);
        let unknown = differences.into_iter().filter(|one| one.reason.is_none());
        unexplained.extend(unknown.map(|one| (name.to_owned(), one)));
    }
    let announced = announced(&apis, &mut Client::connect(address).expect("a node")).expect("APIs");
    node.stop();
    println!("{}", table.render(&announced));
    assert!(unexplained.is_empty(), "{unexplained:#?}");
    assert_eq!(unused, [], "rows that explain nothing any more");
    let holes = table.not_covered(&announced);
    assert!(
        holes.is_empty(),
        "announced, and no scenario asks: {holes:?}"
    );
}

#[test]
fn every_scenario_has_answers_and_the_other_way_round() {
    let stems = |folder| -> Vec<_> {
        files(folder)
            .iter()
            .filter_map(|path| path.file_stem().map(ToOwned::to_owned))
            .collect()
    };
    assert_eq!(stems("scenarios"), stems("golden"));
}
