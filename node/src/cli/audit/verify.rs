//! `surety audit verify`: judges an evidence file in this process, from its bytes alone.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;
use surety_attest::engine::WasmEngine;
use surety_attest::judge::execute;
use surety_protocol::execution::{Execution, ExecutionRequest};
use surety_protocol::profile::Profile;
use surety_slashing::evidence::{Proven, Refused, judge};

use super::{read, refused};
use crate::cli::Context;
use crate::cli::show;
use crate::shell::{CliError, Exit};

/// How much more than the first profile a file's profile may let an execution take.
const PROFILE_FACTOR_MAX: u64 = 16;

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
        "seconds": taken.as_secs_f64(),
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
        why => refused(&why.to_string()),
    })?;
    Ok((proven, started.elapsed()))
}

fn execution(request: &ExecutionRequest) -> Execution {
    if !bounded(&request.profile) {
        return Execution::Invalid("its profile is not one that this program executes".into());
    }
    match WasmEngine::new(request.profile.clone()) {
        Ok(engine) => execute(&engine, request),
        Err(error) => Execution::Abstained(error.to_string()),
    }
}

/// Whether a stranger's profile bounds an execution: a network may change the numbers, but not let one file take for ever.
pub(super) fn bounded(profile: &Profile) -> bool {
    let v1 = Profile::v1();
    let within = |number: u64, usual: u64| number <= usual.saturating_mul(PROFILE_FACTOR_MAX);
    profile.version == v1.version
        && within(profile.gas_max, v1.gas_max)
        && within(profile.stride, v1.stride)
        && within(profile.stride_gas_max, v1.stride_gas_max)
        && profile.stack_slots_max <= v1.stack_slots_max
        && profile.memory_bytes_max <= v1.memory_bytes_max
        && within(profile.module_bytes_max, v1.module_bytes_max)
        && within(profile.reply_bytes_max, v1.reply_bytes_max)
}
