//! Which key signs, and where it lies.

use std::path::{Path, PathBuf};

use clap::Args;
use surety_protocol::item::{Item, ItemDraft, ItemKey};
use surety_protocol::verified::Authentic;

use crate::config::Setting;
use crate::key::{Ask, KeyDirectory, KeyEntry, KeyError, KeyKind, Password, item_key};
use crate::shell::{CliError, Exit};

/// The folder of the keys in a node's directory.
pub(super) const KEYS: &str = "keys";

/// Where keys lie.
#[derive(Debug, Clone, Args)]
pub(super) struct Place {
    /// The node's directory, whose keys lie in its folder `keys` [env: SURETY_DIR] [default: ~/.surety]
    #[arg(long, value_name = "DIR")]
    pub(super) dir: Option<PathBuf>,
    /// The directory of the keys itself, if they lie elsewhere
    #[arg(long, value_name = "DIR")]
    pub(super) key_dir: Option<PathBuf>,
    /// The file with the password of the keys [env: SURETY_PASSWORD_FILE]
    #[arg(long, value_name = "FILE")]
    pub(super) password_file: Option<PathBuf>,
}

/// The key of a data item.
#[derive(Debug, Clone, Args)]
pub(super) struct Signer {
    #[command(flatten)]
    pub(super) place: Place,
    /// The address, or the kind, of the key that signs; needed only if several could
    #[arg(long, value_name = "ADDRESS", allow_hyphen_values = true)]
    pub(super) key: Option<String>,
}

/// The directory that a flag names, else the environment, else `.surety` at home.
pub(super) fn node_dir(named: Option<&Path>) -> PathBuf {
    let variable = |name: &str| std::env::var_os(name).filter(|it| !it.is_empty());
    let default = || PathBuf::from(variable("HOME").unwrap_or_default()).join(".surety");
    let environment = || variable(Setting::Dir.env()).map(PathBuf::from);
    named
        .map(Path::to_owned)
        .or_else(environment)
        .unwrap_or_else(default)
}

/// The password that a flag, the environment or the terminal gives.
pub(super) fn password(file: Option<&Path>, ask: Ask) -> Result<Password, CliError> {
    Ok(Password::obtain(file, |name| std::env::var_os(name), ask)?)
}

impl Place {
    /// The directory of the keys.
    pub(super) fn keys(&self) -> PathBuf {
        self.key_dir
            .clone()
            .unwrap_or_else(|| node_dir(self.dir.as_deref()).join(KEYS))
    }

    /// Opens the directory; one that is not there is made only to put a key into it.
    pub(super) fn open(&self) -> Result<KeyDirectory, CliError> {
        open(&self.keys())
    }

    /// The password of keys that exist.
    pub(super) fn password(&self) -> Result<Password, CliError> {
        password(self.password_file.as_deref(), Ask::Once)
    }
}

/// Opens a directory of keys that must be there.
pub(super) fn open(dir: &Path) -> Result<KeyDirectory, CliError> {
    if dir.is_dir() {
        return Ok(KeyDirectory::open(dir)?);
    }
    let message = format!("there is no directory of keys {}", dir.display());
    Err(
        CliError::new(Exit::Config, "key-missing", message).with_help(
            "make keys with `surety node init` or `surety key new`, or name another --key-dir",
        ),
    )
}

/// The one key that fits a name: a public name or a kind.
pub(super) fn find(
    keys: &KeyDirectory,
    name: Option<&str>,
    kinds: &[KeyKind],
) -> Result<KeyEntry, CliError> {
    let mut fitting = keys.list()?;
    fitting.retain(|key| {
        let named = name.is_none_or(|name| key.public == name || key.kind.name() == name);
        kinds.contains(&key.kind) && named
    });
    match (fitting.len(), fitting.pop()) {
        (1, Some(entry)) => Ok(entry),
        (0, _) | (_, None) => Err(
            CliError::new(Exit::Config, "key-missing", "no key here fits")
                .with_help("see `surety key list`; make one with `surety key new`"),
        ),
        (count, _) => {
            let message = format!("{count} keys fit");
            Err(
                CliError::new(Exit::Config, "key-ambiguous", message).with_help(
                    "name one by its public name, as `surety key list` shows it, with --key",
                ),
            )
        }
    }
}

impl Signer {
    fn entry(&self, keys: &KeyDirectory) -> Result<KeyEntry, CliError> {
        let kinds = [KeyKind::Ed25519, KeyKind::Secp256k1, KeyKind::Rsa];
        find(keys, self.key.as_deref(), &kinds)
    }

    /// Decrypts the key that signs.
    pub(super) fn open(&self) -> Result<ItemKey, CliError> {
        let keys = self.place.open()?;
        let entry = self.entry(&keys)?;
        let secret = keys.open_key(&entry, &self.place.password()?)?;
        Ok(item_key(entry.kind, &secret)?)
    }
}

/// Signs an item that no other is like: its anchor is 32 random characters, so that equal messages are different items.
pub(super) fn sign(key: &ItemKey, draft: ItemDraft) -> Result<Authentic<Item>, CliError> {
    let draft = match draft.anchor {
        Some(_) => draft,
        None => draft.anchored(random_anchor()?),
    };
    key.sign_item(&draft).map_err(|error| {
        CliError::new(
            Exit::Failure,
            "item",
            format!("this cannot be a data item: {error}"),
        )
        .with_help("use fewer or shorter tags, or less data")
    })
}

/// Processes read anchors as text, so these are digits and letters.
fn random_anchor() -> Result<[u8; 32], CliError> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).map_err(KeyError::from)?;
    for byte in &mut bytes {
        *byte = match *byte & 31 {
            low @ 0..=9 => b'0' + low,
            low => b'a' + (low - 10),
        };
    }
    Ok(bytes)
}
