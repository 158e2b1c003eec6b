//! `surety version`: what this program is and what its executions mean.

use serde_json::json;
use surety_protocol::bls::LIBRARY;
use surety_protocol::profile::Profile;

use super::Context;
use crate::shell::{CliError, Exit};

/// The engine that executes modules.
const ENGINE: &str = "wasmtime (Cranelift)";

pub(super) fn run(context: &Context) -> Result<(), CliError> {
    let version = env!("CARGO_PKG_VERSION");
    let profile = Profile::v1().id().map_err(|error| {
        CliError::new(
            Exit::Failure,
            "profile",
            format!("the profile has no id: {error}"),
        )
    })?;
    let human =
        format!("surety {version}\nprofile {profile}\nengine {ENGINE}\nsignatures {LIBRARY}");
    let told = json!({
        "version": version,
        "profile": profile,
        "profile_version": Profile::v1().version,
        "engine": ENGINE,
        "signatures": LIBRARY,
    });
    context.shell.data(human, &told)
}
