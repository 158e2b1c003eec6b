//! `surety node init`: everything a node needs to be run.
//!
//! The configuration is written last, so a directory with one is complete; what an interrupted run left is kept and used.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;
use surety_protocol::block::Genesis;
use surety_protocol::codec::{self, Wire};
use surety_protocol::id::{Address, NetworkId};

use crate::cli::Context;
use crate::cli::file;
use crate::cli::key::kdf;
use crate::cli::sign::{self, KEYS};
use crate::config::FILE_NAME;
use crate::key::{Ask, ItemKeyKind, KeyDirectory, KeyEntry, KeyError, KeyKind, write_private};
use crate::shell::{CliError, Exit};

/// `surety node init`
#[derive(Debug, Args)]
pub(super) struct Init {
    /// The node's directory [env: SURETY_DIR] [default: ~/.surety]
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// The operator for whom the node works; without one the node's own data-item key is the operator
    #[arg(long, value_name = "ADDRESS", allow_hyphen_values = true)]
    operator: Option<Address>,
    /// The kind of key that it signs assignments and messages with: ed25519, secp256k1 or rsa
    #[arg(long, value_name = "KIND", default_value_t)]
    item_key: ItemKeyKind,
    /// The file that defines the network; it is copied
    #[arg(long, value_name = "FILE")]
    genesis: Option<PathBuf>,
    /// The file with the password of the new keys; the configuration will name it
    #[arg(long, value_name = "FILE")]
    password_file: Option<PathBuf>,
    /// Derive the encryption key cheaply, for local test networks only
    #[arg(long)]
    light_kdf: bool,
}

pub(super) fn run(context: &Context, verb: &Init) -> Result<(), CliError> {
    let dir = sign::node_dir(verb.dir.as_deref());
    let config = dir.join(FILE_NAME);
    if config.exists() {
        let message = format!("{} exists already", config.display());
        return Err(CliError::new(Exit::Config, "node-exists", message)
            .with_help("run it with `surety node run`, or choose another directory with --dir"));
    }
    let genesis = verb.genesis.as_deref().map(read_genesis).transpose()?;
    let password = sign::password(verb.password_file.as_deref(), Ask::Twice)?;
    let keys = KeyDirectory::open(&dir.join(KEYS))?;
    let mut entries = Vec::new();
    for kind in [KeyKind::Bls, verb.item_key.into(), KeyKind::Network] {
        context.shell.progress(format!("the {kind} key"));
        let entry = match keys.find(kind, None) {
            Err(KeyError::NotFound { .. }) => keys.create(kind, &password, kdf(verb.light_kdf)),
            found => found,
        };
        entries.push(entry?);
    }
    let public = |kind: KeyKind| {
        let entry = entries.iter().find(|it: &&KeyEntry| it.kind == kind);
        entry.map(|it| it.public.clone()).unwrap_or_default()
    };
    let item_key = public(verb.item_key.into());
    let operator = verb
        .operator
        .map_or_else(|| item_key.clone(), |it| it.to_string());
    let network = genesis.as_ref().map(|(_, network)| *network);
    if let Some((bytes, _)) = &genesis {
        file::write(&dir.join("genesis.cbor"), bytes)?;
    }
    let text = configuration(&operator, verb)?;
    write_private(&config, text.as_bytes(), false)?;
    let told = json!({
        "dir": dir,
        "config": config,
        "operator": operator,
        "item_key": item_key,
        "key": public(KeyKind::Bls),
        "peer": public(KeyKind::Network),
        "network": network,
    });
    let network = network.map_or_else(
        || "unknown: put a genesis.cbor into the directory before you run it".to_owned(),
        |it| it.to_string(),
    );
    let human = format!(
        "directory  {}\noperator   {operator}\nitem key   {item_key}\nBLS key    {}\npeer id    {}\nnetwork    {network}",
        dir.display(),
        public(KeyKind::Bls),
        public(KeyKind::Network),
    );
    context.shell.data(human, &told)
}

/// The bytes of a genesis file and the network that they define.
fn read_genesis(path: &Path) -> Result<(Vec<u8>, NetworkId), CliError> {
    let bytes = file::read(path, Genesis::BYTES_MAX)?;
    let network = codec::decode::<Genesis>(&bytes).and_then(|genesis| genesis.id());
    let network = network.map_err(|error| {
        let message = format!("{} does not define a network: {error}", path.display());
        CliError::new(Exit::Config, "genesis", message)
            .with_help("get the genesis file from whoever runs the network, as it is")
    })?;
    Ok((bytes, network))
}

/// The configuration file: what was said, and what one may want to say.
fn configuration(operator: &str, verb: &Init) -> Result<String, CliError> {
    let mut text = format!(
        "# A Surety node. `surety config show` lists every setting and where it comes from.\n\
         operator = {}\n",
        quoted(operator)
    );
    if verb.item_key != ItemKeyKind::default() {
        text.push_str(&format!("item_key = \"{}\"\n", verb.item_key));
    }
    if let Some(path) = &verb.password_file {
        // The node may be started from elsewhere.
        let path = std::path::absolute(path)?;
        text.push_str(&format!(
            "password_file = {}\n",
            quoted(&path.display().to_string())
        ));
    }
    text.push_str(
        "# roles = [\"scheduler\", \"compute\", \"messenger\", \"verifier\", \"gateway\"]\n\
         # http = \"127.0.0.1:8734\"\n\
         # external = [\"/ip4/192.0.2.2/udp/8735/quic-v1\"]\n\
         # bootstrap = [\"/ip4/192.0.2.1/udp/8735/quic-v1/p2p/PEER\"]\n",
    );
    Ok(text)
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}
