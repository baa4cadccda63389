//! What a decision leads to, as data.

/// Names one request whose answer the machine keeps back, such as a JoinGroup that waits for its group.
/// The owner of the machine makes it; the machine gives it back with the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What one or more decisions lead to.
///
/// `R` is the machine's record, `P` an answer to a kept request, `C` what the machine wants to be told
/// about the fate of the records.
#[derive(Debug, Clone, PartialEq)]
#[must_use = "the records are to be appended, or the answers are lies"]
pub struct Effects<R, P, C> {
    /// Records to append, in order, before anything else is decided.
    pub records: Vec<R>,
    /// Answers that depend on nothing in `records`: they may leave at once.
    pub replies: Vec<(Ticket, P)>,
    /// To be handed back to the machine when all of `records` are committed, or could not be.
    pub continuations: Vec<C>,
    /// Whether `records` may be split over several batches, since each prefix of them is a state that
    /// may stand for ever. Deletions are such.
    pub divisible: bool,
}

impl<R, P, C> Default for Effects<R, P, C> {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            replies: Vec::new(),
            continuations: Vec::new(),
            divisible: false,
        }
    }
}

impl<R, P, C> Effects<R, P, C> {
    /// Answers a kept request, if there is one.
    pub fn reply(&mut self, ticket: Option<Ticket>, reply: P) {
        if let Some(ticket) = ticket {
            self.replies.push((ticket, reply));
        }
    }
}
