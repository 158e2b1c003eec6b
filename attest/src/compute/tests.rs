//! Where claims end (rules CU-2 and CU-7).

use std::sync::Arc;

use surety_protocol::attested::{Backing, Segment};
use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::{AssignmentId, ProfileId};
use surety_protocol::item::{ItemDraft, ItemKey};
use surety_protocol::stake::Stake;
use surety_protocol::validators::ValidatorSet;

use super::*;
use crate::effect::Job;

const PROCESS: ProcessId = ProcessId::new([7; 32]);
const RULING: Ruling = Ruling {
    profile: ProfileId::new([1; 32]),
    height: Height(0),
};

/// What evaluating a slot gives, if `head` says that the root is taken after it. State roots stand after slots 0, 16, 32...
fn evaluated(slot: u64, head: bool) -> EvaluatedLeaf {
    let state = |what: &[u8]| digest(Domain::OBJECT, &[what, &slot.to_be_bytes()]);
    let root = slot.is_multiple_of(16).then(|| state(b"state"));
    let subject = ItemKey::ed25519(&[9; 32]).sign_item(&ItemDraft::default());
    EvaluatedLeaf {
        leaf: Leaf {
            slot: Slot(slot),
            assignment: AssignmentId::new(*state(b"assignment").as_bytes()),
            result_root: state(b"result"),
            gas: 7,
            state_root: root,
        },
        head: root.or(head.then(|| state(b"state"))),
        ruling: RULING,
        parts: Vec::new(),
        subject: subject.unwrap(),
    }
}

/// A compute unit of one process, its jobs performed at once.
struct Stage {
    compute: Compute,
    guard: Guard,
    /// Where jobs ended.
    jobs: Vec<u64>,
    /// Where claims began, and where they ended.
    begins: Vec<u64>,
    claims: Vec<u64>,
}

impl Stage {
    fn new() -> Stage {
        Stage {
            compute: Compute::new(Address::default(), NetworkId::default()),
            guard: Guard::default(),
            jobs: Vec::new(),
            begins: Vec::new(),
            claims: Vec::new(),
        }
    }

    /// The log has this size; what is asked for is done, and claims are signed.
    fn grow(&mut self, now: Tick, size: u64) {
        let mut out = Outbox::default();
        self.compute
            .log_grew(now, PROCESS, ModuleId::default(), size, &mut out);
        self.perform(now, out);
    }

    fn tick(&mut self, now: Tick) {
        let mut out = Outbox::default();
        self.compute.tick(now, &mut self.guard, &mut out);
        self.perform(now, out);
    }

    /// A block without anything for this unit.
    fn block(&mut self, height: u64) {
        self.block_with(height, Vec::new());
    }

    /// A block that certifies so many leaves.
    fn certified(&mut self, height: u64, size: u64, history_root: Digest) {
        let segment = Segment {
            size,
            history_root,
            claim: ClaimId::new([1; 32]),
            certified: Height(height),
            backing: Backing {
                stake: Stake::ZERO,
                tickets: 1,
            },
        };
        self.block_with(height, vec![(PROCESS, segment)]);
    }

    fn block_with(&mut self, height: u64, certified: Vec<(ProcessId, Segment)>) {
        let facts = BlockFacts {
            height: Height(height),
            beacon: Digest::default(),
            validators: Arc::new(ValidatorSet::new(Vec::new())),
            committed: Vec::new(),
            certified,
            tombstoned: Vec::new(),
            refuted: Vec::new(),
        };
        self.compute.block(&facts, &mut Outbox::default());
    }

    fn perform(&mut self, now: Tick, mut out: Outbox<Effect>) {
        loop {
            let effects = out.drain();
            if effects.is_empty() {
                return;
            }
            for effect in effects {
                match effect {
                    Effect::Execute(Job::Evaluate { from, count, .. }) => {
                        let all = from.0..from.0 + count;
                        // [CU-7]
                        let end = all.clone().find(|slot| slot.is_multiple_of(16));
                        let end = end.map_or(all.end, |slot| slot + 1);
                        let leaves = (from.0..end).map(|slot| evaluated(slot, slot + 1 == end));
                        self.jobs.push(end);
                        self.compute.evaluated_leaves(
                            now,
                            PROCESS,
                            leaves.collect(),
                            &mut self.guard,
                            &mut out,
                        );
                    }
                    Effect::SignClaim { claim, leaves, .. } => {
                        let end = leaves.last().unwrap().slot.0 + 1;
                        let root = evaluated(end - 1, true).head;
                        assert_eq!(Some(claim.into_inner().head_state_root), root);
                        self.begins.push(leaves.first().unwrap().slot.0);
                        self.claims.push(end);
                        self.compute.processes.get_mut(&PROCESS).unwrap().signing = false;
                    }
                    _ => {}
                }
            }
        }
    }
}

#[test]
fn a_long_log_is_evaluated_and_claimed_by_strides() {
    let mut stage = Stage::new();
    stage.grow(Tick(1), 100);
    assert_eq!(stage.jobs, [1, 17, 33, 49, 65, 81, 97, 100]);
    assert_eq!(stage.claims, [33, 65, 97]);
    // The rest has no root that every compute unit has, and waits for its time.
    stage.tick(Tick(CUT_TICKS));
    assert_eq!(stage.claims, [33, 65, 97]);
    stage.tick(Tick(1 + CUT_TICKS));
    assert_eq!(stage.claims, [33, 65, 97, 100]);
}

#[test]
fn few_inputs_are_claimed_where_their_jobs_end() {
    let mut stage = Stage::new();
    stage.grow(Tick(1), 1);
    stage.grow(Tick(100), 3);
    stage.grow(Tick(200), 5);
    // To the last state root first, then to the last root.
    stage.tick(Tick(1 + CUT_TICKS));
    stage.tick(Tick(99 + CUT_TICKS));
    assert_eq!(stage.claims, [1]);
    stage.tick(Tick(100 + CUT_TICKS));
    assert_eq!((stage.jobs, stage.claims), (vec![1, 3, 5], vec![1, 5]));
}

#[test]
fn what_a_shorter_log_leaves_of_a_job_is_evaluated_again() {
    let mut stage = Stage::new();
    stage.grow(Tick(1), 12);
    stage.compute.log_shrank(&PROCESS, 6);
    assert_eq!(stage.compute.evaluated(&PROCESS), 1);
    stage.grow(Tick(2), 6);
    assert_eq!(stage.jobs, [1, 12, 6]);
    stage.tick(Tick(2 + CUT_TICKS));
    stage.tick(Tick(3 + CUT_TICKS));
    assert_eq!(stage.claims, [1, 6]);
}

/// [CU-4]
#[test]
fn what_was_certified_before_it_was_known_is_not_claimed_again() {
    let mut first = Stage::new();
    first.grow(Tick(1), 1);
    let root = first.compute.history(&PROCESS).unwrap().root();
    let mut block = Stage::new();
    block.certified(8, 1, root);
    let mut start = Stage::new();
    start.compute.resume_at(&PROCESS, 1, root);
    for mut stage in [block, start] {
        stage.grow(Tick(1), 12);
        stage.block(9);
        stage.tick(Tick(1 + CUT_TICKS));
        assert_eq!((stage.begins, stage.claims), (vec![1], vec![12]));
    }
}

/// A process with these leaves, of which nothing else is as at the start.
fn process_of(leaves: &[EvaluatedLeaf]) -> Process {
    let mut process = Process::new(PROCESS, ModuleId::default());
    process.log_size = 60;
    process.executing = true;
    process.stale = true;
    process.retry_at = Tick(9);
    process.waits_since = Height(3);
    process.force_cut = Some(Slot(2));
    process.certified = 70;
    append(&mut process, leaves);
    process
}

fn append(process: &mut Process, leaves: &[EvaluatedLeaf]) {
    for it in leaves {
        process.append(Tick(it.leaf.slot.0), it.leaf.clone(), it.head, it.ruling);
    }
}

/// Leaves with a root after every fourth, and after those with a state root.
fn some_leaves(count: u64) -> Vec<EvaluatedLeaf> {
    let leaves = (0..count).map(|slot| evaluated(slot, slot % 4 == 3));
    leaves.collect()
}

/// All that a process holds.
fn state(process: &Process) -> String {
    format!("{process:?}")
}

#[test]
fn what_was_taken_back_is_as_if_it_had_never_been() {
    let leaves = some_leaves(50);
    for size in 0..=42 {
        let mut rewound = process_of(&leaves[..40]);
        rewound.rewind(PROCESS, size);
        let ends = leaves[..40].iter().filter(|it| it.head.is_some());
        let ends = ends.map(|it| it.leaf.slot.0 + 1).filter(|it| *it <= size);
        let kept = ends.max().unwrap_or(0);
        assert_eq!(rewound.history.size(), kept);
        let kept = usize::try_from(kept).unwrap();
        let mut fresh = process_of(&leaves[..kept]);
        assert_eq!(state(&rewound), state(&fresh), "{size}");
        append(&mut rewound, &leaves[kept..]);
        append(&mut fresh, &leaves[kept..]);
        assert_eq!(state(&rewound), state(&fresh), "{size} and on");
        assert_eq!(state(&rewound), state(&process_of(&leaves)));
    }
}

#[test]
fn claims_go_on_from_what_is_certified_where_their_end_was_taken_back() {
    let leaves = some_leaves(40);
    let cut = |size: u64, ours: bool| {
        let mut process = process_of(&leaves);
        process.cut = 36;
        process.signing = true;
        process.certified = 8;
        process.certified_root = match ours {
            true => process.history.root_at(8).unwrap(),
            false => Digest::default(),
        };
        process.rewind(PROCESS, size);
        assert!(!process.signing);
        process.cut
    };
    assert_eq!([36, 35, 8, 7].map(|size| cut(size, true)), [36, 8, 8, 0]);
    assert_eq!([36, 35, 8, 7].map(|size| cut(size, false)), [36, 0, 0, 0]);
}

#[test]
fn a_job_ends_where_a_fault_wants_its_claim_to_end() {
    let mut stage = Stage::new();
    stage
        .compute
        .force_cut_after(PROCESS, ModuleId::default(), Slot(5));
    stage.grow(Tick(1), 12);
    assert_eq!(stage.jobs, [1, 6, 12]);
    assert_eq!(stage.claims, [6]);
}

#[test]
fn what_is_not_certified_is_claimed_again_however_many_claims_follow_it() {
    let mut stage = Stage::new();
    let mut cut = Tick(0);
    // A claim with every few blocks, and none is certified.
    for (size, height) in (1..).zip([0, 8, 16, 24, 25, 33]) {
        stage.block(height);
        stage.grow(cut, size);
        cut = cut.plus(2 * CUT_TICKS);
        stage.tick(cut);
    }
    // Again first to where every compute unit can end, then on.
    assert_eq!(stage.begins, [0, 1, 2, 3, 0, 1, 5]);
    assert_eq!(stage.claims, [1, 2, 3, 4, 1, 5, 6]);
}
