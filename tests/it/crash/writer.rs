//! One writer to one partition, and what it was told.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context as _, Result, bail, ensure};
use ottla_records::codec::Compression;
use ottla_tests::client::{Client, Isolation, Refused, batch};

/// Topic of the writers without producer id.
pub(crate) const PLAIN: &str = "plain";

/// Topic of the idempotent writers.
pub(crate) const IDEMPOTENT: &str = "idempotent";

/// Batches that are sent before the first is answered; an idempotent producer may have five.
const IN_FLIGHT: usize = 4;

/// What a batch that is there already may be answered with when it is sent again: OUT_OF_ORDER_SEQUENCE_NUMBER or
/// DUPLICATE_SEQUENCE_NUMBER. The file with the state of producers holds the last batch of each, so that after a start
/// an older one is known to be old, but not where it is.
const SENT_BEFORE: [i16; 2] = [45, 46];

/// A batch: numbers of its records.
#[derive(Debug, Clone, Copy)]
struct Batch {
    first: i32,
    count: i32,
}

/// A writer whose records are numbered from 0.
#[derive(Debug)]
pub(crate) struct Writer {
    topic: &'static str,
    partition: i32,
    /// Producer id and epoch.
    producer: Option<(i64, i16)>,
    /// Number of the next record that was never sent; also its sequence.
    next: i32,
    /// Sent and not answered; an idempotent writer sends them again.
    open: VecDeque<Batch>,
    /// Offset of each record that was acknowledged, by number.
    acknowledged: BTreeMap<i32, i64>,
    /// Batches that were sent again and were there: their first answer was lost.
    repeated: usize,
    /// An answer that must not be.
    fault: Option<String>,
}

impl Writer {
    pub(crate) fn plain(partition: i32) -> Self {
        Self {
            topic: PLAIN,
            partition,
            producer: None,
            next: 0,
            open: VecDeque::new(),
            acknowledged: BTreeMap::new(),
            repeated: 0,
            fault: None,
        }
    }

    pub(crate) fn idempotent(partition: i32, producer: (i64, i16)) -> Self {
        Self {
            topic: IDEMPOTENT,
            producer: Some(producer),
            ..Self::plain(partition)
        }
    }

    pub(crate) fn acknowledged(&self) -> usize {
        self.acknowledged.len()
    }

    /// Batches that had to be sent again although they were there, too old for their place to be known.
    pub(crate) fn repeated(&self) -> usize {
        self.repeated
    }

    /// Writes until the connection ends.
    pub(crate) fn run(&mut self, bootstrap: &str, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) && self.fault.is_none() {
            // Any error of the connection is the kill; what it interrupted stays open.
            let Ok(mut client) = Client::connect(bootstrap) else {
                continue;
            };
            if self.producer.is_none() {
                // Without sequences nobody can tell whether they arrived; a new number is a new record.
                self.open.clear();
            }
            let again: Vec<Batch> = self.open.iter().copied().collect();
            let _ = self.write(&mut client, &again);
        }
    }

    fn write(&mut self, client: &mut Client, again: &[Batch]) -> Result<()> {
        for batch in again {
            self.send(client, *batch)?;
        }
        let mut sent_before = again.len();
        loop {
            while self.open.len() < IN_FLIGHT {
                let batch = Batch {
                    first: self.next,
                    count: 1 + self.next % 7,
                };
                self.next += batch.count;
                self.open.push_back(batch);
                self.send(client, batch)?;
            }
            let answer = client.receive_produced()?;
            let batch = self.open.pop_front().context("an answer to nothing")?;
            let is_repeated = sent_before > 0;
            sent_before = sent_before.saturating_sub(1);
            match answer.error {
                0 => {
                    for n in 0..batch.count {
                        self.acknowledged
                            .insert(batch.first + n, answer.base_offset + i64::from(n));
                    }
                }
                // That it is there, and once, the order of the records shows.
                error if is_repeated && SENT_BEFORE.contains(&error) => self.repeated += 1,
                error if Refused(error).is_retriable() => {
                    // The node stops: the batch may be there or not, as when the connection ends.
                    self.open.push_front(batch);
                    bail!(Refused(error));
                }
                error => {
                    self.fault = Some(format!("{batch:?} of {}: error {error}", self.name()));
                    bail!("refused");
                }
            }
        }
    }

    fn send(&self, client: &mut Client, numbers: Batch) -> Result<()> {
        let values: Vec<String> = (0..numbers.count)
            .map(|n| value(numbers.first + n))
            .collect();
        let records: Vec<_> = values
            .iter()
            .map(|value| (None, Some(value.as_bytes())))
            .collect();
        let codec = if numbers.first % 2 == 0 {
            Compression::None
        } else {
            Compression::Lz4
        };
        let producer = self.producer.map(|(id, epoch)| (id, epoch, numbers.first));
        // Now, or retention would have its say.
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?;
        let bytes = batch(&records, i64::try_from(now.as_millis())?, codec, producer)?;
        client.send_produce(self.topic, self.partition, bytes)
    }

    fn name(&self) -> String {
        format!("{}-{}", self.topic, self.partition)
    }

    /// Whether everything acknowledged is where it was acknowledged, and nothing is twice.
    pub(crate) fn check(&mut self, client: &mut Client) -> Result<()> {
        let name = self.name();
        if let Some(fault) = &self.fault {
            bail!("{fault}");
        }
        let records = client.patiently(|client| {
            client.read(self.topic, self.partition, Isolation::ReadUncommitted)
        })?;
        let mut by_offset = BTreeMap::new();
        let mut times: BTreeMap<i32, u32> = BTreeMap::new();
        let mut last = -1;
        for (place, record) in (0..).zip(&records) {
            ensure!(
                record.offset == place,
                "{name}: offset {} where {place} is due",
                record.offset
            );
            let text = String::from_utf8_lossy(record.value.as_deref().unwrap_or_default());
            let number: i32 = text
                .split(' ')
                .next()
                .and_then(|n| n.parse().ok())
                .context("number")?;
            ensure!(
                text == value(number),
                "{name}: a record that nobody sent at {place}"
            );
            if self.producer.is_some() {
                ensure!(
                    number == last + 1,
                    "{name}: record {number} after {last} at {place}"
                );
            }
            last = number;
            *times.entry(number).or_default() += 1;
            by_offset.insert(record.offset, number);
        }
        for (number, offset) in &self.acknowledged {
            let found = by_offset.get(offset);
            ensure!(
                found == Some(number),
                "{name}: record {number} was acknowledged at {offset}, there is {found:?}"
            );
        }
        // A writer without sequences never sends twice, an idempotent one may and must not be seen to.
        let twice = times.iter().find(|(_, times)| **times > 1);
        ensure!(twice.is_none(), "{name}: {twice:?} times");
        Ok(())
    }
}

/// The text of record `n`, long enough that batches differ in size.
fn value(n: i32) -> String {
    let length = usize::try_from(n % 300).unwrap_or(0);
    format!("{n} {}", "x".repeat(length))
}
