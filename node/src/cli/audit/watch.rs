//! `surety audit watch`: a node that does nothing but look, and challenges what is false.

use clap::Args;

use crate::cli::Context;
use crate::cli::node::run::{self, Run};
use crate::shell::CliError;

/// `surety audit watch`
#[derive(Debug, Args)]
pub(super) struct Watch {
    #[command(flatten)]
    node: Run,
}

pub(super) fn run(context: &Context, verb: Watch) -> Result<(), CliError> {
    let config = verb.node.config.auditing();
    let node = Run {
        config,
        ..verb.node
    };
    run::run(context, &node)
}
