//! A node that crashes just before, and just after, each of the batches with which its scheduler, its messenger and its guard
//! remember something, one after the other, while its peers follow what it signs (rule FA-3).

use std::time::{Duration, Instant};

use super::errands::Errands;
use super::needed;
use super::program::{Devnet, until};
use super::stage::PATIENCE;

/// Batches at which it crashes: as many as a few messages, what they lead to and the claims about both take.
const BATCHES: u64 = 20;
/// Of a network whose nodes sign with RSA, which takes longer, each so many of them.
const STEP_RSA: usize = 4;

/// A scheduler that ends when a slot is durable, and before anybody heard of it; nobody sends anything more.
#[test]
fn a_slot_that_nobody_heard_of_is_announced_again() {
    let devnet = Devnet::start(&["--nodes", "4"]);
    let mut scheduler = devnet.kill(0);
    scheduler.restart_with(&["--roles", "scheduler,gateway"]);
    let process = devnet.spawn();
    let last = devnet.send(&process, 2);
    devnet.certified(&process, last + 1);
    scheduler.kill();
    // The first batch reserves the slot, the second has it signed.
    let crash = [
        "--roles",
        "scheduler,gateway",
        "--fault",
        "store:crash-after@1",
    ];
    scheduler.restart_with(&crash);
    let sent = devnet.run(&["process", "send", &process, "--action", "Count"]);
    assert_ne!(sent.code, 0, "{}", sent.stdout);
    until("it ends", || (!scheduler.runs()).then_some(()));
    scheduler.restart_with(&["--roles", "scheduler,gateway"]);
    devnet.certified(&process, last + 2);
    assert!(devnet.stop()["slashings"].as_array().unwrap().is_empty());
}

/// Crashes the first node at all of these batches. Until it is at one it is asked for more, so each of them is reached.
fn crash_at(batches: impl Iterator<Item = u64> + Clone, item_key: &str) {
    let Some(modules) = needed::path("SURETY_AOS_MODULES") else {
        return;
    };
    let wasm = modules.join("aos2_0_6.wasm");
    let wasm = wasm.to_str().unwrap();
    let network = ["--nodes", "4", "--module", wasm, "--item-key", item_key];
    let devnet = Devnet::start(&network);
    let mut node = devnet.kill(0);
    node.restart();
    let mut errands = Errands::new(&devnet);
    for when in ["before", "after"] {
        for batch in batches.clone() {
            errands.more();
            node.kill();
            node.try_restart_with(&["--fault", &format!("store:crash-{when}@{batch}")]);
            let begin = Instant::now();
            while node.runs() {
                assert!(begin.elapsed() < PATIENCE, "no crash {when} {batch}");
                if errands.offer() {
                    errands.more();
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            assert!(node.crashed(), "{when} {batch}: it ended in another way");
        }
    }
    node.kill();
    node.restart();
    errands.come_about();
    let slashings = devnet.stop()["slashings"].clone();
    assert!(slashings.as_array().unwrap().is_empty(), "{slashings}");
}

#[test]
fn a_node_that_crashes_at_any_batch_loses_nothing_and_signs_nothing_twice() {
    crash_at(0..BATCHES, "ed25519");
}

/// A signature of RSA is another one each time: what is signed twice shows.
#[test]
fn a_node_that_signs_with_rsa_loses_nothing_and_signs_nothing_twice() {
    crash_at((0..BATCHES).step_by(STEP_RSA), "rsa");
}
