//! `surety util id` and `surety util hash`: what a file is called.

use std::path::Path;

use serde_json::json;
use surety_protocol::block::{Block, Checkpoint, Commit, Genesis, Header};
use surety_protocol::claim::{Claim, SignedClaim};
use surety_protocol::codec::{self, CodecError, Wire};
use surety_protocol::evidence::Evidence;
use surety_protocol::hash::{sha256, sha384};
use surety_protocol::id::base64url;
use surety_protocol::item::ItemView;
use surety_protocol::profile::Profile;

use super::{FILE_BYTES_MAX, hex, is_bundle};
use crate::cli::{Context, file};
use crate::shell::{CliError, Exit};

pub(super) fn id(context: &Context, path: &Path) -> Result<(), CliError> {
    let bytes = file::read(path, FILE_BYTES_MAX)?;
    if is_bundle(&bytes) {
        return Err(nameless(
            &"it is a bundle, whose items have ids: see `surety util item show`",
        ));
    }
    let named = match codec::kind_of(&bytes) {
        Some((kind, _)) => object(kind, &bytes)
            .transpose()
            .map_err(|error| nameless(&error))?,
        None => None,
    };
    let (kind, id) = match named {
        Some(named) => named,
        None => {
            let item = ItemView::parse(&bytes).map_err(|error| nameless(&error))?;
            ("item", item.id().to_string())
        }
    };
    context.shell.data(&id, &json!({ "kind": kind, "id": id }))
}

fn nameless(error: &dyn std::fmt::Display) -> CliError {
    let message = format!("neither a data item nor an object with an id: {error}");
    CliError::new(Exit::VerificationFailed, "no-id", message)
        .with_help("`surety util hash` names any file by its bytes")
}

type Named = (&'static str, String);

/// The name and id of an object of Surety, by the number of its kind.
fn object(kind: u8, bytes: &[u8]) -> Option<Result<Named, CodecError>> {
    Some(match kind {
        Evidence::KIND => codec::decode::<Evidence>(bytes)
            .map(|_| ("evidence", Evidence::id_of(bytes).to_string())),
        Claim::KIND => of::<Claim, _>("claim", bytes, Claim::id),
        SignedClaim::KIND => of("claim", bytes, |it: &SignedClaim| it.statement.claim.id()),
        Genesis::KIND => of::<Genesis, _>("network", bytes, Genesis::id),
        Header::KIND => of::<Header, _>("block", bytes, Header::id),
        Commit::KIND => of("block", bytes, |it: &Commit| it.header.id()),
        Block::KIND => of("block", bytes, |it: &Block| it.commit.header.id()),
        Checkpoint::KIND => of("block", bytes, |it: &Checkpoint| Ok(it.block)),
        Profile::KIND => of::<Profile, _>("profile", bytes, Profile::id),
        _ => return None,
    })
}

fn of<T: Wire, I: std::fmt::Display>(
    name: &'static str,
    bytes: &[u8],
    id: impl Fn(&T) -> Result<I, CodecError>,
) -> Result<Named, CodecError> {
    Ok((name, id(&codec::decode(bytes)?)?.to_string()))
}

pub(super) fn hash(context: &Context, path: &Path) -> Result<(), CliError> {
    let bytes = file::read(path, FILE_BYTES_MAX)?;
    let (short, long) = (sha256(&[&bytes]), sha384(&[&bytes]));
    let told = json!({
        "bytes": bytes.len(),
        "sha256": hex(&short),
        "sha256_base64url": base64url(&short),
        "sha384": hex(&long),
    });
    context.shell.table(&crate::cli::show::fields(&told), &told)
}
