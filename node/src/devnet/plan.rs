//! Who takes part in a local network: keys, directories, genesis.

use std::path::PathBuf;

use surety_protocol::block::Genesis;
use surety_protocol::bls::SecretKey;
use surety_protocol::codec;
use surety_protocol::id::{Address, NetworkId};
use surety_protocol::item::ItemKey;
use surety_protocol::params::Params;
use surety_protocol::profile::Profile;
use surety_protocol::profiles::Profiles;
use surety_protocol::stake::Stake;

use super::{DevnetError, Options};
use crate::config::RoleName;
use crate::fault::Fault;
use crate::key::{
    ItemKeyKind, Kdf, KeyDirectory, KeyKind, Password, Secret, item_key, write_private,
};

/// What every operator starts with.
pub(super) const BALANCE: Stake = Stake::from_ao(1_000);
/// What every operator bonds.
pub(super) const BOND: Stake = Stake::from_ao(200);

/// One operator and its node.
pub(super) struct Member {
    pub(super) dir: PathBuf,
    pub(super) operator: ItemKey,
    pub(super) hot: SecretKey,
    pub(super) item_key: Address,
    pub(super) item_kind: ItemKeyKind,
    pub(super) roles: Vec<RoleName>,
}

/// A network before it runs.
pub(super) struct Plan {
    pub(super) dir: PathBuf,
    pub(super) members: Vec<Member>,
    pub(super) network: NetworkId,
    pub(super) wallet: ItemKey,
    pub(super) password_file: PathBuf,
}

impl Plan {
    pub(super) fn new(options: &Options) -> Result<Plan, DevnetError> {
        let dir = directory(options)?;
        let password_file = dir.join("password");
        let password = random_text()?;
        write_private(&password_file, password.as_bytes(), false).map_err(key_error)?;
        let password = Password::new(&password).map_err(key_error)?;
        let mut members = Vec::new();
        for index in 0..options.nodes {
            members.push(member(&dir, index, options.item_key, &password)?);
        }
        let wallet = new_item_key(&dir.join("keys"), &password)?;
        let first = members
            .first()
            .ok_or_else(|| DevnetError::Other("no nodes".into()))?;
        let mut balances: Vec<(Address, Stake)> = members
            .iter()
            .map(|it| (it.operator.address(), BALANCE))
            .collect();
        balances.push((wallet.address(), BALANCE));
        balances.sort();
        let genesis = Genesis {
            name: format!("devnet-{}", random_text()?.get(..8).unwrap_or_default()),
            params: Params::devnet(),
            profiles: Profiles::of(Profile::v1())
                .map_err(|it| DevnetError::Other(it.to_string()))?,
            proposer: first.operator.address(),
            proposer_key: *first.hot.public_key(),
            balances,
        };
        let bytes = codec::encode(&genesis).map_err(|it| DevnetError::Other(it.to_string()))?;
        let network = genesis
            .id()
            .map_err(|it| DevnetError::Other(it.to_string()))?;
        write_private(&dir.join("genesis.cbor"), &bytes, false).map_err(key_error)?;
        Ok(Plan {
            dir,
            members,
            network,
            wallet,
            password_file,
        })
    }

    /// The data-item key of a member: what schedules and messages there.
    pub(super) fn item_key(&self, index: usize) -> Address {
        self.members
            .get(index)
            .map(|it| it.item_key)
            .unwrap_or_default()
    }
}

fn directory(options: &Options) -> Result<PathBuf, DevnetError> {
    let dir = match &options.dir {
        Some(dir) => dir.clone(),
        None => std::env::temp_dir().join(format!("surety-devnet-{}", random_text()?)),
    };
    let file = |error| DevnetError::File {
        what: dir.display().to_string(),
        error,
    };
    std::fs::create_dir_all(&dir).map_err(file)?;
    if dir.join("genesis.cbor").exists() {
        return Err(DevnetError::Other(format!(
            "{} holds a network already; name another directory",
            dir.display()
        )));
    }
    let dir = dir.canonicalize().map_err(file)?;
    std::fs::create_dir_all(dir.join("evidence")).map_err(file)?;
    Ok(dir)
}

/// The index of the node that commits a fault: node 2, and node 3 for what only a verifier does.
pub(super) const fn culprit(fault: &Fault) -> usize {
    match fault.is_a_verifiers() {
        true => 2,
        false => 1,
    }
}

/// Node 1 plays every role; node 2 schedules and computes; the others verify.
fn roles(index: usize) -> Vec<RoleName> {
    match index {
        0 => RoleName::WORKING.to_vec(),
        1 => vec![RoleName::Scheduler, RoleName::Compute],
        _ => vec![RoleName::Verifier],
    }
}

fn member(
    dir: &std::path::Path,
    index: usize,
    item_kind: ItemKeyKind,
    password: &Password,
) -> Result<Member, DevnetError> {
    let dir = dir.join(format!("node-{}", index.saturating_add(1)));
    let keys = KeyDirectory::open(&dir.join("keys")).map_err(key_error)?;
    let kdf = Kdf::light();
    for kind in [KeyKind::Bls, item_kind.into(), KeyKind::Network] {
        keys.create(kind, password, kdf).map_err(key_error)?;
    }
    let hot = keys.load(KeyKind::Bls, password).map_err(key_error)?;
    let hot: &[u8; 32] = hot
        .expose()
        .try_into()
        .map_err(|_| DevnetError::Other("a BLS key of another length".into()))?;
    let hot = SecretKey::from_bytes(hot).map_err(|it| DevnetError::Other(it.to_string()))?;
    let item: Secret = keys.load(item_kind.into(), password).map_err(key_error)?;
    let item = item_key(item_kind.into(), &item).map_err(key_error)?;
    Ok(Member {
        operator: new_item_key(&dir.join("operator"), password)?,
        dir,
        hot,
        item_key: item.address(),
        item_kind,
        roles: roles(index),
    })
}

fn new_item_key(dir: &std::path::Path, password: &Password) -> Result<ItemKey, DevnetError> {
    let keys = KeyDirectory::open(dir).map_err(key_error)?;
    keys.create(KeyKind::Ed25519, password, Kdf::light())
        .map_err(key_error)?;
    let secret = keys.load(KeyKind::Ed25519, password).map_err(key_error)?;
    item_key(KeyKind::Ed25519, &secret).map_err(key_error)
}

fn random_text() -> Result<String, DevnetError> {
    let mut bytes = [0_u8; 16];
    getrandom::fill(&mut bytes).map_err(|it| DevnetError::Other(it.to_string()))?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

fn key_error(error: crate::key::KeyError) -> DevnetError {
    DevnetError::Other(error.to_string())
}
