//! A claimant who lied, validators who judge, and an auditor outside the set.

use surety_protocol::claim::{Claim, Leaf};
use surety_protocol::evidence::Offence;
use surety_protocol::origin::{Action, Verdict};
use surety_protocol::params::Params;
use surety_protocol::time::Slot;
use surety_slashing::ledger::{Case, LedgerEvent};

use super::{
    Accusation, Certification, Person, Process, World, accusation, announce, certification,
    claim_of, named, record, refusals, statement,
};

pub(crate) struct Trial {
    pub(crate) world: World,
    pub(crate) process: Process,
    pub(crate) claimant: Person,
    pub(crate) judges: Vec<Person>,
    /// Has a balance, and is no operator.
    pub(crate) auditor: Person,
}

impl Trial {
    /// A claimant and this many judges with 500 AO each; nothing is claimed yet.
    pub(crate) fn new(params: Params, judges: u8) -> Trial {
        let claimant = Person::new(1);
        let judges: Vec<Person> = (2..2 + judges).map(Person::new).collect();
        let auditor = Person::new(0x60);
        let mut people: Vec<&Person> = vec![&claimant];
        people.extend(&judges);
        let mut world = World::staked(params, &people);
        let gift = Action::Transfer {
            recipient: auditor.address(),
            quantity: super::ao(100),
        };
        world.act(&judges[0].wallet, gift);
        let process = Process::new(&Person::new(0x61).node, "p", 13);
        Trial {
            world,
            process,
            claimant,
            judges,
            auditor,
        }
    }

    /// Leaves of which that of a slot lies about its result.
    pub(crate) fn lying(&self, size: u64, slot: u64) -> Vec<Leaf> {
        let mut leaves = self.process.leaves(size);
        leaves[usize::try_from(slot).unwrap()].result_root = named("lie");
        leaves
    }

    /// The evidence that the claimant's claim of these leaves, from `first_new` on, is false at a slot.
    pub(crate) fn accuse(&self, leaves: &[Leaf], first_new: u64, slot: u64) -> Accusation {
        let claim = claim_of(&self.world, &self.process, leaves, first_new);
        let said = statement(&claim, &self.claimant);
        let it = accusation(
            &self.world,
            &self.process,
            &self.claimant,
            &said,
            leaves,
            slot,
        );
        announce(
            self.world.ledger.network(),
            &Offence::FalseClaim(Box::new(it)),
            &self.claimant,
            (self.process.id(), Slot(slot)),
            Some(claim.id().unwrap()),
        )
    }

    pub(crate) fn claim(&self, leaves: &[Leaf], first_new: u64) -> Claim {
        claim_of(&self.world, &self.process, leaves, first_new)
    }

    /// Opens a case by the auditor.
    pub(crate) fn open(&mut self, it: &Accusation) {
        let action = Action::Challenge {
            challenge: it.challenge.clone(),
            evidence: None,
        };
        let events = self.world.act(&self.auditor.wallet, action);
        assert!(
            events.contains(&LedgerEvent::Opened {
                case: it.challenge.case(),
                evidence: it.challenge.evidence
            }),
            "{events:?}"
        );
    }

    pub(crate) fn verdict(&self, it: &Accusation, judge: &Person, guilty: bool) -> Action {
        let network = self.world.ledger.network();
        Action::Verdict(Verdict::sign(
            &network,
            it.challenge.case(),
            guilty,
            judge.address(),
            &judge.key,
        ))
    }

    /// One block with the same verdict of these judges.
    pub(crate) fn say(
        &mut self,
        it: &Accusation,
        judges: std::ops::Range<usize>,
        guilty: bool,
    ) -> Vec<LedgerEvent> {
        let mut items = Vec::new();
        for at in judges {
            let verdict = self.verdict(it, &self.judges[at], guilty);
            items.push(self.world.item(&self.judges[at].node, &verdict));
        }
        let events = self.world.block_of(items);
        assert!(refusals(&events).is_empty(), "{events:?}");
        events
    }

    pub(crate) fn case(&self, it: &Accusation) -> &Case {
        self.world.ledger.case(&it.challenge.case()).unwrap()
    }

    /// Certifies a claim by all judges, as soon as enough of their tickets have a say.
    pub(crate) fn certify(&mut self, claim: &Claim) -> Certification {
        self.certify_by(self.judges.len(), claim)
    }

    /// The same by the first of them.
    pub(crate) fn certify_by(&mut self, judges: usize, claim: &Claim) -> Certification {
        let it = certification(&mut self.world, &self.claimant, claim);
        let judges: Vec<&Person> = self.judges.iter().take(judges).collect();
        let action = record(it.by(&self.world, &judges));
        for _ in 0..40 {
            let item = self.world.item(&self.auditor.wallet, &action);
            if refusals(&self.world.block_of(vec![item])).is_empty() {
                return it;
            }
        }
        panic!("all tickets together are enough");
    }

    /// The sizes of the certified segments.
    pub(crate) fn segments(&self) -> Vec<u64> {
        let certified = self.world.ledger.certified(&self.process.id());
        certified.map(|it| it.size).collect()
    }

    /// The size of the settled prefix.
    pub(crate) fn settled(&self) -> Option<u64> {
        let settled = self.world.ledger.settled(&self.process.id());
        settled.map(|it| it.size)
    }
}
