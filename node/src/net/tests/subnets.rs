use super::*;

fn topics(peer: &PeerInfo) -> usize {
    peer.topics.len()
}

/// Topics of a peer that carries so many subnets.
const fn of(carried: usize) -> usize {
    3 + 2 * carried
}

/// Rule N-19.
#[tokio::test]
async fn who_carries_few_subnets_hears_those_and_is_heard_in_all() {
    let mut hub = Node::start(1, config(Transport::Tcp, &[])).await;
    let mut node = Node::start(2, config(Transport::Tcp, &[&hub])).await;
    node.handle.carry(4, false).await.unwrap();
    hub.sees(|peers| peers.iter().any(|it| topics(it) == of(4)))
        .await;
    node.subscribed(1).await;
    let its = Subnets::carried_by(&node.id().to_bytes(), 4);
    for subnet in Subnet::all() {
        hub.handle
            .publish(Topic::Assignments(subnet), b"slot".to_vec())
            .await
            .unwrap();
    }
    hub.handle
        .publish(Topic::Ledger, b"last".to_vec())
        .await
        .unwrap();
    for _ in 0..4 {
        let (topic, ..) = node.gossip().await;
        assert!(topic.subnet().is_some_and(|it| its.contains(it)), "{topic}");
    }
    assert_eq!(node.gossip().await.0, Topic::Ledger);
    for subnet in Subnet::all() {
        let topic = Topic::Approvals(subnet);
        node.handle.publish(topic, b"yes".to_vec()).await.unwrap();
        assert_eq!(hub.gossip().await.0, topic);
    }
    // Once more is to be heard, it is.
    node.handle.carry(8, false).await.unwrap();
    hub.sees(|peers| peers.iter().any(|it| topics(it) == of(8)))
        .await;
    node.handle.carry(8, true).await.unwrap();
    hub.subscribed(1).await;
}

/// Rule N-20.
#[tokio::test]
async fn peers_are_found_for_every_subnet() {
    let carries = async |seed, config| {
        let node = Node::start(seed, config).await;
        node.handle.carry(4, false).await.unwrap();
        node
    };
    let mut others = Vec::new();
    for seed in 10..26 {
        others.push(carries(seed, config(Transport::Tcp, &[])).await);
    }
    let ids: Vec<Vec<u8>> = others.iter().map(|it| it.id().to_bytes()).collect();
    let here = NetConfig {
        connections_target: 1,
        ..config(Transport::Tcp, &[&others[0]])
    };
    let node = carries(1, here).await;
    for other in &others {
        let addresses = other.handle.listen_addresses();
        node.handle.locate(other.id(), addresses).await.unwrap();
    }
    let own = Subnets::carried_by(&node.id().to_bytes(), 4);
    let there = |ids: &mut dyn Iterator<Item = Vec<u8>>, subnet| {
        ids.filter(|it| Subnets::carried_by(it, 4).contains(subnet))
            .count()
    };
    node.sees(|peers| {
        Subnet::all().all(|subnet| {
            let known = there(&mut ids.iter().cloned(), subnet);
            let wanted = if own.contains(subnet) { 6 } else { 4 };
            let connected = peers.iter().map(|it| it.peer.to_bytes());
            there(&mut connected.into_iter(), subnet) >= known.min(wanted)
        })
    })
    .await;
}
