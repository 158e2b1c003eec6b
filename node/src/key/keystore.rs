//! One encrypted key in EIP-2335's form (rule K-1).

use aes::Aes128;
use ctr::Ctr128BE;
use ctr::cipher::{KeyIvInit, StreamCipher};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::derive::{KdfParams, Module, derive, expect, member};
use super::{Kdf, KeyError, KeyKind, Password, Secret, hex, public, random};

/// Bytes of a keystore file; an RSA-4096 wallet takes about 8 KiB.
pub(super) const FILE_BYTES_MAX: usize = 64 << 10;
const VERSION: u32 = 4;

/// A key as its file has it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Keystore {
    crypto: Crypto,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    description: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pubkey: String,
    #[serde(default)]
    path: String,
    uuid: String,
    version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    surety: Option<Label>,
}

/// What the file says beyond EIP-2335.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Label {
    kind: KeyKind,
    public: String,
    #[serde(default)]
    light: bool,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Crypto {
    kdf: Module<KdfParams>,
    checksum: Module<NoParams>,
    cipher: Module<CipherParams>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct NoParams {}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct CipherParams {
    iv: String,
}

impl Keystore {
    /// Encrypts a secret with fresh salt and counter.
    ///
    /// Takes as long and as much memory as `kdf` says: an async task calls it on a thread that may
    /// block.
    ///
    /// # Errors
    /// The bytes are not a key of this kind, `kdf` is out of bounds, or there is no randomness.
    pub fn encrypt(
        kind: KeyKind,
        secret: &Secret,
        password: &Password,
        kdf: Kdf,
    ) -> Result<Self, KeyError> {
        let public = public::public_text(kind, secret)?;
        let kdf_module = kdf.module()?;
        let key = derive(&kdf_module, password)?;
        let iv = random::<16>()?;
        // The clear bytes are encrypted in place; nothing of them is left in this buffer.
        let mut message = Zeroizing::new(secret.expose().to_vec());
        apply_cipher(&key, &iv, &mut message);
        let checksum = checksum(&key, &message);
        let light = kdf.is_light();
        let weak = if light {
            ", weakly protected, for local test networks only"
        } else {
            ""
        };
        let label = Label {
            kind,
            public,
            light,
        };
        Ok(Self {
            description: format!("Surety {kind} key{weak}"),
            pubkey: public::ethereum_pubkey(kind, secret)?
                .map(|k| hex::encode(&k))
                .unwrap_or_default(),
            path: String::new(),
            uuid: uuid::Uuid::new_v4().to_string(),
            version: VERSION,
            crypto: Crypto {
                kdf: kdf_module,
                checksum: module("sha256", NoParams {}, hex::encode(&checksum)),
                cipher: module(
                    "aes-128-ctr",
                    CipherParams {
                        iv: hex::encode(iv.as_slice()),
                    },
                    hex::encode(&message),
                ),
            },
            surety: Some(label),
        })
    }

    /// Decrypts the secret and checks that it is the key that the file names (rule K-2).
    ///
    /// Takes as long and as much memory as the file says, within rule K-6.
    ///
    /// # Errors
    /// The file is malformed, the password wrong, or the key another one.
    pub fn decrypt(&self, password: &Password) -> Result<Secret, KeyError> {
        let kind = self.kind();
        let cipher = &self.crypto.cipher;
        expect(&cipher.function, "aes-128-ctr", "crypto.cipher.function")?;
        expect(
            &self.crypto.checksum.function,
            "sha256",
            "crypto.checksum.function",
        )?;
        let expected = hex::decode(&self.crypto.checksum.message, "crypto.checksum.message")?;
        let iv: [u8; 16] = hex::decode(&cipher.params.iv, "crypto.cipher.params.iv")?
            .try_into()
            .map_err(|_| member("crypto.cipher.params.iv", "not 16 bytes"))?;
        let mut message = Zeroizing::new(hex::decode(&cipher.message, "crypto.cipher.message")?);
        let key = derive(&self.crypto.kdf, password)?;
        if checksum(&key, &message).as_slice() != expected {
            return Err(KeyError::WrongPassword);
        }
        apply_cipher(&key, &iv, &mut message);
        let secret = Secret::new(message);
        let actual = public::public_text(kind, &secret)?;
        let stated = self.public()?;
        if !stated.is_empty() && stated != actual {
            return Err(KeyError::Mismatch { stated, actual });
        }
        Ok(secret)
    }

    /// What kind of key the file says it holds.
    pub fn kind(&self) -> KeyKind {
        self.surety
            .as_ref()
            .map_or(KeyKind::Bls, |label| label.kind)
    }

    /// The public name of the key; empty if a foreign file does not tell it.
    ///
    /// # Errors
    /// A foreign file's public key is not hexadecimal.
    pub fn public(&self) -> Result<String, KeyError> {
        match &self.surety {
            Some(label) => Ok(label.public.clone()),
            None => Ok(surety_protocol::id::base64url(&hex::decode(
                &self.pubkey,
                "pubkey",
            )?)),
        }
    }

    /// Whether the file says that its protection is weak.
    pub fn is_light(&self) -> bool {
        self.surety.as_ref().is_some_and(|label| label.light)
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// It is not a keystore of version 4.
    pub fn from_json(text: &[u8]) -> Result<Self, KeyError> {
        let store: Self = serde_json::from_slice(text)?;
        if store.version != VERSION {
            return Err(KeyError::Version(store.version));
        }
        Ok(store)
    }

    /// The text of the file.
    ///
    /// # Errors
    /// None that a keystore can cause.
    pub fn to_json(&self) -> Result<String, KeyError> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }
}

fn module<P>(function: &str, params: P, message: String) -> Module<P> {
    Module {
        function: function.to_owned(),
        params,
        message,
    }
}

fn checksum(key: &[u8; 32], message: &[u8]) -> [u8; 32] {
    let [_, second] = halves(key);
    let mut hasher = Sha256::new();
    hasher.update(second);
    hasher.update(message);
    hasher.finalize().into()
}

fn apply_cipher(key: &[u8; 32], iv: &[u8; 16], bytes: &mut [u8]) {
    let [first, _] = halves(key);
    Ctr128BE::<Aes128>::new((&*first).into(), iv.into()).apply_keystream(bytes);
}

fn halves(key: &[u8; 32]) -> [Zeroizing<[u8; 16]>; 2] {
    let mut halves = [Zeroizing::new([0; 16]), Zeroizing::new([0; 16])];
    for (half, bytes) in halves.iter_mut().zip(key.chunks_exact(16)) {
        half.copy_from_slice(bytes);
    }
    halves
}
