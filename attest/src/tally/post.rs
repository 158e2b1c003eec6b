//! Posting certificates: which are complete, and which of them the ledger would take.

use std::cmp::Reverse;

use serde_bytes::ByteBuf;
use surety_protocol::approval::Approval;
use surety_protocol::bls;
use surety_protocol::certificate::Certificate;
use surety_protocol::facts::BlockFacts;
use surety_protocol::id::{Address, Digest, ProcessId};
use surety_protocol::machine::Outbox;
use surety_protocol::origin::Action;
use surety_protocol::params::Params;
use surety_protocol::sortition::Draw;
use surety_protocol::time::Height;

use super::{FALLBACK_BLOCKS, Key, REPOST_BLOCKS, Tally};
use crate::claims::Claims;
use crate::effect::Effect;

impl Tally {
    /// The claims whose approvals have become more, by process and by where they begin, the longer one first.
    fn due(&mut self, claims: &Claims) -> Vec<(ProcessId, u64, u64, Key)> {
        let fresh = std::mem::take(&mut self.fresh).into_iter();
        let of = |key: Key| {
            let body = &claims.any(&key.0)?.statement.claim;
            Some((body.process, body.first_new, body.size, key))
        };
        let mut due: Vec<_> = fresh.filter_map(of).collect();
        due.sort_by_key(|(process, first_new, size, _)| (*process, *first_new, Reverse(*size)));
        due
    }

    /// Posts every certificate that has become complete (rule TA-2), and what the ledger should know of lies (rule TA-5).
    pub fn post(&mut self, claims: &Claims, out: &mut Outbox<Effect>) {
        let height = self.height;
        self.lies.tell(&self.operator, height, out);
        for (process, first_new, size, key) in &self.due(claims) {
            let Some(count) = self.counts.get_mut(key) else {
                continue;
            };
            let (claim, committed) = key;
            let seeded = committed.plus(self.params.seed_delay_blocks);
            let Some(facts) = self.facts.get(&seeded) else {
                continue;
            };
            // [TA-7]
            let certified = self.sizes.get(process).copied().unwrap_or(0);
            let reach = self.reach.entry(*process).or_insert(certified);
            if *first_new != *reach || count.certified.is_some() {
                continue;
            }
            if count
                .posted
                .is_some_and(|at| height.since(at) < REPOST_BLOCKS)
            {
                *reach = *size;
                continue;
            }
            // Whoever committed it in that block; who fell has nobody's word.
            let all = (*committed, Address::default())..=(*committed, Address::new([u8::MAX; 32]));
            let committers = self.roots.range(all).filter(|((_, claimant), root)| {
                !self.tombstoned.contains(claimant)
                    && claims.signed_by(claim, claimant).is_some()
                    && claims.batch(root).is_some_and(|it| it.holds(claim))
            });
            let enough = |claimant: &Address| {
                let others = |it: &&Approval| it.verifier != *claimant;
                let pool: Vec<&Approval> = count.approvals.values().filter(others).collect();
                let params = &self.params;
                suffices(claimant, *committed, &pool, facts, params, height).then_some(pool)
            };
            let found = committers
                .filter_map(|((_, claimant), root)| Some((claimant, root, enough(claimant)?)));
            let mut found: Vec<_> = found.collect();
            if found.is_empty() {
                continue;
            }
            // [TA-8]
            found.sort_by_key(|(claimant, ..)| **claimant != self.operator);
            let turn = count.posts.checked_rem(found.len()).unwrap_or(0);
            found.rotate_left(turn);
            let reached = *count.reached.get_or_insert(height);
            let ours = claims.signed_by(claim, &self.operator).is_some();
            if !ours && height.since(reached) < FALLBACK_BLOCKS {
                continue;
            }
            // To add up signatures is dear: nobody does who does not post them.
            let certificate = found.into_iter().find_map(|(claimant, root, pool)| {
                assemble(key, claimant, &pool, facts, root, claims)
            });
            if let Some(certificate) = certificate {
                count.posted = Some(height);
                count.posts = count.posts.saturating_add(1);
                *reach = *size;
                out.push(Effect::Submit(Action::Certificate(Box::new(certificate))));
            }
        }
    }
}

/// Whether the tickets of those who approved are enough for the next block.
fn suffices(
    claimant: &Address,
    committed: Height,
    pool: &[&Approval],
    facts: &BlockFacts,
    params: &Params,
    height: Height,
) -> bool {
    let seeded = committed.plus(params.seed_delay_blocks);
    // The certificate is judged in the next block at the earliest.
    let tranche = height
        .next()
        .since(seeded)
        .checked_div(params.tranche_blocks)
        .unwrap_or(0);
    let draw = Draw::new(params.k, facts.validators.tickets_without(&[*claimant]));
    let tickets = pool.iter().fold(0_u64, |sum, it| {
        let held = facts
            .validators
            .get(&it.verifier)
            .map_or(0, |validator| validator.tickets);
        sum.saturating_add(draw.tickets(&it.sortition, held, tranche))
    });
    tickets >= draw.needed_at(tranche)
}

/// The certificate of a claim with these approvals.
fn assemble(
    (claim, committed): &Key,
    claimant: &Address,
    pool: &[&Approval],
    facts: &BlockFacts,
    root: &Digest,
    claims: &Claims,
) -> Option<Certificate> {
    let batch = claims.batch(root)?;
    let verifiers: Vec<Address> = pool.iter().map(|it| it.verifier).collect();
    let approvals: Vec<_> = pool.iter().map(|it| it.signature).collect();
    // The set is sorted by address, as these are: proofs and bits are in one order.
    let statement = &claims.signed_by(claim, claimant)?.statement;
    Some(Certificate {
        claim: statement.claim.clone(),
        claimant: *claimant,
        signature: statement.signature,
        committed: *committed,
        inclusion: batch.prove(claim)?,
        approvers: ByteBuf::from(facts.validators.bitfield(&verifiers)?),
        sortition: pool.iter().map(|it| it.sortition).collect(),
        approvals: bls::aggregate(&approvals)?,
    })
}
