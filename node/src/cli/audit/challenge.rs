//! `surety audit challenge`: evidence that was checked here goes to the node and, as an accusation, on the ledger.

use std::path::Path;

use serde_json::json;
use surety_protocol::origin::{Action, Challenge};

use super::read;
use super::verify::judged;
use crate::cli::Context;
use crate::cli::origin::submit;
use crate::cli::remote::post;
use crate::cli::show;
use crate::cli::sign::Signer;
use crate::shell::CliError;

pub(super) fn run(context: &Context, path: &Path, signer: &Signer) -> Result<(), CliError> {
    let bytes = read(path)?;
    // A challenge that fails costs its bond, so nothing is signed that was not seen to hold.
    let (proven, _) = judged(&bytes)?;
    context
        .shell
        .progress(format!("proven: {}", proven.finding.describe()));
    let key = signer.open()?;
    let challenge = Challenge {
        evidence: proven.evidence,
        bytes: u64::try_from(bytes.len()).unwrap_or(u64::MAX),
        kind: proven.kind.number(),
        offender: proven.offender,
        process: proven.process,
        slot: proven.slot,
        claim: proven.claim,
    };
    // What signatures prove is small and travels inside; validators get the rest from the node.
    let inside = (!proven.kind.executes()).then(|| bytes.clone());
    let action = Action::Challenge {
        challenge,
        evidence: inside,
    };
    context.block_on(async {
        post(context, "/v1/evidence", "application/cbor", bytes).await?;
        let submitted = submit(&context.client()?, &key, &action).await?;
        let told = json!({
            "evidence": proven.evidence,
            "offender": proven.offender,
            "kind": proven.kind.name(),
            "challenger": key.address(),
            "item": submitted.item,
            "expires": submitted.expires,
            "status": submitted.answer.get("status"),
        });
        context.shell.table(&show::fields(&told), &told)
    })
}
