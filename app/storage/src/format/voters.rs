//! The first voters of a quorum that keeps its voters itself (KIP-853): `id@host:port:directory,...`.

use ottla_base::{NodeId, Uuid};

use super::error::{FormatError, refusal, refuse};

/// One first voter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct InitialVoter {
    /// Its `node.id`.
    pub(super) id: NodeId,
    /// Id of its metadata directory.
    pub(super) directory_id: Uuid,
    /// Where its controller listener is reached.
    pub(super) host: String,
    /// TCP port.
    pub(super) port: u16,
}

/// Parses the voters, in the order of their ids.
///
/// # Errors
/// With Kafka's sentence.
pub(super) fn parse(text: &str) -> Result<Vec<InitialVoter>, FormatError> {
    let mut voters: Vec<InitialVoter> = Vec::new();
    for entry in text
        .trim()
        .split(',')
        .map(str::trim)
        .filter(|entry| !entry.is_empty())
    {
        let voter = parse_one(entry)?;
        if voters.iter().any(|other| other.id == voter.id) {
            return refuse(format!(
                "Node id {} was specified more than once.",
                voter.id
            ));
        }
        voters.push(voter);
    }
    if voters.is_empty() {
        return refuse("No voters given.");
    }
    voters.sort_by_key(|voter| voter.id);
    Ok(voters)
}

fn parse_one(entry: &str) -> Result<InitialVoter, FormatError> {
    let (id, rest) = entry
        .split_once('@')
        .ok_or_else(|| refusal("No @ found in dynamic voter string."))?;
    if id.is_empty() {
        return refuse("Invalid @ at beginning of dynamic voter string.");
    }
    let id: i32 = id
        .parse()
        .map_err(|_| refusal("Failed to parse node id in dynamic voter string."))?;
    if id < 0 {
        return refuse(format!(
            "Invalid negative node id {id} in dynamic voter string."
        ));
    }
    if rest.is_empty() {
        return refuse("No hostname found after node id.");
    }
    let (host, rest) = match rest.strip_prefix('[') {
        Some(inner) => inner.split_once(']').ok_or_else(|| {
            refusal("Hostname began with left bracket, but no right bracket was found.")
        })?,
        None => {
            let colon = rest
                .find(':')
                .ok_or_else(|| refusal("No colon following hostname could be found."))?;
            rest.split_at(colon)
        }
    };
    let rest = rest
        .strip_prefix(':')
        .ok_or_else(|| refusal("Port section must start with a colon."))?;
    let (port, directory) = rest
        .split_once(':')
        .ok_or_else(|| refusal("No colon following port could be found."))?;
    let port: i32 = port
        .parse()
        .map_err(|_| refusal("Failed to parse port in dynamic voter string."))?;
    let port = u16::try_from(port)
        .map_err(|_| refusal(format!("Invalid port {port} in dynamic voter string.")))?;
    let directory_id = directory
        .parse()
        .map_err(|_| refusal("Failed to parse directory ID in dynamic voter string."))?;
    Ok(InitialVoter {
        id: NodeId(id),
        directory_id,
        host: host.to_owned(),
        port,
    })
}
