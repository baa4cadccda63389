//! A producer at work: it looks for its cluster when it is first needed, bounds what is on its way, and
//! tells of each record what became of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use krafka::interceptor::{InterceptorResult, ProducerInterceptor, RecordContext};
use krafka::producer::{Producer, RecordMetadata, TransactionalProducer};
use krafka::{KrafkaError, Record};
use tokio::sync::{Notify, OnceCell};
use tokio::time::Instant;

use super::producer::{ProducerSettings, value_size};
use crate::console::failure;

/// Records on their way, at most. `buffer.memory` bounds their bytes; this bounds what is kept for each of
/// them besides, which for small records is more. At the limit sending waits for an answer.
const UNANSWERED_MAX: usize = 50_000;

/// Told what became of each record.
pub(crate) trait Outcome: Send + Sync + std::fmt::Debug + 'static {
    /// A note about a record, made when it is sent and given back with what became of it.
    type Note: Send + Sync + 'static;

    /// Makes the note.
    fn note(&self, record: &Record) -> Self::Note;

    /// Says what became of a record.
    fn done(&self, note: &Self::Note, result: Result<&RecordMetadata, String>);
}

/// A producer that looks for its cluster when it is first needed, and that bounds what is on its way.
#[derive(Debug)]
pub(crate) struct Sender<O: Outcome> {
    settings: ProducerSettings,
    state: Arc<SenderState<O>>,
    producer: OnceCell<Inner>,
}

/// Either kind of producer of the library.
enum Inner {
    Plain(Box<Producer>),
    Transactional(Box<TransactionalProducer>),
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Inner")
    }
}

#[derive(Debug)]
struct SenderState<O> {
    outcome: O,
    max_block: Duration,
    delivery_timeout: Duration,
    unanswered: AtomicUsize,
    answered: Notify,
}

/// Marks a record of which the library was told to send it.
struct Counted<N>(N);

impl<O: Outcome> ProducerInterceptor for SenderState<O> {
    fn on_send(&self, record: &mut Record, context: &mut RecordContext) -> InterceptorResult {
        self.unanswered.fetch_add(1, Ordering::Relaxed);
        let _ = context.insert(Counted(self.outcome.note(record)));
        Ok(())
    }

    fn on_acknowledgement(
        &self,
        topic: &str,
        partition: i32,
        result: Result<&RecordMetadata, &KrafkaError>,
        _: &krafka::Headers,
        context: &mut RecordContext,
    ) -> InterceptorResult {
        if let Some(Counted(note)) = context.get::<Counted<O::Note>>() {
            let result = result.map_err(|error| self.why(error, topic, partition));
            self.outcome.done(note, result);
        }
        self.unanswered.fetch_sub(1, Ordering::Relaxed);
        self.answered.notify_one();
        Ok(())
    }
}

impl<O> SenderState<O> {
    /// The exception of Kafka's producer for a record that was not written.
    fn why(&self, error: &KrafkaError, topic: &str, partition: i32) -> String {
        if matches!(error, KrafkaError::DeliveryTimeout { .. }) {
            return format!(
                "org.apache.kafka.common.errors.TimeoutException: Expiring record(s) for \
                 {topic}-{partition}:{} ms has passed since batch creation",
                self.delivery_timeout.as_millis()
            );
        }
        failure::of_lookup(error, topic, self.max_block.as_millis())
            .unwrap_or_else(|| failure::to_java(error))
    }
}

impl<O: Outcome> Sender<O> {
    /// A producer that tells `outcome` of its records. Connects when the first one is sent.
    pub(crate) fn new(settings: ProducerSettings, outcome: O) -> Self {
        let state = Arc::new(SenderState {
            outcome,
            max_block: settings.max_block,
            delivery_timeout: settings.delivery_timeout,
            unanswered: AtomicUsize::new(0),
            answered: Notify::new(),
        });
        Self {
            settings,
            state,
            producer: OnceCell::new(),
        }
    }

    /// Who is told of the records.
    pub(crate) fn outcome(&self) -> &O {
        &self.state.outcome
    }

    /// Reaches the cluster if that was not done yet.
    ///
    /// # Errors
    /// The exception of Kafka's producer.
    async fn connected(&self) -> Result<&Inner, KrafkaError> {
        let open = async {
            let kafka = self
                .settings
                .open(Some(Instant::now() + self.settings.max_block))
                .await?;
            let builder = self
                .settings
                .builder(&kafka)
                .interceptor(Arc::clone(&self.state));
            Ok(match &self.settings.transactional_id {
                None => Inner::Plain(Box::new(builder.build().await?)),
                Some(id) => Inner::Transactional(Box::new(builder.build_transactional(id).await?)),
            })
        };
        self.producer.get_or_try_init(|| open).await
    }

    /// Reaches the cluster if that was not done yet.
    ///
    /// # Errors
    /// The exception of Kafka's producer.
    pub(crate) async fn connect(&self) -> Result<(), String> {
        let connected = self.connected().await;
        connected
            .map(|_| ())
            .map_err(|error| failure::to_java(&error))
    }

    /// Puts a record on its way. What becomes of it, also if it does not get far, the outcome is told.
    ///
    /// # Cancel safety
    /// Dropped before it is done, the record may be unsent and unreported.
    pub(crate) async fn enqueue(&self, record: Record) {
        if let Err(why) = self.settings.check(&record) {
            self.refuse(&record, why);
            return;
        }
        let inner = match self.connected().await {
            Ok(inner) => inner,
            Err(error) => {
                let why = self.state.why(&error, &record.topic, -1);
                self.refuse(&record, why);
                return;
            }
        };
        while self.state.unanswered.load(Ordering::Relaxed) >= UNANSWERED_MAX {
            self.state.answered.notified().await;
        }
        // Errors reach the outcome through the interceptor, and so does the answer.
        let _ = match inner {
            Inner::Plain(producer) => producer.enqueue(record).await,
            Inner::Transactional(producer) => producer.enqueue(record).await,
        };
    }

    /// Why a record with a value of so many bytes cannot be sent, if it is too large.
    ///
    /// # Errors
    /// The exception of Kafka's producer.
    pub(crate) fn check_value(&self, bytes: usize) -> Result<(), String> {
        self.settings.check_size(value_size(bytes))
    }

    fn refuse(&self, record: &Record, why: String) {
        let note = self.state.outcome.note(record);
        self.state.outcome.done(&note, Err(why));
    }

    /// Sends a record and waits for its answer.
    ///
    /// # Errors
    /// The exception of Kafka's producer.
    pub(crate) async fn send(&self, record: Record) -> Result<RecordMetadata, String> {
        self.settings.check(&record)?;
        let topic = record.topic.clone();
        let why = |error: KrafkaError| self.state.why(&error, &topic, -1);
        match self.connected().await.map_err(&why)? {
            Inner::Plain(producer) => producer.send(record).await.map_err(&why),
            Inner::Transactional(producer) => producer.send(record).await.map_err(&why),
        }
    }

    /// Sends what is on its way and waits for the answers.
    pub(crate) async fn flush(&self) {
        let _ = match self.producer.get() {
            None => Ok(()),
            Some(Inner::Plain(producer)) => producer.flush().await,
            Some(Inner::Transactional(producer)) => producer.flush().await,
        };
    }

    /// Begins a transaction.
    ///
    /// # Errors
    /// The exception of Kafka's producer.
    pub(crate) async fn begin(&self) -> Result<(), String> {
        match self.connected().await {
            Ok(Inner::Transactional(producer)) => producer.begin(),
            Ok(Inner::Plain(_)) => Ok(()),
            Err(error) => Err(error),
        }
        .map_err(|error| failure::to_java(&error))
    }

    /// Commits the transaction.
    ///
    /// # Errors
    /// The exception of Kafka's producer.
    pub(crate) async fn commit(&self) -> Result<(), String> {
        match self.producer.get() {
            Some(Inner::Transactional(producer)) => producer
                .commit()
                .await
                .map_err(|error| failure::to_java(&error)),
            _ => Ok(()),
        }
    }

    /// Sends what is on its way, waits for the answers, and lets go of the cluster.
    pub(crate) async fn close(&self) {
        let _ = match self.producer.get() {
            None => Ok(()),
            Some(Inner::Plain(producer)) => producer.close().await,
            Some(Inner::Transactional(producer)) => producer.close().await,
        };
    }
}
