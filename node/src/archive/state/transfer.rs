//! Getting a state from others, part by part.
//!
//! The parts are asked for from the top down, the lower ones first, so that what waits is a few nodes and not a whole state.
//! Each part is checked against the digest by which it was asked for, and kept as soon as all below it is here (rule SK-2): a
//! transfer that ends goes on where it was, with whoever has the rest.

use std::collections::{BTreeMap, BTreeSet};

use surety_attest::state::{head_root, node_digest, page_hash, zero_top};
use surety_protocol::id::{Digest, ProcessId};
use surety_protocol::witness::{PAGE_NODE_TOP, PAGE_NODE_WIDTH, PageNode, StateHead};

use super::session::{Kind, Session};
use crate::archive::{Archive, ArchiveError};

/// Pages that are asked for at once, 2 MiB.
pub const PAGES_MAX: usize = 512;
/// Nodes that are asked for at once.
pub const NODES_MAX: usize = PAGE_NODE_WIDTH;

/// Why a part that somebody sent is not kept.
#[derive(Debug, thiserror::Error)]
pub enum TransferError {
    /// It is not what was asked for.
    #[error("a part of a state is not the one asked for")]
    Wrong,
    /// The store failed.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

/// What is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ask {
    /// The head of the state with this root.
    pub head: Option<Digest>,
    /// Nodes by their digests.
    pub nodes: Vec<Digest>,
    /// Pages by their hashes.
    pub pages: Vec<Digest>,
}

/// What came of it, in any order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parts {
    /// The head.
    pub head: Option<StateHead>,
    /// Nodes.
    pub nodes: Vec<PageNode>,
    /// Pages.
    pub pages: Vec<Vec<u8>>,
}

impl Parts {
    fn is_empty(&self) -> bool {
        self.head.is_none() && self.nodes.is_empty() && self.pages.is_empty()
    }
}

/// What is still to be done, the next last.
#[derive(Debug, Clone)]
enum Step {
    /// Get a node, and all below it.
    Node(u32, Digest),
    /// Get a page.
    Page(Digest),
    /// Keep a node: all below it is here.
    Keep(PageNode),
}

/// A state on its way.
#[derive(Debug)]
pub struct Transfer {
    process: ProcessId,
    root: Digest,
    head: Option<StateHead>,
    steps: Vec<Step>,
    /// What was asked for last, the first first.
    asked: Vec<Step>,
}

impl Transfer {
    /// Of the state of a process with this root.
    pub const fn new(process: ProcessId, root: Digest) -> Transfer {
        Transfer {
            process,
            root,
            head: None,
            steps: Vec::new(),
            asked: Vec::new(),
        }
    }

    /// What to ask for next; nothing if the state is here, and kept.
    ///
    /// # Errors
    /// If the store fails.
    pub fn ask(&mut self, archive: &Archive) -> Result<Option<Ask>, ArchiveError> {
        // What was asked for and has not come is asked for again.
        self.steps.extend(self.asked.drain(..).rev());
        if self.head.is_none() {
            self.begin(archive.state_head(&self.root)?);
        }
        let Some(head) = self.head.clone() else {
            return Ok(Some(Ask {
                head: Some(self.root),
                ..Ask::default()
            }));
        };
        loop {
            let ask = self.next(archive)?;
            if ask != Ask::default() {
                return Ok(Some(ask));
            }
            let mut session = Session::open(archive, self.root)?;
            self.keep(&mut session)?;
            if self.steps.is_empty() {
                if let Some(root) = session.keep_head(&head)? {
                    session.refer_fetched(&self.process, root)?;
                    session.close()?;
                    return Ok(None);
                }
                self.begin(Some(head.clone()));
            }
            session.close()?;
        }
    }

    /// Takes in what came; whether anything did.
    ///
    /// # Errors
    /// If it is not what was asked for, or the store fails.
    pub fn accept(&mut self, archive: &Archive, parts: Parts) -> Result<bool, TransferError> {
        if parts.is_empty() {
            return Ok(false);
        }
        if let Some(head) = parts.head {
            if self.head.is_some() || head.check().is_err() || head_root(&head) != self.root {
                return Err(TransferError::Wrong);
            }
            self.begin(Some(head));
        }
        self.accept_nodes(parts.nodes)?;
        let wanted: BTreeSet<Digest> = self.asked.iter().filter_map(page).copied().collect();
        let mut session = Session::open(archive, self.root)?;
        let mut came = BTreeSet::new();
        for bytes in parts.pages {
            let hash = bytes.as_slice().try_into().map(page_hash);
            let hash = hash.ok().filter(|it| wanted.contains(it));
            let hash = hash.ok_or(TransferError::Wrong)?;
            if came.insert(hash) {
                session.hold_page(&hash, &bytes)?;
            }
        }
        self.asked
            .retain(|step| page(step).is_none_or(|hash| !came.contains(hash)));
        if !self.asked.iter().any(|step| !matches!(step, Step::Keep(_))) {
            self.keep(&mut session)?;
        }
        session.close()?;
        Ok(true)
    }

    fn begin(&mut self, head: Option<StateHead>) {
        if let Some(head) = &head
            && head.top != zero_top(PAGE_NODE_TOP)
        {
            self.steps.push(Step::Node(PAGE_NODE_TOP, head.top));
        }
        self.head = head;
    }

    fn accept_nodes(&mut self, nodes: Vec<PageNode>) -> Result<(), TransferError> {
        let wanted = |level: u8, digest: &Digest| {
            let is = |step: &Step| matches!(step, Step::Node(of, it) if (*of, it) == (level.into(), digest));
            self.asked.iter().any(is)
        };
        let mut came = BTreeMap::new();
        for node in nodes {
            let digest = node_digest(&node).filter(|it| wanted(node.level, it));
            came.insert(digest.ok_or(TransferError::Wrong)?, node);
        }
        for step in std::mem::take(&mut self.asked).into_iter().rev() {
            let node = match &step {
                Step::Node(_, digest) => came.get(digest),
                _ => None,
            };
            let Some(node) = node else {
                self.asked.push(step);
                continue;
            };
            self.steps.push(Step::Keep(node.clone()));
            let child = |digest: &Digest| match node.level.checked_sub(1) {
                Some(level) => Step::Node(level.into(), *digest),
                None => Step::Page(*digest),
            };
            self.steps.extend(node.digests.iter().rev().map(child));
        }
        self.asked.reverse();
        Ok(())
    }

    /// Takes the next steps: either nodes, or pages and what is to be kept after them.
    fn next(&mut self, archive: &Archive) -> Result<Ask, ArchiveError> {
        let mut ask = Ask::default();
        let mut named = BTreeSet::new();
        while let Some(step) = self.steps.last() {
            match step {
                Step::Node(..) if !self.asked.is_empty() && ask.nodes.is_empty() => break,
                Step::Node(..) if ask.nodes.len() >= NODES_MAX => break,
                Step::Page(_) | Step::Keep(_) if !ask.nodes.is_empty() => break,
                Step::Page(_) if ask.pages.len() >= PAGES_MAX => break,
                _ => {}
            }
            let Some(step) = self.steps.pop() else {
                break;
            };
            let list = match &step {
                Step::Node(_, digest) => Some((&mut ask.nodes, *digest)),
                Step::Page(hash) => Some((&mut ask.pages, *hash)),
                Step::Keep(_) => None,
            };
            if let Some((list, digest)) = list {
                let kind = match &step {
                    Step::Page(_) => Kind::Page,
                    _ => Kind::Node,
                };
                if archive.has(kind, &digest)? || !named.insert(digest) {
                    continue;
                }
                list.push(digest);
            }
            self.asked.push(step);
        }
        Ok(ask)
    }

    /// Keeps the nodes that were waiting for what came. What others removed meanwhile is got again.
    fn keep(&mut self, session: &mut Session<'_>) -> Result<(), ArchiveError> {
        for step in std::mem::take(&mut self.asked) {
            let Step::Keep(node) = step else {
                continue;
            };
            let Some(digest) = node_digest(&node) else {
                continue;
            };
            if !session.keep_node(&digest, &node)? {
                self.steps.push(Step::Node(node.level.into(), digest));
            }
        }
        Ok(())
    }
}

const fn page(step: &Step) -> Option<&Digest> {
    match step {
        Step::Page(hash) => Some(hash),
        _ => None,
    }
}
