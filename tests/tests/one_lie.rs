//! One process, one lie, no network: the evidence file is made, judged by the program itself, and refused after any change.

#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot go on fails"
)]

#[path = "../../protocol/tests/support/needed.rs"]
mod needed;

use std::collections::BTreeMap;
use std::process::Command;

use surety_attest::effect::Finding as Found;
use surety_attest::engine::WasmEngine;
use surety_harness::built;
use surety_harness::one_lie::{ALL_OF_MEMORY, Falsehood, Lie, hundred, tell, tell_under};
use surety_node::engines::Engines;
use surety_protocol::codec;
use surety_protocol::evidence::{Evidence, FalseClaim, Offence};
use surety_protocol::execution::{Execution, ExecutionRequest};
use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::{Digest, NetworkId};
use surety_protocol::item::ItemDraft;
use surety_protocol::profile::Profile;
use surety_protocol::profiles::{Activation, Profiles};
use surety_protocol::time::{Height, Slot};
use surety_protocol::witness::{PAGE_BYTES, PackedWitness, WITNESS_PAGES_MAX, Witness};
use surety_slashing::evidence::{Finding, Proven, Refused, judge};

fn sample(slot: u64, falsehood: Falsehood) -> Lie {
    tell(
        surety_attest::sample::WASM,
        &hundred(false),
        Slot(slot),
        falsehood,
    )
    .unwrap()
}

struct Judge(WasmEngine);

impl Judge {
    fn new() -> Judge {
        Judge(WasmEngine::new(Profile::v1()).unwrap())
    }

    fn execute(&self, request: &ExecutionRequest) -> Execution {
        surety_attest::judge::execute(&self.0, request)
    }

    fn judge(&self, bytes: &[u8]) -> Result<Proven, Refused> {
        judge(bytes, |request| self.execute(request))
    }
}

fn verify(file: &std::path::Path) -> Option<i32> {
    let run = Command::new(built::surety().unwrap())
        .args(["--json", "audit", "verify"])
        .arg(file)
        .output();
    run.unwrap().status.code()
}

#[test]
fn every_kind_of_lie_is_proven_and_the_truth_is_not() {
    let judge = Judge::new();
    let cases = [
        (77, Falsehood::Result, Finding::Result),
        (77, Falsehood::Gas, Finding::Gas),
        (77, Falsehood::State, Finding::HeadStateRoot),
        // Slot 80 ends a stride, so its leaf has a state root of its own.
        (80, Falsehood::State, Finding::StateRoot),
        (0, Falsehood::Result, Finding::Result),
    ];
    for (slot, falsehood, finding) in cases {
        let lie = sample(slot, falsehood);
        let proven = judge.judge(&lie.evidence).unwrap();
        assert_eq!(
            (proven.offender, proven.process),
            (lie.offender, lie.process)
        );
        assert_eq!((proven.slot, proven.finding), (Slot(slot), finding));
        assert_eq!(lie.found, Found::False(Slot(slot)));
    }
    for slot in [0, 77, 80] {
        let honest = sample(slot, Falsehood::Nothing);
        assert_eq!(honest.found, Found::True(BTreeMap::new()));
        // Whoever judges executes what the leaves name, those before the claim's own too.
        let misled = honest.misled.as_deref();
        assert_eq!(misled.is_some(), slot > 20);
        assert!(misled.is_none_or(|it| it.contains("branch of the log")));
        assert_eq!(judge.judge(&honest.evidence), Err(Refused::Innocent));
    }
}

#[test]
fn the_program_judges_the_file_offline() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("lie.cbor");
    let mut evidence = sample(77, Falsehood::Result).evidence;
    std::fs::write(&file, &evidence).unwrap();
    assert_eq!(verify(&file), Some(0));
    evidence[300] ^= 1;
    std::fs::write(&file, &evidence).unwrap();
    assert_eq!(verify(&file), Some(6));
    std::fs::write(&file, sample(77, Falsehood::Nothing).evidence).unwrap();
    assert_eq!(verify(&file), Some(6));
}

#[test]
fn if_two_engines_differ_nobody_is_judged() {
    // Another engine, to which the same instructions mean something else: they end earlier.
    let other = Profile {
        gas_max: 1000,
        ..Profile::v1()
    };
    let other = WasmEngine::interpreting(other).unwrap();
    let judge = Judge(WasmEngine::new(Profile::v1()).unwrap().judging_with(other));
    for falsehood in [Falsehood::Result, Falsehood::Nothing] {
        let evidence = sample(77, falsehood).evidence;
        assert_eq!(judge.judge(&evidence), Err(Refused::Differed));
    }
}

#[test]
fn no_flipped_byte_is_accepted() {
    let judge = Judge::new();
    let evidence = sample(77, Falsehood::Result).evidence;
    // Every byte of the first part, where the statement and the items' heads are, and a spread over the rest.
    let spread = (evidence.len() / 400).max(1);
    for at in (0..600).chain((600..evidence.len()).step_by(spread)) {
        let mut flipped = evidence.clone();
        flipped[at] ^= 1 << (at % 8);
        // The same pages can be compressed in more than one way (rule W-4).
        if judge.judge(&flipped).is_ok() {
            assert_eq!(said(&flipped), said(&evidence), "byte {at} was flipped");
        }
    }
}

#[test]
fn a_lie_about_all_of_memory_and_the_largest_inputs_is_proven() {
    let module = wat::parse_str(ALL_OF_MEMORY).unwrap();
    let largest = ItemDraft::default().carrying(vec![b'x'; 10 << 20]);
    // Both are of one stride, which ends with the second (rule EN-9).
    let lie = tell(
        &module,
        &[largest.clone(), largest],
        Slot(2),
        Falsehood::Result,
    )
    .unwrap();
    let offence = opened(&lie.evidence).1;
    assert_eq!(offence.stretch.inputs.len(), 2);
    assert!(offence.stretch.leaves.last().unwrap().state_root.is_some());
    let witness = offence.stretch.witness.unwrap();
    assert_eq!(witness.page_count(), WITNESS_PAGES_MAX as u64);
    assert!(lie.evidence.len() > WITNESS_PAGES_MAX * PAGE_BYTES + (20 << 20));
    let proven = Judge::new().judge(&lie.evidence).unwrap();
    assert_eq!(proven.finding, Finding::Result);
    // As anybody does it.
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("lie.cbor");
    std::fs::write(&file, &lie.evidence).unwrap();
    assert_eq!(verify(&file), Some(0));
}

fn opened(file: &[u8]) -> (NetworkId, FalseClaim) {
    let evidence: Evidence = codec::decode(file).unwrap();
    match evidence.open().unwrap() {
        Offence::FalseClaim(offence) => (evidence.network, *offence),
        other => panic!("not a false claim: {other:?}"),
    }
}

/// What a file says, its pages unpacked.
fn said(file: &[u8]) -> (NetworkId, FalseClaim, Option<Witness>) {
    let (network, mut offence) = opened(file);
    let witness = offence.stretch.witness.as_mut();
    let unpacked = witness.map(|packed| {
        let witness = packed.unpack().unwrap();
        packed.pieces.clear();
        witness
    });
    (network, offence, unpacked)
}

/// Changes the witness, and packs it again.
fn repack(offence: &mut FalseClaim, change: impl FnOnce(&mut Witness)) {
    let packed = offence.stretch.witness.as_mut().unwrap();
    let mut witness = packed.unpack().unwrap();
    change(&mut witness);
    *packed = PackedWitness::of(&witness).unwrap();
}

/// Changes the offence and makes a well-formed file of it again, ids and all.
fn changed(lie: &Lie, change: impl FnOnce(&mut FalseClaim)) -> Vec<u8> {
    let (network, mut offence) = opened(&lie.evidence);
    change(&mut offence);
    let changed = Evidence::new(network, &Offence::FalseClaim(Box::new(offence))).unwrap();
    codec::encode(&changed).unwrap()
}

fn other() -> Digest {
    digest(Domain::OBJECT, &[b"another"])
}

#[test]
fn no_change_of_meaning_is_accepted() {
    let judge = Judge::new();
    let lie = sample(77, Falsehood::Result);
    let again = sample(60, Falsehood::Gas);
    let stranger = {
        let evidence: Evidence = codec::decode(&again.evidence).unwrap();
        let Offence::FalseClaim(offence) = evidence.open().unwrap() else {
            panic!()
        };
        offence
    };
    type Change = Box<dyn FnOnce(&mut FalseClaim)>;
    let with = stranger.clone();
    let changes: Vec<(&str, Change)> = vec![
        (
            "another leaf",
            Box::new(|it| it.stretch.leaves.last_mut().unwrap().result_root = other()),
        ),
        (
            "another slot",
            Box::new(|it| it.stretch.leaves.last_mut().unwrap().slot = Slot(78)),
        ),
        (
            "another gas",
            Box::new(|it| it.stretch.leaves.last_mut().unwrap().gas += 1),
        ),
        ("a leaf dropped", Box::new(|it| _ = it.stretch.leaves.pop())),
        (
            "an input dropped",
            Box::new(|it| _ = it.stretch.inputs.pop()),
        ),
        (
            "inputs swapped",
            Box::new(|it| it.stretch.inputs.swap(0, 1)),
        ),
        (
            "another claim",
            Box::new(move |it| it.statement = with.statement.clone()),
        ),
        (
            "another claimant",
            Box::new(|it| it.statement.claimant = Default::default()),
        ),
        ("another size", Box::new(|it| it.statement.claim.size += 1)),
        (
            "another history",
            Box::new(|it| it.statement.claim.history_root = other()),
        ),
        (
            "another head",
            Box::new(|it| it.statement.claim.head_state_root = other()),
        ),
        (
            "another module named",
            Box::new(|it| {
                it.statement.claim.module = surety_protocol::id::ModuleId::new([9; 32]);
            }),
        ),
        (
            "another module",
            Box::new(|it| it.stretch.module = it.stretch.process.clone()),
        ),
        (
            "another process",
            Box::new(|it| it.stretch.process = it.stretch.module.clone()),
        ),
        (
            "another profile",
            Box::new(|it| {
                let mut profile = Profile::v1();
                profile.gas_max += 1;
                it.stretch.profiles = Profiles::of(profile).unwrap();
            }),
        ),
        (
            "one profile more",
            Box::new(|it| {
                let next = Activation {
                    from: Height(1),
                    profile: Profile::v1(),
                };
                it.stretch.profiles.add(next).unwrap();
            }),
        ),
        ("no witness", Box::new(|it| it.stretch.witness = None)),
        (
            "a page dropped",
            Box::new(|it| {
                repack(it, |witness| drop(witness.pages.pop()));
            }),
        ),
        (
            "a page altered",
            Box::new(|it| {
                repack(it, |witness| {
                    let page = witness.pages.last_mut().unwrap();
                    match page.bytes.first_mut() {
                        Some(byte) => *byte ^= 1,
                        None => page.bytes = vec![1; 4096].into(),
                    }
                });
            }),
        ),
        (
            "a piece cut short",
            Box::new(|it| {
                let pieces = &mut it.stretch.witness.as_mut().unwrap().pieces;
                let last = pieces.pop().unwrap();
                pieces.push(last[..last.len() - 1].to_vec().into());
            }),
        ),
        (
            "a page more in the map",
            Box::new(|it| it.stretch.witness.as_mut().unwrap().touched.push(1)),
        ),
        (
            "a sibling altered",
            Box::new(|it| {
                it.stretch.witness.as_mut().unwrap().siblings[0] = other();
            }),
        ),
        (
            "the size of memory",
            Box::new(|it| it.stretch.witness.as_mut().unwrap().wasm_pages += 1),
        ),
        (
            "a global",
            Box::new(|it| it.stretch.witness.as_mut().unwrap().globals[0] ^= 1),
        ),
        (
            "another registration",
            Box::new(|it| it.registration = it.stretch.module.clone()),
        ),
    ];
    assert!(judge.judge(&changed(&lie, |_| {})).is_ok());
    for (what, change) in changes {
        let file = changed(&lie, change);
        assert!(judge.judge(&file).is_err(), "{what} was accepted");
    }
}

#[test]
fn a_hundred_messages_of_aos() {
    let Some(modules) = needed::path("SURETY_AOS_MODULES") else {
        return;
    };
    for name in ["aos2_0_4_32.wasm", "aos2_0_6.wasm"] {
        let module = std::fs::read(modules.join(name)).unwrap();
        let lie = tell(&module, &hundred(true), Slot(90), Falsehood::Result).unwrap();
        let proven = Judge::new().judge(&lie.evidence).unwrap();
        assert_eq!((proven.slot, proven.finding), (Slot(90), Finding::Result));
        let honest = tell(&module, &hundred(true), Slot(90), Falsehood::Nothing).unwrap();
        assert_eq!(Judge::new().judge(&honest.evidence), Err(Refused::Innocent));
    }
}

/// From height 10 on strides of 5 and less gas; half of the log is stamped so.
fn changing() -> Profiles {
    let mut profiles = Profiles::of(Profile::v1()).unwrap();
    let profile = Profile {
        stride: 5,
        gas_max: 1_000_000_000,
        ..Profile::v1()
    };
    let from = Height(10);
    profiles.add(Activation { from, profile }).unwrap();
    profiles
}

/// Slots 1 to 16, 17 to 32 and 33 to 48 are strides of the first profile, although 40 shows the second; 49 begins with it.
fn stamp(slot: Slot) -> Height {
    Height(if slot.0 < 40 { 9 } else { 10 })
}

fn across(slot: u64, falsehood: Falsehood) -> Lie {
    let module = surety_attest::sample::WASM;
    tell_under(
        &changing(),
        stamp,
        module,
        &hundred(false),
        Slot(slot),
        falsehood,
    )
    .unwrap()
}

#[test]
fn a_lie_is_judged_under_the_profile_of_its_stride() {
    let engines = Engines::wasm();
    let judged = |lie: &Lie| {
        judge(&lie.evidence, |request| {
            let engine = engines.of(&request.profile).unwrap();
            surety_attest::judge::execute(engine.as_ref(), request)
        })
    };
    let profile_of = |lie: &Lie| {
        let mut found = None;
        let _ = judge(&lie.evidence, |request| {
            found = Some(request.profile.stride);
            Execution::Abstained(String::new())
        });
        found.unwrap()
    };
    // Before the change, in the stride in which it shows, right after, and later.
    for (slot, stride) in [(39, 16), (47, 16), (48, 16), (49, 5), (53, 5), (77, 5)] {
        let honest = across(slot, Falsehood::Nothing);
        assert_eq!(profile_of(&honest), stride, "slot {slot}");
        assert_eq!(judged(&honest), Err(Refused::Innocent), "slot {slot}");
        assert_eq!(honest.found, Found::True(BTreeMap::new()), "slot {slot}");
        let lie = across(slot, Falsehood::Gas);
        assert_eq!(lie.found, Found::False(Slot(slot)));
        assert_eq!(judged(&lie).unwrap().finding, Finding::Gas, "slot {slot}");
    }
    // Who goes on as if nothing had changed says nothing else that is false, and is guilty of that; before, it is not.
    for slot in [49, 52, 53, 77] {
        let late = across(slot, Falsehood::Profile);
        assert_eq!(late.found, Found::False(Slot(slot)));
        let proven = judged(&late).unwrap();
        assert_eq!(
            (proven.slot, proven.finding),
            (Slot(slot), Finding::Profile)
        );
    }
    let early = across(48, Falsehood::Profile);
    assert_eq!(judged(&early), Err(Refused::Innocent));
    assert_eq!(early.found, Found::True(BTreeMap::new()));
}
