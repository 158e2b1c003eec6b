//! The keys of a node: encrypted at rest, in the clear only while in use.
//!
//! # Rules
//!
//! - `[K-1]` A key lies in one JSON file of EIP-2335's form (version 4): scrypt or PBKDF2 over the
//!   password, AES-128 in counter mode, and a SHA-256 checksum that is compared before anything is
//!   decrypted. A member `surety` says the kind of key and its public name; a file without it, made
//!   by an Ethereum tool, is a BLS key.
//! - `[K-2]` A decrypted secret is used only if it gives the public name that its file states.
//! - `[K-3]` Files have mode 0600. They are written whole beside their place and linked into it,
//!   and never replace another file.
//! - `[K-4]` A password is text in Unicode form NFKD without control characters. It comes from a
//!   file (named by flag, configuration or `SURETY_PASSWORD_FILE`) or from a terminal; never from
//!   an argument or a variable.
//! - `[K-5]` Secrets and passwords have no textual form, and are overwritten when dropped.
//! - `[K-6]` The work and memory that a file asks of its reader are bounded before they are spent.
//! - `[K-7]` A node signs assignments, messages and what it says on the ledger with the one key in its directory that is of the
//!   kind which `item_key` names: `ed25519` (unless it is set), `secp256k1` or `rsa`. Its registration names that key.

mod derive;
mod directory;
mod file;
mod hex;
mod item_kind;
mod keystore;
mod password;
mod public;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub use derive::Kdf;
pub use directory::{KeyDirectory, KeyEntry};
pub use file::{read_bounded, write_private};
pub use item_kind::ItemKeyKind;
pub use keystore::Keystore;
pub use password::{Ask, PASSWORD_FILE_ENV, Password};
pub use public::{item_key, public_text};

/// What a key is for, and with it the form of its secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum KeyKind {
    /// Claims, approvals, votes and sortition: a BLS12-381 scalar, 32 bytes big-endian.
    Bls,
    /// Data items: an ed25519 seed of 32 bytes.
    Ed25519,
    /// Data items: a secp256k1 scalar, 32 bytes big-endian.
    Secp256k1,
    /// The node's identity on the network: the ed25519 seed of its peer id.
    Network,
    /// Data items: an RSA-4096 wallet as the bytes of its JWK file.
    Rsa,
}

impl KeyKind {
    /// Every kind.
    pub const ALL: &[KeyKind] = &[
        Self::Bls,
        Self::Ed25519,
        Self::Secp256k1,
        Self::Network,
        Self::Rsa,
    ];

    /// The name in files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Bls => "bls",
            Self::Ed25519 => "ed25519",
            Self::Secp256k1 => "secp256k1",
            Self::Network => "network",
            Self::Rsa => "rsa",
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for KeyKind {
    type Err = KeyError;

    fn from_str(text: &str) -> Result<Self, KeyError> {
        let mut kinds = Self::ALL.iter().copied();
        kinds
            .find(|kind| kind.name() == text)
            .ok_or_else(|| KeyError::Kind(text.to_owned()))
    }
}

/// The bytes of a secret key, overwritten when dropped (rule K-5).
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes in; they should not lie anywhere else.
    pub fn new(bytes: impl Into<Zeroizing<Vec<u8>>>) -> Self {
        Self(bytes.into())
    }

    /// The bytes, for the one who signs with them.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// Why a key cannot be made, read or stored.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// The system refused.
    #[error("cannot use {path}")]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is larger than any file of its kind.
    #[error("{path} has more than {limit} bytes")]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The most bytes it may have.
        limit: usize,
    },
    /// A file that must not be replaced is there.
    #[error("{path} exists already")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file in the key directory is not a keystore.
    #[error("{path} is not a keystore")]
    File {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: Box<KeyError>,
    },
    /// The text is not JSON of the form of a keystore.
    #[error("not a keystore of EIP-2335's form")]
    Form(#[from] serde_json::Error),
    /// The file is of another version.
    #[error("keystore version {0}, expected 4")]
    Version(u32),
    /// A member has a value that cannot be used.
    #[error("`{member}` of the keystore is {wrong}")]
    Member {
        /// The path of the member in the file.
        member: &'static str,
        /// What is wrong with it.
        wrong: &'static str,
    },
    /// The file asks for more work or memory than allowed (rule K-6).
    #[error("the key derivation asks for more than this program spends on a file")]
    TooMuchWork,
    /// The checksum does not fit: the password is wrong, or the file damaged.
    #[error("the password does not open this key, or its file is damaged")]
    WrongPassword,
    /// What was decrypted belongs to another public key (rule K-2).
    #[error("the file says its key is {stated}, but it is {actual}")]
    Mismatch {
        /// The name in the file.
        stated: String,
        /// The name of the secret.
        actual: String,
    },
    /// The bytes are not a secret key of this kind.
    #[error("these bytes are not a {0} key")]
    Secret(KeyKind),
    /// The key signs other things than data items.
    #[error("a {0} key does not sign data items")]
    NotForItems(KeyKind),
    /// There is no kind of this name.
    #[error("unknown kind of key {0:?}; kinds are bls, ed25519, secp256k1, network, rsa")]
    Kind(String),
    /// There is no kind of this name that signs data items.
    #[error("unknown kind of key {0:?}; those that sign data items are ed25519, secp256k1, rsa")]
    ItemKind(String),
    /// The directory has no such key.
    #[error("no {kind} key in {dir}")]
    NotFound {
        /// The kind asked for.
        kind: KeyKind,
        /// The directory.
        dir: PathBuf,
    },
    /// Several keys fit.
    #[error("{count} {kind} keys in {dir}, name one")]
    Ambiguous {
        /// The kind asked for.
        kind: KeyKind,
        /// How many there are.
        count: usize,
        /// The directory.
        dir: PathBuf,
    },
    /// No password was given and there is nobody to ask.
    #[error("no password was given and there is no terminal to ask on")]
    NoPassword,
    /// The password is empty after rule K-4.
    #[error("the password is empty")]
    EmptyPassword,
    /// The password is not text.
    #[error("the password is not UTF-8 text")]
    PasswordText,
    /// The password was typed differently the second time.
    #[error("the two passwords differ")]
    PasswordsDiffer,
    /// The system gave no randomness.
    #[error("the system gave no randomness")]
    Randomness(#[from] getrandom::Error),
}

/// Random bytes that cannot be guessed.
fn random<const N: usize>() -> Result<Zeroizing<[u8; N]>, KeyError> {
    let mut bytes = Zeroizing::new([0; N]);
    getrandom::fill(bytes.as_mut_slice())?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
