//! Requests between nodes: whoever should have something is asked first, then everybody else.

use std::collections::BTreeMap;

use surety_attest::effect::Want;
use surety_attest::state::{node_digest, page_hash};
use surety_node::archive::{Archive, Parts, Transfer, TransferError};
use surety_node::core::Input;
use surety_protocol::id::{Address, Digest, ProcessId};

use super::Simulation;
use super::event::Event;
use crate::network::{Answer, REQUEST_TIMEOUT, Wanted, serve};
use crate::oracle::Violation;

/// How long it takes to notice that a peer is down.
const REFUSED: u64 = 20;

impl Simulation {
    /// Starts to get something, unless it is being got.
    pub(super) fn fetch(&mut self, who: usize, wanted: Wanted) -> Result<(), Violation> {
        let holders = self.holders(who, &wanted).into_iter();
        let holders: Vec<usize> = holders.filter_map(|it| self.node_of(&it)).collect();
        let Some(node) = self.nodes.get_mut(who) else {
            return Ok(());
        };
        if !node.under_way.insert(wanted.clone()) {
            return Ok(());
        }
        let life = node.life;
        // What is here already needs nobody.
        if matches!(wanted, Wanted::Evidence(..) | Wanted::Want(Want::Item(_))) {
            let here = serve(node, &wanted);
            if let Some(answer) = here.map_err(|it| Violation::new("archive", it))? {
                let answer = Box::new(answer);
                self.agenda.after(
                    0,
                    Event::Got {
                        who,
                        life,
                        wanted,
                        answer,
                    },
                );
                return Ok(());
            }
        }
        let alone = matches!(wanted, Wanted::Want(Want::Ends { .. }));
        let others = (0..self.nodes.len()).filter(|it| !alone && !holders.contains(it));
        let mut others: Vec<usize> = others.collect();
        // [XC-8]
        if matches!(wanted, Wanted::Want(Want::Claims { .. })) {
            let count = u64::try_from(others.len()).unwrap_or(1);
            let turn = self.random.below(count.max(1));
            others.rotate_left(usize::try_from(turn).unwrap_or(0));
        }
        let peers = holders.iter().copied().chain(others);
        let peers = peers.filter(|it| *it != who).collect();
        self.agenda.after(
            0,
            Event::Ask {
                who,
                life,
                wanted,
                peers,
            },
        );
        Ok(())
    }

    /// The operators that should have something.
    fn holders(&self, who: usize, wanted: &Wanted) -> Vec<Address> {
        let Some(core) = self.core(who) else {
            return Vec::new();
        };
        match wanted {
            Wanted::Want(want) => core.holders(want),
            Wanted::Evidence(_, challenger) => vec![*challenger],
            Wanted::Blocks(_) => vec![core.ledger().proposer()],
        }
    }

    pub(super) fn ask(&mut self, who: usize, life: u64, wanted: Wanted, mut peers: Vec<usize>) {
        if peers.is_empty() {
            // Nobody has it; whoever needs it asks again.
            if let Some(node) = self.nodes.get_mut(who) {
                node.under_way.remove(&wanted);
            }
            return;
        }
        let peer = peers.remove(0);
        let reached = !self.is_cut_off(who, peer);
        match self.links.between(who, peer).filter(|_| reached) {
            Some(delay) => {
                let asked = Event::Asked {
                    peer,
                    who,
                    life,
                    wanted,
                    others: peers,
                };
                self.agenda.after(delay, asked);
            }
            None => self.agenda.after(
                REQUEST_TIMEOUT,
                Event::Ask {
                    who,
                    life,
                    wanted,
                    peers,
                },
            ),
        }
    }

    pub(super) fn asked(
        &mut self,
        peer: usize,
        who: usize,
        life: u64,
        wanted: Wanted,
        others: Vec<usize>,
    ) -> Result<(), Violation> {
        let up = self.nodes.get(peer).filter(|it| it.running.is_some());
        let up = up.filter(|_| !self.is_silent(peer, who, &wanted));
        let answer = match up.map(|it| serve(it, &wanted)).transpose() {
            Ok(answer) => answer.flatten(),
            Err(error) => return Err(Violation::new("archive", error)),
        };
        let next = |wanted| Event::Ask {
            who,
            life,
            wanted,
            peers: others,
        };
        match (answer, self.links.between(peer, who)) {
            (_, None) => self.agenda.after(REQUEST_TIMEOUT, next(wanted)),
            (None, Some(_)) => self.agenda.after(REFUSED, next(wanted)),
            (Some(answer), Some(delay)) => {
                let answer = Box::new(answer);
                self.agenda.after(
                    delay,
                    Event::Got {
                        who,
                        life,
                        wanted,
                        answer,
                    },
                );
            }
        }
        Ok(())
    }

    pub(super) fn got(
        &mut self,
        who: usize,
        wanted: &Wanted,
        answer: Answer,
    ) -> Result<(), Violation> {
        let Some(node) = self.nodes.get_mut(who) else {
            return Ok(());
        };
        node.under_way.remove(wanted);
        if let Some(meter) = &mut self.meter {
            meter.fetches(self.agenda.now(), &answer);
        }
        let input = match answer {
            Answer::Fetched(fetched) => Input::Fetched(fetched),
            Answer::State {
                process,
                root,
                parts,
            } => {
                let here = transferred(&node.archive, process, root, &parts);
                if !here.map_err(|it| Violation::new("archive", it))? {
                    return Ok(());
                }
                Input::Fetched(surety_node::core::Fetched::State(process))
            }
        };
        self.step(who, input)
    }
}

/// Takes a state into an archive as it is asked for; whether all of it is there then.
fn transferred(
    archive: &Archive,
    process: ProcessId,
    root: Digest,
    state: &Parts,
) -> Result<bool, TransferError> {
    let nodes: BTreeMap<_, _> = state.nodes.iter().map(|it| (node_digest(it), it)).collect();
    let pages: BTreeMap<_, _> = state.pages.iter().map(|it| (hash(it), it)).collect();
    let mut transfer = Transfer::new(process, root);
    while let Some(ask) = transfer.ask(archive)? {
        let node = |digest: &Digest| nodes.get(&Some(*digest)).copied().cloned();
        let page = |digest: &Digest| pages.get(&Some(*digest)).copied().cloned();
        let parts = Parts {
            head: ask.head.and(state.head.clone()),
            nodes: ask.nodes.iter().filter_map(node).collect(),
            pages: ask.pages.iter().filter_map(page).collect(),
        };
        if !transfer.accept(archive, parts)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn hash(page: &Vec<u8>) -> Option<Digest> {
    page.as_slice().try_into().ok().map(page_hash)
}
