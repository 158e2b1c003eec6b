//! Passwords: where they come from and what they are (rule K-4).

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::{Path, PathBuf};

use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

use super::{KeyError, read_bounded};

/// The variable that names the file with the password.
pub const PASSWORD_FILE_ENV: &str = "SURETY_PASSWORD_FILE";
/// Bytes of a password file.
const PASSWORD_BYTES_MAX: usize = 4096;

/// A password in its normal form, overwritten when dropped.
pub struct Password(Zeroizing<String>);

/// How to ask on the terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// Once, for a password that exists.
    Once,
    /// Twice, for one that is chosen now.
    Twice,
}

impl Password {
    /// A password from text.
    ///
    /// # Errors
    /// Nothing is left after removing control characters.
    pub fn new(text: &str) -> Result<Self, KeyError> {
        let mut normal = Zeroizing::new(String::with_capacity(text.len().saturating_mul(4)));
        normal.extend(text.nfkd().filter(|character| !character.is_control()));
        if normal.is_empty() {
            return Err(KeyError::EmptyPassword);
        }
        Ok(Self(normal))
    }

    /// The password in a file; the end of its line does not belong to it.
    ///
    /// # Errors
    /// The file cannot be read, is too large, not text, or empty.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let bytes = read_bounded(path, PASSWORD_BYTES_MAX)?;
        Self::new(std::str::from_utf8(&bytes).map_err(|_| KeyError::PasswordText)?)
    }

    /// The password from the file that a flag or the configuration names, else from the one that
    /// the environment names, else from the terminal.
    ///
    /// # Errors
    /// As [`Password::from_file`], or nobody can be asked, or the two answers differ.
    pub fn obtain(
        file: Option<&Path>,
        env: impl Fn(&str) -> Option<OsString>,
        ask: Ask,
    ) -> Result<Self, KeyError> {
        let named = || {
            env(PASSWORD_FILE_ENV)
                .filter(|path| !path.is_empty())
                .map(PathBuf::from)
        };
        if let Some(path) = file.map(Path::to_owned).or_else(named) {
            return Self::from_file(&path);
        }
        if !std::io::stdin().is_terminal() {
            return Err(KeyError::NoPassword);
        }
        let first = prompt("Password: ")?;
        if ask == Ask::Twice && *first.0 != *prompt("Again: ")?.0 {
            return Err(KeyError::PasswordsDiffer);
        }
        Ok(first)
    }

    /// The bytes that key derivation takes.
    pub(super) fn bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

fn prompt(text: &str) -> Result<Password, KeyError> {
    let failed = |source| KeyError::Io {
        path: PathBuf::from("the terminal"),
        source,
    };
    let typed = Zeroizing::new(rpassword::prompt_password(text).map_err(failed)?);
    Password::new(&typed)
}
