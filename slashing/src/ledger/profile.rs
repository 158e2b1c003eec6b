//! The profiles of the network, and how its operators add one.
//!
//! # Rules
//!
//! - `[L-50]` An operator with active stake says which profile is to hold next, and from which height; its last word counts,
//!   until a profile is added. What rule PR-3 does not allow is refused.
//! - `[L-51]` A profile is added when more than two thirds of the active stake want the same one from the same height, and
//!   that is still `profile_notice_blocks` away. Whoever has to install another program has that long.
//! - `[L-52]` A claim is heard only if the profile that it names is the one that holds at the height that it names, and that
//!   height is at most `profile_notice_blocks` ahead.

use std::sync::Arc;

use surety_protocol::claim::Claim;
use surety_protocol::id::Address;
use surety_protocol::profiles::{Activation, Profiles};
use surety_protocol::stake::{Fraction, Stake};
use surety_protocol::time::Height;

use super::{BlockError, ItemRefused, Ledger, LedgerEvent};

impl Ledger {
    /// The profiles.
    pub fn profiles(&self) -> &Profiles {
        &self.profiles
    }

    /// The profiles, to be kept beside the ledger.
    pub fn profiles_shared(&self) -> Arc<Profiles> {
        Arc::clone(&self.profiles)
    }

    /// What operators want next.
    pub fn profile_votes(&self) -> impl Iterator<Item = (&Address, &Activation)> {
        self.votes.iter()
    }

    /// The greatest stamp of an input whose profile is settled (rule PR-5).
    pub fn horizon(&self) -> Height {
        self.height.plus(self.params.profile_notice_blocks)
    }

    /// Whether a claim names the profile that holds (rule L-52).
    pub fn hears(&self, claim: &Claim) -> bool {
        claim.height <= self.horizon() && self.profiles.at(claim.height).id == claim.profile
    }

    pub(super) fn vote(
        &mut self,
        signer: Address,
        wanted: Activation,
        events: &mut Vec<LedgerEvent>,
    ) -> Result<Result<(), ItemRefused>, BlockError> {
        if !self.operators.contains_key(&signer) {
            return Ok(Err(ItemRefused::NotRegistered));
        }
        if !self.is_active(&signer) {
            return Ok(Err(ItemRefused::NotActive));
        }
        // [L-50], [L-51]
        let mut more = Profiles::clone(&self.profiles);
        if wanted.from < self.horizon() {
            return Ok(Err(ItemRefused::Notice));
        }
        if let Err(why) = more.add(wanted.clone()) {
            return Ok(Err(ItemRefused::Profile(why)));
        }
        self.votes.insert(signer, wanted.clone());
        let (mut agreeing, mut total) = (Stake::ZERO, Stake::ZERO);
        for (address, operator) in self.operators.iter() {
            if !operator.active(&self.params, self.height) {
                continue;
            }
            total = total.plus(operator.bonded)?;
            if self.votes.get(address) == Some(&wanted) {
                agreeing = agreeing.plus(operator.bonded)?;
            }
        }
        if agreeing.exceeds(Fraction::TWO_THIRDS, total)? {
            self.profiles = Arc::new(more);
            self.votes.clear();
            events.push(LedgerEvent::Profile(wanted));
        }
        Ok(Ok(()))
    }
}
