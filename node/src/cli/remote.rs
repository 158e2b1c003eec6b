//! Talking to a node: its errors as ours, and what the client does not do alone.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use surety_protocol::profile::Profile;
use tokio::time::Instant;

use super::{Context, TOKEN_FILE_ENV};
use crate::client::{ANSWER_BYTES_MAX, ClientError};
use crate::http::{TokenError, TokenText, read_token};
use crate::shell::{CliError, Exit};

/// How long an answer to something that was sent may take.
const TIMEOUT: Duration = Duration::from_secs(60);

impl From<ClientError> for CliError {
    fn from(error: ClientError) -> CliError {
        let (exit, code, help) = match &error {
            ClientError::Unreachable { .. } => (
                Exit::Unreachable,
                "node-unreachable",
                "start one with `surety node run`, or name another with --node URL or SURETY_NODE",
            ),
            ClientError::Refused { status, code, .. } => {
                let (code, help) = refused(*status, code);
                (Exit::Failure, code, help)
            }
            ClientError::Nonsense { .. } => (
                Exit::Failure,
                "node-nonsense",
                "is it a Surety node, and of this version?",
            ),
        };
        CliError::new(exit, code, error.to_string()).with_help(help)
    }
}

/// The code and the help of a refusal: by the node's own code, else by its status.
fn refused(status: u16, code: &str) -> (&'static str, &'static str) {
    match (code, status) {
        ("not-evaluated", _) => (
            "not-found",
            "it is not evaluated yet: wait for it with --wait SECONDS",
        ),
        ("slot-unknown", _) => (
            "not-found",
            "`surety process assignments PROCESS` shows which there are",
        ),
        ("not-attested", _) => (
            "node-refused",
            "wait for it, or longer, with --wait SECONDS, or ask for less with --status",
        ),
        ("backing-too-low", _) => (
            "node-refused",
            "ask for no more than there is, with --k and --min-stake",
        ),
        ("other-history", _) => (
            "node-refused",
            "this node or the certificate is wrong: ask another one, and see `surety audit replay`",
        ),
        ("module-refused", _) => (
            "node-refused",
            "the network executes no such module: what it may have and import is in specs/execution.md",
        ),
        ("not-a-gateway", _) => (
            "node-refused",
            "ask a node with the role of a gateway, with --node URL; `surety node status` shows a node's `roles`",
        ),
        (_, 404) => (
            "not-found",
            "is it the id of a process? If so, the node may not follow it, or not know it yet: try again, or ask another node",
        ),
        (_, 401) => (
            "token-needed",
            "name the file with the node's token: --token-file FILE or SURETY_TOKEN_FILE",
        ),
        _ => (
            "node-refused",
            "see the node's log if the reason is not enough",
        ),
    }
}

impl From<TokenError> for CliError {
    fn from(error: TokenError) -> CliError {
        match error {
            TokenError::File(error) => error.into(),
            error @ TokenError::Malformed => {
                CliError::new(Exit::Config, "token", error.to_string()).with_help(
                    "it is the one line of the file that the node's http_token_file names",
                )
            }
        }
    }
}

/// The token of the node: of the file that the flag names, else the environment; there may be none.
fn token(context: &Context) -> Result<Option<TokenText>, CliError> {
    let named = || std::env::var_os(TOKEN_FILE_ENV).filter(|it| !it.is_empty());
    let file = context.token_file.clone();
    let file = file.or_else(|| named().map(PathBuf::from));
    Ok(file.map(|it| read_token(&it)).transpose()?)
}

/// Whether what is sent there is read by nobody between: over TLS, or on this machine.
fn private(url: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(url) else {
        return false;
    };
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    url.scheme() == "https" || host == "localhost" || address.is_ok_and(|it| it.is_loopback())
}

/// Sends a body, with the node's token if there is one, and gives the JSON of the answer, if there is one.
pub(super) async fn post(
    context: &Context,
    path: &str,
    content_type: &str,
    body: Vec<u8>,
) -> Result<Value, CliError> {
    let url = format!("{}{path}", context.url()?.trim_end_matches('/'));
    let unreachable = |error: reqwest::Error| {
        // The deepest cause says what happened, those above it only where.
        let mut cause: &dyn std::error::Error = &error;
        while let Some(deeper) = cause.source() {
            cause = deeper;
        }
        let reason = cause.to_string();
        CliError::from(ClientError::Unreachable {
            url: url.clone(),
            reason,
        })
    };
    let http = reqwest::Client::builder()
        .timeout(TIMEOUT)
        // Nobody sends the token on to somebody else.
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(unreachable)?;
    let request = http
        .post(&url)
        .header("content-type", content_type)
        .body(body);
    // Only where it is asked for, and not in the clear to another machine.
    let guarded = matches!(path, "/v1/items" | "/v1/evidence");
    let request = match token(context)?.filter(|_| guarded) {
        Some(_) if !private(&url) => {
            return Err(CliError::new(
                Exit::Usage,
                "token-exposed",
                "a token is sent over https, or to this machine",
            ));
        }
        Some(token) => request.bearer_auth(token.expose()),
        None => request,
    };
    let mut answer = request.send().await.map_err(unreachable)?;
    let mut bytes = Vec::new();
    while let Some(chunk) = answer.chunk().await.map_err(unreachable)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > ANSWER_BYTES_MAX {
            let reason = "the answer is too long".to_owned();
            return Err(ClientError::Nonsense { url, reason }.into());
        }
    }
    let status = answer.status();
    let value: Option<Value> = match bytes.is_empty() {
        true => Some(Value::Null),
        false => serde_json::from_slice(&bytes).ok(),
    };
    if status.is_success() {
        let reason = "it is not JSON".to_owned();
        return value.ok_or_else(|| ClientError::Nonsense { url, reason }.into());
    }
    let problem = value.unwrap_or_default();
    let text = |name: &str| problem.get(name).and_then(Value::as_str).map(str::to_owned);
    Err(ClientError::Refused {
        status: status.as_u16(),
        code: text("code").unwrap_or_else(|| format!("http-{}", status.as_u16())),
        detail: text("detail").unwrap_or_else(|| status.to_string()),
    }
    .into())
}

/// A text member of an answer that must have it.
pub(super) fn text<'a>(value: &'a Value, name: &'static str) -> Result<&'a str, CliError> {
    value
        .get(name)
        .and_then(Value::as_str)
        .ok_or_else(|| lacks(name))
}

/// A member of an answer, read from its text.
pub(super) fn parsed<T: std::str::FromStr>(
    value: &Value,
    name: &'static str,
) -> Result<T, CliError> {
    text(value, name)?.parse().map_err(|_| lacks(name))
}

/// A number of an answer that must have it.
pub(super) fn number(value: &Value, name: &'static str) -> Result<u64, CliError> {
    value
        .get(name)
        .and_then(Value::as_u64)
        .ok_or_else(|| lacks(name))
}

/// The numbers of a profile.
pub(super) fn profile(it: &Value) -> Result<Profile, CliError> {
    let small = |name| u32::try_from(number(it, name)?).map_err(|_| lacks(name));
    Ok(Profile {
        version: small("version")?,
        gas_max: number(it, "gas_max")?,
        stride: number(it, "stride")?,
        stride_gas_max: number(it, "stride_gas_max")?,
        stack_slots_max: small("stack_slots_max")?,
        memory_bytes_max: number(it, "memory_bytes_max")?,
        module_bytes_max: number(it, "module_bytes_max")?,
        reply_bytes_max: number(it, "reply_bytes_max")?,
    })
}

fn lacks(name: &'static str) -> CliError {
    let message = format!("the node's answer has no usable `{name}`");
    CliError::new(Exit::Failure, "node-nonsense", message)
        .with_help("is it a Surety node, and of this version?")
}

/// The elements of an answer that is a list, or holds one.
pub(super) fn list(value: &Value) -> &[Value] {
    let held = value
        .as_object()
        .and_then(|it| it.values().find_map(Value::as_array));
    value
        .as_array()
        .or(held)
        .map(Vec::as_slice)
        .unwrap_or_default()
}

/// How long one request lets the node wait.
const WAIT_SECONDS: u64 = 30;
/// The same where somebody watches.
const ROUND_SECONDS: u64 = 5;
/// How long to pause before asking again.
const ASK: Duration = Duration::from_millis(200);

/// Asks until there is an answer; what the codes in `not_yet` refuse may still come about before the deadline. `ask` gets the
/// seconds for which the node may wait itself.
pub(super) async fn wait_for<T, F>(
    deadline: Instant,
    not_yet: &[&str],
    ask: impl FnMut(u64) -> F,
) -> Result<T, CliError>
where
    F: Future<Output = Result<T, ClientError>>,
{
    rounds(deadline, WAIT_SECONDS, not_yet, ask, |_| {}).await
}

/// The same in shorter rounds, after each of which `tell` hears what the node says there is so far, if that is news.
pub(super) async fn watch_for<T, F>(
    deadline: Instant,
    not_yet: &[&str],
    ask: impl FnMut(u64) -> F,
    tell: impl FnMut(&str),
) -> Result<T, CliError>
where
    F: Future<Output = Result<T, ClientError>>,
{
    rounds(deadline, ROUND_SECONDS, not_yet, ask, tell).await
}

async fn rounds<T, F>(
    deadline: Instant,
    seconds: u64,
    not_yet: &[&str],
    mut ask: impl FnMut(u64) -> F,
    mut tell: impl FnMut(&str),
) -> Result<T, CliError>
where
    F: Future<Output = Result<T, ClientError>>,
{
    let mut told: Option<String> = None;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let error = match ask(left.as_secs().min(seconds)).await {
            Ok(found) => return Ok(found),
            Err(error) => error,
        };
        let late = Instant::now() >= deadline;
        match &error {
            ClientError::Refused { code, detail, .. }
                if not_yet.contains(&code.as_str()) && !late =>
            {
                // Only what is new: how it ends says once more what lacks.
                if told.as_ref() != Some(detail) {
                    tell(detail);
                    told = Some(detail.clone());
                }
                tokio::time::sleep(ASK).await;
            }
            _ => return Err(error.into()),
        }
    }
}
