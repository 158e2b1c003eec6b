//! What nodes say in a run, kept for whoever wants to hear it again.

use std::sync::Arc;

use surety_node::net::Topic;

use super::{Simulation, sized};
use crate::cast::Plan;
use crate::oracle::Violation;
use crate::world::World;

/// Something that a node gossiped of its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Where.
    pub topic: Topic,
    /// What.
    pub data: Arc<[u8]>,
}

/// Runs a plan to its end; gives its world, and what was said in it, in that order.
///
/// # Errors
/// What must not happen and did.
pub fn record(plan: &Plan) -> Result<(World, Vec<Said>), Violation> {
    let mut simulation = Simulation::new(sized(plan), Box::new(|_| {}))?;
    simulation.record = Some(Vec::new());
    simulation.open()?;
    simulation.run()?;
    Ok((simulation.world, simulation.record.unwrap_or_default()))
}
