//! Looks at what a configuration names, before a node relies on it.

use std::fs::File;
use std::io;
use std::path::Path;

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use serde::Serialize;

use super::{ConfigError, NodeConfig, Origin, Setting};

/// Something that works but may not be meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "kebab-case")]
pub enum Warning {
    /// Anybody who reaches the port can use the node.
    #[error("HTTP is open to other machines: put an authenticating proxy before it")]
    HttpIsPublic,
    /// No other node will be able to call this one.
    #[error("the node listens nowhere: only peers that it calls itself will know it")]
    ListensNowhere,
    /// Whoever answers at the address is trusted to be the peer.
    #[error("a bootstrap address does not end in /p2p/ and a peer id: any node there will do")]
    BootstrapWithoutPeer,
    /// The node does wrong on purpose, and can lose its stake by it.
    #[error("this node commits faults on purpose: it will be slashed")]
    Faults,
}

impl NodeConfig {
    /// Checks what the values mean together and whether the files that they name can be read.
    ///
    /// # Errors
    /// A file cannot be read. What works but looks unintended is returned as warnings.
    pub fn check(&self) -> Result<Vec<Warning>, ConfigError> {
        if let Some(path) = &self.password_file {
            self.readable(Setting::PasswordFile, path)?;
        }
        if let Some(path) = &self.http_token_file {
            self.readable(Setting::HttpTokenFile, path)?;
        }
        if let Some(path) = &self.genesis {
            self.readable(Setting::Genesis, path)?;
        }
        let has_peer = |address: &Multiaddr| address.iter().any(|p| matches!(p, Protocol::P2p(_)));
        let found = [
            (!self.http.ip().is_loopback(), Warning::HttpIsPublic),
            (self.listen.is_empty(), Warning::ListensNowhere),
            (
                !self.bootstrap.iter().all(has_peer),
                Warning::BootstrapWithoutPeer,
            ),
            (!self.faults.is_empty(), Warning::Faults),
        ];
        Ok(found
            .into_iter()
            .filter_map(|(holds, warning)| holds.then_some(warning))
            .collect())
    }

    fn readable(&self, setting: Setting, path: &Path) -> Result<(), ConfigError> {
        let opened = File::open(path).and_then(|file| file.metadata());
        let checked = opened.and_then(|metadata| match metadata.is_dir() {
            true => Err(io::ErrorKind::IsADirectory.into()),
            false => Ok(()),
        });
        checked.map_err(|source| ConfigError::Unreadable {
            setting,
            origin: Origin::clone(self.origin(setting)),
            path: path.to_owned(),
            source,
        })
    }
}
