//! Following the ledger: blocks come by gossip and by request, in any order, and are applied in theirs.
//!
//! # Rules
//!
//! - `[RL-1]` Blocks ahead of the next are kept, at most [`AHEAD_MAX`] of them, the lowest first; a gap is asked for. Only a
//!   block whose header the proposer signed, with the items of that header, is worth keeping, and it stays the one.
//! - `[RL-2]` A block that does not apply is dropped; the ledger is as before.

use std::collections::BTreeMap;

use surety_protocol::block::{self, Block};
use surety_protocol::time::Height;

use crate::ledger::{BlockError, Ledger, LedgerEvent};

/// Blocks kept ahead of the next one.
pub const AHEAD_MAX: usize = 64;

/// The blocks that wait for those before them.
#[derive(Debug, Default)]
pub struct Replica {
    ahead: BTreeMap<Height, Block>,
    /// The highest block that the proposer is known to have signed.
    known: Height,
}

/// What came of a block.
#[derive(Debug)]
pub enum Followed {
    /// Applied, with all that it made applicable.
    Applied(Vec<(Block, Vec<LedgerEvent>)>),
    /// Waits for those from this height on.
    Gap(Height),
    /// Known already.
    Old,
    /// Not a block of this ledger.
    Refused(BlockError),
}

impl Replica {
    /// Takes a block from anywhere.
    pub fn follow(&mut self, ledger: &mut Ledger, block: Block) -> Followed {
        let next = ledger.height().next();
        let height = block.commit.header.height;
        if height < next {
            return Followed::Old;
        }
        if height > next {
            // It may be another one, which nobody has checked.
            if self.ahead.contains_key(&height) {
                return Followed::Old;
            }
            let items = block.items.iter().map(|item| item.as_slice());
            if block::items_root(items) != block.commit.header.items_root {
                return Followed::Refused(BlockError::Items);
            }
            if block.commit.header.network != ledger.network()
                || !block.commit.signed_by(&ledger.proposer_key())
            {
                return Followed::Refused(BlockError::Signature);
            }
            self.known = self.known.max(height);
            self.ahead.insert(height, block);
            while self.ahead.len() > AHEAD_MAX {
                self.ahead.pop_last();
            }
            return Followed::Gap(next);
        }
        let mut applied = Vec::new();
        match ledger.apply(&block) {
            Ok(events) => applied.push((block, events)),
            Err(error) => return Followed::Refused(error),
        }
        while let Some(block) = self.ahead.remove(&ledger.height().next()) {
            match ledger.apply(&block) {
                Ok(events) => applied.push((block, events)),
                Err(_) => break,
            }
        }
        self.ahead = self.ahead.split_off(&ledger.height().next());
        Followed::Applied(applied)
    }

    /// How many blocks are known to exist and not applied.
    pub fn behind(&self, ledger: &Ledger) -> u64 {
        self.known.since(ledger.height())
    }

    /// The first missing height, if later blocks wait for it.
    pub fn gap(&self, ledger: &Ledger) -> Option<Height> {
        (!self.ahead.is_empty()).then(|| ledger.height().next())
    }
}
