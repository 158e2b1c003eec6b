//! A verifier that joins a network in which much has happened.

use super::newcomer::Newcomer;
use super::program::{Devnet, text, until};

/// Rule CO-17: its duties are all that it asks for.
#[test]
fn who_joins_to_verify_asks_for_the_logs_that_it_draws_and_for_no_others() {
    let net = Devnet::start(&[]);
    let idle: Vec<String> = (0..4).map(|_| net.spawn()).collect();
    let busy = net.spawn();
    net.send(&busy, 40);
    for process in &idle {
        net.certified(process, 1);
    }
    net.certified(&busy, 41);
    let mut joined = Newcomer::init(&net);
    joined.start(&net, &["node", "run", "--roles", "verifier"]);
    joined.register(&net);
    joined.stake(&net, &["bond", "200ao"]);
    // Nothing is waited for that cannot come.
    assert_eq!(
        joined.stake_refused(&net, &["withdraw"]),
        "nothing-unbonded"
    );
    let approved = || {
        let metrics = joined.metrics()?;
        let line = metrics
            .lines()
            .find(|it| it.starts_with("surety_approvals_signed_total "))?;
        line.rsplit(' ').next()?.parse::<u64>().ok()
    };
    until("it has executed and approved something", || {
        net.send(&busy, 1);
        approved().filter(|it| *it > 0)
    });
    let here = joined.get("/v1/processes").unwrap();
    let here = here["items"].as_array().unwrap();
    let here: Vec<String> = here.iter().map(|it| text(it, "process")).collect();
    assert_eq!(here, [busy]);
    net.stop();
}
