//! The shared vocabulary of Surety: what is said, and what makes it well-formed.
//!
//! Everything here is a value or a pure function: no socket, no file, no clock, no task. The crates above
//! agree with one another only through these types. `specs/` states their rules by number; the module
//! that implements a rule repeats it under `# Rules`.

pub mod approval;
pub mod assignment;
pub mod attested;
pub mod block;
pub mod bls;
pub mod bundle;
pub mod certificate;
pub mod claim;
pub mod codec;
pub mod evidence;
pub mod execution;
pub mod facts;
pub mod hash;
pub mod hashpath;
pub mod history;
pub mod id;
pub mod item;
pub mod limits;
pub mod machine;
pub mod merkle;
pub mod origin;
pub mod params;
pub mod profile;
pub mod profiles;
pub mod sortition;
pub mod stake;
pub mod time;
pub mod trace;
pub mod validators;
pub mod verified;
pub mod witness;
