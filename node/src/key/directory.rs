//! The directory that holds a node's keys, one file each.

use std::fs;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use serde::Serialize;
use surety_protocol::bls;
use surety_protocol::item::RsaComponents;
use zeroize::Zeroizing;

use super::keystore::FILE_BYTES_MAX;
use super::{
    Kdf, KeyError, KeyKind, Keystore, Password, Secret, random, read_bounded, write_private,
};

/// A directory of keystores.
#[derive(Debug, Clone)]
pub struct KeyDirectory {
    dir: PathBuf,
}

/// A key that lies in the directory.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct KeyEntry {
    /// What it is for.
    pub kind: KeyKind,
    /// Its public name: see [`public_text`](super::public_text). Empty if a foreign file does not
    /// tell it.
    pub public: String,
    /// The file, in full.
    pub file: PathBuf,
    /// Whether its protection is weak: see [`Kdf::light`].
    pub light: bool,
}

impl KeyDirectory {
    /// Opens a directory, creating it with mode 0700 if it is not there.
    ///
    /// # Errors
    /// It cannot be created, or is something else.
    pub fn open(dir: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::Io {
            path: dir.to_owned(),
            source,
        };
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(dir)
            .map_err(failed)?;
        Ok(Self {
            dir: dir.to_owned(),
        })
    }

    /// Every key, by kind and public name. Only files that end in `.json` are looked at.
    ///
    /// # Errors
    /// A file cannot be read or is no keystore; the error names it.
    pub fn list(&self) -> Result<Vec<KeyEntry>, KeyError> {
        let failed = |source| KeyError::Io {
            path: self.dir.clone(),
            source,
        };
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.dir).map_err(failed)? {
            let file = entry.map_err(failed)?.path();
            if file.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let store = read(&file)?;
            let in_file = |source| KeyError::File {
                path: file.clone(),
                source: Box::new(source),
            };
            entries.push(KeyEntry {
                kind: store.kind(),
                public: store.public().map_err(in_file)?,
                light: store.is_light(),
                file,
            });
        }
        entries.sort();
        Ok(entries)
    }

    /// The one key of a kind, or the one with this public name.
    ///
    /// # Errors
    /// There is none, or several and no name.
    pub fn find(&self, kind: KeyKind, public: Option<&str>) -> Result<KeyEntry, KeyError> {
        let mut fitting = self.list()?;
        fitting.retain(|key| key.kind == kind && public.is_none_or(|name| key.public == name));
        let dir = || self.dir.clone();
        match (fitting.len(), fitting.pop()) {
            (1, Some(entry)) => Ok(entry),
            (0, _) | (_, None) => Err(KeyError::NotFound { kind, dir: dir() }),
            (count, _) => Err(KeyError::Ambiguous {
                kind,
                count,
                dir: dir(),
            }),
        }
    }

    /// Makes a new key.
    ///
    /// # Errors
    /// There is no randomness, or the file cannot be written.
    pub fn create(
        &self,
        kind: KeyKind,
        password: &Password,
        kdf: Kdf,
    ) -> Result<KeyEntry, KeyError> {
        self.import(kind, &generate(kind)?, password, kdf)
    }

    /// Stores a key that exists. It never replaces a file (rule K-3).
    ///
    /// # Errors
    /// The bytes are no such key, the key is there already, or the file cannot be written.
    pub fn import(
        &self,
        kind: KeyKind,
        secret: &Secret,
        password: &Password,
        kdf: Kdf,
    ) -> Result<KeyEntry, KeyError> {
        let store = Keystore::encrypt(kind, secret, password, kdf)?;
        let public = store.public()?;
        let file = self.dir.join(format!("{kind}-{public}.json"));
        write_private(&file, store.to_json()?.as_bytes(), false)?;
        Ok(KeyEntry {
            kind,
            public,
            file,
            light: store.is_light(),
        })
    }

    /// Decrypts the one key of a kind.
    ///
    /// # Errors
    /// As [`KeyDirectory::find`], or the password is wrong, or the file damaged.
    pub fn load(&self, kind: KeyKind, password: &Password) -> Result<Secret, KeyError> {
        self.open_key(&self.find(kind, None)?, password)
    }

    /// Decrypts a key that was listed.
    ///
    /// # Errors
    /// The password is wrong, the file damaged, or no longer what was listed.
    pub fn open_key(&self, entry: &KeyEntry, password: &Password) -> Result<Secret, KeyError> {
        let in_file = |source| match source {
            KeyError::WrongPassword => KeyError::WrongPassword,
            other => KeyError::File {
                path: entry.file.clone(),
                source: Box::new(other),
            },
        };
        let store = read(&entry.file)?;
        if store.kind() != entry.kind {
            return Err(in_file(KeyError::Member {
                member: "surety.kind",
                wrong: "no longer what it was",
            }));
        }
        store.decrypt(password).map_err(in_file)
    }
}

fn read(file: &Path) -> Result<Keystore, KeyError> {
    let bytes = read_bounded(file, FILE_BYTES_MAX)?;
    Keystore::from_json(&bytes).map_err(|source| KeyError::File {
        path: file.to_owned(),
        source: Box::new(source),
    })
}

/// A new secret. Bytes that are no secp256k1 key come up once in 2^128 draws; that is an error.
fn generate(kind: KeyKind) -> Result<Secret, KeyError> {
    let seed = random::<32>()?;
    match kind {
        KeyKind::Rsa => {
            let numbers = RsaComponents::generate().map_err(|_| KeyError::Secret(kind))?;
            // Large enough not to grow: what is left behind when it does is not wiped.
            let mut wallet = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX));
            serde_json::to_writer(&mut *wallet, &numbers)?;
            Ok(Secret::new(wallet))
        }
        // More than half of all 32-byte numbers are above the group order, so the seed is spread
        // over it.
        KeyKind::Bls => {
            let key = bls::SecretKey::derive_from_seed(seed.as_slice())
                .map_err(|_| KeyError::Secret(kind))?;
            Ok(Secret::new(key.to_bytes().to_vec()))
        }
        KeyKind::Ed25519 | KeyKind::Secp256k1 | KeyKind::Network => Ok(Secret::new(seed.to_vec())),
    }
}
