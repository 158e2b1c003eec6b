//! A process with a long history: how a node that starts comes to its state.

use std::sync::Arc;

use surety_protocol::item::ItemDraft;
use surety_protocol::time::Slot;

use crate::report::{Figure, Report};
use crate::town::{Counting, Town};
use crate::{JOB, milliseconds, town};

/// Messages that the process has, unless `SURETY_HISTORY` says otherwise.
const HISTORY: u64 = 100_000;
/// Messages that are sent before they are evaluated.
const SENT: u64 = 1_000;

/// Evaluates a long history, then its next message as a node does that was started again: from what it keeps, and from
/// nothing. The module is compiled before.
pub(crate) fn cold(
    report: &mut Report,
    name: &str,
    make: impl Fn(&Arc<Counting>) -> Town,
    message: &ItemDraft,
) {
    let history = std::env::var("SURETY_HISTORY").ok();
    let history = history.and_then(|it| it.parse().ok()).unwrap_or(HISTORY);
    let dir = tempfile::tempdir().expect("a directory");
    let store = Arc::new(Counting::open(dir.path()));
    let mut one = {
        let town = make(&store);
        let mut one = town.spawn(1, 0);
        let mut evaluating = 0.0;
        for _ in 0..history / SENT {
            town.send(&mut one, SENT, message);
            evaluating += milliseconds(|| town.evaluate_all(&mut one, JOB)).0;
        }
        let each = evaluating / history as f64;
        print(report, name, "a message, evaluated in order", each, "ms");
        one
    };
    for (number, from) in ["what is kept", "nothing"].into_iter().enumerate() {
        let town: Town = make(&store);
        let mut other = town.spawn(1, 1 + number);
        town.evaluate_all(&mut other, JOB);
        if from == "nothing" {
            let archive = town::archive(&store);
            let forgotten = archive.forget_states_after(&one[0].id, Slot(0).0);
            forgotten.expect("they are forgotten");
        }
        town.send(&mut one, 1, message);
        let (took, count) = milliseconds(|| town.evaluate(&mut one[0], 1));
        assert_eq!(count, 1);
        let what = format!("after {history} messages, the next one from {from}");
        print(report, name, &what, took, "ms");
    }
}

fn print(report: &mut Report, name: &str, what: &str, value: f64, unit: &'static str) {
    println!("{what:<60} {value:>12.2} {unit}");
    report.push(Figure::plain(&format!("{name}: {what}"), value, unit));
}
