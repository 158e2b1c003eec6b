//! Getting large things from real peers over 127.0.0.1, of which some stop and some lie.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use surety_attest::claims::Claims;
use surety_attest::effect::Record;
use surety_attest::state::{Snapshot, ZERO_PAGE};
use surety_protocol::evidence::Evidence;
use surety_protocol::id::{EvidenceId, ProcessId};

use super::evidence::ROOM_MIB;
use super::fetch::Fetcher;
use super::*;
use crate::archive::{Archive, EVIDENCE_PIECE, Series, Transfer, write};
use crate::net::tests::{Node, Transport, config, soon};
use crate::net::{NetEvent, NetHandle, PeerId};
use crate::store::{Batch, MemoryStore};

/// What a peer makes of its n-th answer; nothing refuses.
type Manner = fn(usize, Vec<u8>) -> Option<Vec<u8>>;

fn honest(_: usize, answer: Vec<u8>) -> Option<Vec<u8>> {
    Some(answer)
}

/// Answers once.
fn stops(nth: usize, answer: Vec<u8>) -> Option<Vec<u8>> {
    (nth == 0).then_some(answer)
}

/// Alters the last byte of everything.
fn lies(_: usize, mut answer: Vec<u8>) -> Option<Vec<u8>> {
    if let Some(last) = answer.last_mut() {
        *last ^= 1;
    }
    Some(answer)
}

/// Answers with one byte less.
fn shortens(_: usize, mut answer: Vec<u8>) -> Option<Vec<u8>> {
    answer.pop();
    Some(answer)
}

fn archive() -> Archive {
    Archive::new(Arc::new(MemoryStore::new()))
}

/// Who asks, and the peers that it is connected with.
struct Town {
    fetcher: Fetcher,
    archive: Archive,
    net: NetHandle,
    peers: Vec<PeerId>,
    /// How often each answered.
    answers: Vec<Arc<AtomicUsize>>,
}

impl Town {
    /// Peers that have these archives, and how they answer from them.
    async fn of(peers: Vec<(Archive, Manner)>) -> Town {
        Town::around(archive(), peers).await
    }

    /// The same, around a peer that has something already.
    async fn around(archive: Archive, peers: Vec<(Archive, Manner)>) -> Town {
        let mut nodes = Vec::new();
        for (seed, _) in (2..).zip(&peers) {
            nodes.push(Node::start(seed, config(Transport::Tcp, &[])).await);
        }
        let known: Vec<&Node> = nodes.iter().collect();
        let mut asker = Node::start(1, config(Transport::Tcp, &known)).await;
        let ids: Vec<PeerId> = nodes.iter().map(Node::id).collect();
        let mut left: Vec<PeerId> = ids.clone();
        while !left.is_empty() {
            if let NetEvent::PeerConnected { peer } = soon(asker.events.recv()).await.unwrap() {
                left.retain(|it| *it != peer);
            }
        }
        let mut answers = Vec::new();
        for (node, (archive, manner)) in nodes.into_iter().zip(peers) {
            let answered = Arc::new(AtomicUsize::new(0));
            answers.push(Arc::clone(&answered));
            tokio::spawn(answer(node, archive, manner, answered));
        }
        let requests = Requests::new(asker.handle.clone());
        let net = asker.handle.clone();
        let fetcher = Fetcher::new(requests.clone(), archive.clone());
        tokio::spawn(async move {
            while let Some(event) = asker.events.recv().await {
                if let NetEvent::Response {
                    request, result, ..
                } = event
                {
                    requests.answered(request, result);
                }
            }
        });
        Town {
            fetcher,
            archive,
            net,
            peers: ids,
            answers,
        }
    }

    fn answers(&self) -> Vec<usize> {
        let read = |it: &Arc<AtomicUsize>| it.load(Ordering::Relaxed);
        self.answers.iter().map(read).collect()
    }

    /// The peers, by their places, that were reported for something.
    async fn reported(&self) -> Vec<usize> {
        let peers = self.net.peers().await.unwrap();
        let bad = |id: &PeerId| peers.iter().all(|it| it.peer != *id || it.score < 0);
        let at = self.peers.iter().enumerate();
        at.filter(|(_, id)| bad(id)).map(|(at, _)| at).collect()
    }

    async fn evidence(&self, id: EvidenceId, bytes: usize) -> Option<Vec<u8>> {
        let file = soon(self.fetcher.evidence(&self.peers, id, bytes as u64)).await;
        file.map(|it| it.bytes().to_vec())
    }

    async fn state(&self, root: Digest) -> bool {
        let transfer = Transfer::new(ProcessId::default(), root);
        soon(self.fetcher.state(&self.peers, transfer)).await
    }
}

/// Answers from an archive, in a manner, until the end of the test.
async fn answer(mut node: Node, archive: Archive, manner: Manner, answered: Arc<AtomicUsize>) {
    let heard = Claims::default();
    while let Some(event) = node.events.recv().await {
        if let NetEvent::Request {
            protocol,
            token,
            data,
            ..
        } = event
        {
            let answer = serve(&archive, &heard, protocol, &data).unwrap().unwrap();
            let nth = answered.load(Ordering::Relaxed);
            if let Some(answer) = manner(nth, answer) {
                answered.fetch_add(1, Ordering::Relaxed);
                node.handle.respond(token, Ok(answer)).await.unwrap();
            }
        }
    }
}

/// A file of three pieces.
fn file() -> (EvidenceId, Vec<u8>) {
    let bytes: Vec<u8> = (0..2 * EVIDENCE_PIECE + 1000).map(|at| at as u8).collect();
    (Evidence::id_of(&bytes), bytes)
}

fn with_file() -> Archive {
    let (id, bytes) = file();
    let archive = archive();
    let mut batch = Batch::new();
    let record = Record::Evidence {
        id,
        bytes: bytes.into(),
    };
    write::put(&mut batch, record).unwrap();
    archive.write(batch).unwrap();
    archive
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_peer_does_not_give_another_does() {
    let (id, bytes) = file();
    let none: (Archive, Manner) = (archive(), honest);
    let town = Town::of(vec![none, (with_file(), stops), (with_file(), honest)]).await;
    assert_eq!(town.evidence(id, bytes.len()).await, Some(bytes));
    // The first says that it has nothing; the last is not asked for what is here.
    assert_eq!(town.answers(), [1, 1, 2]);
    assert_eq!(town.reported().await, Vec::<usize>::new());
}

#[tokio::test(flavor = "multi_thread")]
async fn after_a_wrong_file_another_peer_is_asked_for_all_of_it() {
    let (id, bytes) = file();
    let peers: Vec<(Archive, Manner)> = vec![
        (with_file(), lies),
        (with_file(), shortens),
        (with_file(), honest),
    ];
    let town = Town::of(peers).await;
    assert_eq!(town.evidence(id, bytes.len()).await, Some(bytes.clone()));
    assert_eq!(town.answers(), [3, 1, 3]);
    // Of another length it is another file.
    for wrong in [0, 1, EVIDENCE_PIECE, bytes.len() - 1, bytes.len() + 1] {
        assert_eq!(town.evidence(id, wrong).await, None, "{wrong}");
    }
    // Whoever announces a wrong length can so have nobody thrown out.
    assert_eq!(town.reported().await, Vec::<usize>::new());
    // More than there is room for at once.
    let largest = (ROOM_MIB << 20) as u64;
    let file = town.fetcher.evidence(&town.peers, id, largest).await;
    assert!(file.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_ends_a_wrong_file_of_several_is_asked_for_all_of_it() {
    let (id, bytes) = file();
    let peers: Vec<(Archive, Manner)> = vec![
        (with_file(), stops),
        (with_file(), lies),
        (with_file(), honest),
    ];
    let town = Town::of(peers).await;
    assert_eq!(town.evidence(id, bytes.len()).await, Some(bytes));
    assert_eq!(town.answers(), [1, 5, 3]);
    // So the pieces of one that are wrong do not spoil another's.
    let once: Manner = |nth, answer| (nth == 0).then(|| lies(nth, answer)).flatten();
    let town = Town::of(vec![(with_file(), once), (with_file(), honest)]).await;
    let (id, bytes) = file();
    assert_eq!(town.evidence(id, bytes.len()).await, Some(bytes));
    assert_eq!(town.answers(), [1, 5]);
}

/// Of some thousand pages.
fn state() -> Snapshot {
    let mut snapshot = Snapshot {
        wasm_pages: 1000,
        globals: vec![3],
        ..Snapshot::default()
    };
    for index in 0..3000_u32 {
        let mut page = ZERO_PAGE;
        page[..4].copy_from_slice(&(index + 1).to_be_bytes());
        snapshot.put(index * 5, &page);
    }
    snapshot
}

fn with_state(state: &Snapshot) -> Archive {
    let (archive, process) = (archive(), ProcessId::new([4; 32]));
    let tree = state.tree();
    archive
        .keep_state(Series::Evaluated, &process, 1, state, &tree)
        .unwrap();
    archive
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_comes_from_whoever_has_parts_of_it() {
    let (state, other) = (state(), archive());
    let peers: Vec<(Archive, Manner)> = vec![
        (other, honest),
        (with_state(&state), |nth, answer| {
            (nth < 5).then_some(answer)
        }),
        (with_state(&state), lies),
        (with_state(&state), honest),
    ];
    let town = Town::of(peers).await;
    assert!(town.state(state.root()).await);
    assert_eq!(town.archive.state(&state.root()).unwrap(), Some(state));
    let answers = town.answers();
    assert_eq!(answers[..2], [1, 5]);
    assert!(answers[3] > 1, "{answers:?}");
    assert_eq!(town.reported().await, [2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_came_in_part_is_continued_later() {
    let state = state();
    let whole = Town::of(vec![(with_state(&state), honest)]).await;
    assert!(whole.state(state.root()).await);
    let all = whole.answers()[0];
    let some: Manner = |nth, answer| (nth < 12).then_some(answer);
    let town = Town::of(vec![(with_state(&state), some)]).await;
    assert!(!town.state(state.root()).await);
    assert_eq!(town.archive.state(&state.root()).unwrap(), None);
    // Another time, and from another peer.
    let peers: Vec<(Archive, Manner)> = vec![(with_state(&state), honest)];
    let later = Town::around(town.archive.clone(), peers).await;
    assert!(later.state(state.root()).await);
    assert_eq!(later.archive.state(&state.root()).unwrap(), Some(state));
    assert!(later.answers()[0] < all, "{:?} of {all}", later.answers());
}
