//! Producer ids that this node may give out: a block of them at a time, from the controller (KIP-730).
//!
//! A block is committed to the metadata log before its first id is given out, and what is left of it
//! when the node stops is lost: no id is ever given twice.

use ottla_base::ProducerId;
use ottla_protocol::messages::AllocateProducerIdsRequest;
use parking_lot::Mutex;

use crate::node::Node;
use crate::quorum::DecideError;

/// Ids left in the present block at which the next one is fetched, so that nobody waits at its end.
const FETCH_NEXT_AT: i64 = 100;

/// Ids from `next` up to, not including, `end`.
#[derive(Debug, Clone, Copy, Default)]
struct Block {
    next: i64,
    end: i64,
}

#[derive(Debug, Default)]
struct Blocks {
    present: Block,
    following: Option<Block>,
}

impl Blocks {
    fn take(&mut self) -> Option<ProducerId> {
        if self.present.next >= self.present.end {
            self.present = self.following.take()?;
        }
        let id = self.present.next;
        self.present.next += 1; // Below `end`, so there is a next number.
        Some(ProducerId(id))
    }

    fn wants_more(&self) -> bool {
        self.following.is_none() && self.present.end - self.present.next <= FETCH_NEXT_AT
    }
}

/// Producer ids that this node may give out.
#[derive(Debug, Default)]
pub struct ProducerIds {
    blocks: Mutex<Blocks>,
    /// Held by whoever fetches a block; the others need not.
    fetching: tokio::sync::Mutex<()>,
}

impl ProducerIds {
    /// An id that nobody ever got.
    ///
    /// # Errors
    /// [`DecideError`] if there is none left and the controller gives no more now.
    pub(crate) async fn next(&self, node: &Node) -> Result<ProducerId, DecideError> {
        loop {
            let (id, wants_more) = {
                let mut blocks = self.blocks.lock();
                (blocks.take(), blocks.wants_more())
            };
            match id {
                // One request in a thousand pays for the next block; those behind it have ids left.
                Some(id) => {
                    if wants_more
                        && let Ok(_guard) = self.fetching.try_lock()
                        && let Err(error) = self.fetch(node).await
                    {
                        tracing::debug!(%error, "the next block of producer ids did not come");
                    }
                    return Ok(id);
                }
                None => {
                    let _guard = self.fetching.lock().await;
                    self.fetch(node).await?;
                }
            }
        }
    }

    async fn fetch(&self, node: &Node) -> Result<(), DecideError> {
        if !self.blocks.lock().wants_more() {
            return Ok(()); // Somebody else was faster.
        }
        let image = node.image();
        let epoch = image.cluster.broker(node.id).map_or(-1, |b| b.epoch.0);
        let request = AllocateProducerIdsRequest {
            broker_id: node.id.0,
            broker_epoch: epoch,
        };
        let decided = node.quorum.decide(0, move |controller, _| {
            controller.allocate_producer_ids(&request)
        });
        let block = decided.await?;
        let end = block
            .producer_id_start
            .saturating_add(block.producer_id_len.into());
        self.blocks.lock().following = Some(Block {
            next: block.producer_id_start,
            end,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_a_block_are_given_once_and_the_next_block_follows() {
        let mut blocks = Blocks::default();
        assert!(blocks.wants_more() && blocks.take().is_none());
        blocks.following = Some(Block { next: 0, end: 1000 });
        let taken = |blocks: &mut Blocks| blocks.take().map(|id| id.0);
        assert_eq!(taken(&mut blocks), Some(0));
        assert!(!blocks.wants_more());
        for id in 1..900 {
            assert_eq!(taken(&mut blocks), Some(id));
        }
        assert!(blocks.wants_more());
        blocks.following = Some(Block {
            next: 7000,
            end: 7002,
        });
        assert!(!blocks.wants_more());
        for id in (900..1000).chain([7000, 7001]) {
            assert_eq!(taken(&mut blocks), Some(id));
        }
        assert_eq!(taken(&mut blocks), None);
    }
}
