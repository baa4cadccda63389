//! What differs from run to run and from server to server, and says nothing.

use serde_json::Value;

/// Fields whose value is only checked for being there: a default value (empty, zero, -1) stays as it is.
const MASKED: &[&str] = &[
    "TopicId",
    "ClusterId",
    "Host",
    "Port",
    "BrokerEpoch",
    "ThrottleTimeMs",
    "MemberId",
    "Leader",
    "ProducerId",
    "SessionId",
    "FinalizedFeaturesEpoch",
    "TotalBytes",
    "UsableBytes",
    "LogDir",
    "ClientHost",
    "CurrentLeaderTimestamp",
];
/// Times: masked unless they are those that the scenarios write.
const TIMES: &[&str] = &["LogAppendTimeMs", "Timestamp"];
/// Lists whose order says nothing: Kafka's come out of hash tables.
const UNORDERED: &[&str] = &[
    "Topics",
    "Responses",
    "Configs",
    "Results",
    "Brokers",
    "Groups",
    "ApiKeys",
    "SupportedFeatures",
    "FinalizedFeatures",
    "Members",
    "ActiveProducers",
    "Coordinators",
    "Partitions",
    "PartitionResponses",
];

/// Masks an answer. `names` are this run's names, with what to write in their place.
pub fn mask(value: &mut Value, names: &[(String, String)]) {
    match value {
        Value::Object(object) => {
            for (name, value) in object.iter_mut() {
                mask(value, names);
                if MASKED.contains(&name.as_str()) && !is_default(value) {
                    *value = format!("<{name}>").into();
                }
                if TIMES.contains(&name.as_str()) && is_clock(value) {
                    *value = "<now>".into();
                }
                if let (Value::Array(list), true) =
                    (&mut *value, UNORDERED.contains(&name.as_str()))
                    && list.iter().all(Value::is_object)
                {
                    list.sort_by_key(Value::to_string);
                }
            }
        }
        Value::Array(list) => list.iter_mut().for_each(|value| mask(value, names)),
        Value::String(text) => {
            for (name, instead) in names {
                if text.contains(name.as_str()) {
                    *text = text.replace(name.as_str(), instead);
                }
            }
            // The limits are those of the moment.
            if let Some((before, _)) = text.split_once("should be within [") {
                *text = format!("{before}should be within <limits>");
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

fn is_default(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Number(number) => matches!(number.as_i64(), Some(-1 | 0)),
        Value::String(text) => text.is_empty() || text.bytes().all(|byte| byte == b'A'),
        _ => false,
    }
}

fn is_clock(value: &Value) -> bool {
    let now = crate::batch::TIMESTAMP + 1_000_000_000;
    value
        .as_i64()
        .is_some_and(|time| time > now && time < i64::MAX / 2)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn only_what_differs_is_masked() {
        let mut value = json!({
            "TopicId": "g0Bh1ossQnqLMLUXHC_1hQ", "ThrottleTimeMs": 0, "Name": "t-17",
            "Topics": [{"Name": "b"}, {"Name": "a"}], "Timestamp": 1_700_000_000_001i64,
            "LogAppendTimeMs": 1_790_000_000_000i64, "ProducerId": -1,
        });
        mask(&mut value, &[("t-17".to_owned(), "$topic".to_owned())]);
        let expected = json!({
            "TopicId": "<TopicId>", "ThrottleTimeMs": 0, "Name": "$topic",
            "Topics": [{"Name": "a"}, {"Name": "b"}], "Timestamp": 1_700_000_000_001i64,
            "LogAppendTimeMs": "<now>", "ProducerId": -1,
        });
        assert_eq!(value, expected);
    }
}
