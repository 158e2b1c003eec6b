//! `surety stake`: what an operator does with its stake, signed by its own key.

mod profile;

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde_bytes::ByteBuf;
use serde_json::{Value, json};
use surety_protocol::id::Address;
use surety_protocol::origin::{Action, Registration};
use surety_protocol::stake::Stake;

use super::key::prove::bls_key;
use super::origin::{Submitted, submit};
use super::remote::{number, text};
use super::sign::{self, Signer};
use super::{Context, item, show};
use crate::client::{Client, ClientError};
use crate::config::{NodeConfig, Setting};
use crate::key::{Ask, ItemKeyKind, KeyKind};
use crate::net::PeerId;
use crate::shell::{CliError, Exit};

/// `surety stake`
#[derive(Debug, Args)]
pub(super) struct StakeArgs {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Bind the hot keys of a node's directory to the operator that signs
    Register {
        #[command(flatten)]
        signing: Signing,
        /// The file with the password of the node's keys, if it is not that of the operator's key
        #[arg(long, value_name = "FILE")]
        node_password_file: Option<PathBuf>,
        /// The kind of key that the node signs assignments and messages with: ed25519, secp256k1 or rsa [default: as the node's
        /// configuration says]
        #[arg(long, value_name = "KIND")]
        item_key: Option<ItemKeyKind>,
    },
    /// Turn free balance into stake
    Bond(Moved),
    /// Start to turn stake into free balance
    Unbond(Moved),
    /// Free what finished unbonding
    Withdraw {
        #[command(flatten)]
        signing: Signing,
    },
    /// Say which profile is to hold next; more than two thirds of the stake that say the same add it
    Profile(profile::Vote),
    /// Show an operator and its balance
    Status {
        /// The operator; without one that of the node
        #[arg(allow_hyphen_values = true)]
        address: Option<Address>,
    },
}

#[derive(Debug, Args)]
struct Moved {
    /// How much: armstrongs (10^-12 AO), or AO like 12.5ao
    #[arg(allow_hyphen_values = true, value_parser = item::some_amount)]
    quantity: Stake,
    #[command(flatten)]
    signing: Signing,
}

#[derive(Debug, Args)]
struct Signing {
    #[command(flatten)]
    signer: Signer,
    /// Wait until the ledger shows it, for at most a minute or so many seconds
    #[arg(
        long,
        value_name = "SECONDS",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "60"
    )]
    wait: Option<u64>,
}

pub(super) fn run(context: &Context, args: StakeArgs) -> Result<(), CliError> {
    match args.verb {
        Verb::Register {
            signing,
            node_password_file,
            item_key,
        } => {
            let file = node_password_file.as_ref();
            let registration = registration(&signing.signer, file, item_key)?;
            let key = registration.key.to_string();
            let action = Action::Register(Box::new(registration));
            act(context, &signing, &action, |_, after| {
                after.operator.get("key").and_then(Value::as_str) == Some(key.as_str())
            })
        }
        Verb::Bond(Moved { quantity, signing }) => act(
            context,
            &signing,
            &Action::Bond(quantity),
            |before, after| {
                before
                    .bonded()
                    .plus(quantity)
                    .is_ok_and(|least| after.bonded() >= least)
            },
        ),
        Verb::Unbond(Moved { quantity, signing }) => act(
            context,
            &signing,
            &Action::Unbond(quantity),
            |before, after| {
                before
                    .bonded()
                    .minus(quantity)
                    .is_ok_and(|most| after.bonded() <= most)
            },
        ),
        Verb::Withdraw { signing } => act(context, &signing, &Action::Withdraw, |before, after| {
            after.free() > before.free()
        }),
        Verb::Profile(vote) => profile::run(context, &vote),
        Verb::Status { address } => status(context, address),
    }
}

/// The hot keys of the node's directory, with the proof that they are held.
fn registration(
    signer: &Signer,
    file: Option<&PathBuf>,
    item_key: Option<ItemKeyKind>,
) -> Result<Registration, CliError> {
    let file = file.or(signer.place.password_file.as_ref());
    let password = sign::password(file.map(PathBuf::as_path), Ask::Once)?;
    let dir = sign::node_dir(signer.place.dir.as_deref());
    let item_kind: KeyKind = match item_key {
        Some(kind) => kind.into(),
        None => configured(&dir)?.item_key.into(),
    };
    let dir = dir.join(sign::KEYS);
    let keys = sign::open(&dir)?;
    let hot = bls_key(&keys, None, &password)?;
    let broken = |kind: KeyKind| {
        let message = format!("the {kind} key in {} has no public name", dir.display());
        CliError::new(Exit::Config, "key", message).with_help("restore its file from a backup")
    };
    let item_key = keys.find(item_kind, None)?.public;
    let peer = keys.find(KeyKind::Network, None)?.public;
    let peer: PeerId = peer.parse().map_err(|_| broken(KeyKind::Network))?;
    Ok(Registration {
        key: *hot.public_key(),
        possession: hot.prove_possession(),
        item_key: item_key.parse().map_err(|_| broken(item_kind))?,
        peer: ByteBuf::from(peer.to_bytes()),
    })
}

/// The configuration of the node in a directory.
fn configured(dir: &Path) -> Result<NodeConfig, CliError> {
    let dir = vec![dir.display().to_string()];
    let overrides = [(Setting::Dir, dir)].into();
    let env = |name: &str| std::env::var(name).ok();
    Ok(NodeConfig::load(None, env, &overrides)?)
}

/// What the ledger shows of an operator.
struct Shown {
    operator: Value,
    account: Value,
}

impl Shown {
    async fn of(client: &Client, address: &Address) -> Result<Shown, ClientError> {
        Ok(Shown {
            operator: absent(client.get(&format!("/v1/operators/{address}")).await)?,
            account: absent(client.get(&format!("/v1/accounts/{address}")).await)?,
        })
    }

    fn bonded(&self) -> Stake {
        amount(&self.operator, "bonded")
    }

    fn free(&self) -> Stake {
        amount(&self.account, "balance")
    }

    fn to_json(&self) -> Value {
        json!({ "operator": self.operator, "account": self.account })
    }

    /// Whether some stake may be free in the next block; a case that is open may hold it longer.
    async fn withdrawable(&self, client: &Client) -> Result<(), CliError> {
        let pieces = self.operator.get("unbonding").and_then(Value::as_array);
        let free_from = |it| number(it, "free_from");
        let heights: Vec<u64> = pieces
            .into_iter()
            .flatten()
            .map(free_from)
            .collect::<Result<_, _>>()?;
        let nothing = |message: String, help: &'static str| {
            Err(CliError::new(Exit::Failure, "nothing-unbonded", message).with_help(help))
        };
        let next = number(&client.get("/v1/ledger").await?, "height")?.saturating_add(1);
        match heights.into_iter().min() {
            None => nothing(
                "nothing of the operator's stake is unbonding".to_owned(),
                "start with `surety stake unbond AMOUNT`",
            ),
            Some(free) if free > next => nothing(
                format!("what is unbonding is free from block {free} on, and the next is {next}"),
                "try again then; `surety ledger params` has `unbond_blocks`",
            ),
            Some(_) => Ok(()),
        }
    }
}

/// What the ledger does not know is nothing.
fn absent(answer: Result<Value, ClientError>) -> Result<Value, ClientError> {
    match answer {
        Err(ClientError::Refused { status: 404, .. }) => Ok(Value::Null),
        answer => answer,
    }
}

fn amount(document: &Value, name: &str) -> Stake {
    let text = document.get(name).and_then(Value::as_str);
    text.and_then(|it| it.parse().ok()).unwrap_or_default()
}

/// Signs and submits an action, and waits for what it does if asked to.
fn act(
    context: &Context,
    signing: &Signing,
    action: &Action,
    done: impl Fn(&Shown, &Shown) -> bool,
) -> Result<(), CliError> {
    let key = signing.signer.open()?;
    let address = key.address();
    context.block_on(async {
        let client = context.client()?;
        let before = Shown::of(&client, &address).await?;
        let registers = matches!(action, Action::Register(_));
        if before.operator.is_null() && !registers {
            let message = format!("{address} is not an operator of this network");
            return Err(CliError::new(Exit::Failure, "not-registered", message).with_help(
                "sign with the operator's own key (`--dir`, `--key`), or register it first: `surety stake register`",
            ));
        }
        if matches!(action, Action::Withdraw) {
            before.withdrawable(&client).await?;
        }
        let mut submitted = submit(&client, &key, action).await?;
        let (before, done, asking) = (&before, &done, &client);
        let shows = || async move {
            let after = Shown::of(asking, &address).await?;
            Ok(done(before, &after).then(|| after.to_json()))
        };
        let after = match signing.wait {
            None => None,
            Some(seconds) => {
                context
                    .shell
                    .progress(format!("item {} waits for a block", submitted.item));
                Some(
                    submitted
                        .wait(&client, Duration::from_secs(seconds), shows)
                        .await?,
                )
            }
        };
        tell(context, action, &address, &submitted, after)
    })
}

fn tell(
    context: &Context,
    action: &Action,
    address: &Address,
    submitted: &Submitted,
    after: Option<Value>,
) -> Result<(), CliError> {
    let status = submitted
        .answer
        .get("status")
        .and_then(Value::as_str)
        .unwrap_or("sent");
    let status = if after.is_some() { "done" } else { status };
    let told = json!({
        "action": action.name(),
        "operator": address,
        "item": submitted.item,
        "expires": submitted.expires,
        "status": status,
        "ledger": after,
    });
    context.shell.table(&show::fields(&told), &told)
}

fn status(context: &Context, address: Option<Address>) -> Result<(), CliError> {
    context.block_on(async {
        let client = context.client()?;
        let address = match address {
            Some(address) => address,
            None => {
                let node = client.get("/v1/node").await?;
                text(&node, "operator")?.parse().map_err(|error| {
                    let message = format!("the node's operator: {error}");
                    CliError::new(Exit::Failure, "node-nonsense", message)
                })?
            }
        };
        let shown = Shown::of(&client, &address).await?;
        // Every address has an account, most of them with nothing.
        if shown.operator.is_null() && shown.free() == Stake::ZERO {
            context.shell.progress(format!(
                "{address} is no operator and has no balance; is it mistyped? `surety stake register` makes an operator"
            ));
        }
        let told = shown.to_json();
        context.shell.table(&show::fields(&told), &told)
    })
}
