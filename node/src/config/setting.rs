//! The settings: names, and how each is read from text and shown as text.

use std::fmt::{self, Display};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Serialize;

use super::{NodeConfig, ValueError};
use crate::telemetry::check_filter;

/// A role that a node can play.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum RoleName {
    /// Gives messages their slots (SU).
    Scheduler,
    /// Evaluates processes and signs claims (CU).
    Compute,
    /// Carries messages between processes (MU).
    Messenger,
    /// Checks the claims of others.
    Verifier,
    /// Serves items and results to clients.
    Gateway,
    /// Executes whatever others claim, whoever was drawn, and challenges what is false.
    Auditor,
}

impl RoleName {
    /// Every role.
    pub const ALL: &[RoleName] = &[
        Self::Scheduler,
        Self::Compute,
        Self::Messenger,
        Self::Verifier,
        Self::Gateway,
        Self::Auditor,
    ];
    /// What `all` means: a network's work. An auditor does it all once more, and stands alone.
    pub const WORKING: &[RoleName] = &[
        Self::Scheduler,
        Self::Compute,
        Self::Messenger,
        Self::Verifier,
        Self::Gateway,
    ];

    /// The name in files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Scheduler => "scheduler",
            Self::Compute => "compute",
            Self::Messenger => "messenger",
            Self::Verifier => "verifier",
            Self::Gateway => "gateway",
            Self::Auditor => "auditor",
        }
    }
}

impl Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for RoleName {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, ValueError> {
        let mut roles = Self::ALL.iter().copied();
        roles
            .find(|role| role.name() == text)
            .ok_or(ValueError::Role)
    }
}

macro_rules! settings {
    ($($(#[$doc:meta])* $setting:ident = $key:literal, $env:literal, $flag:literal;)*) => {
        /// One thing that a node can be told.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Setting {
            $($(#[$doc])* $setting,)*
        }

        impl Setting {
            /// Every setting.
            pub const ALL: &[Setting] = &[$(Setting::$setting),*];

            /// The key in the file.
            pub const fn key(self) -> &'static str {
                match self { $(Setting::$setting => $key,)* }
            }

            /// The environment variable.
            pub const fn env(self) -> &'static str {
                match self { $(Setting::$setting => $env,)* }
            }

            /// The flag, with its dashes.
            pub const fn flag(self) -> &'static str {
                match self { $(Setting::$setting => $flag,)* }
            }
        }
    };
}

settings! {
    /// [`NodeConfig::dir`]
    Dir = "dir", "SURETY_DIR", "--dir";
    /// [`NodeConfig::roles`]
    Roles = "roles", "SURETY_ROLES", "--roles";
    /// [`NodeConfig::http`]
    Http = "http", "SURETY_HTTP", "--http";
    /// [`NodeConfig::http_rate`]
    HttpRate = "http_rate", "SURETY_HTTP_RATE", "--http-rate";
    /// [`NodeConfig::http_proxy`]
    HttpProxy = "http_proxy", "SURETY_HTTP_PROXY", "--http-proxy";
    /// [`NodeConfig::http_token_file`]
    HttpTokenFile = "http_token_file", "SURETY_HTTP_TOKEN_FILE", "--http-token-file";
    /// [`NodeConfig::public_url`]
    PublicUrl = "public_url", "SURETY_PUBLIC_URL", "--public-url";
    /// [`NodeConfig::listen`]
    Listen = "listen", "SURETY_LISTEN", "--listen";
    /// [`NodeConfig::external`]
    External = "external", "SURETY_EXTERNAL", "--external";
    /// [`NodeConfig::bootstrap`]
    Bootstrap = "bootstrap", "SURETY_BOOTSTRAP", "--bootstrap";
    /// [`NodeConfig::genesis`]
    Genesis = "genesis", "SURETY_GENESIS", "--genesis";
    /// [`NodeConfig::password_file`]
    PasswordFile = "password_file", "SURETY_PASSWORD_FILE", "--password-file";
    /// [`NodeConfig::operator`]
    Operator = "operator", "SURETY_OPERATOR", "--operator";
    /// [`NodeConfig::item_key`]
    ItemKey = "item_key", "SURETY_ITEM_KEY", "--item-key";
    /// [`NodeConfig::resident_mib`]
    ResidentMib = "resident_mib", "SURETY_RESIDENT_MIB", "--resident-mib";
    /// [`NodeConfig::process_mib`]
    ProcessMib = "process_mib", "SURETY_PROCESS_MIB", "--process-mib";
    /// [`NodeConfig::worker_mib`]
    WorkerMib = "worker_mib", "SURETY_WORKER_MIB", "--worker-mib";
    /// [`NodeConfig::audit_processes`]
    AuditProcesses = "audit_processes", "SURETY_AUDIT_PROCESSES", "--audit-processes";
    /// [`NodeConfig::audit_inputs`]
    AuditInputs = "audit_inputs", "SURETY_AUDIT_INPUTS", "--audit-inputs";
    /// [`NodeConfig::log`]
    Log = "log", "SURETY_LOG", "--log";
    /// [`NodeConfig::log_format`]
    LogFormat = "log_format", "SURETY_LOG_FORMAT", "--log-format";
    /// [`NodeConfig::faults`]
    Faults = "faults", "SURETY_FAULTS", "--fault";
}

/// The text that cannot be used, and why.
type Refused = (String, ValueError);

impl Setting {
    /// Whether it has several values.
    pub const fn is_list(self) -> bool {
        matches!(
            self,
            Self::Roles
                | Self::Listen
                | Self::External
                | Self::Bootstrap
                | Self::AuditProcesses
                | Self::Faults
        )
    }

    /// The setting with this key.
    pub fn by_key(key: &str) -> Option<Self> {
        Self::ALL
            .iter()
            .copied()
            .find(|setting| setting.key() == key)
    }

    /// The setting whose key one most likely meant, if any is near.
    pub fn nearest(key: &str) -> Option<Self> {
        // A key this long is no slip of the fingers, and comparing costs its length.
        let typed: String = key
            .chars()
            .take(32)
            .map(|c| c.to_ascii_lowercase())
            .collect();
        let typed = typed.replace('-', "_");
        let with_distance = Self::ALL
            .iter()
            .filter(|setting| **setting != Self::Faults)
            .map(|setting| (distance(&typed, setting.key()), *setting));
        let near = with_distance.min_by_key(|(distance, _)| *distance);
        near.filter(|(distance, setting)| *distance <= setting.key().len().div_ceil(3))
            .map(|(_, setting)| setting)
    }

    /// Reads texts into the configuration: one for a scalar, any number for a list.
    pub(super) fn set(self, config: &mut NodeConfig, texts: &[&str]) -> Result<(), Refused> {
        match self {
            Self::Dir => config.dir = path(one(texts)?)?,
            Self::Roles => config.roles = roles(texts)?,
            Self::Http => config.http = parsed(one(texts)?, ValueError::SocketAddr)?,
            Self::HttpRate => config.http_rate = parsed(one(texts)?, ValueError::Number)?,
            Self::HttpProxy => config.http_proxy = parsed(one(texts)?, ValueError::Switch)?,
            Self::HttpTokenFile => config.http_token_file = Some(path(one(texts)?)?),
            Self::PublicUrl => config.public_url = Some(url(one(texts)?)?),
            Self::Listen => config.listen = all(texts, ValueError::Multiaddr)?,
            Self::External => config.external = all(texts, ValueError::Multiaddr)?,
            Self::Bootstrap => config.bootstrap = all(texts, ValueError::Multiaddr)?,
            Self::Genesis => config.genesis = Some(path(one(texts)?)?),
            Self::PasswordFile => config.password_file = Some(path(one(texts)?)?),
            Self::Operator => config.operator = Some(parsed(one(texts)?, ValueError::Address)?),
            Self::ItemKey => config.item_key = parsed(one(texts)?, ValueError::ItemKey)?,
            Self::ResidentMib => config.resident_mib = parsed(one(texts)?, ValueError::Number)?,
            Self::ProcessMib => config.process_mib = parsed(one(texts)?, ValueError::Number)?,
            Self::WorkerMib => config.worker_mib = parsed(one(texts)?, ValueError::Number)?,
            Self::AuditProcesses => config.audit_processes = all(texts, ValueError::Process)?,
            Self::AuditInputs => config.audit_inputs = parsed(one(texts)?, ValueError::Number)?,
            Self::Log => {
                let text = one(texts)?;
                check_filter(text).map_err(|_| (text.to_owned(), ValueError::LogFilter))?;
                config.log = text.to_owned();
            }
            Self::LogFormat => config.log_format = parsed(one(texts)?, ValueError::LogFormat)?,
            Self::Faults => config.faults = texts.iter().map(|&text| text.to_owned()).collect(),
        }
        Ok(())
    }

    /// Makes a path that was just read relative to a directory.
    pub(super) fn relative_to(self, config: &mut NodeConfig, dir: &Path) {
        let path = match self {
            Self::Dir => Some(&mut config.dir),
            Self::Genesis => config.genesis.as_mut(),
            Self::HttpTokenFile => config.http_token_file.as_mut(),
            Self::PasswordFile => config.password_file.as_mut(),
            _ => None,
        };
        if let Some(path) = path {
            *path = dir.join(&*path);
        }
    }

    /// The value as text; lists are separated by commas.
    pub(super) fn show(self, config: &NodeConfig) -> String {
        let of_path = |path: &Option<PathBuf>| match path {
            Some(path) => path.display().to_string(),
            None => String::new(),
        };
        match self {
            Self::Dir => config.dir.display().to_string(),
            Self::Roles => list(&config.roles),
            Self::Http => config.http.to_string(),
            Self::HttpRate => config.http_rate.to_string(),
            Self::HttpProxy => config.http_proxy.to_string(),
            Self::HttpTokenFile => of_path(&config.http_token_file),
            Self::PublicUrl => config.public_url.clone().unwrap_or_default(),
            Self::Listen => list(&config.listen),
            Self::External => list(&config.external),
            Self::Bootstrap => list(&config.bootstrap),
            Self::Genesis => config.genesis_file().display().to_string(),
            Self::PasswordFile => of_path(&config.password_file),
            Self::Operator => config.operator.map(|it| it.to_string()).unwrap_or_default(),
            Self::ItemKey => config.item_key.to_string(),
            Self::ResidentMib => config.resident_mib.to_string(),
            Self::ProcessMib => config.process_mib.to_string(),
            Self::WorkerMib => config.worker_mib.to_string(),
            Self::AuditProcesses => list(&config.audit_processes),
            Self::AuditInputs => config.audit_inputs.to_string(),
            Self::Log => config.log.clone(),
            Self::LogFormat => config.log_format.to_string(),
            Self::Faults => list(&config.faults),
        }
    }
}

fn list(values: &[impl Display]) -> String {
    values
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(",")
}

fn one<'a>(texts: &[&'a str]) -> Result<&'a str, Refused> {
    match texts {
        [text] => Ok(text),
        _ => Err((texts.join(","), ValueError::NotOne)),
    }
}

fn parsed<T: FromStr>(text: &str, why: ValueError) -> Result<T, Refused> {
    text.parse().map_err(|_| (text.to_owned(), why))
}

fn all<T: FromStr>(texts: &[&str], why: ValueError) -> Result<Vec<T>, Refused> {
    texts.iter().map(|text| parsed(text, why)).collect()
}

fn path(text: &str) -> Result<PathBuf, Refused> {
    match text {
        "" => Err((String::new(), ValueError::Empty)),
        _ => Ok(PathBuf::from(text)),
    }
}

fn url(text: &str) -> Result<String, Refused> {
    let read = reqwest::Url::parse(text).ok();
    match read.filter(|it| matches!(it.scheme(), "http" | "https") && it.query().is_none()) {
        Some(_) => Ok(text.trim_end_matches('/').to_owned()),
        None => Err((text.to_owned(), ValueError::Url)),
    }
}

fn roles(texts: &[&str]) -> Result<Vec<RoleName>, Refused> {
    if texts == ["all"] {
        return Ok(RoleName::WORKING.to_vec());
    }
    let mut roles: Vec<RoleName> = all(texts, ValueError::Role)?;
    if roles.is_empty() {
        return Err((String::new(), ValueError::Empty));
    }
    roles.sort();
    roles.dedup();
    Ok(roles)
}

/// How many letters must be added, removed or changed to make one text the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut left = i + 1;
        let mut diagonal = i;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (cell, to) in row.iter_mut().skip(1).zip(b.chars()) {
            let changed = diagonal + usize::from(from != to);
            diagonal = *cell;
            *cell = changed.min(left + 1).min(diagonal + 1);
            left = *cell;
        }
    }
    row.last().copied().unwrap_or(0)
}
