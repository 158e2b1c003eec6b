//! What a claim costs and how long it takes in networks that are too large to be simulated node by node.
//!
//! Everything that decides is the protocol's own: keys, seeds, the lot, tranches, tickets that are needed, parameters, and the
//! bytes of what is sent. What is modelled is the world: nodes somewhere on a globe, linked as gossip links them, who pass a
//! message on along the fastest path; verifiers that take a time to execute, and some that are asleep.

#![allow(
    clippy::indexing_slicing,
    reason = "all lists have one entry for each verifier"
)]

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use serde_bytes::ByteBuf;
use surety_node::core::carried_among;
use surety_node::net::{Subnet, Subnets};
use surety_protocol::approval::Approval;
use surety_protocol::bls::{SecretKey, Signature};
use surety_protocol::claim::{Claim, Leaf, SignedClaim, Statement};
use surety_protocol::codec;
use surety_protocol::hashpath::Hashpath;
use surety_protocol::history::History;
use surety_protocol::id::{Address, AssignmentId, Digest, ModuleId, ProcessId};
use surety_protocol::item::ItemKey;
use surety_protocol::params::Params;
use surety_protocol::sortition::{self, Draw};
use surety_protocol::time::{Height, Slot};
use surety_protocol::trace::{TraceProof, binding_draft};

use crate::random::Random;

/// Links that each node makes in a mesh; it has as many again that others made.
const LINKS: usize = 3;
/// Peers in a subnet to whom one speaks who does not carry it: a quarter of its connections.
const SPOKEN_TO: usize = 4;
/// Leaves of a claim: a stride.
const LEAVES: u64 = 16;
/// The longest way between two places, in microseconds: half around the globe by fibre.
const FARTHEST: u64 = 150_000;
/// What a node takes to pass a message on.
const HOP: u64 = 3_000;
/// What a claimant takes until an approval counts: gathered and verified with others (rule CK-5).
const COUNTING: u64 = 110_000;
/// Blocks after which what is not certified is claimed again, and drawn anew (rules CU-4, VE-7).
const AGAIN: u64 = 24;
/// How often that is followed.
const ATTEMPTS: u64 = 8;

/// A network.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    /// Operators that verify.
    pub verifiers: usize,
    /// Of a hundred so many do nothing.
    pub asleep: u64,
    /// Microseconds that the new leaves of a claim take to execute.
    pub execution: u64,
}

/// What came of one claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outcome {
    /// Microseconds from the claim to the certificate on the ledger, as the claimant sees it; nothing if none came.
    pub certified: Option<u64>,
    /// Verifiers that executed it.
    pub executions: u64,
    /// Bytes that a node receives for it on average: claim, approvals, and the certificate in its block.
    pub bytes: u64,
}

/// A network with its operators and links.
#[derive(Debug)]
pub struct Globe {
    setting: Setting,
    params: Params,
    keys: Keys,
    tickets: Vec<u64>,
    /// Where all hear everything.
    mesh: Mesh,
    /// Where approvals are told, for each subnet.
    subnets: Vec<Mesh>,
    sizes: Sizes,
}

/// Who passes on what is said, and to whom.
#[derive(Debug)]
struct Mesh {
    links: Vec<Vec<(usize, u64)>>,
    carries: Vec<bool>,
}

/// How long messages take, in microseconds.
struct Ways {
    claimant: usize,
    /// To each, which is as long as back.
    from_claimant: Vec<u64>,
    from_proposer: Vec<u64>,
    /// From each to the claimant, in the subnet.
    approving: Vec<u64>,
}

/// The operators' secrets.
struct Keys(Vec<SecretKey>);

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// Bytes on the wire.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    claim: u64,
    approval: u64,
}

impl Globe {
    /// Places operators and links them.
    ///
    /// # Errors
    /// If there are too few to link, or no key can be made.
    pub fn new(setting: Setting, params: Params, random: &mut Random) -> Result<Globe, String> {
        let count = setting.verifiers;
        if count < 2 * LINKS {
            return Err(format!("at least {} verifiers are linked", 2 * LINKS));
        }
        let mut keys = Vec::new();
        let (mut tickets, mut places) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let key = SecretKey::derive_from_seed(&random.bytes()).map_err(|it| it.to_string())?;
            keys.push(key);
            tickets.push(random.between(1, 3));
            places.push((random.below(FARTHEST), random.below(FARTHEST)));
        }
        let mesh = Mesh::new(&places, vec![true; count], random);
        let carried = carried_among(count, Subnet::COUNT);
        let its = |who: usize| Subnets::carried_by(&who.to_be_bytes(), carried);
        let subnets = Subnet::all().map(|subnet| {
            let carries = (0..count).map(|who| its(who).contains(subnet)).collect();
            Mesh::new(&places, carries, random)
        });
        let subnets = subnets.collect();
        let sizes = Sizes::new(&keys[0])?;
        Ok(Globe {
            setting,
            params,
            keys: Keys(keys),
            tickets,
            mesh,
            subnets,
            sizes,
        })
    }

    /// Follows one claim from its signature to its certificate.
    ///
    /// # Errors
    /// If nobody is linked to the claimant.
    pub fn claim(&self, number: u64, random: &mut Random) -> Result<Outcome, String> {
        let count = self.keys.0.len();
        let mut pick = || index(random.below(count as u64));
        let (claimant, proposer) = (pick(), pick());
        let subnet = &self.subnets[index(random.below(self.subnets.len() as u64))];
        let ways = Ways {
            claimant,
            from_claimant: self.mesh.arrivals(claimant),
            from_proposer: self.mesh.arrivals(proposer),
            approving: subnet.arrivals(claimant),
        };
        let reached = |it: &[u64]| !it.contains(&u64::MAX);
        if !reached(&ways.from_claimant) || !reached(&ways.approving) {
            return Err("the network falls apart".into());
        }
        let said = random.below(self.block());
        let awake: Vec<bool> = (0..count)
            .map(|_| !random.percent(self.setting.asleep))
            .collect();
        let (mut end, mut executions, mut bytes) = (None::<u64>, 0, 0);
        for again in 0..ATTEMPTS {
            let said = said + again * AGAIN * self.block();
            if end.is_some_and(|it| it <= said) {
                break;
            }
            let beacon = Digest::new(random.bytes());
            let seed = sortition::seed(&beacon, &ProcessId::default(), number);
            let attempt = self.attempt(&ways, said, &seed, &awake);
            end = end.into_iter().chain(attempt.certified).min();
            executions += attempt.executions;
            bytes += attempt.bytes * self.mesh.copies()
                + attempt.executions * self.sizes.approval * subnet.copies();
        }
        Ok(Outcome {
            certified: end.map(|it| it + ways.from_proposer[claimant] - said),
            executions,
            bytes: bytes / count as u64,
        })
    }

    /// One draw: when the block is made that carries the certificate, and the bytes of what is said to all.
    fn attempt(&self, ways: &Ways, said: u64, seed: &Digest, awake: &[bool]) -> Outcome {
        let (claimant, block) = (ways.claimant, self.block());
        let tranche_blocks = self.params.tranche_blocks;
        // The claim, and at the same time its digest on the way to the proposer.
        let committed = (said + ways.from_proposer[claimant]) / block + 1;
        let seeded = committed + self.params.seed_delay_blocks;
        let eligible: u64 = self.tickets.iter().sum::<u64>() - self.tickets[claimant];
        let draw = Draw::new(self.params.k, eligible);
        let last = AGAIN / tranche_blocks;
        // Who has a say, since when, and when the claimant hears of it.
        let mut voices = Vec::new();
        for verifier in (0..awake.len()).filter(|it| *it != claimant && awake[*it]) {
            let proof = sortition::prove(&self.keys.0[verifier], seed);
            let first = draw.first_tranche(&proof, self.tickets[verifier]);
            let Some(first) = first.filter(|it| *it <= last) else {
                continue;
            };
            let due = (seeded + first * tranche_blocks) * block + ways.from_proposer[verifier];
            let begins = due.max(said + ways.from_claimant[verifier]);
            let heard = begins + self.setting.execution + ways.approving[verifier] + COUNTING;
            voices.push((heard, verifier, begins, proof));
        }
        voices.sort_unstable_by_key(|(heard, verifier, ..)| (*heard, *verifier));
        // Whenever an approval is heard or a tranche comes, it may be enough (rules TA-2, SO-6).
        let delay = ways.from_proposer[claimant];
        let tranches = (0..=last).map(|it| (seeded + it * tranche_blocks) * block + delay);
        let mut moments: Vec<u64> = voices.iter().map(|it| it.0).chain(tranches).collect();
        moments.sort_unstable();
        let enough = moments.into_iter().find(|now| {
            if now.saturating_sub(delay) / block < seeded {
                return false;
            }
            // The certificate is judged in the block that carries it.
            let carried = (now + ways.from_proposer[claimant]) / block + 1;
            let tranche = carried.saturating_sub(seeded) / tranche_blocks;
            let heard = voices.iter().take_while(|it| it.0 <= *now);
            let tickets = heard.map(|(_, verifier, _, proof)| {
                draw.tickets(proof, self.tickets[*verifier], tranche)
            });
            tickets.sum::<u64>() >= draw.needed_at(tranche)
        });
        let end = enough.map(|now| ((now + ways.from_proposer[claimant]) / block + 1) * block);
        // Whoever has heard of the certificate does not begin any more.
        let stops = |it: usize| end.map_or(u64::MAX, |end| end + ways.from_proposer[it]);
        let executions = voices.iter().filter(|it| it.2 < stops(it.1)).count() as u64;
        let approvers = voices
            .iter()
            .filter(|it| enough.is_some_and(|now| it.0 <= now));
        // A proof of each who approved, a bit of each who could, and the claim without its leaves.
        let certificate = end.map_or(0, |_| {
            approvers.count() as u64 * 96 + awake.len() as u64 / 8 + self.sizes.claim / 4
        });
        Outcome {
            certified: end,
            executions,
            bytes: self.sizes.claim + certificate,
        }
    }

    const fn block(&self) -> u64 {
        self.params.block_interval_ms.saturating_mul(1_000)
    }
}

impl Mesh {
    /// Links those who carry it among each other, and the others with some of them, to whom they speak.
    fn new(places: &[(u64, u64)], carries: Vec<bool>, random: &mut Random) -> Mesh {
        let carriers: Vec<usize> = (0..places.len()).filter(|it| carries[*it]).collect();
        let mut links = vec![Vec::new(); places.len()];
        for here in 0..places.len() {
            let many = if carries[here] { LINKS } else { SPOKEN_TO };
            for _ in 0..many {
                let there = carriers[index(random.below(carriers.len() as u64))];
                if there != here {
                    let time = HOP + distance(places[here], places[there]);
                    links[here].push((there, time));
                    links[there].push((here, time));
                }
            }
        }
        Mesh { links, carries }
    }

    /// How often something that is said here is received, all nodes together: everybody passes everything on to all that it is
    /// linked with and hear it, but who brought it.
    fn copies(&self) -> u64 {
        let carriers = self.links.iter().zip(&self.carries);
        let carriers = carriers.filter(|(_, carries)| **carries);
        let heard = carriers.map(|(links, _)| {
            let from = links.iter().filter(|(it, _)| self.carries[*it]).count();
            from.saturating_sub(1) as u64
        });
        let spoken = self.carries.contains(&false);
        heard.sum::<u64>() + if spoken { SPOKEN_TO as u64 } else { 0 }
    }

    /// When a message of one node arrives at each other, in microseconds; it is as long on its way back.
    fn arrivals(&self, from: usize) -> Vec<u64> {
        let mut at = vec![u64::MAX; self.links.len()];
        let mut next = BinaryHeap::from([(Reverse(0), from)]);
        at[from] = 0;
        while let Some((Reverse(now), here)) = next.pop() {
            if now > at[here] || !(self.carries[here] || here == from) {
                continue;
            }
            for (there, time) in &self.links[here] {
                let then = now + time;
                if then < at[*there] {
                    at[*there] = then;
                    next.push((Reverse(then), *there));
                }
            }
        }
        at
    }
}

impl Sizes {
    fn new(key: &SecretKey) -> Result<Sizes, String> {
        let signature: Signature = key.sign(&Digest::default());
        let item = ItemKey::ed25519(&[14; 32]).sign_item(&binding_draft(&Digest::default()));
        let binding = item.map_err(|it| it.to_string())?;
        let approval = Approval {
            claim: Digest::new([1; 32]).into(),
            claimant: Address::new([2; 32]),
            committed: Height(1 << 24),
            verifier: Address::new([3; 32]),
            sortition: signature,
            signature,
            trace: TraceProof {
                signature,
                own: Digest::new([15; 32]),
                binding: ByteBuf::from(binding.bytes()),
            },
        };
        let mut history = History::new();
        let leaves: Vec<Leaf> = (0..1_000 + LEAVES)
            .map(|slot| Leaf {
                slot: Slot(slot),
                assignment: AssignmentId::new([4; 32]),
                result_root: Digest::new([5; 32]),
                gas: 1 << 30,
                state_root: slot.is_multiple_of(LEAVES).then(|| Digest::new([6; 32])),
            })
            .collect();
        for leaf in &leaves {
            history.append(leaf.digest().map_err(|it| it.to_string())?);
        }
        let frontier = history.frontier_at(1_000).ok_or("no frontier")?;
        let claim = Claim {
            network: Digest::new([7; 32]).into(),
            profile: Digest::new([8; 32]).into(),
            height: Height(1 << 24),
            module: ModuleId::new([9; 32]),
            process: ProcessId::new([10; 32]),
            fork: 0,
            size: 1_000 + LEAVES,
            history_root: history.root(),
            first_new: 1_000,
            base_root: Digest::new([11; 32]),
            hashpath: Hashpath::start(ProcessId::new([10; 32])),
            head_state_root: Digest::new([12; 32]),
        };
        let statement = Statement::sign(claim, Address::new([13; 32]), key);
        let signed = SignedClaim {
            statement: statement.map_err(|it| it.to_string())?,
            frontier,
            leaves: leaves.into_iter().skip(1_000).collect(),
        };
        let bytes = |it: Result<Vec<u8>, codec::CodecError>| {
            it.map(|it| it.len() as u64).map_err(|it| it.to_string())
        };
        Ok(Sizes {
            claim: bytes(codec::encode(&signed))?,
            approval: bytes(codec::encode(&approval))?,
        })
    }
}

/// The way between two places on a globe whose ends meet, in microseconds.
const fn distance(one: (u64, u64), other: (u64, u64)) -> u64 {
    let (x, y) = (one.0.abs_diff(other.0), one.1.abs_diff(other.1));
    let x = if x > FARTHEST / 2 { FARTHEST - x } else { x };
    let y = if y > FARTHEST / 2 { FARTHEST - y } else { y };
    x + y
}

fn index(number: u64) -> usize {
    usize::try_from(number).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(setting: Setting, params: Params) -> Vec<Outcome> {
        let mut random = Random::new(5);
        let globe = Globe::new(setting, params, &mut random).unwrap();
        (0..8)
            .map(|it| globe.claim(it, &mut random).unwrap())
            .collect()
    }

    const SETTING: Setting = Setting {
        verifiers: 60,
        asleep: 0,
        execution: 100_000,
    };

    #[test]
    fn as_many_execute_as_the_lot_says_and_a_certificate_comes() {
        let params = Params {
            k: 10,
            ..Params::standard()
        };
        for outcome in outcomes(SETTING, params.clone()) {
            // Commit, two blocks to the seed, the execution, and the block that carries the certificate.
            let time = outcome.certified.unwrap();
            assert!((1_600_000..8_000_000).contains(&time), "{outcome:?}");
            assert!((7..40).contains(&outcome.executions), "{outcome:?}");
            assert!(outcome.bytes > 5_000, "{outcome:?}");
        }
        assert_eq!(outcomes(SETTING, params.clone()), outcomes(SETTING, params));
    }

    #[test]
    fn where_everybody_sleeps_nothing_is_certified() {
        let setting = Setting {
            asleep: 100,
            ..SETTING
        };
        for outcome in outcomes(setting, Params::standard()) {
            assert_eq!((outcome.certified, outcome.executions), (None, 0));
        }
    }
}
