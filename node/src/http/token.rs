//! The token of those who may make this node keep what nothing in the protocol pays for (rule HT-11).

use std::fmt;
use std::path::Path;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use zeroize::Zeroizing;

use super::Api;
use super::problem::Problem;
use crate::key::{KeyError, read_bounded};

/// Characters of a token: what nobody guesses, and what fits a header.
const CHARACTERS: std::ops::RangeInclusive<usize> = 16..=512;
/// Bytes of its file; the end of its line does not belong to it.
const FILE_MAX: usize = 1024;

/// Why a file gives no token. What is in it is not told.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] KeyError),
    /// Nothing that can stand in a header, or too short to be a secret.
    #[error("a token has 16 to 512 characters: letters, digits and -._~+/=")]
    Malformed,
}

/// A token as it is sent: without a form that could be logged (rule TL-3), and overwritten when dropped.
pub struct TokenText(Zeroizing<String>);

impl TokenText {
    /// The text, for the request that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

/// Reads a token from its file.
///
/// # Errors
/// See [`TokenError`].
pub fn read_token(path: &Path) -> Result<TokenText, TokenError> {
    let bytes = read_bounded(path, FILE_MAX)?;
    let text = std::str::from_utf8(&bytes).map_err(|_| TokenError::Malformed)?;
    let text = text.trim_end_matches(['\r', '\n']);
    let fits = |it: char| it.is_ascii_alphanumeric() || "-._~+/=".contains(it);
    match CHARACTERS.contains(&text.len()) && text.chars().all(fits) {
        true => Ok(TokenText(Zeroizing::new(text.to_owned()))),
        false => Err(TokenError::Malformed),
    }
}

/// What a node knows of its token: enough to know it again.
#[derive(Clone, Copy)]
pub struct Token(blake3::Hash);

impl Token {
    /// The token of a file.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn read(path: &Path) -> Result<Token, TokenError> {
        Ok(Token::of(read_token(path)?.expose()))
    }

    /// A token by its text.
    pub(super) fn of(text: &str) -> Token {
        Token(blake3::hash(text.as_bytes()))
    }

    fn is(&self, text: &str) -> bool {
        // Hashes of this kind are compared in constant time.
        self.0 == blake3::hash(text.as_bytes())
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// Who asks has the node's token, or the node has none.
pub(super) struct Trusted(());

impl FromRequestParts<Api> for Trusted {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Trusted, Problem> {
        let needed = |detail| Problem::new(StatusCode::UNAUTHORIZED, "token-needed", detail);
        let Some(token) = api.node.token else {
            return Ok(Trusted(()));
        };
        match presented(&parts.headers) {
            Some(text) if token.is(text) => Ok(Trusted(())),
            Some(_) => Err(needed("this is not the token of the node")),
            None => Err(needed("this takes the token of the node")),
        }
    }
}

/// The token that a request has.
fn presented(headers: &HeaderMap) -> Option<&str> {
    let (scheme, text) = headers.get(AUTHORIZATION)?.to_str().ok()?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| text.trim())
}
