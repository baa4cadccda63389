//! What a command line of `kafka-acls` means: resources with the entries that are meant for each. It
//! does not ask the cluster.

use std::collections::{BTreeMap, BTreeSet};

use super::binding::{Entry, Kind, Operation, Pattern, Permission, Resource};
use crate::common::java;
use crate::common::jopt::Options;
use crate::common::principal::Principal;
use crate::common::usage::Failure;

/// Resources with their entries. Kafka's tool prints them in the order of a hash map whose hash codes
/// change from run to run; here they are in order.
pub(super) type Wanted = BTreeMap<Resource, BTreeSet<Entry>>;

/// Options that name resources, with whether spaces around the name are cut off.
const NAMES: &[(&str, Kind, bool)] = &[
    ("topic", Kind::Topic, true),
    ("group", Kind::Group, true),
    ("transactional-id", Kind::TransactionalId, false),
    ("delegation-token", Kind::DelegationToken, true),
    ("user-principal", Kind::User, true),
];

/// Begins what the tool says of work that fails.
pub(super) fn failed(text: &str) -> Failure {
    Failure::Failed(format!("Error while executing ACL command: {text}"))
}

/// Looks at options that exclude or need each other.
pub(super) fn check(options: &Options) -> Result<(), Failure> {
    let usage = |sentence: &str| Err(Failure::Usage(sentence.to_owned()));
    match (
        options.has("bootstrap-server"),
        options.has("bootstrap-controller"),
    ) {
        (true, true) => {
            return usage(
                "Only one of --bootstrap-server or --bootstrap-controller must be specified",
            );
        }
        (false, false) => {
            return usage("One of --bootstrap-server or --bootstrap-controller must be specified");
        }
        _ => {}
    }
    let actions = ["add", "remove", "list"];
    if actions.iter().filter(|name| options.has(name)).count() != 1 {
        return usage("Command must include exactly one action: --list, --add, --remove. ");
    }
    options.excluded(
        "list",
        &[
            "producer",
            "consumer",
            "allow-host",
            "allow-principal",
            "deny-host",
            "deny-principal",
        ],
    )?;
    for bundle in ["producer", "consumer"] {
        options.excluded(bundle, &["operation", "deny-principal", "deny-host"])?;
    }
    if options.has("principal") && !options.has("list") {
        return usage("The --principal option is only available if --list is set");
    }
    if options.has("producer") && !options.has("topic") {
        return usage("With --producer you must specify a --topic");
    }
    if options.has("idempotent") && !options.has("producer") {
        return usage("The --idempotent option is only available if --producer is set");
    }
    let lacks = !options.has("topic") || !options.has("group");
    let too_much =
        !options.has("producer") && (options.has("cluster") || options.has("transactional-id"));
    if options.has("consumer") && (lacks || too_much) {
        return usage(
            "With --consumer you must specify a --topic and a --group and no --cluster or \
             --transactional-id option should be specified.",
        );
    }
    Ok(())
}

/// How names of resources are read.
pub(super) fn pattern(options: &Options) -> Result<Pattern, Failure> {
    let name = "resource-pattern-type";
    let Some(text) = options.value(name).map_err(|error| failed(&error.0))? else {
        return Ok(Pattern::Literal);
    };
    [
        Pattern::Any,
        Pattern::Match,
        Pattern::Literal,
        Pattern::Prefixed,
    ]
    .into_iter()
    .find(|pattern| text.eq_ignore_ascii_case(pattern.word()))
    .ok_or_else(|| failed(&format!("Cannot parse argument '{text}' of option {name}")))
}

/// The resources that the options name.
pub(super) fn resources(options: &Options) -> Result<BTreeSet<Resource>, Failure> {
    let pattern = pattern(options)?;
    let mut found = BTreeSet::new();
    for (option, kind, trims) in NAMES {
        for name in options.values(option) {
            let name = if *trims { name.trim() } else { name };
            found.insert(Resource {
                kind: *kind,
                name: name.to_owned(),
                pattern,
            });
        }
    }
    if options.has("cluster") {
        found.insert(Resource::cluster());
    }
    Ok(found)
}

/// Principals of an option, in the order in which Kafka's tool goes through them.
pub(super) fn principals(options: &Options, option: &str) -> Result<Vec<String>, Failure> {
    let mut found: Vec<Principal> = Vec::new();
    for text in options.values(option) {
        let principal = Principal::parse(text.trim()).map_err(|text| failed(&text))?;
        if !found.contains(&principal) {
            found.push(principal);
        }
    }
    java::hash_map_order(&mut found, Principal::hash);
    Ok(found.iter().map(Principal::to_string).collect())
}

/// The entries that principals and hosts of the command line make with `operations`.
fn entries(options: &Options, operations: &[Operation]) -> Result<BTreeSet<Entry>, Failure> {
    let mut found = BTreeSet::new();
    for (permission, who, from) in [
        (Permission::Allow, "allow-principal", "allow-host"),
        (Permission::Deny, "deny-principal", "deny-host"),
    ] {
        let everywhere = ["*".to_owned()];
        let hosts = match options.values(from) {
            [] => &everywhere,
            hosts => hosts,
        };
        for principal in principals(options, who)? {
            for host in hosts {
                found.extend(operations.iter().map(|operation| Entry {
                    principal: principal.clone(),
                    host: host.trim().to_owned(),
                    operation: *operation,
                    permission,
                }));
            }
        }
    }
    Ok(found)
}

/// Resources with the entries that are to be added or removed; none for a resource means all of them.
pub(super) fn wanted(options: &Options) -> Result<Wanted, Failure> {
    let resources = resources(options)?;
    let mut wanted = Wanted::new();
    let mut bundle = |kind: Kind, operations: &[Operation]| -> Result<(), Failure> {
        let entries = entries(options, operations)?;
        for resource in resources.iter().filter(|resource| resource.kind == kind) {
            let all = wanted.entry(resource.clone()).or_default();
            all.extend(entries.iter().cloned());
        }
        Ok(())
    };
    if resources.is_empty() {
        return Err(Failure::Usage(
            "You must provide at least one resource: --topic <topic> or --cluster or --group <group> or \
             --delegation-token <Delegation Token ID>"
                .to_owned(),
        ));
    }
    let (producer, consumer) = (options.has("producer"), options.has("consumer"));
    if producer {
        let (write, describe) = (Operation::Write, Operation::Describe);
        bundle(Kind::Topic, &[write, describe, Operation::Create])?;
        bundle(Kind::TransactionalId, &[write, describe])?;
    }
    if consumer {
        bundle(Kind::Topic, &[Operation::Read, Operation::Describe])?;
        bundle(Kind::Group, &[Operation::Read])?;
    }
    if producer && options.has("idempotent") {
        let entries = entries(options, &[Operation::IdempotentWrite])?;
        wanted.insert(Resource::cluster(), entries);
    }
    if !producer && !consumer {
        let operations: Vec<Operation> = match options.values("operation") {
            [] => vec![Operation::All],
            texts => texts
                .iter()
                .map(|text| Operation::parse(text.trim()))
                .collect(),
        };
        let entries = entries(options, &operations)?;
        wanted = resources
            .into_iter()
            .map(|resource| (resource, entries.clone()))
            .collect();
    }
    for (resource, entries) in &wanted {
        let supported = resource.kind.operations();
        if entries
            .iter()
            .any(|entry| !supported.contains(&entry.operation))
        {
            return Err(Failure::Usage(format!(
                "ResourceType {} only supports operations [{}]",
                resource.kind,
                java::joined(supported, ", ")
            )));
        }
    }
    Ok(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::common::jopt;

    fn options(line: &str) -> Options {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        jopt::parse(&super::super::command(), &args).expect("it is right")
    }

    fn sentence(failure: Failure) -> String {
        match failure {
            Failure::Usage(text) | Failure::Failed(text) => text,
        }
    }

    #[test]
    fn bundles_give_the_operations_of_their_role() {
        let check = |line: &str, expected: &[&str]| {
            let wanted = wanted(&options(line)).map_err(sentence).expect(line);
            let found: Vec<String> = wanted
                .iter()
                .flat_map(|(resource, entries)| {
                    let of = |entry: &Entry| format!("{} {}", resource.kind, entry.operation);
                    entries.iter().map(of).collect::<Vec<_>>()
                })
                .collect();
            assert_eq!(found, expected, "{line}");
        };
        check(
            "--producer --topic t --allow-principal User:a",
            &["TOPIC WRITE", "TOPIC CREATE", "TOPIC DESCRIBE"],
        );
        check(
            "--producer --idempotent --topic t --transactional-id x --allow-principal User:a",
            &[
                "TOPIC WRITE",
                "TOPIC CREATE",
                "TOPIC DESCRIBE",
                "CLUSTER IDEMPOTENT_WRITE",
                "TRANSACTIONAL_ID WRITE",
                "TRANSACTIONAL_ID DESCRIBE",
            ],
        );
        check(
            "--consumer --topic t --group g --allow-principal User:a",
            &["TOPIC READ", "TOPIC DESCRIBE", "GROUP READ"],
        );
        check("--topic t --allow-principal User:a", &["TOPIC ALL"]);
        check("--topic t --operation Read", &[]);
    }

    #[test]
    fn wrong_command_lines_get_kafkas_words() {
        let check_line = |line: &str, expected: &str| {
            let options = options(line);
            let failure = check(&options).and_then(|()| wanted(&options).map(|_| ()));
            assert_eq!(
                failure.map_err(sentence),
                Err(expected.to_owned()),
                "{line}"
            );
        };
        let server = "--bootstrap-server h:1";
        check_line(
            "--list",
            "One of --bootstrap-server or --bootstrap-controller must be specified",
        );
        check_line(
            &format!("{server} --add --list"),
            "Command must include exactly one action: --list, --add, --remove. ",
        );
        check_line(
            &format!("{server} --list --producer"),
            "Option \"[list]\" can't be used with option \"[producer]\"",
        );
        check_line(
            &format!("{server} --add --consumer --topic t"),
            "With --consumer you must specify a --topic and a --group and no --cluster or \
             --transactional-id option should be specified.",
        );
        check_line(
            &format!(
                "{server} --add --delegation-token t --operation read --allow-principal User:x"
            ),
            "ResourceType DELEGATION_TOKEN only supports operations [ALL, DESCRIBE]",
        );
        check_line(
            &format!("{server} --add --topic t --allow-principal bad"),
            "Error while executing ACL command: expected a string in format \
             principalType:principalName but got bad",
        );
        check_line(
            &format!("{server} --add --topic t --resource-pattern-type foo"),
            "Error while executing ACL command: Cannot parse argument 'foo' of option \
             resource-pattern-type",
        );
    }

    #[test]
    fn principals_come_in_the_order_of_java() {
        let found = principals(
            &options("--principal User:bob --principal User:c"),
            "principal",
        );
        assert_eq!(
            found.map_err(sentence).expect("right"),
            ["User:c", "User:bob"]
        );
    }
}
