//! The network between the nodes: it delays, reorders, repeats and loses, until it is healed.
//!
//! # Rules
//!
//! - `[NW-1]` Gossip floods: a node that accepts a message passes it on once to every other that is linked with it and carries its topic, as a mesh
//!   that spans a small network does. A node sees one content once, unless the network repeats it.
//! - `[NW-2]` A request and its answer may each be lost; whoever asked hears nothing then, and its time runs out.
//! - `[NW-3]` A healed network loses and repeats nothing; it still delays.
//! - `[NW-4]` What a liar or a spammer says itself is not lost, but for whom somebody has cut off (rule CA-7): a lie that nobody hears is none.
//! - `[NW-5]` Where the network is parted, nothing crosses but what a liar or a spammer says itself.

use std::collections::BTreeSet;

use surety_attest::effect::Want;
use surety_node::archive::{Archive, ArchiveError, Ask, LOG_PAGE_MAX, Parts};
use surety_node::core::Fetched;
use surety_protocol::block::Block;
use surety_protocol::id::{Address, Digest, EvidenceId, ProcessId};
use surety_protocol::time::Height;
use surety_slashing::referee::File;

use crate::node::Node;
use crate::random::Random;

/// Milliseconds after which an unanswered request is given up.
pub const REQUEST_TIMEOUT: u64 = 1_500;

/// Something that one node asks another for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wanted {
    /// What a role lacks.
    Want(Want),
    /// An evidence file.
    Evidence(EvidenceId, Address),
    /// Blocks from a height on.
    Blocks(Height),
}

/// What an archive answers.
#[derive(Debug)]
pub enum Answer {
    /// Something that the core takes as it is.
    Fetched(Fetched),
    /// A state, which goes into the archive of who asked.
    State {
        /// The process.
        process: ProcessId,
        /// Its root.
        root: Digest,
        /// All of it.
        parts: Parts,
    },
}

/// What a node that runs has of what another wants.
///
/// # Errors
/// If its archive is damaged.
pub fn serve(node: &Node, wanted: &Wanted) -> Result<Option<Answer>, ArchiveError> {
    let archive = &node.archive;
    let fetched = match wanted {
        Wanted::Want(Want::Log { process, from }) => {
            let slots = archive.log(process, *from, LOG_PAGE_MAX)?;
            (!slots.is_empty()).then_some(Fetched::Log(slots))
        }
        Wanted::Want(Want::Ends { operator }) => node.running.as_ref().map(|it| Fetched::Ends {
            operator: *operator,
            ends: it.core.ends(None),
        }),
        Wanted::Want(Want::Item(id)) => archive.item(id)?.map(Fetched::Item),
        Wanted::Want(Want::State { process, root, .. }) => {
            let state = state(archive, root)?;
            return Ok(state.map(|parts| Answer::State {
                process: *process,
                root: *root,
                parts,
            }));
        }
        Wanted::Want(Want::Claims { root, claimant }) => {
            let heard = node.running.as_ref().map(|it| &it.core.shared().claims);
            let batch = archive.batch(root, claimant)?;
            let batch = batch.or_else(|| heard?.batch(root).cloned());
            let Some(batch) = batch else {
                return Ok(None);
            };
            let mut claims = Vec::new();
            for id in &batch.claims {
                let signed = archive.claims(id)?;
                let ours = signed
                    .into_iter()
                    .find(|it| it.statement.claimant == *claimant);
                claims.extend(ours.or_else(|| heard?.signed_by(id, claimant).cloned()));
            }
            Some(Fetched::Claims { batch, claims })
        }
        Wanted::Want(Want::Leaves {
            process,
            root,
            size,
            ..
        }) => {
            let lead = archive.lead(process, *size)?;
            let lead = lead.filter(|it| it.root() == Some(*root));
            lead.map(|lead| Fetched::Leaves {
                process: *process,
                root: *root,
                lead,
            })
        }
        Wanted::Evidence(evidence, _) => archive
            .evidence(evidence)?
            .map(|bytes| Fetched::Evidence(Box::new(File::read(bytes)))),
        Wanted::Blocks(from) => {
            let mut blocks: Vec<Block> = Vec::new();
            let mut height = *from;
            while let Some(block) = archive.block(height)? {
                blocks.push(block);
                height = height.next();
            }
            (!blocks.is_empty()).then_some(Fetched::Blocks(blocks))
        }
    };
    Ok(fetched.map(Answer::Fetched))
}

/// All parts of a state.
fn state(archive: &Archive, root: &Digest) -> Result<Option<Parts>, ArchiveError> {
    let mut ask = Ask {
        head: Some(*root),
        ..Ask::default()
    };
    let mut state = archive.state_parts(&ask)?;
    let Some(head) = &state.head else {
        return Ok(None);
    };
    ask = Ask {
        nodes: vec![head.top],
        ..Ask::default()
    };
    while ask != Ask::default() {
        let parts = archive.state_parts(&ask)?;
        ask = Ask::default();
        for node in &parts.nodes {
            match node.level {
                0 => ask.pages.extend(&node.digests),
                _ => ask.nodes.extend(&node.digests),
            }
        }
        state.nodes.extend(parts.nodes);
        state.pages.extend(parts.pages);
    }
    Ok(Some(state))
}

/// How the network behaves.
#[derive(Debug, Clone, Copy)]
pub struct Weather {
    /// Of a hundred messages so many are lost.
    pub loss: u64,
    /// Of a hundred gossiped messages so many come twice.
    pub repeat: u64,
    /// Milliseconds that a message takes at least.
    pub delay_min: u64,
    /// Milliseconds that most messages take at most.
    pub delay_max: u64,
    /// Of a hundred messages so many take ten times as long.
    pub straggle: u64,
}

impl Weather {
    /// A network that loses so many of a hundred messages.
    pub const fn with_loss(loss: u64) -> Weather {
        Weather {
            loss,
            repeat: 3,
            delay_min: 2,
            delay_max: 40,
            straggle: 3,
        }
    }
}

/// All links between the nodes.
#[derive(Debug)]
pub struct Links {
    weather: Weather,
    random: Random,
    /// Who is on the smaller side, while the network is parted.
    parted: BTreeSet<usize>,
}

impl Links {
    /// Links in this weather.
    pub const fn new(weather: Weather, random: Random) -> Links {
        Links {
            weather,
            random,
            parted: BTreeSet::new(),
        }
    }

    /// Parts the network, or mends it if nobody is on one side (rule NW-5).
    pub fn part(&mut self, side: BTreeSet<usize>) {
        self.parted = side;
    }

    fn reaches(&self, from: usize, to: usize) -> bool {
        self.parted.contains(&from) == self.parted.contains(&to)
    }

    /// From now on nothing is lost or repeated (rule NW-3).
    pub fn heal(&mut self) {
        self.weather.loss = 0;
        self.weather.repeat = 0;
        self.parted.clear();
    }

    /// From now on nothing arrives any more.
    pub const fn sever(&mut self) {
        self.weather.loss = 100;
        self.weather.repeat = 0;
    }

    /// How long one message between two nodes takes; nothing if it is lost.
    pub fn between(&mut self, from: usize, to: usize) -> Option<u64> {
        self.carry().filter(|_| self.reaches(from, to))
    }

    /// How long a user's message takes; nothing if it is lost.
    pub const fn carry(&mut self) -> Option<u64> {
        if self.random.percent(self.weather.loss) {
            None
        } else {
            Some(self.delay())
        }
    }

    /// How long each copy of a gossiped message takes: none, one, or one and a repetition.
    pub fn gossip(&mut self, from: usize, to: usize) -> Vec<(u64, bool)> {
        let first = self.between(from, to).map(|it| (it, false));
        let mut copies: Vec<(u64, bool)> = first.into_iter().collect();
        if self.random.percent(self.weather.repeat) && self.reaches(from, to) {
            copies.push((self.delay().saturating_mul(20), true));
        }
        copies
    }

    /// How long one message takes that is not lost.
    pub const fn surely(&mut self) -> u64 {
        self.delay()
    }

    const fn delay(&mut self) -> u64 {
        let delay = self
            .random
            .between(self.weather.delay_min, self.weather.delay_max);
        if self.random.percent(self.weather.straggle) {
            delay.saturating_mul(10)
        } else {
            delay
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_crosses_a_parted_network() {
        let mut links = Links::new(Weather::with_loss(0), Random::new(1));
        links.part(BTreeSet::from([1, 2]));
        for (from, to) in [(0, 3), (1, 2)] {
            assert!(links.between(from, to).is_some());
        }
        for (from, to) in [(0, 1), (2, 3)] {
            assert!(links.between(from, to).is_none());
            assert!(links.gossip(from, to).is_empty());
        }
        links.heal();
        assert!(links.between(0, 1).is_some());
    }

    #[test]
    fn a_healed_network_loses_nothing() {
        let weather = Weather {
            repeat: 50,
            ..Weather::with_loss(50)
        };
        let mut links = Links::new(weather, Random::new(1));
        let lost = (0..200).filter(|_| links.carry().is_none()).count();
        assert!((60..140).contains(&lost), "{lost}");
        assert!((0..200).any(|_| links.gossip(0, 1).len() == 2));
        links.heal();
        assert!((0..200).all(|_| links.gossip(0, 1).len() == 1));
    }
}
