//! Changes of configs as a broker looks at them before the controller does: what IncrementalAlterConfigs
//! and AlterConfigs share. What comes by a controller listener goes to the controller as it is.

use std::collections::{BTreeMap, BTreeSet};

use ottla_config::{AlterOp, alter_broker};
use ottla_metadata::ResourceType;
use ottla_protocol::ErrorCode;

use crate::api_table::RequestContext;
use crate::error_map::WireError;
use crate::quorum::DecideError;
use crate::session::ListenerRole;

/// An error code with the text that goes with it.
pub(crate) type Refused = (ErrorCode, Option<String>);

/// A resource that stands in a request.
pub(crate) type ResourceKey = (i8, String);

/// One key of a resource, and what is to be done with it.
pub(crate) struct Change<'a> {
    pub(crate) key: &'a str,
    /// Number of the operation, as it came.
    pub(crate) operation: i8,
    pub(crate) value: Option<&'a str>,
}

fn invalid(text: impl Into<String>) -> Refused {
    (ErrorCode::InvalidRequest, Some(text.into()))
}

/// The resources of a request, and what becomes of each.
pub(crate) struct Answers {
    keys: Vec<ResourceKey>,
    known: BTreeMap<ResourceKey, Refused>,
    /// What becomes of those that `known` does not hold.
    rest: Refused,
}

/// What a node finds when it looks at a resource.
pub(crate) enum Checked {
    /// The controller is to decide.
    Forward,
    /// Nothing is left to do.
    Done,
}

impl Answers {
    /// Looks at each of `resources` as the listener of the request wants it; gives back those that the
    /// controller is to decide about.
    ///
    /// A broker refuses a resource that stands there more than once, each time; a controller does so
    /// itself, once.
    pub(crate) fn check<R>(
        ctx: &RequestContext,
        resources: Vec<R>,
        key: impl Fn(&R) -> ResourceKey,
        check: impl Fn(&R) -> Result<Checked, Refused>,
    ) -> (Self, Vec<R>) {
        let on_broker = ctx.session.listener.role == ListenerRole::Broker;
        let mut keys: Vec<ResourceKey> = resources.iter().map(key).collect();
        let mut seen = BTreeSet::new();
        let repeated: BTreeSet<&ResourceKey> =
            keys.iter().filter(|key| !seen.insert(*key)).collect();
        let mut known = BTreeMap::new();
        let mut forwarded = Vec::new();
        for (resource, key) in resources.into_iter().zip(&keys) {
            let checked = if on_broker && repeated.contains(key) {
                Err(invalid("Each resource must appear at most once."))
            } else {
                check(&resource)
            };
            match checked {
                Ok(Checked::Forward) => forwarded.push(resource),
                Ok(Checked::Done) => drop(known.insert(key.clone(), (ErrorCode::None, None))),
                Err(refused) => drop(known.insert(key.clone(), refused)),
            }
        }
        if !on_broker {
            let mut seen = BTreeSet::new();
            keys.retain(|key| seen.insert(key.clone()));
        }
        let rest = (ErrorCode::UnknownServerError, None);
        (Self { keys, known, rest }, forwarded)
    }

    /// Takes what the controller decided, one resource after the other, or why it did not.
    pub(crate) fn settle<A>(
        &mut self,
        decided: Result<Vec<A>, DecideError>,
        read: impl Fn(A) -> (ResourceKey, i16, Option<String>),
    ) {
        match decided {
            Ok(answers) => {
                for (key, error, message) in answers.into_iter().map(read) {
                    let error = ErrorCode::from_code(error);
                    let error = error.unwrap_or(ErrorCode::UnknownServerError);
                    self.known.insert(key, (error, message));
                }
            }
            Err(error) => self.rest = (error.error_code(), error.error_message()),
        }
    }

    /// The answers in the order of the request, in the words of its API.
    pub(crate) fn into_answers<A>(
        self,
        write: impl Fn(ResourceKey, i16, Option<String>) -> A,
    ) -> Vec<A> {
        let Self { keys, known, rest } = self;
        let answer = |key| {
            let (error, message) = known.get(&key).unwrap_or(&rest).clone();
            write(key, error.code(), message)
        };
        keys.into_iter().map(answer).collect()
    }
}

/// Checks keys and values for themselves.
///
/// # Errors
/// The refusal of the whole resource.
pub(crate) fn check_changes(changes: &[Change<'_>]) -> Result<(), Refused> {
    let sets = |change: &&Change<'_>| AlterOp::from_wire(change.operation) != Some(AlterOp::Delete);
    let nulls: Vec<&str> = changes
        .iter()
        .filter(sets)
        .filter(|change| change.value.is_none())
        .map(|change| change.key)
        .collect();
    if !nulls.is_empty() {
        let text = format!("Null value not supported for : {}", nulls.join(","));
        return Err(invalid(text));
    }
    let mut seen = BTreeSet::new();
    if !changes.iter().all(|change| seen.insert(change.key)) {
        return Err(invalid("Error due to duplicate config keys"));
    }
    Ok(())
}

/// Checks that a broker resource is the one of this node, or the one of all.
fn check_broker_name(ctx: &RequestContext, name: &str) -> Result<(), Refused> {
    if name.is_empty() {
        return Ok(());
    }
    let here = ctx.node.id;
    match parse_node_id(name)? {
        id if id == here.0 => Ok(()),
        id => Err(invalid(format!(
            "Unexpected broker id, expected {here}, but received {id}"
        ))),
    }
}

/// Checks that a logger resource is the one of this node.
///
/// # Errors
/// The refusal of the whole resource.
pub(crate) fn check_logger_name(ctx: &RequestContext, name: &str) -> Result<(), Refused> {
    let here = ctx.node.id;
    match parse_node_id(name)? {
        id if id == here.0 => Ok(()),
        id => Err(invalid(format!(
            "Unexpected node id. Expected {here}, but received {id}"
        ))),
    }
}

fn parse_node_id(name: &str) -> Result<i32, Refused> {
    name.parse()
        .map_err(|_| invalid(format!("Node id must be an integer, but it is: {name}")))
}

/// Checks the changes of a broker resource against the configuration that this node runs with.
///
/// # Errors
/// The refusal of the whole resource.
pub(crate) fn check_broker(
    ctx: &RequestContext,
    name: &str,
    changes: &[Change<'_>],
) -> Result<(), Refused> {
    check_broker_name(ctx, name)?;
    let mut entries = Vec::with_capacity(changes.len());
    for change in changes {
        let operation = AlterOp::from_wire(change.operation);
        let operation = operation
            .ok_or_else(|| invalid(format!("Unknown operations type {}", change.operation)))?;
        entries.push((change.key, operation, change.value));
    }
    alter_broker(&ctx.node.config(), !name.is_empty(), &entries)
        .map(drop)
        .map_err(|error| (error.error_code(), error.error_message()))
}

/// The refusal of a kind of resource that cannot be changed like this.
pub(crate) fn unknown_kind(kind: ResourceType) -> Refused {
    invalid(format!("Unknown resource type {}", kind.0))
}
