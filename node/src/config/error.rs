//! What is wrong with a configuration.

use std::path::PathBuf;

use super::{Origin, Setting};

/// Why a text is not a value of its setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// Several values, or none, where there must be one.
    #[error("exactly one value is needed")]
    NotOne,
    /// Nothing where there must be something.
    #[error("it is empty")]
    Empty,
    /// No role has this name.
    #[error(
        "roles are scheduler, compute, messenger, verifier, gateway, or all of these; or auditor"
    )]
    Role,
    /// Not an address with a port.
    #[error("an address and a port are needed, like 127.0.0.1:8734")]
    SocketAddr,
    /// Not a URL.
    #[error("a URL is needed, like https://node.example")]
    Url,
    /// Not a multiaddress.
    #[error("a multiaddress is needed, like /ip4/192.0.2.1/udp/8735/quic-v1")]
    Multiaddr,
    /// Not an address.
    #[error("an address of 43 characters is needed")]
    Address,
    /// Not a process' id.
    #[error("the id of a process is needed, of 43 characters")]
    Process,
    /// No kind of key that signs items.
    #[error("keys that sign items are ed25519, secp256k1 and rsa")]
    ItemKey,
    /// Not a number.
    #[error("a whole number is needed, like 1024")]
    Number,
    /// Neither on nor off.
    #[error("true or false is needed")]
    Switch,
    /// Not a log filter.
    #[error("a log filter is needed, like info,surety_node::net=debug")]
    LogFilter,
    /// Not a log format.
    #[error("the log format is text or json")]
    LogFormat,
}

/// Why a configuration cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The file that was named is not there.
    #[error("there is no configuration file {path}")]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read the configuration file {path}")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The file is far too long.
    #[error("the configuration file {path} has more than {limit} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most bytes it may have.
        limit: usize,
    },
    /// The file is not UTF-8 text.
    #[error("the configuration file {path} is not UTF-8 text")]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// The file is not TOML.
    #[error("{path}:{line}: {message}")]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, counted from one.
        line: usize,
        /// What the parser found.
        message: String,
    },
    /// There is no such setting.
    #[error("{path}:{line}: unknown key `{key}`")]
    UnknownKey {
        /// The file.
        path: PathBuf,
        /// The line, counted from one.
        line: usize,
        /// The key.
        key: String,
        /// What may have been meant.
        nearest: Option<Setting>,
    },
    /// The value has the wrong type.
    #[error("{path}:{line}: `{}` must be {expected}, not {found}", .setting.key())]
    Type {
        /// The file.
        path: PathBuf,
        /// The line, counted from one.
        line: usize,
        /// The setting.
        setting: Setting,
        /// The type it has.
        expected: &'static str,
        /// The type that was found.
        found: &'static str,
    },
    /// The value cannot be used.
    #[error("{origin}: `{}` cannot be {value:?}", .setting.key())]
    Value {
        /// The setting.
        setting: Setting,
        /// Where the value comes from.
        origin: Origin,
        /// The value.
        value: String,
        /// Why not.
        source: ValueError,
    },
    /// A file that a setting names cannot be read.
    #[error("{origin}: cannot read {path}, which `{}` names", .setting.key())]
    Unreadable {
        /// The setting.
        setting: Setting,
        /// Where its value comes from.
        origin: Origin,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
}

impl ConfigError {
    /// What to do about it, where more can be said than the error says.
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Missing { .. } => Some("make one with `surety node init`".to_owned()),
            Self::UnknownKey {
                nearest: Some(nearest),
                ..
            } => Some(format!("did you mean `{}`?", nearest.key())),
            Self::UnknownKey { nearest: None, .. } => {
                Some("see `surety config show` for every key".to_owned())
            }
            _ => None,
        }
    }
}
