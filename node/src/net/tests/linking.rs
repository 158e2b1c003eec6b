use super::*;

async fn comes_back(transport: Transport) {
    let mut boot = Node::start(1, config(transport, &[])).await;
    let mut node = Node::start(2, config(transport, &[&boot])).await;
    node.connected(boot.id()).await;
    boot.connected(node.id()).await;
    let id = boot.id();
    let address = boot.stop().await;
    node.disconnected(id).await;
    let (_, listen) = roster::split(&address).unwrap();
    let again = NetConfig {
        listen: vec![listen],
        ..config(transport, &[])
    };
    let mut boot = Node::start(1, again).await;
    assert_eq!(boot.id(), id);
    node.connected(id).await;
    boot.connected(node.id()).await;
    // And it is a full peer again.
    node.subscribed(1).await;
    boot.handle
        .publish(Topic::Ledger, b"again".to_vec())
        .await
        .unwrap();
    assert_eq!(node.gossip().await.3, b"again");
}

#[tokio::test]
async fn a_lost_bootstrap_peer_is_dialled_until_it_is_back_over_tcp() {
    comes_back(Transport::Tcp).await;
}

#[tokio::test]
async fn a_lost_bootstrap_peer_is_dialled_until_it_is_back_over_quic() {
    comes_back(Transport::Quic).await;
}

/// A node that dies without a word and is back before anybody missed it hears and is heard.
#[test]
fn a_new_life_of_a_peer_is_no_stranger_to_gossip() {
    let runtime = || tokio::runtime::Runtime::new().unwrap();
    let (here, there, again) = (runtime(), runtime(), runtime());
    let mut hub = here.block_on(Node::start(1, config(Transport::Quic, &[])));
    let boot = config(Transport::Quic, &[&hub]);
    let node = there.block_on(Node::start(2, boot.clone()));
    here.block_on(async {
        hub.connected(node.id()).await;
        hub.sees(|peers| peers.iter().all(|it| !it.agent.is_empty()))
            .await;
    });
    // No task of it says goodbye.
    there.shutdown_background();
    let mut node = again.block_on(Node::start(2, boot));
    again.block_on(node.subscribed(1));
    here.block_on(hub.subscribed(1));
    let publish = |handle: NetHandle, what: &'static [u8]| async move {
        handle.publish(Topic::Ledger, what.to_vec()).await.unwrap();
    };
    here.block_on(publish(hub.handle.clone(), b"to it"));
    assert_eq!(again.block_on(node.gossip()).3, b"to it");
    again.block_on(publish(node.handle.clone(), b"from it"));
    assert_eq!(here.block_on(hub.gossip()).3, b"from it");
}

#[tokio::test]
async fn nodes_that_know_one_find_all() {
    let wide = |boot: &[&Node]| NetConfig {
        connections_target: 16,
        ..config(Transport::Tcp, boot)
    };
    let mut nodes = vec![Node::start(1, wide(&[])).await];
    for n in 0..4 {
        let next = Node::start(10 + n, wide(&[&nodes[0]])).await;
        nodes.push(next);
    }
    for node in &nodes {
        node.subscribed(4).await;
    }
    // Each is known by where it listens, not by the port that it happened to dial from, once it
    // has said who it is: that comes after, or before, what it subscribes to.
    let listening = |peer: &PeerInfo| {
        let node = nodes.iter().find(|node| node.id() == peer.peer).unwrap();
        peer.agent.starts_with("surety/") && peer.addresses == node.handle.listen_addresses()
    };
    nodes[1].sees(|peers| peers.iter().all(listening)).await;
}

#[tokio::test]
async fn an_address_that_the_owner_gives_is_dialled() {
    let wide = NetConfig {
        connections_target: 1,
        ..config(Transport::Quic, &[])
    };
    let (a, mut b) = (
        Node::start(1, config(Transport::Quic, &[])).await,
        Node::start(2, wide).await,
    );
    b.handle
        .dial(a.id(), a.handle.listen_addresses())
        .await
        .unwrap();
    b.connected(a.id()).await;
}

#[tokio::test]
async fn nodes_of_another_network_are_sent_away() {
    let mut a = Node::start(1, config(Transport::Tcp, &[])).await;
    let other = NetConfig {
        network: NetworkId::new([8; 32]),
        bootstrap: vec![a.address()],
        ..config(Transport::Tcp, &[])
    };
    let b = Node::start(2, other).await;
    a.connected(b.id()).await;
    a.disconnected(b.id()).await;
}

#[tokio::test]
async fn a_full_node_takes_nobody_in() {
    let full = NetConfig {
        connections_max: 1,
        ..config(Transport::Tcp, &[])
    };
    let mut hub = Node::start(1, full).await;
    let first = Node::start(2, config(Transport::Tcp, &[&hub])).await;
    hub.connected(first.id()).await;
    let mut second = Node::start(3, config(Transport::Tcp, &[&hub])).await;
    second.connected(hub.id()).await;
    second.disconnected(hub.id()).await;
    assert_eq!(hub.handle.peers().await.unwrap().len(), 1);
    // A place that becomes free is taken.
    first.stop().await;
    hub.connected(second.id()).await;
}

#[tokio::test]
async fn what_cannot_work_is_refused_at_the_start() {
    let keypair = || identity::keypair_of(&mut [1; 32]).unwrap();
    let start = |config| spawn(config, keypair(), CancellationToken::new()).map(|_| ());
    let named = |text: &str| NetConfig {
        bootstrap: vec![text.parse().unwrap()],
        ..NetConfig::new(NETWORK)
    };
    let error = start(named("/ip4/127.0.0.1/tcp/1"));
    assert!(matches!(error, Err(NetError::BootstrapWithoutPeer(_))));
    let peer = PeerId::random();
    let error = start(named(&format!("/dns4/example.org/tcp/1/p2p/{peer}")));
    assert!(matches!(error, Err(NetError::BootstrapAddress(_))));
    let taken = Node::start(1, config(Transport::Tcp, &[])).await;
    let (_, listen) = roster::split(&taken.address()).unwrap();
    let again = NetConfig {
        listen: vec![listen],
        ..NetConfig::new(NETWORK)
    };
    assert!(matches!(start(again), Err(NetError::Listen { .. })));
}

#[tokio::test]
async fn the_task_ends_when_nobody_owns_it() {
    let Node {
        handle,
        events,
        task,
        ..
    } = Node::start(1, config(Transport::Tcp, &[])).await;
    drop(events);
    soon(task).await.unwrap();
    assert_eq!(handle.peers().await, Err(CommandError::Stopped));
    let Node {
        handle,
        events,
        task,
        ..
    } = Node::start(1, config(Transport::Tcp, &[])).await;
    drop(handle);
    soon(task).await.unwrap();
    drop(events);
}

/// Asks for something and answers it.
async fn asks(asker: &mut Node, other: &mut Node, id: u64) {
    let request = asker.handle.clone();
    request
        .request(id, other.id(), Protocol::Blocks, b"where".to_vec())
        .await
        .unwrap();
    let (_, from, token, data) = other.request().await;
    assert_eq!((from, data.as_slice()), (asker.id(), &b"where"[..]));
    other
        .handle
        .respond(token, Ok(b"here".to_vec()))
        .await
        .unwrap();
    assert_eq!(asker.response(id).await, Ok(b"here".to_vec()));
}

/// Rules N-9 and N-18.
#[tokio::test]
async fn who_is_not_connected_is_found_by_who_knows_it() {
    for transport in [Transport::Tcp, Transport::Quic] {
        let hub = Node::start(1, config(transport, &[])).await;
        let mut a = Node::start(2, config(transport, &[&hub])).await;
        let mut b = Node::start(3, config(transport, &[&hub])).await;
        let listening = |peer: &PeerInfo| peer.agent.starts_with("surety/");
        hub.sees(|peers| peers.len() == 2 && peers.iter().all(listening))
            .await;
        asks(&mut a, &mut b, 1).await;
        // What waits for one peer goes with the first connection.
        asks(&mut b, &mut a, 2).await;
    }
}

/// Rule N-18.
#[tokio::test]
async fn who_is_told_of_falsely_by_some_is_found_by_others() {
    let transport = Transport::Tcp;
    let (mut liar, hub) = (
        Node::start(1, config(transport, &[])).await,
        Node::start(2, config(transport, &[])).await,
    );
    let mut a = Node::start(3, config(transport, &[&liar, &hub])).await;
    let mut b = Node::start(4, config(transport, &[&hub])).await;
    let listening = |peer: &PeerInfo| peer.agent.starts_with("surety/");
    hub.sees(|peers| peers.len() == 2 && peers.iter().all(listening))
        .await;
    a.sees(|peers| peers.len() == 2).await;
    liar.connected(a.id()).await;
    // Nobody answers there, nor says so.
    let hole: Multiaddr = "/ip4/127.0.0.1/udp/9/quic-v1".parse().unwrap();
    liar.handle.locate(b.id(), vec![hole]).await.unwrap();
    asks(&mut a, &mut b, 1).await;
}

/// Rules N-17 and N-18.
#[tokio::test]
async fn who_says_where_it_is_is_reached_there() {
    let mut hub = Node::start(1, config(Transport::Quic, &[])).await;
    let mut b = Node::start(2, config(Transport::Quic, &[&hub])).await;
    b.subscribed(1).await;
    b.handle.announce().await.unwrap();
    let (topic, _, _, data) = hub.gossip().await;
    let record = record::read(&data).unwrap();
    assert_eq!((topic, record.peer), (Topic::Records, b.id()));
    assert_eq!(record.addresses, b.handle.listen_addresses());
    // One who knows nobody else.
    let mut a = Node::start(3, config(Transport::Quic, &[])).await;
    a.handle
        .locate(record.peer, record.addresses)
        .await
        .unwrap();
    asks(&mut a, &mut b, 1).await;
}

#[tokio::test]
async fn who_is_nowhere_is_not_sought_for_ever() {
    let hub = Node::start(3, config(Transport::Tcp, &[])).await;
    let mut a = Node::start(1, config(Transport::Tcp, &[&hub])).await;
    a.connected(hub.id()).await;
    let gone = Node::start(2, config(Transport::Tcp, &[])).await;
    let peer = gone.id();
    let (_, listen) = roster::split(&gone.stop().await).unwrap();
    a.handle.locate(peer, vec![listen]).await.unwrap();
    for id in 0..20 {
        a.handle
            .request(id, peer, Protocol::Blocks, vec![])
            .await
            .unwrap();
    }
    // Those that found no room, those that waited in vain, and one that comes right after.
    for id in (8..20).chain(0..8) {
        assert_eq!(a.response(id).await, Err(ExchangeError::NotConnected));
    }
    a.handle
        .request(20, peer, Protocol::Blocks, vec![])
        .await
        .unwrap();
    let at_once = tokio::time::timeout(limits::SEEK / 2, a.response(20));
    assert_eq!(at_once.await.unwrap(), Err(ExchangeError::NotConnected));
}
