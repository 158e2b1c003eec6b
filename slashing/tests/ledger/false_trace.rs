//! False trace proofs: what is executed, what the outcome proves, and what it costs (rules E-40 to E-42).

use serde_bytes::ByteBuf;
use surety_protocol::claim::{Claim, Leaf};
use surety_protocol::codec;
use surety_protocol::evidence::{Evidence, FalseTrace, Offence, OffenceKind};
use surety_protocol::execution::Execution;
use surety_protocol::id::Digest;
use surety_protocol::time::Slot;
use surety_protocol::trace::{self, TraceProof};
use surety_slashing::evidence::{self, Finding, Proven, Refused};
use surety_slashing::ledger::CaseState;

use crate::support::{
    Accusation, Person, Process, Trial, accusation, announce, ao, history, honest, named, params,
    statement,
};

/// A true claim of eight leaves, of which this seed draws one.
struct Setting {
    trial: Trial,
    claim: Claim,
    leaves: Vec<Leaf>,
    seed: Digest,
    slot: Slot,
}

fn setting() -> Setting {
    let trial = Trial::new(params(), 4);
    let leaves = trial.process.leaves(8);
    let claim = trial.claim(&leaves, 0);
    let seed = named("seed");
    let slot = trace::slot(&seed, claim.first_new, claim.size).unwrap();
    Setting {
        trial,
        claim,
        leaves,
        seed,
        slot,
    }
}

impl Setting {
    /// What a verifier shows who has executed a step.
    fn proof(&self, verifier: &Person, slot: Slot) -> TraceProof {
        let traced = |key| Process::trace(slot.0, &key);
        let common = traced(trace::common_key(&self.seed));
        let own = traced(trace::own_key(&self.seed, &verifier.address()));
        let signature = verifier.key.sign(&trace::signing_digest(&common));
        let proof = TraceProof {
            signature,
            own,
            binding: ByteBuf::new(),
        };
        self.bound(verifier, &proof)
    }

    /// The same, bound by its verifier.
    fn bound(&self, verifier: &Person, proof: &TraceProof) -> TraceProof {
        let (id, by) = (self.claim.id().unwrap(), verifier.address());
        let says = trace::binding(&id, &self.seed, &by, &proof.signature, &proof.own);
        let item = verifier.node.sign_item(&trace::binding_draft(&says));
        TraceProof {
            binding: ByteBuf::from(item.unwrap().bytes()),
            ..proof.clone()
        }
    }

    /// What is said against a verifier who has shown this, with the stretch up to a slot.
    fn against(&self, verifier: &Person, proof: &TraceProof, slot: Slot) -> FalseTrace {
        let said = statement(&self.claim, &self.trial.claimant);
        let world = &self.trial.world;
        let of = accusation(
            world,
            &self.trial.process,
            &self.trial.claimant,
            &said,
            &self.leaves,
            slot.0,
        );
        FalseTrace {
            claim: self.claim.clone(),
            seed: self.seed,
            proof: proof.clone(),
            registration: ByteBuf::from(world.registrations[&verifier.address()].clone()),
            stretch: of.stretch,
        }
    }

    fn judge_by(
        &self,
        it: FalseTrace,
        execute: impl FnOnce(&surety_protocol::execution::ExecutionRequest) -> Execution,
    ) -> Result<Proven, Refused> {
        let offence = Offence::FalseTrace(Box::new(it));
        let evidence = Evidence::new(self.trial.world.ledger.network(), &offence).unwrap();
        evidence::judge(&codec::encode(&evidence).unwrap(), execute)
    }

    fn judge(&self, it: FalseTrace) -> Result<Proven, Refused> {
        self.judge_by(it, honest)
    }

    fn verdict(&self, verifier: &Person, proof: &TraceProof) -> Result<Proven, Refused> {
        self.judge(self.against(verifier, proof, self.slot))
    }
}

#[test]
fn whoever_has_executed_is_innocent_and_whoever_has_not_is_guilty() {
    let it = setting();
    let [one, other] = [&it.trial.judges[0], &it.trial.judges[1]];
    let honest = it.proof(one, it.slot);
    assert_eq!(it.verdict(one, &honest), Err(Refused::Innocent));
    let theirs = it.proof(other, it.slot);
    let elsewhere = Slot((it.slot.0 + 1) % 8);
    let guilty = [
        // Of another step.
        it.proof(one, elsewhere),
        // Copied from somebody who has executed it: each half, and both.
        it.bound(
            one,
            &TraceProof {
                signature: theirs.signature,
                ..honest.clone()
            },
        ),
        it.bound(
            one,
            &TraceProof {
                own: theirs.own,
                ..honest.clone()
            },
        ),
        it.bound(one, &theirs),
        // A signature that is none.
        it.bound(
            one,
            &TraceProof {
                signature: one.key.sign(&named("nothing")),
                ..honest.clone()
            },
        ),
    ];
    for proof in guilty {
        let proven = it.verdict(one, &proof).unwrap();
        assert_eq!(
            (proven.kind, proven.finding),
            (OffenceKind::FalseTrace, Finding::Trace)
        );
        assert_eq!((proven.offender, proven.slot), (one.address(), it.slot));
        assert_eq!((proven.process, proven.claim), (it.claim.process, None));
    }
}

#[test]
fn nobody_is_accused_of_what_it_has_not_bound() {
    let it = setting();
    let [one, other] = [&it.trial.judges[0], &it.trial.judges[1]];
    let lazy = it.proof(one, Slot((it.slot.0 + 1) % 8));
    let good = it.against(one, &lazy, it.slot);
    assert!(it.judge(good.clone()).is_ok());
    let with = |change: &dyn Fn(&mut FalseTrace)| {
        let mut it = good.clone();
        change(&mut it);
        it
    };
    let theirs = it.trial.world.registrations[&other.address()].clone();
    let unbound = [
        with(&|it| it.proof.own = named("another")),
        with(&|it| it.proof.signature = other.key.sign(&named("another"))),
        with(&|it| it.seed = named("another seed")),
        with(&|it| it.claim.fork = 1),
        with(&|it| it.claim.size = 7),
        with(&|it| it.proof.binding = ByteBuf::new()),
        with(&|it| it.proof.binding[10] ^= 1),
        with(&|it| it.registration = ByteBuf::from(theirs.clone())),
        // Bound by somebody else, in its name.
        with(&|it| {
            let says = surety_protocol::item::Item::parse(it.proof.binding.as_slice()).unwrap();
            let draft = trace::binding_draft(&Digest::try_from(says.data()).unwrap());
            it.proof.binding = ByteBuf::from(other.node.sign_item(&draft).unwrap().bytes());
        }),
    ];
    for altered in unbound {
        assert_eq!(it.judge(altered), Err(Refused::Signature));
    }
    // With words of its own around it, it would be something else too.
    let item = surety_protocol::item::Item::parse(lazy.binding.as_slice()).unwrap();
    let says = Digest::try_from(item.data()).unwrap();
    let mut draft = trace::binding_draft(&says);
    draft.tags.push(("Action".into(), "Withdraw".into()));
    let tagged = one.node.sign_item(&draft).unwrap();
    let tagged = with(&|it| it.proof.binding = ByteBuf::from(tagged.bytes()));
    assert_eq!(it.judge(tagged), Err(Refused::Signature));
}

#[test]
fn only_the_step_that_was_drawn_counts_and_only_in_the_claims_history() {
    let it = setting();
    let one = &it.trial.judges[0];
    let honest_proof = it.proof(one, it.slot);
    for slot in (0..8).map(Slot).filter(|slot| *slot != it.slot) {
        let elsewhere = it.judge(it.against(one, &honest_proof, slot));
        assert!(matches!(elsewhere, Err(Refused::Inconsistent(_))), "{slot}");
    }
    let mut altered = it.against(one, &honest_proof, it.slot);
    altered.stretch.leaves.last_mut().unwrap().gas += 1;
    assert_eq!(it.judge(altered), Err(Refused::History));
    let mut altered = it.against(one, &honest_proof, it.slot);
    altered.stretch.path = history(&it.leaves).prove_many(&[0, 1], 8).unwrap();
    assert_eq!(it.judge(altered), Err(Refused::History));
    // Who could not execute has seen nothing.
    let untraced = it.judge_by(it.against(one, &honest_proof, it.slot), |request| {
        let mut request = request.clone();
        request.traced.clear();
        honest(&request)
    });
    assert!(matches!(untraced, Err(Refused::Execution(_))));
    let abstained = it.judge_by(it.against(one, &honest_proof, it.slot), |_| {
        Execution::Abstained("why".into())
    });
    assert_eq!(abstained, Err(Refused::Abstained("why".into())));
}

#[test]
fn its_verifier_loses_its_stake_and_the_claim_stands() {
    let mut it = setting();
    it.trial.certify(&it.claim);
    assert_eq!(it.trial.segments(), [8]);
    let lazy = &it.trial.judges[0];
    let proof = it.proof(lazy, Slot((it.slot.0 + 1) % 8));
    let offence = Offence::FalseTrace(Box::new(it.against(lazy, &proof, it.slot)));
    let accusation: Accusation = announce(
        it.trial.world.ledger.network(),
        &offence,
        lazy,
        (it.claim.process, it.slot),
        None,
    );
    let lazy = Person::new(2);
    it.trial.open(&accusation);
    it.trial.say(&accusation, 1..4, true);
    assert_eq!(it.trial.case(&accusation).state, CaseState::Guilty);
    assert_eq!(it.trial.world.bonded(&lazy), ao(0));
    assert_eq!(it.trial.segments(), [8]);
    let id = it.claim.id().unwrap();
    assert!(!it.trial.world.ledger.is_proven_false(&id));
    assert_eq!(it.trial.world.bonded(&it.trial.claimant), ao(500));
}
