//! `surety config`: what a node is told, and from where.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::{Value, json};

use super::Context;
use crate::config::{NodeConfig, Overrides, RoleName, Setting};
use crate::node::read_genesis;
use crate::shell::{CliError, Exit, Table};

/// `surety config`
#[derive(Debug, Args)]
pub(super) struct ConfigArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Show every setting with its origin
    Show(ConfigFlags),
    /// Check the settings and the files that they name
    Check(ConfigFlags),
}

/// The settings of a node as flags; each stands above its variable, and that above the file.
#[derive(Debug, Clone, Default, Args)]
pub(super) struct ConfigFlags {
    /// The configuration file [env: SURETY_CONFIG] [default: surety.toml in the node's directory]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The node's directory: database, keys, configuration [env: SURETY_DIR] [default: ~/.surety]
    #[arg(long, value_name = "DIR")]
    dir: Option<String>,
    /// The roles it plays: scheduler, compute, messenger, verifier, gateway, or all of these; or auditor
    #[arg(long, value_name = "ROLE,...")]
    roles: Vec<String>,
    /// Where it answers HTTP
    #[arg(long, value_name = "ADDRESS:PORT")]
    http: Option<String>,
    /// Where it listens for peers; may be given several times
    #[arg(long, value_name = "MULTIADDR,...")]
    listen: Vec<String>,
    /// Where others reach it, if that is not where it listens; may be given several times
    #[arg(long, value_name = "MULTIADDR,...")]
    external: Vec<String>,
    /// The peers that it calls first; may be given several times
    #[arg(long, value_name = "MULTIADDR,...")]
    bootstrap: Vec<String>,
    /// The file that defines the network [default: genesis.cbor in the node's directory]
    #[arg(long, value_name = "FILE")]
    genesis: Option<String>,
    /// Requests that one client may send a second; 0 is any number. Clients on this machine may send any number
    #[arg(long, value_name = "NUMBER")]
    http_rate: Option<String>,
    /// Whether a proxy on this machine says in X-Forwarded-For who asks: true or false
    #[arg(long, value_name = "SWITCH")]
    http_proxy: Option<String>,
    /// The file with the token of those who may make it keep modules and evidence; without one, everybody may
    #[arg(long, value_name = "FILE")]
    http_token_file: Option<String>,
    /// The URL under which others reach its HTTP, if it is another
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// The file with the password of the keys
    #[arg(long, value_name = "FILE")]
    password_file: Option<String>,
    /// The operator for whom the node works
    #[arg(long, value_name = "ADDRESS", allow_hyphen_values = true)]
    operator: Option<String>,
    /// The kind of key that it signs assignments and messages with: ed25519, secp256k1 or rsa
    #[arg(long, value_name = "KIND")]
    item_key: Option<String>,
    /// MiB of memory for the processes that it executes, between two inputs
    #[arg(long, value_name = "MIB")]
    resident_mib: Option<String>,
    /// MiB of memory that one process may take; one that grows further is abstained from
    #[arg(long, value_name = "MIB")]
    process_mib: Option<String>,
    /// MiB of memory that each of the two workers may take
    #[arg(long, value_name = "MIB")]
    worker_mib: Option<String>,
    /// The processes that an auditor follows; all, if none is named
    #[arg(long, value_name = "PROCESS,...", allow_hyphen_values = true)]
    audit_processes: Vec<String>,
    /// Inputs that an auditor executes in a minute at most; 0 is any number
    #[arg(long, value_name = "NUMBER")]
    audit_inputs: Option<String>,
    /// Which events are logged, like info,surety_node::net=debug
    #[arg(long, value_name = "FILTER")]
    log: Option<String>,
    /// How they are logged: text or json
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<String>,
    /// A fault to commit on purpose, for tests of the network
    #[arg(long = "fault", value_name = "KIND@SLOT", hide = true)]
    faults: Vec<String>,
}

impl ConfigFlags {
    /// Puts flags, environment and file together.
    pub(super) fn load(&self) -> Result<NodeConfig, CliError> {
        let env = |name: &str| std::env::var(name).ok();
        Ok(NodeConfig::load(
            self.config.as_deref(),
            env,
            &self.overrides(),
        )?)
    }

    /// The same for a node that audits and plays no other role.
    pub(super) fn auditing(&self) -> ConfigFlags {
        ConfigFlags {
            roles: vec![RoleName::Auditor.to_string()],
            ..self.clone()
        }
    }

    fn overrides(&self) -> Overrides {
        let single = [
            (Setting::Dir, &self.dir),
            (Setting::Http, &self.http),
            (Setting::HttpRate, &self.http_rate),
            (Setting::HttpProxy, &self.http_proxy),
            (Setting::HttpTokenFile, &self.http_token_file),
            (Setting::PublicUrl, &self.public_url),
            (Setting::Genesis, &self.genesis),
            (Setting::PasswordFile, &self.password_file),
            (Setting::Operator, &self.operator),
            (Setting::ItemKey, &self.item_key),
            (Setting::ResidentMib, &self.resident_mib),
            (Setting::ProcessMib, &self.process_mib),
            (Setting::WorkerMib, &self.worker_mib),
            (Setting::AuditInputs, &self.audit_inputs),
            (Setting::Log, &self.log),
            (Setting::LogFormat, &self.log_format),
        ];
        let several = [
            (Setting::Roles, &self.roles),
            (Setting::Listen, &self.listen),
            (Setting::External, &self.external),
            (Setting::Bootstrap, &self.bootstrap),
            (Setting::AuditProcesses, &self.audit_processes),
            (Setting::Faults, &self.faults),
        ];
        let single = single
            .into_iter()
            .filter_map(|(setting, text)| text.clone().map(|text| (setting, vec![text])));
        let several = several
            .into_iter()
            .filter(|(_, texts)| !texts.is_empty())
            .map(|(setting, texts)| (setting, texts.clone()));
        single.chain(several).collect()
    }
}

pub(super) fn run(context: &Context, args: ConfigArgs) -> Result<(), CliError> {
    match args.verb {
        Verb::Show(flags) => show(context, &flags.load()?),
        Verb::Check(flags) => check(context, &flags.load()?),
    }
}

fn show(context: &Context, config: &NodeConfig) -> Result<(), CliError> {
    let mut table = Table::new(["setting", "value", "origin"]);
    let mut settings = Vec::new();
    for (setting, value, origin) in config.entries() {
        let place = origin.to_string();
        table.row([setting.key(), &value, &place]);
        settings.push(json!({ "setting": setting.key(), "value": value, "origin": origin }));
    }
    context.shell.table(&table, &settings)
}

fn check(context: &Context, config: &NodeConfig) -> Result<(), CliError> {
    let warnings = config.check()?;
    genesis(config)?;
    let mut human = String::new();
    for warning in &warnings {
        human.push_str(&format!("warning: {warning}\n"));
    }
    human.push_str("the configuration can be used");
    let told: Vec<Value> = warnings
        .iter()
        .map(|warning| json!({ "code": warning, "message": warning.to_string() }))
        .collect();
    context.shell.data(human, &json!({ "warnings": told }))
}

/// Checks that there is a network to belong to: a node does not start without.
pub(super) fn genesis(config: &NodeConfig) -> Result<(), CliError> {
    let path = config.genesis_file();
    if !path.is_file() {
        let message = format!("there is no genesis file {}", path.display());
        return Err(CliError::new(Exit::Config, "genesis", message).with_help(
            "get it from whoever runs the network and put it there, or name it with --genesis",
        ));
    }
    read_genesis(&path)?;
    Ok(())
}
