//! Deleting groups: which are not even tried, and what is said in the end.

use ottla_client::ClientError;
use ottla_protocol::ErrorCode;

use crate::common::{java, output};

use super::ask;

/// What became of a group that was to be deleted; the text is the exception of Kafka's tool.
pub(super) type Outcome = (String, Result<(), String>);

/// Groups in the order of a Java map, each once.
pub(super) fn in_java_order(mut groups: Vec<String>) -> Vec<String> {
    groups.sort_unstable();
    groups.dedup();
    java::hash_map_order(&mut groups, |group| java::string_hash(group));
    groups
}

/// Why a group in a state other than empty is not even tried. `kind` is `Share` or `Streams`.
pub(super) fn refusal(kind: &str, group: &str, state: &str) -> Option<String> {
    match state {
        "Empty" => None,
        "Dead" => Some(format!(
            "java.lang.IllegalStateException: {kind} group '{group}' group state is DEAD."
        )),
        _ => Some(
            ClientError::refused(
                ErrorCode::NonEmptyGroup.code(),
                Some(&format!("{kind} group '{group}' is not EMPTY.")),
            )
            .to_java(),
        ),
    }
}

/// Says which groups were deleted and which were not; `last` ends the sentence about those that were.
pub(super) fn say(outcomes: &[Outcome], what: &str, last: &str) {
    let deleted: Vec<&str> = outcomes
        .iter()
        .filter(|(_, outcome)| outcome.is_ok())
        .map(|(group, _)| group.as_str())
        .collect();
    if deleted.len() == outcomes.len() {
        output::line(&format!(
            "Deletion of requested {what} ({}) was successful.",
            quoted(&deleted)
        ));
        return;
    }
    ask::print_error(&format!("Deletion of some {what} failed:"));
    for (group, outcome) in outcomes {
        if let Err(error) = outcome {
            output::line(&format!(
                "* Group '{group}' could not be deleted due to: {error}"
            ));
        }
    }
    if !deleted.is_empty() {
        output::line(&format!(
            "\nThese {what} were deleted successfully: {}{last}",
            quoted(&deleted)
        ));
    }
}

/// `'a', 'b'`.
pub(super) fn quoted(groups: &[&str]) -> String {
    let quoted: Vec<String> = groups.iter().map(|group| format!("'{group}'")).collect();
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_empty_groups_are_tried() {
        assert_eq!(refusal("Share", "g", "Empty"), None);
        assert_eq!(
            refusal("Streams", "g", "Stable").as_deref(),
            Some(
                "org.apache.kafka.common.errors.GroupNotEmptyException: Streams group 'g' is not EMPTY."
            )
        );
        assert_eq!(
            refusal("Share", "g", "Dead").as_deref(),
            Some("java.lang.IllegalStateException: Share group 'g' group state is DEAD.")
        );
    }

    #[test]
    fn groups_stand_in_quotes() {
        assert_eq!(quoted(&["a", "b"]), "'a', 'b'");
        assert_eq!(quoted(&[]), "");
    }
}
