//! From a password to the key that encrypts (rules K-1 and K-6).

use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use super::{KeyError, Password, hex, random};

/// The product of scrypt's memory in bytes and its passes over it: the default takes a quarter of
/// it.
const SCRYPT_BYTES_MAX: u64 = 1 << 30;
/// Rounds of PBKDF2.
const PBKDF2_ROUNDS_MAX: u32 = 10_000_000;
/// Bytes of a salt.
const SALT_BYTES_MAX: usize = 128;

/// How the encryption key is derived from the password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kdf {
    /// scrypt with n = 2^`log_n`, r = 8, p = 1: 2^`log_n` KiB of memory.
    Scrypt {
        /// The logarithm of n.
        log_n: u8,
    },
    /// PBKDF2 with HMAC-SHA-256, for machines with little memory.
    Pbkdf2 {
        /// The number of rounds.
        rounds: u32,
    },
}

impl Kdf {
    /// What EIP-2335 recommends: n = 262144, about a second and 256 MiB.
    pub const fn strong() -> Self {
        Self::Scrypt { log_n: 18 }
    }

    /// n = 4096, for local test networks whose keys protect nothing. The file says so.
    pub const fn light() -> Self {
        Self::Scrypt { log_n: 12 }
    }

    /// Whether this protects next to nothing against guessing.
    pub const fn is_light(self) -> bool {
        match self {
            Self::Scrypt { log_n } => log_n < 15,
            Self::Pbkdf2 { rounds } => rounds < 100_000,
        }
    }

    /// The module of a file that asks for this derivation, with a fresh salt.
    pub(super) fn module(self) -> Result<Module<KdfParams>, KeyError> {
        let salt = hex::encode(random::<32>()?.as_slice());
        let (function, params) = match self {
            Self::Scrypt { log_n } => {
                let n = 1_u64
                    .checked_shl(u32::from(log_n))
                    .ok_or(KeyError::TooMuchWork)?;
                (
                    "scrypt",
                    KdfParams::Scrypt {
                        dklen: 32,
                        n,
                        p: 1,
                        r: 8,
                        salt,
                    },
                )
            }
            Self::Pbkdf2 { rounds } => {
                let prf = "hmac-sha256".to_owned();
                (
                    "pbkdf2",
                    KdfParams::Pbkdf2 {
                        c: rounds,
                        dklen: 32,
                        prf,
                        salt,
                    },
                )
            }
        };
        Ok(Module {
            function: function.to_owned(),
            params,
            message: String::new(),
        })
    }
}

impl Default for Kdf {
    fn default() -> Self {
        Self::strong()
    }
}

/// A function of the file with its parameters and its input or output.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Module<P> {
    pub(super) function: String,
    pub(super) params: P,
    pub(super) message: String,
}

/// The parameters of either function; they have no member in common but these two.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(untagged)]
pub(super) enum KdfParams {
    Scrypt {
        dklen: u32,
        n: u64,
        p: u32,
        r: u32,
        salt: String,
    },
    Pbkdf2 {
        c: u32,
        dklen: u32,
        prf: String,
        salt: String,
    },
}

/// The 32 bytes of which the first half encrypts and the second half checks.
pub(super) fn derive(
    kdf: &Module<KdfParams>,
    password: &Password,
) -> Result<Zeroizing<[u8; 32]>, KeyError> {
    let mut key = Zeroizing::new([0_u8; 32]);
    let (KdfParams::Scrypt { salt, dklen, .. } | KdfParams::Pbkdf2 { salt, dklen, .. }) =
        &kdf.params;
    if *dklen != 32 {
        return Err(member("crypto.kdf.params.dklen", "not 32"));
    }
    let salt = hex::decode(salt, "crypto.kdf.params.salt")?;
    if salt.len() > SALT_BYTES_MAX {
        return Err(member("crypto.kdf.params.salt", "too long"));
    }
    match (kdf.function.as_str(), &kdf.params) {
        ("scrypt", KdfParams::Scrypt { n, p, r, .. }) => {
            let unusable = || member("crypto.kdf.params", "not a usable choice of n, r and p");
            if !n.is_power_of_two() || *n < 2 || *r == 0 || *p == 0 {
                return Err(unusable());
            }
            let factors = [u64::from(*r), u64::from(*p), 128];
            let cost = factors.into_iter().fold(*n, u64::saturating_mul);
            if cost > SCRYPT_BYTES_MAX {
                return Err(KeyError::TooMuchWork);
            }
            let log_n = u8::try_from(n.trailing_zeros()).map_err(|_| unusable())?;
            let params = scrypt::Params::new(log_n, *r, *p).map_err(|_| unusable())?;
            scrypt::scrypt(password.bytes(), &salt, &params, key.as_mut_slice())
                .map_err(|_| unusable())?;
        }
        ("pbkdf2", KdfParams::Pbkdf2 { c, prf, .. }) => {
            expect(prf, "hmac-sha256", "crypto.kdf.params.prf")?;
            match *c {
                0 => return Err(member("crypto.kdf.params.c", "zero")),
                c if c > PBKDF2_ROUNDS_MAX => return Err(KeyError::TooMuchWork),
                c => {
                    let out = key.as_mut_slice();
                    pbkdf2::pbkdf2_hmac::<Sha256>(password.bytes(), &salt, c, out);
                }
            }
        }
        _ => {
            return Err(member(
                "crypto.kdf.function",
                "not supported, or not that of its params",
            ));
        }
    }
    Ok(key)
}

pub(super) const fn member(member: &'static str, wrong: &'static str) -> KeyError {
    KeyError::Member { member, wrong }
}

pub(super) fn expect(found: &str, expected: &str, name: &'static str) -> Result<(), KeyError> {
    match found == expected {
        true => Ok(()),
        false => Err(member(name, "not supported")),
    }
}
