//! `surety audit verify`: judges an evidence file in this process, from its bytes alone.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use surety_attest::judge::execute;
use surety_protocol::execution::{Execution, ExecutionRequest};
use surety_slashing::evidence::{Proven, Refused, judge};

use super::{read, refused, seconds};
use crate::cli::Context;
use crate::cli::show;
use crate::engines::Engines;
use crate::shell::{CliError, Exit};

pub(super) fn run(context: &Context, path: &Path) -> Result<(), CliError> {
    let bytes = read(path)?;
    let (proven, taken) = judged(&bytes)?;
    let told = json!({
        "offender": proven.offender,
        "kind": proven.kind.name(),
        "process": proven.process,
        "slot": proven.slot,
        "finding": proven.finding.describe(),
        "claim": proven.claim,
        "network": proven.network,
        "evidence": proven.evidence,
        "seconds": seconds(taken),
        "bytes": bytes.len(),
    });
    context.shell.table(&show::fields(&told), &told)?;
    context.shell.progress("proven");
    Ok(())
}

/// What the file proves, and how long it took to see.
pub(super) fn judged(bytes: &[u8]) -> Result<(Proven, Duration), CliError> {
    let started = Instant::now();
    let proven = judge(bytes, execution).map_err(|why| match why {
        Refused::Abstained(reason) => {
            let message = format!("this machine cannot tell: {reason}");
            CliError::new(Exit::Failure, "abstained", message)
                .with_help("try a machine with more memory; the file may still prove the offence")
        }
        Refused::Differed => CliError::new(Exit::Failure, "engines-differ", why.to_string())
            .with_help(
                "keep the file and tell the developers: nobody is punished until it is mended",
            ),
        why => refused(&why.to_string()),
    })?;
    Ok((proven, started.elapsed()))
}

fn execution(request: &ExecutionRequest) -> Execution {
    // That it is bounded is part of reading the file.
    match Engines::wasm().of(&request.profile) {
        Ok(engine) => execute(engine.as_ref(), request),
        Err(error) => Execution::Abstained(error.to_string()),
    }
}
