use super::*;

fn address(port: u16) -> Multiaddr {
    format!("/ip4/10.0.0.1/tcp/{port}").parse().unwrap()
}

fn peers(due: Vec<(PeerId, Vec<Multiaddr>)>) -> Vec<PeerId> {
    due.into_iter().map(|(peer, _)| peer).collect()
}

#[test]
fn a_bootstrap_peer_is_dialled_for_ever_with_growing_pauses() {
    let (start, peer) = (Instant::now(), PeerId::random());
    let mut dialer = Dialer::new(PeerId::random(), 0);
    dialer.bootstrap(peer, address(1), start);
    let mut now = start;
    let mut pauses = Vec::new();
    for _ in 0..9 {
        assert_eq!(peers(dialer.due(0, now)), [peer]);
        // Never twice at once.
        assert_eq!(peers(dialer.due(0, now)), []);
        dialer.failed(&peer, now);
        let next = (1..).map(|n| now + Duration::from_millis(500) * n);
        let next = next
            .into_iter()
            .find(|t| dialer.book[&peer].state == State::Idle { next: *t });
        pauses.push((next.unwrap() - now).as_millis());
        assert_eq!(
            peers(dialer.due(0, next.unwrap() - Duration::from_millis(1))),
            []
        );
        now = next.unwrap();
    }
    assert_eq!(
        pauses,
        [1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000, 30000]
    );
}

#[test]
fn a_stable_connection_clears_failures_and_a_short_one_is_a_failure() {
    let (now, peer) = (Instant::now(), PeerId::random());
    let mut dialer = Dialer::new(PeerId::random(), 0);
    dialer.bootstrap(peer, address(1), now);
    dialer.due(0, now);
    dialer.connected(&peer, now);
    // Hearing of the connection again does not make it younger or older.
    dialer.connected(&peer, now + limits::STABLE);
    // A second dial that fails while the peer is connected changes nothing.
    dialer.failed(&peer, now);
    assert_eq!(dialer.book[&peer].failures, 0);
    let short = now + limits::STABLE - Duration::from_millis(1);
    dialer.lost(&peer, short);
    assert_eq!(dialer.book[&peer].failures, 1);
    dialer.connected(&peer, short);
    dialer.lost(&peer, short + limits::STABLE);
    assert_eq!(dialer.book[&peer].failures, 0);
    assert_eq!(
        peers(dialer.due(0, short + limits::STABLE + limits::REDIAL_MIN)),
        [peer]
    );
}

#[test]
fn others_are_dialled_up_to_the_target_and_then_forgotten() {
    let (mut now, local) = (Instant::now(), PeerId::random());
    let mut dialer = Dialer::new(local, 3);
    for n in 0..5 {
        dialer.learn(PeerId::random(), vec![address(n)], false, now);
    }
    dialer.learn(local, vec![address(9)], false, now);
    assert_eq!(dialer.book.len(), 5);
    assert_eq!(dialer.due(3, now).len(), 0);
    let due = peers(dialer.due(1, now));
    assert_eq!(due.len(), 2);
    // Those under way count.
    assert_eq!(dialer.due(1, now).len(), 0);
    dialer.failed(&due[0], now);
    for _ in 1..limits::DIAL_FAILURES_MAX {
        assert!(dialer.book.contains_key(&due[0]));
        now += limits::REDIAL_MAX;
        dialer.book.get_mut(&due[0]).unwrap().state = State::Dialing;
        dialer.failed(&due[0], now);
    }
    assert!(!dialer.book.contains_key(&due[0]));
}

#[test]
fn a_liar_cannot_replace_an_address_nor_fill_the_book() {
    let (now, peer, boot) = (Instant::now(), PeerId::random(), PeerId::random());
    let mut dialer = Dialer::new(PeerId::random(), 1);
    dialer.bootstrap(boot, address(1), now);
    dialer.learn(peer, vec![address(2)], true, now);
    dialer.learn(peer, vec![address(3)], false, now);
    dialer.learn(boot, vec![address(3)], true, now);
    assert_eq!(dialer.book[&peer].addresses, [address(2)]);
    assert_eq!(dialer.book[&boot].addresses, [address(1)]);
    dialer.learn(peer, (0..20).map(address).collect(), true, now);
    assert_eq!(
        dialer.book[&peer].addresses.len(),
        limits::ADDRESSES_PER_PEER
    );
    for _ in 0..limits::BOOK_MAX + 5 {
        dialer.learn(PeerId::random(), vec![address(4)], false, now);
    }
    assert_eq!(dialer.book.len(), limits::BOOK_MAX);
    assert!(dialer.book.contains_key(&peer) && dialer.book.contains_key(&boot));
}
