//! Blocks of producer ids (KIP-730).

use ottla_base::NodeId;
use ottla_metadata::MetadataRecord;
use ottla_protocol::messages::{
    AllocateProducerIdsRequest, AllocateProducerIdsResponse, ProducerIdsRecord,
};

use crate::context::Outcome;
use crate::controller::Controller;
use crate::refusal::{BrokerRefusal, Refusal};

/// Ids of one block.
const BLOCK_SIZE: i32 = 1_000;

impl Controller {
    /// Gives a broker the next block of producer ids. No id is ever given twice.
    ///
    /// # Errors
    /// [`BrokerRefusal::StaleEpoch`] or [`BrokerRefusal::NoRegistration`];
    /// [`BrokerRefusal::ProducerIdsExhausted`].
    pub fn allocate_producer_ids(
        &self,
        request: &AllocateProducerIdsRequest,
    ) -> Result<Outcome<AllocateProducerIdsResponse>, Refusal> {
        self.check_broker_epoch(NodeId(request.broker_id), request.broker_epoch)?;
        let first = self.image.next_producer_id.unwrap_or(0);
        let next = first
            .checked_add(BLOCK_SIZE.into())
            .ok_or(BrokerRefusal::ProducerIdsExhausted)?;
        let record = ProducerIdsRecord {
            broker_id: request.broker_id,
            broker_epoch: request.broker_epoch,
            next_producer_id: next,
            ..ProducerIdsRecord::default()
        };
        let reply = AllocateProducerIdsResponse {
            producer_id_start: first,
            producer_id_len: BLOCK_SIZE,
            ..AllocateProducerIdsResponse::default()
        };
        let records = vec![MetadataRecord::from(record).at(self.metadata_version())];
        Ok(Outcome::new(records, reply))
    }
}
