//! Certificates against a validator set and a beacon made by hand (rules CE-1 to CE-3).

use serde_bytes::ByteBuf;
use surety_protocol::approval::{self, ClaimBatch};
use surety_protocol::bls::aggregate;
use surety_protocol::certificate::{Certificate, CertificateError, Grounds};
use surety_protocol::claim::Claim;
use surety_protocol::id::{Address, Digest};
use surety_protocol::params::Params;
use surety_protocol::sortition::{self, Draw};
use surety_protocol::stake::Stake;
use surety_protocol::time::Height;
use surety_protocol::validators::{Validator, ValidatorSet};

use crate::objects::{address, batch, key, named, signed_claim};

const CLAIMANT: u8 = 1;

struct Setting {
    claim: Claim,
    batch: ClaimBatch,
    validators: ValidatorSet,
    params: Params,
    beacon: Digest,
}

/// Nine validators, of which the first claims, with `tickets` each.
fn setting(tickets: u64, k: u64) -> Setting {
    let claim = signed_claim(2, 6).statement.claim;
    let mut batch = batch();
    batch.claims.push(claim.id().unwrap());
    batch.claims.sort();
    let validators = (1..=9).map(|number| Validator {
        operator: address(number),
        key: *key(number).public_key(),
        item_key: address(number + 100),
        stake: Stake::from_ao(tickets),
        tickets,
    });
    Setting {
        claim,
        batch,
        validators: ValidatorSet::new(validators.collect()),
        params: Params {
            k,
            tranche_blocks: 2,
            ..Params::devnet()
        },
        beacon: named("beacon"),
    }
}

impl Setting {
    fn certificate(&self, approvers: &[u8]) -> Certificate {
        let id = self.claim.id().unwrap();
        let seed = sortition::seed(&self.beacon, &self.claim.process, self.claim.first_new);
        let addresses: Vec<Address> = approvers.iter().map(|it| address(*it)).collect();
        let digest = approval::signing_digest(&id);
        let approvals: Vec<_> = approvers.iter().map(|it| key(*it).sign(&digest)).collect();
        Certificate {
            claim: self.claim.clone(),
            claimant: address(CLAIMANT),
            signature: key(CLAIMANT).sign(&surety_protocol::claim::signing_digest(&id)),
            committed: Height(10),
            inclusion: self.batch.prove(&id).unwrap(),
            approvers: ByteBuf::from(self.validators.bitfield(&addresses).unwrap()),
            sortition: approvers
                .iter()
                .map(|it| sortition::prove(&key(*it), &seed))
                .collect(),
            approvals: aggregate(&approvals).unwrap(),
        }
    }

    /// Checks at a height; the seed's is 12.
    fn check(&self, certificate: &Certificate, height: u64) -> Result<(), CertificateError> {
        certificate
            .check(Grounds {
                digest_root: &self.batch.root(),
                claimant_key: key(CLAIMANT).public_key(),
                beacon: &self.beacon,
                validators: &self.validators,
                params: &self.params,
                height: Height(height),
            })
            .map(drop)
    }
}

const ALL: [u8; 8] = [2, 3, 4, 5, 6, 7, 8, 9];

#[test]
fn it_holds_from_the_block_on_in_which_enough_tickets_have_a_say() {
    let setting = setting(20, 10);
    let certificate = setting.certificate(&ALL);
    let draw = Draw::new(10, 160);
    let tickets = |tranche| -> u64 {
        certificate
            .sortition
            .iter()
            .map(|proof| draw.tickets(proof, 20, tranche))
            .sum()
    };
    let mut outcomes = Vec::new();
    for height in 12..60 {
        let tranche = (height - 12) / 2;
        let needed = draw.needed_at(tranche);
        let expected = match tickets(tranche) {
            enough if enough >= needed => Ok(()),
            tickets => Err(CertificateError::Tickets { tickets, needed }),
        };
        assert_eq!(
            setting.check(&certificate, height),
            expected,
            "height {height}"
        );
        outcomes.push(expected.is_ok());
    }
    // In the end all tickets have a say, and two thirds of them are enough.
    assert_eq!(outcomes.last(), Some(&true));
    // Before its seed no tranche but the first has come.
    assert_eq!(
        setting.check(&certificate, 0),
        setting.check(&certificate, 12)
    );
}

#[test]
fn the_needed_tickets_are_clamped_in_a_small_network() {
    let setting = setting(1, 10);
    // Four of eight at first, whatever `k` says; in the end two thirds of all eight, which then have a say.
    assert_eq!(Draw::new(10, 8).needed_at(0), 4);
    assert_eq!(
        setting.check(&setting.certificate(&ALL[..6]), 1_000),
        Ok(())
    );
    let few = setting.check(&setting.certificate(&ALL[..5]), 1_000);
    assert_eq!(
        few,
        Err(CertificateError::Tickets {
            tickets: 5,
            needed: 6
        })
    );
}

#[test]
fn each_part_is_refused_for_its_own_reason() {
    let setting = setting(1, 10);
    let good = setting.certificate(&ALL);
    let with = |change: &dyn Fn(&mut Certificate)| {
        let mut certificate = good.clone();
        change(&mut certificate);
        setting.check(&certificate, 1_000)
    };
    let approvers = Err(CertificateError::Approvers);
    let not_committed = Err(CertificateError::NotCommitted);
    let signature = Err(CertificateError::Signature);
    assert_eq!(with(&|_| {}), Ok(()));
    assert_eq!(with(&|it| it.claim.fork = 1), not_committed);
    assert_eq!(with(&|it| it.inclusion.index ^= 1), not_committed);
    assert_eq!(with(&|it| _ = it.inclusion.path.pop()), not_committed);
    assert_eq!(with(&|it| _ = it.approvers.pop()), approvers);
    assert_eq!(with(&|it| it.approvers.push(0)), approvers);
    // A validator that is not there; nobody at all; one proof too few or too many.
    assert_eq!(with(&|it| it.approvers[1] |= 2), approvers);
    assert_eq!(
        with(&|it| (it.approvers, it.sortition) = (vec![0, 0].into(), vec![])),
        approvers
    );
    assert_eq!(with(&|it| _ = it.sortition.pop()), approvers);
    assert_eq!(with(&|it| it.sortition.push(it.sortition[0])), approvers);
    // The bits of others than those who signed.
    assert_eq!(
        with(&|it| it.claimant = address(2)),
        Err(CertificateError::SelfApproval)
    );
    let claimant_too = setting.certificate(&[1, 2, 3, 4, 5]);
    assert_eq!(
        setting.check(&claimant_too, 1_000),
        Err(CertificateError::SelfApproval)
    );
    assert_eq!(
        with(&|it| it.signature = key(2).sign(&named("claim"))),
        Err(CertificateError::Claimant)
    );
    let forged = |at: usize| Err(CertificateError::Sortition(address(ALL[at])));
    assert_eq!(
        with(&|it| it.sortition[3] = key(5).sign(&named("seed"))),
        forged(3)
    );
    assert_eq!(with(&|it| it.sortition.swap(2, 6)), forged(2));
    assert_eq!(
        with(&|it| it.approvals = setting.certificate(&ALL[..7]).approvals),
        signature
    );
    let other = aggregate(&ALL.map(|it| key(it).sign(&named("other")))).unwrap();
    assert_eq!(with(&|it| it.approvals = other), signature);
    // The proofs are for one process and its first new leaf.
    let mut later = setting.certificate(&ALL);
    later.claim = signed_claim(0, 6).statement.claim;
    let said = surety_protocol::claim::signing_digest(&later.claim.id().unwrap());
    later.signature = key(CLAIMANT).sign(&said);
    let mut elsewhere = self::setting(1, 10);
    elsewhere.batch.claims = vec![later.claim.id().unwrap()];
    later.inclusion = elsewhere.batch.prove(&elsewhere.batch.claims[0]).unwrap();
    assert_eq!(elsewhere.check(&later, 1_000), forged(0));
    let mut another_beacon = self::setting(1, 10);
    another_beacon.beacon = named("another beacon");
    assert_eq!(another_beacon.check(&good, 1_000), forged(0));
}
