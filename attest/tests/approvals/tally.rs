//! Approvals become a certificate, whoever passes them on and however.

use std::sync::Arc;

use serde_bytes::ByteBuf;
use surety_attest::claims::Claims;
use surety_attest::effect::Effect;
use surety_attest::tally::{Admitted, Tally};
use surety_protocol::approval::{Approval, ClaimBatch};
use surety_protocol::certificate::{Certificate, Grounds};
use surety_protocol::id::{Address, ClaimId, Digest};
use surety_protocol::item::Item;
use surety_protocol::machine::Outbox;
use surety_protocol::origin::Action;
use surety_protocol::params::Params;
use surety_protocol::time::Height;
use surety_protocol::trace::{self, TraceProof};
use surety_protocol::validators::ValidatorSet;

use super::network::{
    COMMITTED, VERIFIERS, approval, approval_from, beacon, claim_from, facts, item_key, key,
    operator, params, validators,
};

/// The tally of operator 0.
struct Unit {
    tally: Tally,
    claims: Claims,
    params: Params,
    validators: Arc<ValidatorSet>,
    claim: ClaimId,
    root: Digest,
    height: Height,
}

impl Unit {
    fn new() -> Unit {
        Unit::claiming(1)
    }

    /// So many claims, each of one leaf.
    fn claiming(count: u64) -> Unit {
        let mut claims = Claims::default();
        let mut ids = Vec::new();
        for first_new in 0..count {
            let signed = claim_from(0, first_new);
            ids.push(signed.statement.claim.id().unwrap());
            assert!(claims.insert(signed));
        }
        let id = ids[0];
        ids.sort();
        let batch = ClaimBatch {
            claimant: operator(0),
            claims: ids,
        };
        let root = batch.root();
        assert!(claims.insert_batch(batch));
        Unit {
            tally: Tally::new(operator(0), params()),
            claims,
            params: params(),
            validators: validators(),
            claim: id,
            root,
            height: COMMITTED.minus(1),
        }
    }

    /// The next block; gives the certificates that are posted with it.
    fn block(&mut self, committed: Vec<(Address, Digest)>) -> Vec<Certificate> {
        self.height = self.height.next();
        let facts = facts(self.height, committed);
        let mut out = Outbox::default();
        for (approval, peer) in self.tally.block(&facts, &self.claims, &mut out) {
            self.hear(approval, peer);
        }
        self.tally.post(&self.claims, &mut out);
        let posted = out.drain().into_iter().map(|effect| match effect {
            Effect::Submit(Action::Certificate(it)) => *it,
            other => panic!("{other:?}"),
        });
        posted.collect()
    }

    /// The block that commits the claim; another operator commits something else in it.
    fn committed(&mut self) {
        let other = Digest::new([9; 32]);
        let committed = vec![(operator(0), self.root), (operator(1), other)];
        assert!(self.block(committed).is_empty());
    }

    /// Blocks until the claim is committed and drawn.
    fn drawn(&mut self) {
        self.committed();
        for _ in 0..self.params.seed_delay_blocks {
            assert!(self.block(Vec::new()).is_empty());
        }
    }

    /// Hears an approval as a node does whose signatures all hold.
    fn hear(&mut self, approval: Approval, peer: Option<Digest>) -> Admitted {
        let admitted = self.tally.admit(&approval, &self.claims);
        match &admitted {
            Admitted::Checking(..) => drop(self.tally.count(approval)),
            Admitted::Early => self.tally.wait(approval, peer),
            _ => {}
        }
        admitted
    }

    fn approvals() -> Vec<Approval> {
        (2..2 + VERIFIERS).map(approval).collect()
    }

    /// Blocks until there is a certificate, which holds.
    fn certified(&mut self) {
        let posted = (0..20).find_map(|_| self.block(Vec::new()).pop());
        let certificate = posted.expect("a certificate");
        assert_eq!(certificate.claimant, operator(0));
        let claimant = key(0);
        let grounds = Grounds {
            digest_root: &self.root,
            claimant_key: claimant.public_key(),
            beacon: &beacon(COMMITTED.plus(self.params.seed_delay_blocks)),
            validators: &self.validators,
            params: &self.params,
            height: self.height.next(),
        };
        certificate.check(grounds).unwrap();
    }
}

#[test]
fn enough_approvals_are_posted_as_one_certificate() {
    let mut unit = Unit::new();
    unit.drawn();
    for approval in Unit::approvals() {
        assert!(matches!(
            unit.hear(approval.clone(), None),
            Admitted::Checking(..)
        ));
        assert_eq!(unit.hear(approval, None), Admitted::Nothing);
    }
    unit.certified();
    assert!(unit.block(Vec::new()).is_empty());
}

/// Rule TA-7.
#[test]
fn what_has_waited_is_posted_in_one_block_and_again_if_none_carries_it() {
    let mut unit = Unit::claiming(4);
    unit.drawn();
    for _ in 0..20 {
        assert!(unit.block(Vec::new()).is_empty());
    }
    // The third is not approved yet; the last has to wait for it.
    for first_new in [3, 1, 0] {
        for verifier in 2..2 + VERIFIERS {
            unit.hear(approval_from(verifier, first_new), None);
        }
    }
    let begins = |posted: Vec<Certificate>| -> Vec<u64> {
        posted.iter().map(|it| it.claim.first_new).collect()
    };
    assert_eq!(begins(unit.block(Vec::new())), [0, 1]);
    assert!(unit.block(Vec::new()).is_empty());
    for verifier in 2..2 + VERIFIERS {
        unit.hear(approval_from(verifier, 2), None);
    }
    assert_eq!(begins(unit.block(Vec::new())), [2, 3]);
    let again: Vec<Vec<u64>> = (0..6).map(|_| begins(unit.block(Vec::new()))).collect();
    assert_eq!(again.concat(), [0, 1, 2, 3]);
}

/// The name of the claimant is not signed: a stranger may put another there that committed in the same block.
#[test]
fn an_approval_that_is_passed_on_with_another_claimants_name_is_not_lost() {
    let mut unit = Unit::new();
    unit.drawn();
    for approval in Unit::approvals() {
        let relabelled = Approval {
            claimant: operator(1),
            ..approval.clone()
        };
        // What that one committed is not here, and need not be: the honest one comes second.
        assert_eq!(unit.hear(relabelled.clone(), None), Admitted::Early);
        assert!(matches!(unit.hear(approval, None), Admitted::Checking(..)));
        assert_eq!(unit.hear(relabelled, None), Admitted::Nothing);
    }
    unit.certified();
}

/// One claim would else be counted anew for every block in which anything was committed.
#[test]
fn an_approval_counts_for_a_block_that_committed_the_claim() {
    let mut unit = Unit::new();
    let other = ClaimBatch {
        claimant: operator(1),
        claims: vec![ClaimId::new([8; 32])],
    };
    let root = other.root();
    assert!(unit.claims.insert_batch(other));
    unit.block(vec![(operator(0), unit.root), (operator(1), root)]);
    for _ in 0..unit.params.seed_delay_blocks {
        unit.block(Vec::new());
    }
    let honest = approval(2);
    let relabelled = Approval {
        claimant: operator(1),
        ..honest.clone()
    };
    assert_eq!(unit.hear(relabelled, None), Admitted::Nothing);
    assert!(matches!(unit.hear(honest, None), Admitted::Checking(..)));
}

/// The ledger refuses what names a claimant who has replaced its key since: the next attempt names another one.
#[test]
fn every_attempt_to_post_names_another_claimant() {
    let mut unit = Unit::new();
    assert!(unit.claims.insert(claim_from(1, 0)));
    // Neither of those who signed.
    unit.tally = Tally::new(operator(9), params());
    let committed = vec![(operator(0), unit.root), (operator(1), unit.root)];
    unit.block(committed);
    for _ in 0..unit.params.seed_delay_blocks {
        unit.block(Vec::new());
    }
    for approval in Unit::approvals() {
        unit.hear(approval, None);
    }
    let posted = (0..30).flat_map(|_| unit.block(Vec::new()));
    let named: Vec<_> = posted.map(|it| it.claimant).collect();
    assert_eq!(named[..3], [operator(0), operator(1), operator(0)]);
    // Who has signed it itself names itself first.
    unit.tally = Tally::new(operator(1), params());
    unit.height = COMMITTED.minus(1);
    unit.block(vec![(operator(0), unit.root), (operator(1), unit.root)]);
    for _ in 0..unit.params.seed_delay_blocks {
        unit.block(Vec::new());
    }
    for approval in Unit::approvals() {
        unit.hear(approval, None);
    }
    let posted = (0..30).find_map(|_| unit.block(Vec::new()).pop());
    assert_eq!(posted.map(|it| it.claimant), Some(operator(1)));
}

#[test]
fn what_was_not_committed_then_or_by_the_verifier_itself_is_not_verified() {
    let mut unit = Unit::new();
    unit.drawn();
    let honest = approval(2);
    let nobody = Approval {
        claimant: operator(3),
        ..honest.clone()
    };
    assert_eq!(unit.hear(nobody, None), Admitted::Nothing);
    let itself = Approval {
        verifier: operator(0),
        ..honest.clone()
    };
    assert_eq!(unit.hear(itself, None), Admitted::Refused);
    let stranger = Approval {
        verifier: operator(77),
        ..honest
    };
    assert_eq!(unit.hear(stranger, None), Admitted::Refused);
}

/// Rule TP-5: what stands beside an approval is its verifier's own word, whoever passes it on.
#[test]
fn a_trace_proof_that_its_verifier_has_not_bound_is_refused() {
    let mut unit = Unit::new();
    unit.drawn();
    let (honest, other) = (approval(2), approval(3));
    let with = |change: &dyn Fn(&mut TraceProof)| {
        let mut altered = honest.clone();
        change(&mut altered.trace);
        altered
    };
    let cases = [
        with(&|it| it.own = Digest::new([12; 32])),
        with(&|it| it.signature = other.trace.signature),
        with(&|it| it.binding = other.trace.binding.clone()),
        with(&|it| *it = other.trace.clone()),
        with(&|it| it.binding.truncate(100)),
        with(&|it| it.binding.push(0)),
        // Bound, but by a key that is not the verifier's.
        with(&|it| {
            let item = Item::parse(it.binding.as_slice()).unwrap();
            let draft = trace::binding_draft(&Digest::try_from(item.data()).unwrap());
            it.binding = ByteBuf::from(item_key(9).sign_item(&draft).unwrap().bytes());
        }),
    ];
    for altered in cases {
        assert_eq!(unit.hear(altered, None), Admitted::Refused);
    }
    assert!(matches!(unit.hear(honest, None), Admitted::Checking(..)));
}

/// Rule TA-6.
#[test]
fn an_approval_that_was_discredited_counts_no_more() {
    let mut unit = Unit::new();
    unit.drawn();
    let approvals = Unit::approvals();
    for approval in approvals.clone() {
        unit.hear(approval, None);
    }
    let kept = |unit: &Unit| unit.tally.approvals(unit.claim, COMMITTED).len();
    assert_eq!(kept(&unit), approvals.len());
    for approval in &approvals {
        unit.tally.discredit(approval);
        assert_eq!(unit.hear(approval.clone(), None), Admitted::Nothing);
    }
    assert_eq!(kept(&unit), 0);
    for _ in 0..20 {
        assert!(unit.block(Vec::new()).is_empty());
    }
}

/// Who brings thousands of early ones takes the room of its own, and none of others.
#[test]
fn early_approvals_wait_whatever_one_peer_brings() {
    let mut unit = Unit::new();
    let (honest, flood) = (Digest::new([1; 32]), Digest::new([2; 32]));
    for approval in Unit::approvals() {
        assert_eq!(unit.hear(approval, Some(honest)), Admitted::Early);
    }
    let made_up = approval(2);
    for number in 0..5_000_u64 {
        let mut claim = [8; 32];
        claim[..8].copy_from_slice(&number.to_be_bytes());
        let made_up = Approval {
            claim: ClaimId::new(claim),
            ..made_up.clone()
        };
        assert_eq!(unit.hear(made_up, Some(flood)), Admitted::Early);
    }
    unit.committed();
    unit.certified();
}
