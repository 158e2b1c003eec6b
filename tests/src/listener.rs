//! A node that hears gossip and says what it is worth: one without any role, or one that only verifies.

use std::sync::Arc;

use surety_attest::verify::Lottery;
use surety_node::config::RoleName;
use surety_node::core::{Core, Effect, Identity, Input, Teller};
use surety_node::net::{Acceptance, Topic};
use surety_node::role::{self, Audit, Role, Setting};
use surety_protocol::block::Genesis;
use surety_protocol::bls::SecretKey;
use surety_protocol::id::{Address, Digest, NetworkId};
use surety_protocol::time::{Tick, Timestamp};
use surety_slashing::ledger::BlockError;

/// Milliseconds after which what is gathered to be verified is verified.
const MOMENT: u64 = 200;

/// A node that listens.
pub struct Listener {
    core: Core,
    now: Tick,
    token: u64,
    said: Vec<(u64, Acceptance)>,
    /// Milliseconds from one message to the next.
    pub pace: u64,
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}

impl Listener {
    /// One who knows the genesis and nothing else.
    ///
    /// # Errors
    /// If the genesis is not sound.
    pub fn new(genesis: &Genesis) -> Result<Listener, BlockError> {
        Listener::with(genesis, Vec::new())
    }

    /// One who would verify, if it had any stake.
    ///
    /// # Errors
    /// If the genesis is not sound.
    pub fn verifying(genesis: &Genesis, key: SecretKey) -> Result<Listener, BlockError> {
        let setting = Setting {
            operator: Address::default(),
            item_key: Address::default(),
            network: NetworkId::default(),
            params: genesis.params.clone(),
            lottery: Lottery::new(Arc::new(key)),
            faults: Vec::new(),
            audit: Audit::default(),
        };
        Listener::with(genesis, vec![role::build(RoleName::Verifier, &setting)])
    }

    fn with(genesis: &Genesis, roles: Vec<Box<dyn Role>>) -> Result<Listener, BlockError> {
        let identity = Identity {
            operator: Address::default(),
            item_key: Address::default(),
            proposer_key: None,
        };
        Ok(Listener {
            core: Core::new(genesis, identity, roles)?,
            now: Tick(0),
            token: 0,
            said: Vec::new(),
            pace: MOMENT,
        })
    }

    /// Hears something, and gives a moment for its signatures to be verified; what it is worth, if that can be said by now.
    pub fn hears(&mut self, topic: Topic, data: &[u8]) -> Option<Acceptance> {
        self.hears_from(Digest::default(), topic, data)
    }

    /// The same from a peer of this name.
    pub fn hears_from(&mut self, peer: Digest, topic: Topic, data: &[u8]) -> Option<Acceptance> {
        self.token = self.token.saturating_add(1);
        let teller = Teller {
            token: self.token,
            peer,
        };
        let data = data.to_vec();
        self.step(Input::Gossip {
            teller,
            topic,
            data,
        });
        self.now = self.now.plus(self.pace);
        self.step(Input::Tick(Timestamp(0)));
        self.worth(self.token)
    }

    /// What the message of this number, counted from 1, is worth, if that can be said by now.
    pub fn worth(&self, token: u64) -> Option<Acceptance> {
        let about = self.said.iter().find(|(it, _)| *it == token);
        about.map(|(_, acceptance)| *acceptance)
    }

    /// The number of the last message.
    pub const fn last(&self) -> u64 {
        self.token
    }

    fn step(&mut self, input: Input) {
        let mut inputs = vec![input];
        while let Some(input) = inputs.pop() {
            for effect in self.core.step(self.now, input) {
                match effect {
                    Effect::Report { token, acceptance } => self.said.push((token, acceptance)),
                    Effect::Check(checking) => {
                        inputs.push(Input::Checked(Some(checking.run(&Digest::default()))));
                    }
                    // It has no disk, asks for nothing and says nothing.
                    _ => {}
                }
            }
        }
    }
}
