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
    // No more than that: the liar would have to contradict itself.
    net.send(&process, 3);
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
    net.stop();
}
