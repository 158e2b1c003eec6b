//! The stream of events.

use std::collections::BTreeMap;

use axum::body::{Body, BodyDataStream};
use axum::http::Request;
use futures::StreamExt;
use serde_json::Value;
use surety_attest::effect::Event;
use surety_protocol::evidence::OffenceKind;
use surety_protocol::id::{Address, CaseId, ClaimId, EvidenceId, ProcessId};
use surety_protocol::stake::Stake;
use surety_protocol::time::{Height, Slot};
use surety_slashing::ledger::{LedgerEvent, Slashing};
use tower::ServiceExt;

use super::Stage;
use crate::view::{EVENTS_KEPT, NodeEvent};

fn evaluated(slot: u64) -> NodeEvent {
    NodeEvent::Role(Event::Evaluated {
        process: ProcessId::new([1; 32]),
        slot: Slot(slot),
        gas: 7,
    })
}

/// An open stream, read field by field.
struct Stream {
    body: BodyDataStream,
    text: String,
}

impl Stream {
    async fn open(stage: &Stage, query: &str, last: Option<&str>) -> Stream {
        let mut request = Request::get(format!("/v1/events{query}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = stage
            .router()
            .oneshot(request.body(Body::empty()).unwrap())
            .await
            .unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Stream {
            body: response.into_body().into_data_stream(),
            text: String::new(),
        }
    }

    /// The next event: its fields, with the data read as JSON.
    async fn next(&mut self) -> Option<(BTreeMap<String, String>, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let fields: BTreeMap<String, String> = event
                    .lines()
                    .map(|line| {
                        line.split_once(": ")
                            .or_else(|| line.split_once(':'))
                            .unwrap()
                    })
                    .map(|(name, value)| (name.to_owned(), value.to_owned()))
                    .collect();
                self.text = rest.to_owned();
                let data = serde_json::from_str(&fields["data"]).unwrap();
                return Some((fields, data));
            }
            let chunk = self.body.next().await?.unwrap();
            self.text.push_str(std::str::from_utf8(&chunk).unwrap());
        }
    }

    async fn slot(&mut self) -> u64 {
        let (fields, data) = self.next().await.unwrap();
        assert_eq!(fields["event"], "evaluated");
        assert_eq!(fields["id"], data["number"].to_string());
        data["slot"].as_u64().unwrap()
    }
}

#[tokio::test]
async fn a_reader_resumes_where_it_was() {
    let stage = Stage::new(1).await;
    let events = stage.handle.events.clone();
    for slot in 1..=5 {
        events.push(evaluated(slot));
    }
    let mut all = Stream::open(&stage, "?after=0", None).await;
    let mut some = Stream::open(&stage, "?after=3", None).await;
    // A browser repeats its address; what it saw last counts.
    let mut header = Stream::open(&stage, "?after=1", Some("4")).await;
    let mut fresh = Stream::open(&stage, "", None).await;
    events.push(evaluated(6));
    for slot in 1..=6 {
        assert_eq!(all.slot().await, slot);
    }
    for slot in 4..=6 {
        assert_eq!(some.slot().await, slot);
    }
    assert_eq!((header.slot().await, header.slot().await), (5, 6));
    assert_eq!(fresh.slot().await, 6);
    stage
        .get("/v1/events?after=x")
        .await
        .is_problem(400, "query-malformed");
    stage.shutdown.cancel();
    assert!(all.next().await.is_none());
}

#[tokio::test]
async fn a_slow_reader_is_told_what_it_missed() {
    let stage = Stage::new(1).await;
    let events = stage.handle.events.clone();
    let mut slow = Stream::open(&stage, "", None).await;
    let kept = EVENTS_KEPT as u64;
    // More than the live stream holds, less than the log keeps: nothing is missed.
    for slot in 1..=2000 {
        events.push(evaluated(slot));
    }
    for slot in 1..=2000 {
        assert_eq!(slow.slot().await, slot);
    }
    for slot in 2001..=2000 + kept + 10 {
        events.push(evaluated(slot));
    }
    let (fields, data) = slow.next().await.unwrap();
    assert_eq!(
        (fields["event"].as_str(), fields["id"].as_str()),
        ("gap", "2010")
    );
    assert_eq!(
        (&data["first"], &data["last"]),
        (&2001.into(), &2010.into())
    );
    assert_eq!(slow.slot().await, 2011);
    // Who comes back with what nobody keeps any more is told too.
    let mut late = Stream::open(&stage, "?after=5", None).await;
    assert_eq!(late.next().await.unwrap().1["first"], 6);
    assert_eq!(late.slot().await, 2011);
}

#[tokio::test]
async fn a_number_from_before_a_restart_starts_again() {
    let stage = Stage::new(1).await;
    stage.handle.events.push(evaluated(1));
    let mut back = Stream::open(&stage, "", Some("700")).await;
    assert_eq!(back.next().await.unwrap().0["event"], "gap");
    assert_eq!(back.slot().await, 1);
    stage.handle.events.push(evaluated(2));
    assert_eq!(back.slot().await, 2);
}

#[tokio::test]
async fn ledger_events_carry_their_height_and_wait_for_their_snapshot() {
    let mut stage = Stage::new(1).await;
    let mut stream = Stream::open(&stage, "?after=0", None).await;
    let slashing = Slashing {
        evidence: EvidenceId::new([2; 32]),
        offender: Address::new([3; 32]),
        kind: OffenceKind::FalseClaim,
        process: ProcessId::new([4; 32]),
        slot: Slot(7),
        amount: Stake(u128::MAX),
        challenger: Address::new([5; 32]),
        height: Height(4),
        escrow_until: Height(14),
        released: false,
    };
    let push = |event| {
        stage.handle.events.push(NodeEvent::Ledger {
            height: Height(4),
            event,
        });
    };
    push(LedgerEvent::Slashed(slashing));
    push(LedgerEvent::Opened {
        case: CaseId::new([1; 32]),
        evidence: EvidenceId::new([2; 32]),
    });
    let claim = Event::Claimed {
        process: ProcessId::new([4; 32]),
        claim: ClaimId::new([6; 32]),
        first_new: 0,
        size: 3,
    };
    stage.handle.events.push(NodeEvent::Role(claim));
    let (fields, data) = stream.next().await.unwrap();
    assert_eq!(fields["event"], "slashed");
    assert_eq!(data["offence"], "false-claim");
    assert_eq!(data["kind"], "slashed");
    assert_eq!(data["height"], 4);
    assert_eq!(data["amount"], u128::MAX.to_string());
    let later = async {
        stage.pass(1);
        stage.show(1, 1);
    };
    let (opened, ()) = tokio::join!(stream.next(), later);
    assert_eq!(opened.unwrap().0["event"], "opened");
    let (_, data) = stream.next().await.unwrap();
    assert_eq!(data["claim"], ClaimId::new([6; 32]).to_string());
}

#[tokio::test]
async fn streams_are_bounded() {
    let stage = Stage::new(1).await;
    let mut open = Vec::new();
    for _ in 0..64 {
        open.push(Stream::open(&stage, "", None).await);
    }
    stage.get("/v1/events").await.is_problem(503, "busy");
    open.pop();
    Stream::open(&stage, "", None).await;
}
