//! Attested results are what a client with a checkpoint believes.

use surety_attest::result::root_of_parts;
use surety_protocol::attested::{AttestedError, AttestedResult, Status};
use surety_protocol::block::Checkpoint;
use surety_protocol::codec;
use surety_protocol::time::{Height, Slot};

use super::Stage;

impl Stage {
    async fn checkpoint(&self) -> Checkpoint {
        let answer = self.get("/v1/ledger/checkpoint").await;
        assert_eq!(answer.header("content-type"), "application/cbor");
        codec::decode(&answer.bytes).unwrap()
    }

    fn attested(&self, slot: u64, query: &str) -> String {
        format!(
            "/v1/processes/{}/slots/{slot}/attested{query}",
            self.process_id()
        )
    }
}

#[tokio::test]
async fn a_result_rises_from_claimed_to_settled() {
    let mut stage = Stage::new(6).await;
    stage
        .get(&stage.attested(2, ""))
        .await
        .is_problem(409, "not-attested");
    let beyond = stage.get(&stage.attested(6, "?status=certified")).await;
    beyond.is_problem(404, "slot-unknown");
    let detail = beyond.json()["detail"].as_str().unwrap().to_owned();
    assert!(detail.contains("slot 6 is not in the log yet"), "{detail}");
    let trusted = stage.checkpoint().await;
    let claim = stage.claim(5, true);
    stage.show(6, 6);
    for (status, blocks) in [
        (Status::Claimed, 0),
        (Status::Certified, 1),
        (Status::Settled, 6),
    ] {
        if status == Status::Certified {
            stage.certify(&claim);
        }
        stage.pass(blocks);
        stage.show(6, 6);
        let answer = stage.get(&stage.attested(2, "")).await;
        assert_eq!(
            answer.status,
            200,
            "{}",
            String::from_utf8_lossy(&answer.bytes)
        );
        assert_eq!(answer.header("x-surety-status"), status.name());
        assert_eq!(answer.header("content-type"), "application/cbor");
        let result: AttestedResult = codec::decode(&answer.bytes).unwrap();
        let attestation = result.check(&trusted, root_of_parts).unwrap();
        assert_eq!(attestation.status, status);
        assert_eq!(attestation.slot, Slot(2));
        assert_eq!(
            attestation.claimant,
            (status == Status::Claimed).then(|| stage.alice.address())
        );
        // Less than there is will do; more will not.
        for least in [Status::Claimed, Status::Certified, Status::Settled] {
            let query = format!("?status={}", least.name());
            let answer = stage.get(&stage.attested(2, &query)).await;
            if least <= status {
                assert_eq!(answer.status, 200);
            } else {
                answer.is_problem(409, "not-attested");
                let detail = answer.json()["detail"].as_str().unwrap().to_owned();
                assert!(
                    detail.contains(&format!("available: {}", status.name())),
                    "{detail}"
                );
            }
        }
        // With as much behind it as was asked for, or not.
        let stood = attestation.backing;
        let (stake, tickets) = (stood.stake, stood.tickets);
        let enough = format!("?min_stake={stake}&k={tickets}");
        assert_eq!(stage.get(&stage.attested(2, &enough)).await.status, 200);
        let code = match status {
            Status::Claimed => "not-attested",
            _ => "backing-too-low",
        };
        for more in [
            format!("?min_stake={stake}0"),
            format!("?k={}", tickets + 1),
        ] {
            let answer = stage.get(&stage.attested(2, &more)).await;
            answer.is_problem(409, code);
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            let behind = format!("{} of stake", stake.in_ao());
            assert!(detail.contains(&behind), "{detail}");
        }
        // The slot after the claim's is not in it.
        stage
            .get(&stage.attested(5, ""))
            .await
            .is_problem(409, "not-attested");
        let mut forged = result.clone();
        forged.leaf.gas += 1;
        assert_eq!(
            forged.check(&trusted, root_of_parts),
            Err(AttestedError::Leaf)
        );
    }
}

#[tokio::test]
async fn a_false_claim_attests_nothing() {
    let stage = Stage::new(4).await;
    stage.claim(3, false);
    stage.show(4, 4);
    stage
        .get(&stage.attested(1, ""))
        .await
        .is_problem(409, "not-attested");
    // A longer true one does, though it is tried after the false one.
    stage.claim(4, true);
    stage.show(4, 4);
    let answer = stage.get(&stage.attested(1, "")).await;
    let result: AttestedResult = codec::decode(&answer.bytes).unwrap();
    assert_eq!(result.path.size, 4);
}

#[tokio::test]
async fn a_false_certificate_is_not_borne_out_by_this_node() {
    let mut stage = Stage::new(4).await;
    let claim = stage.claim(3, false);
    stage.certify(&claim);
    stage.show(4, 4);
    stage
        .get(&stage.attested(1, ""))
        .await
        .is_problem(409, "other-history");
}

#[tokio::test]
async fn who_waits_gets_the_certificate_when_it_comes() {
    let mut stage = Stage::new(4).await;
    let claim = stage.claim(4, true);
    stage.show(4, 4);
    let path = stage.attested(3, "?status=certified&wait=30");
    let router = stage.router();
    let request = axum::http::Request::get(&path)
        .body(axum::body::Body::empty())
        .unwrap();
    let asked = tokio::spawn(tower::ServiceExt::oneshot(router, request));
    stage.certify(&claim);
    stage.show(4, 4);
    let response = asked.await.unwrap().unwrap();
    assert_eq!(response.headers()["x-surety-status"], "certified");
    stage
        .get(&stage.attested(3, "?status=true"))
        .await
        .is_problem(400, "status-unknown");
}

#[tokio::test]
async fn a_checkpoint_of_any_block_is_given() {
    let stage = Stage::new(1).await;
    let last = stage.checkpoint().await;
    assert_eq!((last.height, last.block), (Height(3), stage.ledger.head()));
    let answer = stage.get("/v1/ledger/checkpoint?height=2").await;
    let older: Checkpoint = codec::decode(&answer.bytes).unwrap();
    let block = stage.archive.block(Height(3)).unwrap().unwrap();
    assert_eq!(
        (older.height, older.block),
        (Height(2), block.commit.header.parent)
    );
}
