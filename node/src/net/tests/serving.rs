use super::*;

async fn pair(transport: Transport) -> (Node, Node) {
    let mut a = Node::start(1, config(transport, &[])).await;
    let mut b = Node::start(2, config(transport, &[&a])).await;
    a.connected(b.id()).await;
    b.connected(a.id()).await;
    (a, b)
}

async fn both_ways(transport: Transport) {
    let (mut a, mut b) = pair(transport).await;
    for protocol in Protocol::ALL.into_iter().filter(|p| *p != Protocol::Peers) {
        a.handle
            .request(1, b.id(), protocol, b"from a".to_vec())
            .await
            .unwrap();
        b.handle
            .request(2, a.id(), protocol, b"from b".to_vec())
            .await
            .unwrap();
        let (a_id, b_id) = (a.id(), b.id());
        for (node, asker, text) in [(&mut b, a_id, b"from a"), (&mut a, b_id, b"from b")] {
            let (got, peer, token, data) = node.request().await;
            assert_eq!((got, peer, data.as_slice()), (protocol, asker, &text[..]));
            node.handle
                .respond(token, Ok([b"re: ", &data[..]].concat()))
                .await
                .unwrap();
        }
        assert_eq!(a.response(1).await, Ok(b"re: from a".to_vec()));
        assert_eq!(b.response(2).await, Ok(b"re: from b".to_vec()));
    }
}

#[tokio::test]
async fn requests_go_both_ways_over_tcp() {
    both_ways(Transport::Tcp).await;
}

#[tokio::test]
async fn requests_go_both_ways_over_quic() {
    both_ways(Transport::Quic).await;
}

async fn largest(transport: Transport) {
    let (mut a, mut b) = pair(transport).await;
    let most = vec![3; Protocol::Blocks.response_max()];
    a.handle
        .request(1, b.id(), Protocol::Blocks, vec![0; limits::REQUEST_MAX])
        .await
        .unwrap();
    let (_, _, token, data) = b.request().await;
    assert_eq!(data.len(), limits::REQUEST_MAX);
    b.handle.respond(token, Ok(most.clone())).await.unwrap();
    assert!(a.response(1).await == Ok(most));
    // One byte more is not even sent.
    a.handle
        .request(2, b.id(), Protocol::Pages, vec![])
        .await
        .unwrap();
    let (_, _, token, _) = b.request().await;
    b.handle
        .respond(token, Ok(vec![0; limits::RESPONSE_PAGES_MAX + 1]))
        .await
        .unwrap();
    assert_eq!(a.response(2).await, Err(ExchangeError::Refused));
    let bytes = limits::REQUEST_MAX + 1;
    a.handle
        .request(3, b.id(), Protocol::Pages, vec![0; bytes])
        .await
        .unwrap();
    let limit = limits::REQUEST_MAX;
    assert_eq!(
        a.response(3).await,
        Err(ExchangeError::RequestTooLarge { bytes, limit })
    );
}

#[tokio::test]
async fn the_largest_answer_passes_over_tcp() {
    largest(Transport::Tcp).await;
}

#[tokio::test]
async fn the_largest_answer_passes_over_quic() {
    largest(Transport::Quic).await;
}

#[tokio::test]
async fn every_request_ends_with_exactly_one_response() {
    let (mut a, mut b) = pair(Transport::Tcp).await;
    let nobody = PeerId::random();
    a.handle
        .request(1, nobody, Protocol::Blocks, vec![])
        .await
        .unwrap();
    assert_eq!(a.response(1).await, Err(ExchangeError::NotConnected));
    a.handle
        .request(2, b.id(), Protocol::Peers, vec![])
        .await
        .unwrap();
    assert_eq!(a.response(2).await, Err(ExchangeError::Unsupported));
    // Refused, and forgotten.
    a.handle
        .request(3, b.id(), Protocol::Blocks, vec![])
        .await
        .unwrap();
    let (_, _, token, _) = b.request().await;
    b.handle.respond(token, Err(())).await.unwrap();
    assert_eq!(a.response(3).await, Err(ExchangeError::Refused));
    a.handle
        .request(4, b.id(), Protocol::Blocks, vec![])
        .await
        .unwrap();
    drop(b.request().await);
    assert_eq!(a.response(4).await, Err(ExchangeError::Refused));
    // As many as one peer may have open; the next is refused though the owner never sees it.
    let open = limits::REQUESTS_IN_PER_PEER as u64;
    let mut tokens = Vec::new();
    for n in 0..open {
        a.handle
            .request(100 + n, b.id(), Protocol::Blocks, vec![])
            .await
            .unwrap();
        tokens.push(b.request().await.2);
    }
    a.handle
        .request(5, b.id(), Protocol::Blocks, vec![])
        .await
        .unwrap();
    assert_eq!(a.response(5).await, Err(ExchangeError::Refused));
    assert_eq!(b.handle.counts().requests_refused, 1);
    // A place is free again once an answer is out.
    b.handle
        .respond(tokens.remove(0), Ok(vec![9]))
        .await
        .unwrap();
    assert_eq!(a.response(100).await, Ok(vec![9]));
    a.handle
        .request(6, b.id(), Protocol::Blocks, vec![])
        .await
        .unwrap();
    tokens.push(b.request().await.2);
    // The peer leaves with all of them open.
    b.stop().await;
    let mut failed = Vec::new();
    while failed.len() < tokens.len() {
        if let NetEvent::Response {
            request, result, ..
        } = a.next().await
        {
            assert_eq!(result, Err(ExchangeError::Disconnected));
            failed.push(request);
        }
    }
    failed.sort_unstable();
    assert_eq!(
        failed,
        [&[6][..], &(101..100 + open).collect::<Vec<_>>()].concat()
    );
}

#[tokio::test]
async fn own_requests_are_bounded_by_what_they_may_bring() {
    let (mut a, b) = pair(Transport::Tcp).await;
    let most = (limits::REQUESTS_OUT_BYTES / limits::RESPONSE_RUN_MAX) as u64;
    for n in 0..=most {
        a.handle
            .request(n, b.id(), Protocol::Blocks, vec![])
            .await
            .unwrap();
    }
    assert_eq!(a.response(most).await, Err(ExchangeError::Busy));
}

#[tokio::test]
async fn the_owner_may_throw_a_peer_out_but_not_with_one_report() {
    let (mut a, b) = pair(Transport::Tcp).await;
    a.handle.penalize(b.id(), u32::MAX).await.unwrap();
    let peers = a.handle.peers().await.unwrap();
    assert_eq!((peers.len(), a.handle.counts().bans), (1, 0));
    assert!(peers[0].score <= -90, "{peers:?}");
    a.handle
        .penalize(b.id(), limits::POINTS_REJECTED)
        .await
        .unwrap();
    a.disconnected(b.id()).await;
    assert_eq!(a.handle.counts().bans, 1);
}
