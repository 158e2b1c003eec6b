//! Getting what this node lacks: from who should have it first, then from anybody who is connected.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use serde_bytes::ByteBuf;
use surety_attest::claims::Lead;
use surety_attest::effect::{Offer, Want};
use surety_attest::log::PROCESSES_MAX;
use surety_protocol::block::Block;
use surety_protocol::codec::{self, Wire};
use surety_protocol::id::{Address, EvidenceId, ItemId, ProcessId};
use surety_protocol::item::Item;
use surety_protocol::time::Height;
use surety_protocol::verified::Authentic;
use surety_slashing::referee::File;
use tokio::sync::Semaphore;

use super::evidence::ROOM_MIB;
use super::places::Places;
use super::{
    AskError, BlocksAnswer, BlocksRequest, EndsAnswer, EndsRequest, ItemAnswer, ItemRequest,
    LogAnswer, LogRequest, PagesAnswer, PagesRequest, Placed, Requests, hedge,
};
use crate::archive::{Archive, Ask, Parts, Transfer, TransferError};
use crate::core::{ENDS_MAX, Fetched};
use crate::location;
use crate::net::{PeerId, Protocol, Subnet, Topic};

/// Penalty for an answer that is not what was asked for.
const WRONG_ANSWER_POINTS: u32 = 20;

/// Something to get.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// What a role lacks.
    Want(Want),
    /// An evidence file.
    Evidence {
        /// Its id.
        id: EvidenceId,
        /// How many bytes it has.
        bytes: u64,
        /// Who says so.
        challenger: Address,
    },
    /// Blocks from a height on.
    Blocks(Height),
    /// An item that a process wants assigned.
    Assigned(ItemId),
}

/// Gets things from peers, each once at a time.
#[derive(Debug, Clone)]
pub struct Fetcher {
    requests: Requests,
    archive: Archive,
    places: Arc<Mutex<Places>>,
    /// Who is asked first for what others than the claimant have heard.
    turn: Arc<AtomicUsize>,
    /// In MiB, for small files and for large ones (rule XC-6).
    pub(super) evidence_room: Arc<[Semaphore; 2]>,
}

impl Fetcher {
    /// A fetcher into an archive.
    pub fn new(requests: Requests, archive: Archive) -> Fetcher {
        Fetcher {
            requests,
            archive,
            places: Arc::default(),
            turn: Arc::default(),
            evidence_room: Arc::new([(); 2].map(|()| Semaphore::new(ROOM_MIB))),
        }
    }

    /// Whether there is a place for this (rule XC-7), and it is not being got already; the caller then gets it and says when it is
    /// done.
    pub fn begin(&self, wanted: &Wanted) -> bool {
        let places = self.places.lock();
        let mut places = places.unwrap_or_else(PoisonError::into_inner);
        places.take(wanted)
    }

    /// It is not being got any more.
    pub fn end(&self, wanted: &Wanted) {
        let places = self.places.lock();
        let mut places = places.unwrap_or_else(PoisonError::into_inner);
        places.leave(wanted);
    }

    /// Gets something; `first` are those who should have it.
    pub async fn get(&self, wanted: &Wanted, first: &[PeerId]) -> Option<Fetched> {
        // What is here already needs no peer.
        if let Some(here) = tokio::task::block_in_place(|| self.here(wanted)) {
            return Some(here);
        }
        if let Wanted::Want(Want::Ends { operator }) = wanted {
            let peers = self.peers(first, false, None).await?;
            let ends = self
                .ends(*peers.first().filter(|it| first.contains(it))?)
                .await;
            let ends = ends.inspect_err(|error| tracing::debug!(%operator, %error, "no ends"));
            return Some(Fetched::Ends {
                operator: *operator,
                ends: ends.ok()?,
            });
        }
        // Everybody's proposer would be everybody's peer.
        let sought = !matches!(wanted, Wanted::Blocks(_));
        // Whoever hears of a process may have its log, and is not the one whom all ask.
        let near = match wanted {
            Wanted::Want(Want::Log { process, .. }) => Some(Subnet::of(process)),
            _ => None,
        };
        let mut peers = self.peers(first, sought, near).await?;
        // [XC-8]
        if matches!(wanted, Wanted::Want(Want::Claims { .. }))
            && let Some(others) = peers.get_mut(first.len()..)
        {
            let turn = self.turn.fetch_add(1, Ordering::Relaxed);
            let turn = turn.checked_rem(others.len()).unwrap_or(0);
            others.rotate_left(turn);
        }
        if let Wanted::Want(Want::State { process, root, .. }) = wanted {
            let here = self.state(&peers, Transfer::new(*process, *root)).await;
            return here.then_some(Fetched::State(*process));
        }
        if let Wanted::Evidence { id, bytes, .. } = wanted {
            let file = self.evidence(&peers, *id, *bytes).await?;
            return Some(Fetched::Evidence(Box::new(file)));
        }
        hedge::first(wanted, peers, |peer| self.ask(wanted, peer)).await
    }

    fn here(&self, wanted: &Wanted) -> Option<Fetched> {
        match wanted {
            Wanted::Evidence { id, bytes, .. } => {
                let here = self.archive.evidence_bytes(id).ok()??;
                let announced = u64::try_from(here).is_ok_and(|it| it == *bytes);
                if !announced {
                    return None;
                }
                let bytes = self.archive.evidence(id).ok()??;
                Some(Fetched::Evidence(Box::new(File::read(bytes))))
            }
            Wanted::Want(Want::Item(id)) | Wanted::Assigned(id) => {
                self.archive.item(id).ok()?.map(Fetched::Item)
            }
            // This node's own from before a restart, of which nobody else may have heard.
            Wanted::Want(Want::Claims { root, claimant }) => {
                let batch = self.archive.batch(root, claimant).ok()??;
                let mut claims = Vec::with_capacity(batch.claims.len());
                for id in &batch.claims {
                    let signed = self.archive.claims(id).ok()?;
                    claims.push(
                        signed
                            .into_iter()
                            .find(|it| it.statement.claimant == *claimant)?,
                    );
                }
                Some(Fetched::Claims { batch, claims })
            }
            _ => None,
        }
    }

    async fn ask(&self, wanted: &Wanted, peer: PeerId) -> Result<Option<Fetched>, AskError> {
        match wanted {
            Wanted::Want(Want::Log { process, from }) => {
                let request = LogRequest {
                    process: *process,
                    from: *from,
                };
                let answer: Option<LogAnswer> =
                    self.exchange(peer, Protocol::Assignments, &request).await?;
                let Some(answer) = answer.filter(|it| !it.slots.is_empty()) else {
                    return Ok(None);
                };
                let mut slots = Vec::with_capacity(answer.slots.len());
                for slot in answer.slots {
                    let message = slot.message.map(|it| authentic(it.into_vec()));
                    match (authentic(slot.assignment.into_vec()), message) {
                        (Some(assignment), None) => slots.push((assignment, None)),
                        (Some(assignment), Some(Some(message))) => {
                            slots.push((assignment, Some(message)));
                        }
                        _ => return self.wrong(peer).await.map(|()| None),
                    }
                }
                Ok(Some(Fetched::Log(slots)))
            }
            Wanted::Want(Want::Item(id)) | Wanted::Assigned(id) => self.item(peer, *id).await,
            // Not from one peer or another, but from all together, and from one alone.
            Wanted::Want(Want::State { .. } | Want::Ends { .. }) | Wanted::Evidence { .. } => {
                Ok(None)
            }
            Wanted::Want(Want::Claims { root, claimant }) => {
                self.claims(peer, *root, *claimant).await
            }
            Wanted::Want(Want::Leaves {
                process,
                root,
                size,
                ..
            }) => {
                let leaves = Some((*process, *size));
                let request = PagesRequest {
                    head: None,
                    nodes: Vec::new(),
                    pages: Vec::new(),
                    leaves,
                };
                let answer: Option<PagesAnswer> =
                    self.exchange(peer, Protocol::Pages, &request).await?;
                let lead = answer.and_then(|it| it.leaves);
                let lead = lead.map(|(frontier, leaves)| Lead { frontier, leaves });
                // Of another branch they are nobody's fault, and of no use.
                let lead = lead.filter(|it| it.root() == Some(*root));
                Ok(lead.map(|lead| Fetched::Leaves {
                    process: *process,
                    root: *root,
                    lead,
                }))
            }
            Wanted::Blocks(from) => {
                let request = BlocksRequest { from: *from };
                let answer: Option<BlocksAnswer> =
                    self.exchange(peer, Protocol::Blocks, &request).await?;
                let Some(answer) = answer.filter(|it| !it.blocks.is_empty()) else {
                    return Ok(None);
                };
                let blocks: Result<Vec<Block>, _> = answer
                    .blocks
                    .iter()
                    .map(|bytes| codec::decode(bytes))
                    .collect();
                match blocks {
                    Ok(blocks) => Ok(Some(Fetched::Blocks(blocks))),
                    Err(_) => self.wrong(peer).await.map(|()| None),
                }
            }
        }
    }

    async fn item(&self, peer: PeerId, id: ItemId) -> Result<Option<Fetched>, AskError> {
        let request = ItemRequest {
            wanted: Some(id),
            ..ItemRequest::default()
        };
        let fits = |item: &Item| item.id() == id;
        let item = self.item_that(peer, &request, fits).await?;
        Ok(item.map(Fetched::Item))
    }

    /// Where the scheduler with a key is, as itself says or, if it does not, another peer has kept.
    pub async fn location(
        &self,
        first: Option<PeerId>,
        scheduler: Address,
    ) -> Option<Authentic<Item>> {
        let request = ItemRequest {
            location: Some(scheduler),
            ..ItemRequest::default()
        };
        let fits = |item: &Item| location::is_of(item, &scheduler);
        let peers = self.peers(first.as_slice(), true, None).await?;
        hedge::first(&scheduler, peers, |peer| {
            self.item_that(peer, &request, fits)
        })
        .await
    }

    /// Whom to ask: those who should have it, if they are connected or are to be sought, then all others that are connected; of them
    /// first who hears of a subnet.
    async fn peers(
        &self,
        first: &[PeerId],
        sought: bool,
        near: Option<Subnet>,
    ) -> Option<Vec<PeerId>> {
        let mut connected = self.requests.net().peers().await.ok()?;
        if let Some(subnet) = near {
            connected.sort_by_key(|it| !it.topics.contains(&Topic::Assignments(subnet)));
        }
        let connected: Vec<PeerId> = connected.into_iter().map(|it| it.peer).collect();
        let first = first.iter().copied();
        let first: Vec<PeerId> = first
            .filter(|it| sought || connected.contains(it))
            .collect();
        let others = connected.into_iter().filter(|it| !first.contains(it));
        let others: Vec<PeerId> = others.collect();
        Some([first, others].concat())
    }

    async fn item_that(
        &self,
        peer: PeerId,
        request: &ItemRequest,
        fits: impl Fn(&Item) -> bool,
    ) -> Result<Option<Authentic<Item>>, AskError> {
        let answer: Option<ItemAnswer> = self.exchange(peer, Protocol::Messages, request).await?;
        let Some(bytes) = answer.and_then(|it| it.item) else {
            return Ok(None);
        };
        match authentic(bytes.into_vec()) {
            Some(item) if fits(&item) => Ok(Some(item)),
            _ => {
                self.wrong(peer).await?;
                Ok(None)
            }
        }
    }

    /// Where the logs of a scheduler end, by as many answers as they fill.
    async fn ends(&self, peer: PeerId) -> Result<Vec<(ProcessId, u64)>, AskError> {
        let mut all: Vec<(ProcessId, u64)> = Vec::new();
        loop {
            let after = all.last().map(|(process, _)| *process);
            let request = EndsRequest { after };
            let answer: Option<EndsAnswer> =
                self.exchange(peer, Protocol::Assignments, &request).await?;
            let ends = answer.ok_or(AskError::Nobody)?.ends;
            let full = ends.len() >= ENDS_MAX;
            all.extend(ends);
            // They ascend, and there are not more than anybody follows: an endless answer is noticed.
            if !all.is_sorted_by(|a, b| a.0 < b.0) || all.len() > PROCESSES_MAX {
                self.wrong(peer).await?;
                return Err(AskError::Nobody);
            }
            if !full {
                return Ok(all);
            }
        }
    }

    /// A state, from each peer what it has, until all of it is here or a whole round of them had nothing more; whether it is here.
    pub(super) async fn state(&self, peers: &[PeerId], mut transfer: Transfer) -> bool {
        let mut silent = 0;
        for peer in peers.iter().cycle() {
            loop {
                let moved = tokio::task::block_in_place(|| transfer.ask(&self.archive));
                let ask = match moved {
                    Ok(Some(ask)) => ask,
                    Ok(None) => return true,
                    Err(_) => return false,
                };
                match self.parts(*peer, &ask, &mut transfer).await {
                    Ok(true) => silent = 0,
                    Ok(false) => break,
                    Err(error) => {
                        tracing::debug!(%peer, %error, "no parts of a state");
                        break;
                    }
                }
            }
            silent += 1;
            if silent >= peers.len() {
                break;
            }
        }
        false
    }

    /// Asks one peer for parts of a state; whether any came.
    async fn parts(
        &self,
        peer: PeerId,
        ask: &Ask,
        transfer: &mut Transfer,
    ) -> Result<bool, AskError> {
        let request = PagesRequest {
            head: ask.head,
            nodes: ask.nodes.clone(),
            pages: ask.pages.clone(),
            leaves: None,
        };
        let answer: Option<PagesAnswer> = self.exchange(peer, Protocol::Pages, &request).await?;
        let Some(answer) = answer else {
            return Ok(false);
        };
        let parts = Parts {
            head: answer.head,
            nodes: answer.nodes,
            pages: answer.pages.into_iter().map(ByteBuf::into_vec).collect(),
        };
        match tokio::task::block_in_place(|| transfer.accept(&self.archive, parts)) {
            Ok(moved) => Ok(moved),
            Err(TransferError::Wrong) => self.wrong(peer).await.map(|()| false),
            Err(TransferError::Archive(error)) => {
                tracing::warn!(%error, "a part of a state is not kept");
                Ok(false)
            }
        }
    }

    /// Hands an item to a scheduler.
    ///
    /// # Errors
    /// If the peer does not answer.
    pub async fn offer(
        &self,
        peer: PeerId,
        offer: &Offer,
    ) -> Result<Result<Placed, (String, String)>, AskError> {
        let request = ItemRequest {
            offered: Some(ByteBuf::from(offer.item().bytes())),
            assign: match offer {
                Offer::Item(_) => None,
                Offer::Assign {
                    process, exclude, ..
                } => Some((*process, exclude.clone())),
            },
            ..ItemRequest::default()
        };
        let answer: Option<ItemAnswer> = self.exchange(peer, Protocol::Messages, &request).await?;
        let answer = answer.ok_or(AskError::Nobody)?;
        match (answer.scheduled, answer.refused) {
            (Some(receipt), refused) => Ok(Ok(Placed {
                receipt,
                already: refused.is_some(),
            })),
            (None, Some(refused)) => Ok(Err(refused)),
            (None, None) => Err(AskError::Nobody),
        }
    }

    pub(super) async fn exchange<A: Wire>(
        &self,
        peer: PeerId,
        protocol: Protocol,
        request: &impl Wire,
    ) -> Result<Option<A>, AskError> {
        let request = codec::encode(request).unwrap_or_default();
        let answer = self.requests.ask(peer, protocol, request).await?;
        match codec::decode(&answer) {
            Ok(answer) => Ok(Some(answer)),
            Err(_) => {
                self.requests
                    .net()
                    .penalize(peer, WRONG_ANSWER_POINTS)
                    .await?;
                Ok(None)
            }
        }
    }

    /// Asks for bytes that are no object.
    pub(super) async fn ask_for(
        &self,
        peer: PeerId,
        protocol: Protocol,
        request: Vec<u8>,
    ) -> Result<Vec<u8>, AskError> {
        self.requests.ask(peer, protocol, request).await
    }

    /// A peer answered something else than was asked for.
    pub(super) async fn wrong(&self, peer: PeerId) -> Result<(), AskError> {
        self.requests
            .net()
            .penalize(peer, WRONG_ANSWER_POINTS)
            .await?;
        Ok(())
    }
}

fn authentic(bytes: Vec<u8>) -> Option<Authentic<Item>> {
    Item::parse(bytes).ok()?.authenticate().ok()
}
