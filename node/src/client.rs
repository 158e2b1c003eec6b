//! A client of a node's HTTP, for the command line and the local network.
//!
//! # Rules
//!
//! - `[CT-1]` Answers are read up to a bound; what a node says is data, never trusted more than its proofs.
//! - `[CT-2]` A node that cannot be reached, a node that refuses and a node that answers nonsense are three errors.

use std::time::Duration;

use futures::StreamExt;
use serde_json::Value;
use surety_protocol::item::Item;

/// Bytes of one answer.
pub const ANSWER_BYTES_MAX: usize = 80 << 20;
/// How long one answer may take.
const TIMEOUT: Duration = Duration::from_secs(45);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody answers there.
    #[error("no node answers at {url}: {reason}")]
    Unreachable {
        /// Where.
        url: String,
        /// Why.
        reason: String,
    },
    /// The node refuses, and says why.
    #[error("{detail} ({code})")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The node's stable code.
        code: String,
        /// Why.
        detail: String,
    },
    /// The answer is too long or not what it should be.
    #[error("the answer of {url} makes no sense: {reason}")]
    Nonsense {
        /// Where.
        url: String,
        /// Why.
        reason: String,
    },
}

/// A client of one node.
#[derive(Debug, Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
}

impl Client {
    /// A client of the node at a base URL.
    ///
    /// # Errors
    /// If the machine cannot make HTTP clients.
    pub fn new(base: &str) -> Result<Client, ClientError> {
        let base = base.trim_end_matches('/').to_owned();
        let http = reqwest::Client::builder()
            .connect_timeout(Duration::from_secs(5))
            .build()
            .map_err(|error| unreachable_at(&base, &error))?;
        Ok(Client { http, base })
    }

    /// The base URL.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// A JSON document.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn get(&self, path: &str) -> Result<Value, ClientError> {
        let bytes = self.bytes(path).await?;
        self.json(path, &bytes)
    }

    /// A document's bytes.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn bytes(&self, path: &str) -> Result<Vec<u8>, ClientError> {
        let url = format!("{}{path}", self.base);
        self.send(self.http.get(&url)).await
    }

    /// Sends a data item; gives what became of it.
    ///
    /// # Errors
    /// See [`ClientError`].
    pub async fn send_item(&self, item: &Item) -> Result<Value, ClientError> {
        let path = "/v1/items";
        let url = format!("{}{path}", self.base);
        let request = self
            .http
            .post(&url)
            .header("content-type", "application/octet-stream")
            .body(item.bytes().to_vec());
        let bytes = self.send(request).await?;
        self.json(path, &bytes)
    }

    /// Follows the node's events from a number on: each as the JSON of its data, until the receiver is dropped or the node
    /// ends the stream.
    ///
    /// # Errors
    /// If the stream cannot be opened.
    pub async fn events(
        &self,
        after: u64,
    ) -> Result<tokio::sync::mpsc::Receiver<Value>, ClientError> {
        let url = format!("{}/v1/events?after={after}", self.base);
        let answer = self
            .http
            .get(&url)
            .send()
            .await
            .map_err(|error| self.unreachable(&error))?;
        let (sender, receiver) = tokio::sync::mpsc::channel(1024);
        tokio::spawn(async move {
            let mut stream = answer.bytes_stream();
            let mut text = Vec::new();
            while let Some(Ok(chunk)) = stream.next().await {
                text.extend_from_slice(&chunk);
                if text.len() > 1 << 20 {
                    return;
                }
                while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = text.drain(..=end).collect();
                    let event = line
                        .strip_prefix(b"data:")
                        .and_then(|data| serde_json::from_slice::<Value>(data.trim_ascii()).ok());
                    if let Some(event) = event
                        && sender.send(event).await.is_err()
                    {
                        return;
                    }
                }
            }
        });
        Ok(receiver)
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<Vec<u8>, ClientError> {
        let answer = request
            .timeout(TIMEOUT)
            .send()
            .await
            .map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        let mut stream = answer.bytes_stream();
        let mut bytes = Vec::new();
        while let Some(chunk) = stream.next().await {
            bytes.extend_from_slice(&chunk.map_err(|error| self.unreachable(&error))?);
            if bytes.len() > ANSWER_BYTES_MAX {
                return Err(ClientError::Nonsense {
                    url: self.base.clone(),
                    reason: "the answer is too long".into(),
                });
            }
        }
        if status.is_success() {
            return Ok(bytes);
        }
        let problem: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        let text = |name: &str| problem.get(name).and_then(Value::as_str).map(str::to_owned);
        Err(ClientError::Refused {
            status: status.as_u16(),
            code: text("code").unwrap_or_else(|| format!("http-{}", status.as_u16())),
            detail: text("detail").unwrap_or_else(|| status.to_string()),
        })
    }

    /// Which document it was is nothing that who reads it could mend.
    fn unreachable(&self, error: &reqwest::Error) -> ClientError {
        unreachable_at(&self.base, error)
    }

    fn json(&self, path: &str, bytes: &[u8]) -> Result<Value, ClientError> {
        serde_json::from_slice(bytes).map_err(|error| ClientError::Nonsense {
            url: format!("{}{path}", self.base),
            reason: error.to_string(),
        })
    }
}

fn unreachable_at(url: &str, error: &reqwest::Error) -> ClientError {
    use std::error::Error as _;
    let mut reason = error.to_string();
    let mut source = error.source();
    while let Some(deeper) = source {
        reason = deeper.to_string();
        source = deeper.source();
    }
    ClientError::Unreachable {
        url: url.to_owned(),
        reason,
    }
}
