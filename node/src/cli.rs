//! The command line: what `surety` understands, one file for each noun.
//!
//! # Rules
//!
//! - `[CM-1]` Everything printed goes through the [`Shell`]; nothing else writes to stdout. Wrong calls are errors like any
//!   other: with `--json` they are an envelope, and they exit with 2.
//! - `[CM-2]` What is verified is verified here: an answer of a node is believed only as far as it can be checked, and verbs that
//!   verify files ask no network.
//! - `[CM-3]` Files are read up to the bound of what they hold, and written whole or not at all.
//! - `[CM-4]` Every wait is for a condition and has an end.
//! - `[CM-5]` Secrets never come from arguments; a secret key is printed only by `key export`, and only if told twice.

mod audit;
mod certificate;
mod completions;
mod config;
mod devnet;
mod file;
mod item;
mod key;
mod ledger;
mod node;
mod origin;
mod process;
mod remote;
mod show;
mod sign;
mod sim;
mod stake;
mod util;
mod version;
mod worker;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::client::Client;
use crate::shell::{CliError, Exit, Shell, usage};

/// The variable that names the node to talk to.
pub const NODE_ENV: &str = "SURETY_NODE";
/// The variable that names the file with the token of that node.
pub const TOKEN_FILE_ENV: &str = "SURETY_TOKEN_FILE";
/// The node to talk to when nobody names one.
pub const NODE_DEFAULT: &str = "http://127.0.0.1:8734";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(
    name = "surety",
    version,
    about = "Stake behind the results of AO processes",
    long_about = "Runs and talks to nodes of Surety, the economic-security layer of the AO computer: \
                  attested results, fraud proofs that anybody can check, and stake that answers for them.",
    after_help = "Exit codes: 0 ok, 1 failure, 2 usage, 3 configuration, 4 refused to sign, \
                  5 node unreachable, 6 verification failed."
)]
struct Cli {
    /// Print one JSON envelope per line instead of text
    #[arg(long, global = true)]
    json: bool,
    /// Say nothing but results and errors
    #[arg(long, global = true)]
    quiet: bool,
    /// The node to talk to [env: SURETY_NODE] [default: http://127.0.0.1:8734]
    #[arg(long = "node", id = "node-url", value_name = "URL", global = true)]
    node: Option<String>,
    /// The file with the token that the node wants of who hands in modules and evidence [env: SURETY_TOKEN_FILE]
    #[arg(long, value_name = "FILE", global = true)]
    token_file: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a whole local network of separate processes
    Devnet(devnet::DevnetArgs),
    /// Set up, run and look at a node
    Node(node::NodeArgs),
    /// Make, import and show keys
    Key(key::KeyCommand),
    /// Register an operator, bond stake and take it back
    Stake(stake::StakeArgs),
    /// Spawn processes, send messages, get results
    Process(process::ProcessArgs),
    /// Check evidence, submit it, replay processes
    Audit(audit::AuditArgs),
    /// Check attested results
    Certificate(certificate::CertificateArgs),
    /// Look at the stake ledger
    Ledger(ledger::LedgerArgs),
    /// Look at the configuration of a node
    Config(config::ConfigArgs),
    /// Look into files and sign data items
    Util(util::UtilArgs),
    /// Simulate a whole network under virtual time
    Sim(sim::SimArgs),
    /// Print what completes `surety` in a shell
    Completions(completions::CompletionsArgs),
    /// Print version, profile and engine
    Version,
    /// Execute for the node that starts it
    #[command(hide = true)]
    Worker(worker::WorkerArgs),
}

/// What every verb is given.
struct Context {
    shell: Shell,
    quiet: bool,
    node: Option<String>,
    token_file: Option<PathBuf>,
}

/// Runs the command line of a process; the exit code says how it ended.
pub fn main(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args: Vec<OsString> = args.into_iter().collect();
    let cli: Cli = match usage::parse(&args) {
        Ok(cli) => cli,
        Err(code) => return code,
    };
    let shell = Shell::new(cli.json, cli.quiet);
    let context = Context {
        shell,
        quiet: cli.quiet,
        node: cli.node,
        token_file: cli.token_file,
    };
    context.shell.end(run(&context, cli.command))
}

fn run(context: &Context, command: Command) -> Result<(), CliError> {
    match command {
        Command::Devnet(args) => devnet::run(context, args),
        Command::Node(args) => node::run(context, args),
        Command::Key(args) => key::run(context, args),
        Command::Stake(args) => stake::run(context, args),
        Command::Process(args) => process::run(context, args),
        Command::Audit(args) => audit::run(context, args),
        Command::Certificate(args) => certificate::run(context, args),
        Command::Ledger(args) => ledger::run(context, args),
        Command::Config(args) => config::run(context, args),
        Command::Util(args) => util::run(context, args),
        Command::Sim(args) => sim::run(context, args),
        Command::Completions(args) => completions::run(context, args),
        Command::Version => version::run(context),
        Command::Worker(args) => worker::run(context, &args),
    }
}

impl Context {
    /// The base URL of the node to talk to: the flag, else the environment, else this machine.
    fn url(&self) -> Result<String, CliError> {
        let named = std::env::var(NODE_ENV).ok().filter(|url| !url.is_empty());
        let url = self
            .node
            .clone()
            .or(named)
            .unwrap_or_else(|| NODE_DEFAULT.to_owned());
        if url.starts_with("http://") {
            return Ok(url);
        }
        let help = "use a URL like http://127.0.0.1:8734; reach a node behind TLS through a local proxy or tunnel";
        Err(CliError::new(
            Exit::Usage,
            "node-url",
            format!("{url} is not a plain HTTP URL"),
        )
        .with_help(help))
    }

    fn client(&self) -> Result<Client, CliError> {
        Ok(Client::new(&self.url()?)?)
    }

    /// Runs what waits for others, on this thread.
    fn block_on<T>(&self, work: impl Future<Output = Result<T, CliError>>) -> Result<T, CliError> {
        tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?
            .block_on(work)
    }

    /// Gets a JSON document of the node.
    async fn get(&self, path: &str) -> Result<serde_json::Value, CliError> {
        Ok(self.client()?.get(path).await?)
    }

    /// Gets a JSON document of the node and shows it.
    fn show(&self, path: &str) -> Result<(), CliError> {
        let value = self.block_on(self.get(path))?;
        self.shell.table(&show::table(&value), &value)
    }
}

#[cfg(test)]
mod tests;
