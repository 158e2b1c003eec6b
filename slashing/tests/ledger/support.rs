//! What the tests share: people with keys, a world of blocks, processes, and accusations.

mod accuse;
mod claims;
mod people;
mod process;
mod trial;
mod world;

pub(crate) use accuse::{Accusation, accusation, announce, groundless, honest};
pub(crate) use claims::{Certification, certification, claim_of, commit, record, statement};
pub(crate) use people::Person;
pub(crate) use process::{Process, STAMP, history, leaves_root, profile, profiles};
pub(crate) use trial::Trial;
pub(crate) use world::{World, ao, params, refusals};

use surety_protocol::hash::{Domain, digest};
use surety_protocol::id::Digest;

/// A digest with a name, for what a test only compares.
pub(crate) fn named(name: &str) -> Digest {
    digest(Domain::OBJECT, &[name.as_bytes()])
}
