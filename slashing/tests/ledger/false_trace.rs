//! False trace proofs: what is executed, what the outcome proves, and what it costs (rules E-40 to E-42).

use serde_bytes::ByteBuf;
use surety_protocol::claim::{Claim, Leaf};
use surety_protocol::codec;
use surety_protocol::evidence::{Evidence, FalseTrace, Offence, OffenceKind};
use surety_protocol::execution::Execution;
use surety_protocol::id::Digest;
use surety_protocol::item::ItemDraft;
use surety_protocol::origin::{Action, Challenge};
use surety_protocol::time::Slot;
use surety_protocol::trace::{self, TraceProof};
use surety_slashing::evidence::{self, Finding, Proven, Refused};
use surety_slashing::ledger::{CaseState, ItemRefused};

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
        let verifier_key = (&by, verifier.key.public_key());
        let says = trace::binding(&id, &self.seed, verifier_key, &proof.signature, &proof.own);
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

/// Whoever rotates its keys has signed with those of then: no registration but that one goes with the proof.
#[test]
fn another_registration_of_the_same_operator_convicts_nobody() {
    let mut it = setting();
    let one = Person::new(2);
    let honest_proof = it.proof(&one, it.slot);
    let lazy = it.proof(&one, Slot((it.slot.0 + 1) % 8));
    let before = [
        it.against(&one, &honest_proof, it.slot),
        it.against(&one, &lazy, it.slot),
    ];
    // The same wallet and data-item key, and the hot key of nobody yet.
    let rotated = Person {
        key: Person::new(0x33).key,
        ..Person::new(2)
    };
    let registered = it.trial.world.register(&rotated);
    let after = before.clone().map(|accused| FalseTrace {
        registration: ByteBuf::from(registered.clone()),
        ..accused
    });
    let refused = it.trial.world.block_of(vec![registered]);
    assert!(crate::support::refusals(&refused).is_empty());
    assert_eq!(it.judge(before[0].clone()), Err(Refused::Innocent));
    assert!(it.judge(before[1].clone()).is_ok());
    for accused in after {
        assert_eq!(it.judge(accused), Err(Refused::Signature));
    }
}

/// Rule E-32: a claimant who puts an input of its own into the leaves before others' steps makes nobody's proof false.
#[test]
fn inputs_that_the_scheduler_has_not_signed_are_not_executed() {
    let mut it = setting();
    let one = Person::new(2);
    let proof = it.proof(&one, it.slot);
    let at = usize::try_from(it.slot.0).unwrap();
    let signed = &it.trial.process.inputs[at].0;
    let tags = signed
        .tags()
        .map(|(name, value)| (name.into(), value.into()));
    let draft = ItemDraft {
        target: signed.target().copied(),
        anchor: signed.anchor().copied(),
        tags: tags.collect(),
        data: signed.data().to_vec(),
    };
    let forged = it.trial.claimant.node.sign_item(&draft).unwrap();
    it.leaves[at].assignment = forged.id().into();
    it.trial.process.inputs[at].0 = forged;
    it.claim = it.trial.claim(&it.leaves, 0);
    let proof = it.bound(&one, &proof);
    let refused = it.verdict(&one, &proof);
    let inconsistent = Refused::Inconsistent("an assignment is not the scheduler's");
    assert_eq!(refused, Err(inconsistent));
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
    // [L-37] With the next one nothing is to be had.
    let other = Challenge {
        evidence: named("another file").into(),
        slot: Slot((it.slot.0 + 1) % 8),
        ..accusation.challenge
    };
    let action = Action::Challenge {
        challenge: other,
        evidence: None,
    };
    let refused = it.trial.world.refused(&it.trial.auditor.wallet, action);
    assert_eq!(refused, ItemRefused::Tombstoned);
}

#[test]
fn one_operator_does_not_fill_the_court() {
    let mut it = setting();
    let lazy = Person::new(2);
    let proof = it.proof(&lazy, Slot((it.slot.0 + 1) % 8));
    let offence = Offence::FalseTrace(Box::new(it.against(&lazy, &proof, it.slot)));
    let accusation = announce(
        it.trial.world.ledger.network(),
        &offence,
        &lazy,
        (it.claim.process, it.slot),
        None,
    );
    let another = |number: u64| Action::Challenge {
        challenge: Challenge {
            evidence: named(&format!("file {number}")).into(),
            ..accusation.challenge.clone()
        },
        evidence: None,
    };
    let wallet = &it.trial.auditor.wallet;
    let items = (0..17).map(|number| it.trial.world.item(wallet, &another(number)));
    let items = items.collect();
    let refused = crate::support::refusals(&it.trial.world.block_of(items));
    assert_eq!(refused, [ItemRefused::TooMany]);
    // Of a lie somebody can be accused all the same.
    let lie = it.trial.accuse(&it.trial.lying(8, 6), 0, 6);
    it.trial.open(&lie);
}
