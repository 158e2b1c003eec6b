//! What happens on the stage's ledger: stake, claims, certificates, evidence.

use serde_bytes::ByteBuf;
use surety_attest::effect::Record;
use surety_protocol::approval::{self, ClaimBatch};
use surety_protocol::bls::aggregate;
use surety_protocol::certificate::Certificate;
use surety_protocol::claim::{Claim, Leaf, SignedClaim, Statement};
use surety_protocol::codec;
use surety_protocol::evidence::{ClaimEquivocation, Evidence, Offence};
use surety_protocol::hashpath::Hashpath;
use surety_protocol::history::{Frontier, History};
use surety_protocol::id::ModuleId;
use surety_protocol::origin::{Action, Registration};
use surety_protocol::sortition::{self, Draw};
use surety_protocol::stake::Stake;
use surety_protocol::time::{Height, Slot};

use super::{STAMP, Stage, profile};
use crate::archive::write;
use crate::store::Batch;

impl Stage {
    /// Registers and bonds both.
    pub(in crate::http::tests) fn stake(&mut self) {
        let mut items = Vec::new();
        for person in [&self.alice, &self.bob] {
            let registration = Registration {
                key: *person.hot.public_key(),
                possession: person.hot.prove_possession(),
                item_key: person.node.address(),
                peer: ByteBuf::from(b"not a peer id".to_vec()),
            };
            items.push((&person.wallet, Action::Register(Box::new(registration))));
            items.push((&person.wallet, Action::Bond(Stake::from_ao(500))));
        }
        let items = items.into_iter().map(|(key, action)| {
            let draft = action.draft(&self.ledger.network(), Height(100)).unwrap();
            key.sign_item(&draft).unwrap().bytes().to_vec()
        });
        for item in items.collect::<Vec<_>>() {
            self.proposer.submit(&self.ledger, item).unwrap();
        }
        self.pass(3);
        assert_eq!(self.ledger.validators().len(), 2);
    }

    /// Puts an action on the ledger in a block of its own.
    fn act(&mut self, action: &Action) {
        let expires = self.ledger.height().plus(10);
        let draft = action.draft(&self.ledger.network(), expires).unwrap();
        let item = self.alice.node.sign_item(&draft).unwrap().bytes().to_vec();
        self.proposer.submit(&self.ledger, item).unwrap();
        self.pass(1);
    }

    /// Lets blocks pass; none of their items may be refused.
    pub(in crate::http::tests) fn pass(&mut self, blocks: u64) {
        for _ in 0..blocks {
            let block = self
                .proposer
                .propose(&self.ledger, &self.alice.hot)
                .unwrap();
            let events = self.ledger.apply(&block).unwrap();
            let text = format!("{events:?}");
            assert!(!text.contains("Refused"), "{text}");
            let mut batch = Batch::new();
            write::put_block(&mut batch, &block).unwrap();
            self.archive.write(batch).unwrap();
        }
    }

    /// Alice's claim of the leaves before `size`, the first leaf replaced if it is to be false.
    pub(in crate::http::tests) fn claim(&self, size: u64, truly: bool) -> SignedClaim {
        let (mut leaves, mut head) = (Vec::<Leaf>::new(), Default::default());
        for slot in 0..size {
            let found = self.archive.evaluated(&self.process_id(), Slot(slot));
            let (leaf, after, _) = found.unwrap().unwrap();
            leaves.push(leaf);
            head = after.unwrap();
        }
        if !truly {
            leaves[0].gas += 1;
        }
        let history: History = leaves.iter().map(|leaf| leaf.digest().unwrap()).collect();
        let process = self.process_id();
        let claim = Claim {
            network: self.ledger.network(),
            profile: profile().id().unwrap(),
            height: STAMP,
            module: ModuleId::from(self.module.id()),
            process,
            fork: 0,
            size,
            history_root: history.root(),
            first_new: 0,
            base_root: Frontier::empty().root(),
            hashpath: leaves.iter().fold(Hashpath::start(process), |path, leaf| {
                path.extend(leaf.assignment)
            }),
            head_state_root: head,
        };
        let statement = Statement::sign(claim, self.alice.address(), &self.alice.hot).unwrap();
        let signed = SignedClaim {
            statement,
            frontier: Frontier::empty(),
            leaves,
        };
        signed.check(self.ledger.network()).unwrap();
        self.keep(Record::Claim(Box::new(signed.clone())));
        signed
    }

    /// A file that proves that Alice signed two leaves for slot 0.
    pub(in crate::http::tests) fn equivocation(&mut self) -> Vec<u8> {
        let registration = self
            .archive
            .block(Height(1))
            .unwrap()
            .unwrap()
            .items
            .remove(0);
        let side = |signed: SignedClaim| {
            let leaves = signed.leaves.iter().map(|leaf| leaf.digest().unwrap());
            let path = leaves
                .collect::<History>()
                .prove(0, signed.leaves.len() as u64)
                .unwrap();
            let leaf = signed.leaves[0].clone();
            (signed.statement, (leaf, path))
        };
        let (first, first_leaf) = side(self.claim(2, true));
        let (second, second_leaf) = side(self.claim(2, false));
        let offence = ClaimEquivocation {
            registration,
            first,
            first_leaf,
            second,
            second_leaf,
        };
        let offence = Offence::ClaimEquivocation(Box::new(offence));
        codec::encode(&Evidence::new(self.ledger.network(), &offence).unwrap()).unwrap()
    }

    /// Commits a claim, lets Bob approve it, and records the certificate.
    pub(in crate::http::tests) fn certify(&mut self, signed: &SignedClaim) {
        let claim = signed.statement.claim.clone();
        let id = claim.id().unwrap();
        let batch = ClaimBatch {
            claimant: self.alice.address(),
            claims: vec![id],
        };
        self.act(&Action::Claims(batch.root()));
        let committed = self.ledger.height();
        let seeded = committed.plus(self.ledger.params().seed_delay_blocks);
        self.pass(seeded.since(committed));
        let validators = self.ledger.validators_at(seeded).unwrap();
        let beacon = self.ledger.beacon_at(seeded).unwrap();
        let seed = sortition::seed(beacon, &claim.process, claim.first_new);
        let proof = sortition::prove(&self.bob.hot, &seed);
        // Until enough of Bob's tickets have a say in the next block.
        let params = self.ledger.params().clone();
        let draw = Draw::new(
            params.k,
            validators.tickets_without(&[self.alice.address()]),
        );
        let held = validators.get(&self.bob.address()).unwrap().tickets;
        let enough = |height: Height| {
            let tranche = height.next().since(seeded) / params.tranche_blocks;
            draw.tickets(&proof, held, tranche) >= draw.needed_at(tranche)
        };
        while !enough(self.ledger.height()) {
            self.pass(1);
        }
        let approved = self.bob.hot.sign(&approval::signing_digest(&id));
        let certificate = Certificate {
            claim,
            claimant: self.alice.address(),
            signature: signed.statement.signature,
            committed,
            inclusion: batch.prove(&id).unwrap(),
            approvers: ByteBuf::from(validators.bitfield(&[self.bob.address()]).unwrap()),
            sortition: vec![proof],
            approvals: aggregate(&[approved]).unwrap(),
        };
        self.act(&Action::Certificate(Box::new(certificate)));
    }
}
