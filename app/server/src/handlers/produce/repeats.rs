//! Partitions that a request names more than once.

use std::collections::BTreeMap;

use ottla_base::Uuid;
use ottla_protocol::messages::produce_request::borrowed::TopicProduceDataRef;

/// Entries up to which each is compared with all others. Above it a map is made, so that the work does not
/// grow with the square of what a client sends.
const COMPARED_MAX: usize = 64;

type Key<'a> = (&'a str, Uuid, i32);

/// Tells of each entry, asked in order, whether the same partition comes again behind it.
pub(super) struct Repeats<'a> {
    topics: &'a [TopicProduceDataRef<'a>],
    /// Place of the last entry of each partition; `None` for a request of few entries.
    last: Option<BTreeMap<Key<'a>, usize>>,
    /// Place of the next entry to be asked for.
    next: usize,
}

impl<'a> Repeats<'a> {
    pub(super) fn of(topics: &'a [TopicProduceDataRef<'a>]) -> Self {
        let count: usize = topics.iter().map(|topic| topic.partition_data.len()).sum();
        let last = (count > COMPARED_MAX).then(|| {
            keys(topics)
                .enumerate()
                .map(|(at, key)| (key, at))
                .collect()
        });
        Self {
            topics,
            last,
            next: 0,
        }
    }

    pub(super) fn comes_again(&mut self, topic: &TopicProduceDataRef<'a>, index: i32) -> bool {
        let at = self.next;
        self.next += 1;
        let key = (topic.name, topic.topic_id, index);
        match &self.last {
            Some(last) => last.get(&key) != Some(&at),
            None => keys(self.topics).skip(at + 1).any(|other| other == key),
        }
    }
}

fn keys<'a>(topics: &'a [TopicProduceDataRef<'a>]) -> impl Iterator<Item = Key<'a>> {
    topics.iter().flat_map(|topic| {
        let partitions = topic.partition_data.iter();
        partitions.map(|data| (topic.name, topic.topic_id, data.index))
    })
}

#[cfg(test)]
mod tests {
    use ottla_protocol::messages::produce_request::borrowed::PartitionProduceDataRef;

    use super::*;

    /// Which entries come again behind themselves.
    fn repeated(topics: &[(&'static str, &[i32])]) -> Vec<bool> {
        let partitions: Vec<Vec<PartitionProduceDataRef<'_>>> = topics
            .iter()
            .map(|(_, indexes)| {
                let data = |index: &i32| PartitionProduceDataRef {
                    index: *index,
                    records: None,
                };
                indexes.iter().map(data).collect()
            })
            .collect();
        let topics: Vec<TopicProduceDataRef<'_>> = topics
            .iter()
            .zip(&partitions)
            .map(|((name, _), partition_data)| TopicProduceDataRef {
                name,
                topic_id: Uuid::ZERO,
                partition_data,
            })
            .collect();
        let mut repeats = Repeats::of(&topics);
        let mut found = Vec::new();
        for topic in &topics {
            for data in topic.partition_data {
                found.push(repeats.comes_again(topic, data.index));
            }
        }
        found
    }

    #[test]
    fn the_last_of_each_partition_counts() {
        assert_eq!(repeated(&[("a", &[0, 1, 0])]), [true, false, false]);
        assert_eq!(
            repeated(&[("a", &[0]), ("b", &[0]), ("a", &[0, 1])]),
            [true, false, false, false]
        );
        assert_eq!(
            repeated(&[("a", &[0]), ("a", &[0]), ("a", &[0])]),
            [true, true, false]
        );
    }

    #[test]
    fn many_are_judged_as_few_are() {
        let many: Vec<i32> = (0..100).chain([5, 50, 5]).collect();
        let found = repeated(&[("a", &many), ("b", &[0])]);
        let again: Vec<usize> = (0..found.len()).filter(|at| found[*at]).collect();
        assert_eq!(again, [5, 50, 100]);
    }
}
