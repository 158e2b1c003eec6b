//! What a node is told: defaults, one TOML file, the environment and flags, with the origin of
//! every value.
//!
//! # Rules
//!
//! - `[CF-1]` A later source wins: default, file, environment (`SURETY_` and the key in capitals),
//!   flag. A list replaces the list of an earlier source, it does not add to it.
//! - `[CF-2]` An unknown key, a value of the wrong type and a file that was named but is not there
//!   are errors that name the place and, for a key, the nearest known one. Nothing is ignored.
//! - `[CF-3]` Paths in a file are relative to the file's directory, others to the working
//!   directory.
//! - `[CF-4]` Without `--config` (or `SURETY_CONFIG`) the file is `surety.toml` in the node's
//!   directory, if it is there.
//! - `[CF-5]` No secret is a setting: a password comes from the file that `password_file` names, a token from that of
//!   `http_token_file`.

mod check;
mod error;
mod file;
mod setting;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use libp2p::Multiaddr;
use libp2p::multiaddr::Protocol;
use serde::Serialize;
use surety_protocol::id::{Address, ProcessId};

use crate::executor::RESIDENT_BYTES;
use crate::key::ItemKeyKind;
use crate::telemetry::LogFormat;

pub use check::Warning;
pub use error::{ConfigError, ValueError};
pub use setting::{RoleName, Setting};

/// The name of the file in the node's directory (rule CF-4).
pub const FILE_NAME: &str = "surety.toml";
/// The variable that names the file.
pub const FILE_ENV: &str = "SURETY_CONFIG";
/// The port of HTTP.
pub const HTTP_PORT: u16 = 8734;
/// The port of the peer-to-peer network, over UDP and TCP.
pub const P2P_PORT: u16 = 8735;

/// Where a value comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "from", rename_all = "lowercase")]
pub enum Origin {
    /// Nobody said anything.
    Default,
    /// The file.
    File {
        /// Its path.
        path: PathBuf,
        /// The line, counted from one.
        line: usize,
    },
    /// An environment variable.
    Environment {
        /// Its name.
        name: &'static str,
    },
    /// A flag of the command line.
    Flag {
        /// The flag with its dashes.
        name: &'static str,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Environment { name } => write!(f, "environment {name}"),
            Self::Flag { name } => write!(f, "flag {name}"),
        }
    }
}

/// Requests that one client may send a second unless the configuration says otherwise.
pub const HTTP_RATE: u32 = 100;
/// MiB that one process may take unless the configuration says otherwise; AOS begins with 68.
pub const PROCESS_MIB: u64 = 1024;
/// MiB that a worker may take unless the configuration says otherwise: the residents, and on a few processors the largest
/// processes at once, each of them in memory three times.
pub const WORKER_MIB: u64 = 16_384;

/// Inputs that an auditor executes in a minute unless the configuration says otherwise: a hundred a second.
pub const AUDIT_INPUTS: u64 = 6_000;

/// What is logged unless the configuration says otherwise. Gossipsub warns of every message that others were faster with, which is
/// how a mesh works.
pub const LOG: &str = "info,libp2p_gossipsub=error";

/// What the command line says, as text; a list may come as several values or separated by commas.
pub type Overrides = BTreeMap<Setting, Vec<String>>;

/// Everything that a node is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeConfig {
    /// Where the node keeps its database and its keys.
    pub dir: PathBuf,
    /// The roles that it plays, each once.
    pub roles: Vec<RoleName>,
    /// Where it answers HTTP; port 0 lets the system choose.
    pub http: SocketAddr,
    /// Requests that one client may send a second; 0 is any number. Clients on this machine may send any number.
    pub http_rate: u32,
    /// Whether a proxy on this machine says in `X-Forwarded-For` who asks.
    pub http_proxy: bool,
    /// The file with the token of those who may make it keep modules and evidence; without one, everybody may.
    pub http_token_file: Option<PathBuf>,
    /// The URL under which others reach that, if it is another.
    pub public_url: Option<String>,
    /// Where it listens for peers.
    pub listen: Vec<Multiaddr>,
    /// Where others reach it, if that is elsewhere.
    pub external: Vec<Multiaddr>,
    /// The peers that it calls first.
    pub bootstrap: Vec<Multiaddr>,
    /// The file that defines the network; without it, `genesis.cbor` in the node's directory.
    pub genesis: Option<PathBuf>,
    /// The file with the password of the keys.
    pub password_file: Option<PathBuf>,
    /// The operator for whom the node works; its own key need not be here.
    pub operator: Option<Address>,
    /// The key in its directory with which it signs assignments, messages and what it says on the ledger.
    pub item_key: ItemKeyKind,
    /// MiB of memory that the processes which it executes may take between two inputs; at least one stays.
    pub resident_mib: u64,
    /// MiB of memory that one process may take; one that grows further is abstained from.
    pub process_mib: u64,
    /// MiB of memory that each of the two workers may take; one that needs more is ended, and started again.
    pub worker_mib: u64,
    /// The processes that an auditor follows; all, if there are none.
    pub audit_processes: Vec<ProcessId>,
    /// Inputs that an auditor executes in a minute at most; 0 is any number.
    pub audit_inputs: u64,
    /// Which events are logged.
    pub log: String,
    /// How they are logged.
    pub log_format: LogFormat,
    /// Faults that this node commits on purpose, for tests of the network.
    pub faults: Vec<String>,
    origins: BTreeMap<Setting, Origin>,
}

impl NodeConfig {
    /// What holds when nobody says anything: a verifier in `dir`.
    pub fn defaults(dir: PathBuf) -> Self {
        let everywhere = Multiaddr::empty().with(Protocol::Ip4(Ipv4Addr::UNSPECIFIED));
        let quic = everywhere
            .clone()
            .with(Protocol::Udp(P2P_PORT))
            .with(Protocol::QuicV1);
        let tcp = everywhere.with(Protocol::Tcp(P2P_PORT));
        Self {
            dir,
            roles: vec![RoleName::Verifier],
            http: SocketAddr::from((Ipv4Addr::LOCALHOST, HTTP_PORT)),
            http_rate: HTTP_RATE,
            http_proxy: false,
            http_token_file: None,
            public_url: None,
            listen: vec![quic, tcp],
            external: Vec::new(),
            bootstrap: Vec::new(),
            genesis: None,
            password_file: None,
            operator: None,
            item_key: ItemKeyKind::default(),
            resident_mib: RESIDENT_BYTES >> 20,
            process_mib: PROCESS_MIB,
            worker_mib: WORKER_MIB,
            audit_processes: Vec::new(),
            audit_inputs: AUDIT_INPUTS,
            log: LOG.to_owned(),
            log_format: LogFormat::Text,
            faults: Vec::new(),
            origins: BTreeMap::new(),
        }
    }

    /// Puts all sources together (rule CF-1).
    ///
    /// # Errors
    /// Any source is wrong (rule CF-2).
    pub fn load(
        path: Option<&Path>,
        env: impl Fn(&str) -> Option<String>,
        overrides: &Overrides,
    ) -> Result<Self, ConfigError> {
        let given = |name: &str| env(name).filter(|value| !value.is_empty());
        let home = given("HOME").map_or_else(PathBuf::new, PathBuf::from);
        let mut config = Self::defaults(home.join(".surety"));
        // The directory first, since it says where the file is.
        let later = |config: &mut Self, setting: Setting| {
            if let Some(value) = given(setting.env()) {
                config.set_by(
                    setting,
                    Origin::Environment {
                        name: setting.env(),
                    },
                    &[value],
                )?;
            }
            if let Some(values) = overrides.get(&setting) {
                config.set_by(
                    setting,
                    Origin::Flag {
                        name: setting.flag(),
                    },
                    values,
                )?;
            }
            Ok::<(), ConfigError>(())
        };
        later(&mut config, Setting::Dir)?;
        let named = path
            .map(Path::to_owned)
            .or_else(|| given(FILE_ENV).map(PathBuf::from));
        let values = match named {
            Some(path) => file::read(&path)?,
            None => match file::read(&config.dir.join(FILE_NAME)) {
                Err(ConfigError::Missing { .. }) => Vec::new(),
                read => read?,
            },
        };
        for value in values {
            config.set_by(value.setting, value.origin, &value.texts)?;
        }
        for setting in Setting::ALL {
            later(&mut config, *setting)?;
        }
        Ok(config)
    }

    /// Where the value of a setting comes from.
    pub fn origin(&self, setting: Setting) -> &Origin {
        self.origins.get(&setting).unwrap_or(&Origin::Default)
    }

    /// The file that defines the network.
    pub fn genesis_file(&self) -> PathBuf {
        self.genesis
            .clone()
            .unwrap_or_else(|| self.dir.join("genesis.cbor"))
    }

    /// Every setting with its value as text and its origin. Faults appear only if there are any.
    pub fn entries(&self) -> Vec<(Setting, String, &Origin)> {
        let shown = |setting: &&Setting| **setting != Setting::Faults || !self.faults.is_empty();
        let settings = Setting::ALL.iter().filter(shown).copied();
        settings
            .map(|setting| (setting, setting.show(self), self.origin(setting)))
            .collect()
    }

    fn set_by(
        &mut self,
        setting: Setting,
        origin: Origin,
        texts: &[String],
    ) -> Result<(), ConfigError> {
        let split: Vec<&str> = match (setting.is_list(), &origin) {
            // A file has lists of its own.
            (true, Origin::Environment { .. } | Origin::Flag { .. }) => {
                let parts = texts.iter().flat_map(|text| text.split(','));
                parts
                    .map(str::trim)
                    .filter(|part| !part.is_empty())
                    .collect()
            }
            _ => texts.iter().map(String::as_str).collect(),
        };
        setting
            .set(self, &split)
            .map_err(|(value, source)| ConfigError::Value {
                setting,
                origin: origin.clone(),
                value,
                source,
            })?;
        if let Origin::File { path, .. } = &origin {
            setting.relative_to(self, path.parent().unwrap_or(Path::new("")));
        }
        self.origins.insert(setting, origin);
        Ok(())
    }
}

#[cfg(test)]
mod tests;
