//! Virtual machines for rewritten modules: what a step needs of one, and what host functions find in one.
//!
//! Two of them exist, of different authors: [`Jit`] compiles (wasmtime), [`Interpreter`] interprets (wasmi). All that gives
//! a step its meaning is above this seam: the module as it is rewritten, the host functions, the order of calls. Below it
//! is nothing but WebAssembly, on which both agree; where they do not, one of them has a fault.
//!
//! # Rules
//!
//! - `[VM-1]` Results, gas, stack and memory are the same in every machine, to the bit.
//! - `[VM-2]` What a machine cannot do, for lack of memory or of native stack, is an abstention ([`Halt::Host`]), never a
//!   trap. So is a module that passed the check and that a machine does not take.
//! - `[VM-3]` Whoever judges evidence executes it on both. If they differ it abstains: an engine has a fault, and nobody
//!   pays for that. Only the compiling one sees what a witness lacks.

mod interpreter;
mod jit;

use surety_protocol::witness::PAGE_BYTES;

use super::module::Checked;
use super::trace::Calls;
use super::{Abstain, EngineError, WitnessFault};
use crate::memory::Access;

pub(super) use interpreter::Interpreter;
pub(super) use jit::Jit;

/// Bytes of the unit in which memory grows.
pub(super) const WASM_PAGE_BYTES: u64 = 65_536;
/// The context of what modules draw (rule HO-9).
const CHANCE_CONTEXT: &str = "SURETY/v1/chance";

/// A virtual machine.
pub(super) trait Vm: Send + Sync + Sized + 'static {
    /// A module that is ready to be instantiated.
    type Code: Send + Sync;
    /// A module's instance.
    type Instance: Instance;
    /// Whether touches of memory can be watched and pages withheld.
    const WATCHES: bool;

    /// Makes a checked module ready.
    ///
    /// # Errors
    /// This host abstains; what the check lets through, every machine takes.
    fn prepare(&self, module: &Checked) -> Result<Self::Code, EngineError>;

    /// Instantiates; memory is what the data segments make it, and not watched. Runs nothing of the guest.
    ///
    /// # Errors
    /// A segment is out of bounds, or this host abstains.
    fn instantiate(code: &Self::Code, memory_bytes_max: u64) -> Result<Self::Instance, Halt>;
}

/// One instance of a module, alive between steps.
pub(super) trait Instance: Send {
    /// What calls and host functions see of it.
    type Guest<'a>: Guest
    where
        Self: 'a;

    /// Enters the instance for some calls, at this moment.
    fn enter(&mut self, moment: Moment) -> Self::Guest<'_>;

    /// The whole memory, to be compared and copied; the host's own view, which opens no page.
    fn memory(&self) -> &[u8];

    /// The same, to be written where pages are open or memory is not watched.
    fn memory_mut(&mut self) -> &mut [u8];

    /// The bits of the mutable globals, in the order of the module.
    fn globals(&mut self) -> Vec<u64>;

    /// Sets them.
    ///
    /// # Errors
    /// The engine refuses.
    fn set_globals(&mut self, bits: &[u64]) -> Result<(), Abstain>;

    /// Makes memory all zero, this large, and not watched.
    ///
    /// # Errors
    /// It is larger than that already, or this host is out of memory.
    fn clear(&mut self, wasm_pages: u32) -> Result<(), Abstain>;

    /// Watches the first `pages` pages of memory from now on.
    ///
    /// # Errors
    /// This host is out of memory or mappings.
    fn watch(&mut self, pages: u32, access: &Access) -> Result<(), Abstain>;

    /// The pages that may have changed, or were touched, since watching began, ascending.
    fn open_pages(&self) -> Vec<u32>;
}

/// An instance while something of it runs: what host functions and the step itself work with.
///
/// Every range is one of addresses in linear memory. What lies outside is [`Trap::MemoryOutOfBounds`].
pub(super) trait Guest {
    /// Whether pointers have 64 bits.
    fn wide(&self) -> bool;

    /// The moment of the step.
    fn moment(&mut self) -> &mut Moment;

    /// Whether it exports this function.
    fn has(&mut self, export: &str) -> bool;

    /// Calls an export; integers become as wide as its parameters, and parameters without an argument are zero. Gives the
    /// first result.
    ///
    /// # Errors
    /// It does not return, or what it gave may not be believed (rules EN-7 and EN-8).
    fn call(&mut self, export: &str, args: &[Number]) -> Result<Option<Number>, Halt>;

    /// What is left to spend (rule GA-1).
    fn meters(&mut self) -> Meters;

    /// Sets it.
    ///
    /// # Errors
    /// The engine refuses.
    fn set_meters(&mut self, meters: Meters) -> Result<(), Halt>;

    /// Bytes of memory.
    fn memory_bytes(&self) -> u64;

    /// WebAssembly pages that the module itself lets memory have.
    fn wasm_pages_max(&self) -> Option<u64>;

    /// Makes memory larger; false if it may not be (rule EN-5).
    fn grow(&mut self, wasm_pages: u64) -> bool;

    /// Copies bytes out.
    ///
    /// # Errors
    /// They are not all within memory, or withheld.
    fn read(&mut self, at: u64, bytes: u64) -> Result<Vec<u8>, Halt>;

    /// Copies bytes in.
    ///
    /// # Errors
    /// As [`Guest::read`].
    fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), Halt>;

    /// Moves bytes within memory, as if through another place.
    ///
    /// # Errors
    /// As [`Guest::read`].
    fn copy(&mut self, from: u64, to: u64, bytes: u64) -> Result<(), Halt>;

    /// The bytes before the next zero; `None` if there are more than `bytes_max`. Touches no page beyond the zero.
    ///
    /// # Errors
    /// As [`Guest::read`].
    fn text(&mut self, at: u64, bytes_max: u64) -> Result<Option<Vec<u8>>, Halt> {
        let mut text = Vec::new();
        let mut from = at;
        while text.len() as u64 <= bytes_max {
            // To the end of the page, which never goes beyond memory unless `from` does.
            let bytes = PAGE_BYTES as u64 - from % PAGE_BYTES as u64;
            let piece = self.read(from, bytes)?;
            if let Some(end) = piece.iter().position(|byte| *byte == 0) {
                text.extend(piece.into_iter().take(end));
                return Ok(Some(text).filter(|text| text.len() as u64 <= bytes_max));
            }
            text.extend(piece);
            from = from.saturating_add(bytes);
        }
        Ok(None)
    }
}

/// What a step knows of time and chance.
#[derive(Debug, Clone)]
pub(super) struct Moment {
    /// The clock, in milliseconds (rule EN-6).
    pub(super) clock: u64,
    /// What is drawn from (rule HO-9).
    chance: blake3::OutputReader,
    /// The calls of the host, if the step is traced.
    pub(super) calls: Option<Calls>,
}

impl Moment {
    /// The moment of a text: a step's message, or the environment during boot.
    pub(super) fn new(clock: u64, text: &[u8]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key(CHANCE_CONTEXT);
        hasher.update(text);
        Self {
            clock,
            chance: hasher.finalize_xof(),
            calls: None,
        }
    }

    /// The same, remembering the calls of the host.
    pub(super) fn traced(self) -> Self {
        Self {
            calls: Some(Calls::new()),
            ..self
        }
    }

    /// Draws the next bytes.
    pub(super) fn draw(&mut self, bytes: &mut [u8]) {
        self.chance.fill(bytes);
    }
}

/// What a guest may still spend (rule GA-1); below zero, it was not enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Meters {
    /// Gas.
    pub gas: i64,
    /// Slots of the stack.
    pub stack: i32,
}

/// A value of WebAssembly; floats by their bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Number {
    /// `i32`.
    I32(i32),
    /// `i64`.
    I64(i64),
    /// `f32`.
    F32(u32),
    /// `f64`.
    F64(u64),
}

impl Number {
    /// The bits, extended with zeros.
    pub(super) const fn bits(self) -> u64 {
        match self {
            Self::I32(value) => value.cast_unsigned() as u64,
            Self::I64(value) => value.cast_unsigned(),
            Self::F32(bits) => bits as u64,
            Self::F64(bits) => bits,
        }
    }

    /// A number as a pointer of this width.
    pub(super) const fn pointer(value: u64, wide: bool) -> Self {
        if wide {
            Self::I64(value.cast_signed())
        } else {
            Self::I32(low(value))
        }
    }
}

/// The low 32 bits, signed.
pub(super) const fn low(value: u64) -> i32 {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "the low half is what is wanted"
    )]
    (value as u32).cast_signed()
}

/// Why a call into the guest did not return. The text of what the guest did itself is part of results.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum Halt {
    /// The guest broke a rule of WebAssembly.
    #[error("trap: {0}")]
    Trap(Trap),
    /// `_emscripten_throw_longjmp`.
    #[error("longjmp without a target")]
    LongJump,
    /// `exit` or `proc_exit`.
    #[error("exit {0}")]
    Exit(i32),
    /// `abort`.
    #[error("abort")]
    Abort,
    /// The gas or the stack is used up; the meters say which.
    #[error("nothing left to spend")]
    Spent,
    /// The witness lacks a page.
    #[error(transparent)]
    Witness(#[from] WitnessFault),
    /// The host cannot go on (rule VM-2).
    #[error(transparent)]
    Host(#[from] Abstain),
}

impl From<Trap> for Halt {
    fn from(trap: Trap) -> Self {
        Self::Trap(trap)
    }
}

/// The traps that WebAssembly itself defines, by names that are part of results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trap {
    #[error("unreachable")]
    Unreachable,
    #[error("memory access out of bounds")]
    MemoryOutOfBounds,
    #[error("table access out of bounds")]
    TableOutOfBounds,
    #[error("call of an empty table entry")]
    IndirectCallToNull,
    #[error("call with another signature")]
    BadSignature,
    #[error("integer overflow")]
    IntegerOverflow,
    #[error("integer division by zero")]
    IntegerDivisionByZero,
    #[error("conversion to integer")]
    BadConversionToInteger,
}
