use super::*;

/// A hub and nodes that know only the hub.
async fn star(transport: Transport, leaves: u8) -> (Node, Vec<Node>) {
    let hub = Node::start(1, config(transport, &[])).await;
    let mut nodes = Vec::new();
    for n in 0..leaves {
        nodes.push(Node::start(10 + n, config(transport, &[&hub])).await);
    }
    hub.subscribed(usize::from(leaves)).await;
    for node in &nodes {
        node.subscribed(1).await;
    }
    (hub, nodes)
}

async fn two_nodes(transport: Transport) {
    let (mut hub, mut leaves) = star(transport, 1).await;
    let leaf = &mut leaves[0];
    leaf.handle
        .publish(Topic::Claims, b"up".to_vec())
        .await
        .unwrap();
    let (topic, source, token, data) = hub.gossip().await;
    assert_eq!(
        (topic, source, data.as_slice()),
        (Topic::Claims, leaf.id(), &b"up"[..])
    );
    hub.handle.report(token, Acceptance::Accept).await.unwrap();

    // The largest message passes, one byte more does not.
    let most = vec![7; limits::GOSSIP_BYTES_MAX];
    hub.handle
        .publish(Topic::Ledger, most.clone())
        .await
        .unwrap();
    let (topic, _, _, data) = leaf.gossip().await;
    assert!(topic == Topic::Ledger && data == most);
    let more = vec![7; limits::GOSSIP_BYTES_MAX + 1];
    let bytes = more.len();
    assert_eq!(
        hub.handle.publish(Topic::Ledger, more).await,
        Err(CommandError::TooLarge { bytes })
    );
}

#[tokio::test]
async fn two_nodes_gossip_over_tcp() {
    two_nodes(Transport::Tcp).await;
}

#[tokio::test]
async fn two_nodes_gossip_over_quic() {
    two_nodes(Transport::Quic).await;
}

#[tokio::test]
async fn only_what_the_middle_accepts_reaches_the_far_end() {
    let (mut hub, mut leaves) = star(Transport::Tcp, 2).await;
    let (mut far, near) = (leaves.remove(1), leaves.remove(0));
    for (data, acceptance) in [
        (b"rejected", Acceptance::Reject),
        (b"ignored!", Acceptance::Ignore),
        (b"accepted", Acceptance::Accept),
    ] {
        near.handle
            .publish(Topic::Claims, data.to_vec())
            .await
            .unwrap();
        let (_, source, token, got) = hub.gossip().await;
        assert_eq!((source, got.as_slice()), (near.id(), &data[..]));
        hub.handle.report(token, acceptance).await.unwrap();
    }
    let (_, source, _, data) = far.gossip().await;
    assert_eq!((source, data.as_slice()), (hub.id(), &b"accepted"[..]));
    // One without a verdict at all: the next one overtakes it.
    near.handle
        .publish(Topic::Claims, b"unjudged".to_vec())
        .await
        .unwrap();
    let (_, _, unjudged, _) = hub.gossip().await;
    near.handle
        .publish(Topic::Ledger, b"last".to_vec())
        .await
        .unwrap();
    let (_, _, last, _) = hub.gossip().await;
    hub.handle.report(last, Acceptance::Accept).await.unwrap();
    assert_eq!(far.gossip().await.3, b"last");
    // And is forwarded once it has one.
    hub.handle
        .report(unjudged, Acceptance::Accept)
        .await
        .unwrap();
    assert_eq!(far.gossip().await.3, b"unjudged");
}

#[tokio::test]
async fn five_nodes_all_hear_all() {
    let (mut hub, mut leaves) = star(Transport::Quic, 4).await;
    for (n, leaf) in leaves.iter().enumerate() {
        leaf.handle
            .publish(Topic::Approvals(Subnet::default()), vec![n as u8])
            .await
            .unwrap();
    }
    for _ in 0..4 {
        let (_, _, token, _) = hub.gossip().await;
        hub.handle.report(token, Acceptance::Accept).await.unwrap();
    }
    for (n, leaf) in leaves.iter_mut().enumerate() {
        let mut heard = Vec::new();
        while heard.len() < 3 {
            heard.extend(leaf.gossip().await.3);
        }
        heard.sort_unstable();
        let others: Vec<u8> = (0..4).filter(|other| *other != n as u8).collect();
        assert_eq!(heard, others);
    }
    assert_eq!(hub.handle.counts().gossip_received, 4);
}

#[tokio::test]
async fn who_is_rejected_again_and_again_is_thrown_out_and_stays_out() {
    let (mut hub, mut leaves) = star(Transport::Tcp, 2).await;
    let (good, mut bad) = (leaves.remove(1), leaves.remove(0));
    // Ten are enough, or one more for every minute that this takes.
    let mut rejected = 0_u64;
    while hub.handle.counts().bans == 0 {
        bad.handle
            .publish(Topic::Claims, rejected.to_be_bytes().to_vec())
            .await
            .unwrap();
        let (_, source, token, _) = hub.gossip().await;
        assert_eq!(source, bad.id());
        hub.handle.report(token, Acceptance::Reject).await.unwrap();
        rejected += 1;
        // The answer comes after the report was dealt with.
        hub.handle.peers().await.unwrap();
    }
    assert!((10..15).contains(&rejected), "{rejected}");
    hub.disconnected(bad.id()).await;
    bad.disconnected(hub.id()).await;
    assert_eq!(hub.handle.counts().bans, 1);
    // It dials again and is closed again, without the hub's owner ever hearing of it; others are not concerned.
    bad.connected(hub.id()).await;
    bad.disconnected(hub.id()).await;
    good.handle
        .publish(Topic::Claims, b"good".to_vec())
        .await
        .unwrap();
    let event = hub.next().await;
    assert!(
        matches!(event, NetEvent::Gossip { source, .. } if source == good.id()),
        "{event:?}"
    );
    let peers = hub.handle.peers().await.unwrap();
    assert_eq!(
        peers.iter().map(|peer| peer.peer).collect::<Vec<_>>(),
        [good.id()]
    );
}

#[tokio::test]
async fn what_is_published_alone_waits_for_the_first_subscriber() {
    let hub = Node::start(1, config(Transport::Tcp, &[])).await;
    hub.handle
        .publish(Topic::Ledger, b"early".to_vec())
        .await
        .unwrap();
    let mut late = Node::start(2, config(Transport::Tcp, &[&hub])).await;
    assert_eq!(late.gossip().await.3, b"early");
}

#[tokio::test]
async fn an_owner_that_sleeps_loses_gossip_but_no_response() {
    let (mut hub, mut leaves) = star(Transport::Tcp, 1).await;
    let mut leaf = leaves.remove(0);
    // Fill the budget of unjudged bytes while the hub's owner does not look.
    let size = limits::GOSSIP_BYTES_MAX;
    let count = limits::GOSSIP_UNJUDGED_BYTES / size + 2;
    for n in 0..count {
        leaf.handle
            .publish(Topic::Approvals(Subnet::default()), vec![n as u8; size])
            .await
            .unwrap();
    }
    soon(async {
        loop {
            let counts = hub.handle.counts();
            if counts.gossip_received + counts.gossip_dropped == count as u64 {
                assert_eq!(counts.gossip_dropped, 2);
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
    hub.handle
        .request(5, leaf.id(), Protocol::Blocks, vec![1])
        .await
        .unwrap();
    let (_, _, token, _) = leaf.request().await;
    leaf.handle.respond(token, Ok(vec![2])).await.unwrap();
    assert_eq!(hub.response(5).await, Ok(vec![2]));
}
