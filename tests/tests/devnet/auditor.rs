//! A network whose verifiers do not look, and somebody with a bond who does.

use serde_json::Value;

use super::newcomer::Newcomer;
use super::program::{Devnet, text, until};

/// The slot of which a compute unit lies, and which every verifier approves without looking.
const SLOT: &str = "3";

#[test]
fn a_lie_that_all_verifiers_approve_is_found_and_challenged_by_an_auditor() {
    let lie = format!("compute:wrong-result@{SLOT}");
    let blind = format!("verifier:blind-approval@{SLOT}");
    let net = Devnet::start(&["--fault", &lie, "--fault", &blind, "--every-verifier"]);
    let mut auditor = Newcomer::init(&net);
    auditor.register(&net);
    auditor.start(&net, &["audit", "watch"]);
    let process = net.spawn();
    net.send(&process, 4);
    let slashings = net.slashed(1);
    let slashing = |it: &&Value| text(it, "kind") == "false-claim";
    let found = slashings.iter().find(slashing).expect("a false claim");
    assert_eq!(text(found, "offender"), net.operator(1));
    assert_eq!(text(found, "process"), process);
    assert_eq!(found["slot"].to_string(), SLOT);
    // The challenge is the auditor's, whose operator gets the reward.
    let wallet = text(net.ready(), "wallet");
    assert_eq!(text(found, "challenger"), wallet, "{found}");
    // Its own node says what it has looked at.
    until("it has looked at everything", || {
        let metrics = auditor.metrics()?;
        let value = |name: &str| -> Option<u64> {
            let line = metrics.lines().find(|it| it.starts_with(name))?;
            line.rsplit(' ').next()?.parse().ok()
        };
        let looked = value("surety_claims_audited_total ")?;
        (looked > 0 && value("surety_evidence_found_total ")? > 0).then_some(())
    });
    // Nobody stands for the lie any more.
    let replayed = net.run(&["audit", "replay", &process]);
    assert_eq!(replayed.code, 0, "{}{}", replayed.stdout, replayed.stderr);
    assert!(replayed.data()["punished"].as_u64() > Some(0));
    net.stop();
}

/// Rule CO-19.
#[test]
fn another_node_than_the_liars_tells_of_a_lie_also_after_it_was_away() {
    let lie = format!("compute:wrong-result@{SLOT}");
    let blind = format!("verifier:blind-approval@{SLOT}");
    let net = Devnet::start(&["--fault", &lie, "--fault", &blind, "--every-verifier"]);
    let process = net.spawn();
    net.send(&process, 4);
    let (liar, claims) = (net.operator(1), format!("/v1/processes/{process}/claims"));
    let is_lie = |it: &Value| {
        let claimants = it["claimants"].as_array().unwrap();
        claimants.contains(&liar.as_str().into()) && it["size"].as_u64() > SLOT.parse().ok()
    };
    until("the lie is known", || {
        let all = net.get(&claims)["items"].clone();
        all.as_array().unwrap().iter().any(is_lie).then_some(())
    });
    let mut asked = net.kill(0);
    asked.restart();
    let replayed = net.run(&["audit", "replay", &process, "--differing"]);
    assert_eq!(replayed.code, 6, "{}{}", replayed.stdout, replayed.stderr);
    let slot = format!("slot {SLOT}: {liar} says");
    assert!(replayed.stdout.contains(&slot), "{}", replayed.stdout);
    net.stop();
}
