//! `kafka-acls`: who may do what with which resource. What a command line means is in `request`, the
//! names of things in `binding`; here the cluster is asked and the answer printed.

mod binding;
mod request;

use std::collections::{BTreeMap, BTreeSet};
use std::process::ExitCode;

use clap::Command;
use ottla_client::{Admin, Bootstrap, Call, ClientError};
use ottla_protocol::messages::create_acls_request::AclCreation;
use ottla_protocol::messages::delete_acls_request::DeleteAclsFilter;
use ottla_protocol::messages::{CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest};
use serde_json::{Value, json as value_of};

use self::binding::{Entry, Kind, Operation, Pattern, Permission, Resource};
use self::request::{Wanted, failed};
use crate::common::jopt::{Options, flag, value};
use crate::common::usage::{self, Failure};
use crate::common::{client, confirm, format, output};

/// The number that stands for anything in a filter.
const ANY: i8 = 1;

/// The options.
pub(crate) fn command() -> Command {
    client::options(Command::new("acls"))
        .about("List, add and remove access control entries")
        .arg(value("bootstrap-controller", "host:port,...", "Controllers to begin with."))
        .arg(flag("list", "List entries, of all resources or of those named."))
        .arg(flag("add", "Add entries."))
        .arg(flag("remove", "Remove entries; all of a resource if no principal is given."))
        .arg(value("topic", "topic", "Topic; * for all."))
        .arg(value("group", "group", "Group; * for all."))
        .arg(flag("cluster", "The cluster itself."))
        .arg(value("transactional-id", "id", "Transactional id; * for all."))
        .arg(value("delegation-token", "id", "Delegation token; * for all."))
        .arg(value("user-principal", "principal", "User whose tokens are meant."))
        .arg(value(
            "resource-pattern-type",
            "type",
            "How names are read: literal, prefixed; to list or remove also any, match.",
        ))
        .arg(value("allow-principal", "type:name", "Who may."))
        .arg(value("deny-principal", "type:name", "Who may not; wins over who may."))
        .arg(value("allow-host", "host", "From where; default *."))
        .arg(value("deny-host", "host", "From where not; default *."))
        .arg(value("operation", "operation", "What: Read, Write, ...; default All."))
        .arg(value("principal", "type:name", "List entries of this principal only."))
        .arg(flag("producer", "Bundle: Write, Describe and Create on the topic."))
        .arg(flag("idempotent", "With --producer: IdempotentWrite on the cluster."))
        .arg(flag("consumer", "Bundle: Read and Describe on the topic, Read on the group."))
        .arg(flag("force", "Do not ask before removing."))
        .arg(format::option())
        .after_help(
            "Examples:\n  \
             ottla acls --bootstrap-server localhost:9092 --list --topic t\n  \
             ottla acls --bootstrap-server localhost:9092 --add --allow-principal User:bob --producer --topic t\n  \
             ottla acls --bootstrap-server localhost:9092 --remove --topic t --force",
        )
}

/// Runs the tool.
pub(crate) fn run(args: &[String]) -> ExitCode {
    usage::run(
        command(),
        "This tool helps to manage acls on kafka.",
        args,
        |options| {
            match work(options) {
                // Kafka's tool says on standard output what failed, with a trace and an empty line.
                Err(Failure::Failed(text)) => {
                    output::line(&text);
                    output::line("");
                    Ok(ExitCode::FAILURE)
                }
                other => other,
            }
        },
    )
}

fn work(options: &Options) -> Result<ExitCode, Failure> {
    request::check(options)?;
    let as_json = format::is_json(options)?;
    let properties = client::properties_of(options).map_err(|text| failed(&text))?;
    let (kind, name) = if options.has("bootstrap-server") {
        (Bootstrap::Brokers, "bootstrap-server")
    } else {
        (Bootstrap::Controllers, "bootstrap-controller")
    };
    let servers = options.value(name).map_err(|error| failed(&error.0))?;
    let mut admin = client::admin(kind, servers.unwrap_or_default(), &properties)
        .map_err(|error| failed(&client::failed_to_create(&error)))?;
    if options.has("add") {
        add(&mut admin, options)?;
    } else if options.has("remove") {
        remove(&mut admin, options)?;
    } else {
        list(&mut admin, options, as_json)?;
    }
    Ok(ExitCode::SUCCESS)
}

/// What Kafka's tool says of a cluster that refuses.
fn refused(error: &ClientError) -> Failure {
    failed(&error.to_java())
}

/// Asks any broker, or the controller that is active.
fn ask<C: Call>(admin: &mut Admin, call: &str, request: &C) -> Result<C::Response, Failure> {
    if admin.config().kind == Bootstrap::Controllers {
        admin.ask_controller(call, request)
    } else {
        admin.ask(call, request)
    }
    .map_err(|error| refused(&error))
}

fn check(code: i16, message: Option<&str>) -> Result<(), Failure> {
    ClientError::check(code, message).map_err(|error| refused(&error))
}

/// The entries of a resource; of all resources for `None`.
fn describe(admin: &mut Admin, resource: Option<&Resource>) -> Result<Wanted, Failure> {
    let mut request = DescribeAclsRequest::default();
    request.resource_type_filter = resource.map_or(ANY, |resource| resource.kind.number());
    request.resource_name_filter = resource.map(|resource| resource.name.clone());
    request.pattern_type_filter = resource.map_or(ANY, |resource| resource.pattern.number());
    request.principal_filter = None;
    request.host_filter = None;
    request.operation = ANY;
    request.permission_type = ANY;
    let answer = ask(admin, "describeAcls", &request)?;
    check(answer.error_code, answer.error_message.as_deref())?;
    let mut found = Wanted::new();
    for resource in answer.resources {
        let entries = resource.acls.into_iter().map(|acl| Entry {
            principal: acl.principal,
            host: acl.host,
            operation: Operation::of(acl.operation),
            permission: Permission::of(acl.permission_type),
        });
        let key = Resource {
            kind: Kind::of(resource.resource_type),
            name: resource.resource_name,
            pattern: Pattern::of(resource.pattern_type),
        };
        found.entry(key).or_default().extend(entries);
    }
    Ok(found)
}

fn add(admin: &mut Admin, options: &Options) -> Result<(), Failure> {
    let pattern = request::pattern(options)?;
    if !matches!(pattern, Pattern::Literal | Pattern::Prefixed) {
        return Err(Failure::Usage(format!(
            "A '--resource-pattern-type' value of '{pattern}' is not valid when adding acls."
        )));
    }
    let wanted = request::wanted(options)?;
    if wanted.values().any(BTreeSet::is_empty) {
        return Err(Failure::Usage(
            "You must specify one of: --allow-principal, --deny-principal when trying to add ACLs."
                .to_owned(),
        ));
    }
    for (resource, entries) in &wanted {
        let existing = describe(admin, Some(resource))?;
        let existing = existing.get(resource);
        let (old, new): (Vec<&Entry>, Vec<&Entry>) = entries
            .iter()
            .partition(|entry| existing.is_some_and(|existing| existing.contains(entry)));
        for entry in old {
            output::line(&format!(
                "Acl (pattern={resource}, entry={entry}) already exists."
            ));
        }
        if new.is_empty() {
            continue;
        }
        output::line(&format!(
            "Adding ACLs for resource `{resource}`: \n {}\n",
            binding::lines(new.iter().copied())
        ));
        create(admin, resource, &new)?;
    }
    Ok(())
}

fn create(admin: &mut Admin, resource: &Resource, entries: &[&Entry]) -> Result<(), Failure> {
    let mut request = CreateAclsRequest::default();
    for entry in entries {
        let mut creation = AclCreation::default();
        creation.resource_type = resource.kind.number();
        creation.resource_name.clone_from(&resource.name);
        creation.resource_pattern_type = resource.pattern.number();
        creation.principal.clone_from(&entry.principal);
        creation.host.clone_from(&entry.host);
        creation.operation = entry.operation.number();
        creation.permission_type = entry.permission.number();
        request.creations.push(creation);
    }
    let answer = ask(admin, "createAcls", &request)?;
    for result in answer.results {
        check(result.error_code, result.error_message.as_deref())?;
    }
    Ok(())
}

fn remove(admin: &mut Admin, options: &Options) -> Result<(), Failure> {
    for (resource, entries) in request::wanted(options)? {
        let question = if entries.is_empty() {
            format!(
                "Are you sure you want to delete all ACLs for resource filter `{resource}`? (y/n)"
            )
        } else {
            format!(
                "Are you sure you want to remove ACLs: \n {}\n from resource filter `{resource}`? (y/n)",
                binding::lines(&entries)
            )
        };
        if options.has("force") || confirm::yes(&question) {
            delete(admin, &resource, &entries)?;
        }
    }
    Ok(())
}

fn delete(
    admin: &mut Admin,
    resource: &Resource,
    entries: &BTreeSet<Entry>,
) -> Result<(), Failure> {
    let mut all = DeleteAclsFilter::default();
    all.resource_type_filter = resource.kind.number();
    all.resource_name_filter = Some(resource.name.clone());
    all.pattern_type_filter = resource.pattern.number();
    all.principal_filter = None;
    all.host_filter = None;
    all.operation = ANY;
    all.permission_type = ANY;
    let mut request = DeleteAclsRequest::default();
    for entry in entries {
        let mut filter = all.clone();
        filter.principal_filter = Some(entry.principal.clone());
        filter.host_filter = Some(entry.host.clone());
        filter.operation = entry.operation.number();
        filter.permission_type = entry.permission.number();
        request.filters.push(filter);
    }
    if entries.is_empty() {
        request.filters.push(all);
    }
    let answer = ask(admin, "deleteAcls", &request)?;
    for result in answer.filter_results {
        check(result.error_code, result.error_message.as_deref())?;
        for acl in result.matching_acls {
            check(acl.error_code, acl.error_message.as_deref())?;
        }
    }
    Ok(())
}

fn list(admin: &mut Admin, options: &Options, as_json: bool) -> Result<(), Failure> {
    let filters = request::resources(options)?;
    let principals = request::principals(options, "principal")?;
    let mut found = Wanted::new();
    if filters.is_empty() {
        found = describe(admin, None)?;
    }
    for filter in &filters {
        for (resource, entries) in describe(admin, Some(filter))? {
            found.entry(resource).or_default().extend(entries);
        }
    }
    if as_json {
        found = of_principals(&found, &principals);
        format::json(&to_json(&found));
    } else if principals.is_empty() {
        print(&found);
    } else {
        for principal in principals {
            output::line(&format!("ACLs for principal `{principal}`"));
            print(&of_principals(&found, &[principal]));
        }
    }
    Ok(())
}

/// The entries of the principals, with the resources that have one; all if there are no principals.
fn of_principals(found: &Wanted, principals: &[String]) -> Wanted {
    let mut kept: BTreeMap<_, _> = found.clone();
    if !principals.is_empty() {
        for entries in kept.values_mut() {
            entries.retain(|entry| principals.contains(&entry.principal));
        }
        kept.retain(|_, entries| !entries.is_empty());
    }
    kept
}

fn print(found: &Wanted) {
    for (resource, entries) in found {
        output::line(&format!(
            "Current ACLs for resource `{resource}`:\n{}\n",
            binding::lines(entries)
        ));
    }
}

fn to_json(found: &Wanted) -> Value {
    let all = found.iter().flat_map(|(resource, entries)| {
        entries.iter().map(|entry| {
            value_of!({
                "resourceType": resource.kind.word(),
                "resourceName": resource.name,
                "patternType": resource.pattern.word(),
                "principal": entry.principal,
                "host": entry.host,
                "operation": entry.operation.word(),
                "permissionType": entry.permission.word(),
            })
        })
    });
    all.collect()
}
