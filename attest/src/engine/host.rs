//! What a module finds outside of itself: the functions that emscripten's glue offers, made total
//! and deterministic.
//!
//! # Rules
//!
//! - `[HO-1]` Every import has the type below, where `p` is a pointer (`i32`, or `i64` with a
//!   64-bit memory), `I` an `i64`, `J` a 64-bit integer as emscripten passes it (two `i32`, low half
//!   first, with a 32-bit memory; as a result its high half goes to `_emscripten_tempret_set`, if
//!   exported), `i` an `i32` and `d` an `f64`.
//! - `[HO-2]` A pointer outside of memory is an out-of-bounds trap. Addresses are unsigned.
//! - `[HO-3]` There is no file, no terminal, no other process: what would need one answers with the
//!   fixed error number in the table. Descriptors 0, 1 and 2 exist; 0 is at its end, what is
//!   written to 1 and 2 is dropped and counted as written.
//! - `[HO-4]` `invoke_x(f, ...)` calls `dynCall_x(f, ...)`. If that ends through
//!   `_emscripten_throw_longjmp`, the stack pointer is put back with `_emscripten_stack_restore`,
//!   `setThrew(1, 0)` is called, and the result is 0. A `_emscripten_throw_longjmp` that no
//!   `invoke_x` encloses fails the step.
//! - `[HO-5]` `_emscripten_memcpy_js(d, s, n)` moves what lies within memory, as a clamped copy
//!   within an array: with `end = s + n` (modulo 2^32 with a 32-bit memory, else saturating), `d`,
//!   `s` and `end` are cut to the size of memory, and `min(end - s, size - d)` bytes move if that
//!   is positive. Modules do call it beyond the end of memory.
//! - `[HO-6]` `emscripten_resize_heap(n)` grows memory to the fewest whole WebAssembly pages that
//!   hold `n` bytes and answers 1, or 0 and no growth if that is not allowed. It never shrinks.
//!   `emscripten_get_heap_max` is the module's own maximum, at most 2^32 - 65536.
//! - `[HO-7]` The clock is the step's (rule EN-6); the time zone is UTC. But emscripten's own clock
//!   (`emscripten_date_now`, `emscripten_get_now`) stands at 10,000 milliseconds, where the glue of
//!   AO's loader starts its: Lua draws the seed of its tables from it, and so their order.
//! - `[HO-8]` Gas beyond the instructions: 500 for a call of any function here, 2,500 for each of its
//!   calls back into the module, 300 for each piece of memory that it reads or writes and one more
//!   for every 4 bytes of it, one for each random byte, 2,000 for each byte of a time's format, and
//!   10,000 for asking for more memory. An `invoke_x` also takes 300 slots of the stack until it is over.
//! - `[HO-9]` What is random is drawn from BLAKE3 in key derivation mode under `SURETY/v1/chance` over
//!   the text of the step's message, during boot over that of the environment: from the first byte
//!   of its output on, never the same twice in a step.

mod calendar;
mod guest;
mod memory;
mod price;
mod system;
mod time;
mod unwind;

use wasmparser::{FuncType, ValType};

use super::vm::{Guest, Halt, Number, low};
use guest::GuestExt;

/// What a host function does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Act {
    /// Answers with this number, or nothing if it has no result.
    Fixed(i32),
    Exit,
    Abort,
    LongJump,
    Memcpy,
    ResizeHeap,
    HeapMax,
    /// Milliseconds since 1970, as a float.
    Now,
    ClockTimeGet,
    BreakDown,
    Compose,
    Strftime,
    Tzset,
    /// Answers 0 for the three descriptors that exist.
    Descriptor,
    Seek,
    Read,
    Write,
    /// Says that there is none of something.
    None,
    ClockResGet,
    RandomGet,
    System,
}

/// A function that the host has: module, name, parameters, result, act.
type Entry = (&'static str, &'static str, &'static str, &'static str, Act);

const ENV: &str = "env";
const WASI: &str = "wasi_snapshot_preview1";

// Emscripten's error numbers are WASI's.
const BADF: i32 = 8;
const NOENT: i32 = 44;
const NOSYS: i32 = 52;
const NOTTY: i32 = 59;
const SPIPE: i32 = 70;

/// Everything but the family `invoke_x`.
const TABLE: &[Entry] = &[
    (ENV, "exit", "i", "", Act::Exit),
    (WASI, "proc_exit", "i", "", Act::Exit),
    (ENV, "_abort_js", "", "", Act::Abort),
    (ENV, "abort", "", "", Act::Abort),
    (ENV, "_emscripten_throw_longjmp", "", "", Act::LongJump),
    (ENV, "_emscripten_memcpy_js", "ppp", "", Act::Memcpy),
    (ENV, "emscripten_resize_heap", "p", "i", Act::ResizeHeap),
    (ENV, "emscripten_get_heap_max", "", "p", Act::HeapMax),
    (ENV, "emscripten_date_now", "", "d", Act::Now),
    (ENV, "emscripten_get_now", "", "d", Act::Now),
    (
        ENV,
        "_emscripten_get_now_is_monotonic",
        "",
        "i",
        Act::Fixed(1),
    ),
    (WASI, "clock_time_get", "iJp", "i", Act::ClockTimeGet),
    (ENV, "_gmtime_js", "Jp", "", Act::BreakDown),
    (ENV, "_localtime_js", "Jp", "", Act::BreakDown),
    (ENV, "_mktime_js", "p", "J", Act::Compose),
    (ENV, "strftime", "pppp", "p", Act::Strftime),
    (ENV, "_tzset_js", "pppp", "", Act::Tzset),
    (ENV, "_emscripten_system", "p", "i", Act::System),
    (ENV, "__asyncjs__weavedrive_open", "pp", "i", Act::Fixed(0)),
    (ENV, "__asyncjs__weavedrive_read", "ipp", "i", Act::Fixed(0)),
    (ENV, "__asyncjs__weavedrive_close", "i", "i", Act::Fixed(0)),
    (ENV, "__syscall_fcntl64", "iip", "i", Act::Fixed(-NOSYS)),
    (ENV, "__syscall_ioctl", "iip", "i", Act::Fixed(-NOTTY)),
    (ENV, "__syscall_dup3", "iii", "i", Act::Fixed(-NOSYS)),
    (ENV, "__syscall_openat", "ipip", "i", Act::Fixed(-NOENT)),
    (ENV, "__syscall_readlinkat", "ippp", "i", Act::Fixed(-NOENT)),
    (ENV, "__syscall_unlinkat", "ipi", "i", Act::Fixed(-NOENT)),
    (ENV, "__syscall_rmdir", "p", "i", Act::Fixed(-NOENT)),
    (ENV, "__syscall_renameat", "ipip", "i", Act::Fixed(-NOENT)),
    (ENV, "__syscall_faccessat", "ipii", "i", Act::Fixed(-NOENT)),
    (ENV, "__syscall_chmod", "pi", "i", Act::Fixed(-NOENT)),
    (ENV, "__syscall_fchmod", "ii", "i", Act::Fixed(-BADF)),
    (ENV, "__syscall_fchown32", "iii", "i", Act::Fixed(-BADF)),
    (ENV, "__syscall_fstat64", "ip", "i", Act::Fixed(-BADF)),
    (ENV, "__syscall_stat64", "pp", "i", Act::Fixed(-NOENT)),
    (ENV, "__syscall_lstat64", "pp", "i", Act::Fixed(-NOENT)),
    (ENV, "__syscall_newfstatat", "ippi", "i", Act::Fixed(-NOENT)),
    (ENV, "__syscall_ftruncate64", "iJ", "i", Act::Fixed(-BADF)),
    (ENV, "__syscall_getcwd", "pp", "i", Act::Fixed(-NOSYS)),
    (ENV, "__syscall_mkdirat", "ipi", "i", Act::Fixed(-NOENT)),
    (ENV, "__syscall_utimensat", "ippi", "i", Act::Fixed(-NOENT)),
    (ENV, "_munmap_js", "ppiiiJ", "i", Act::Fixed(-NOSYS)),
    (WASI, "fd_close", "i", "i", Act::Descriptor),
    (WASI, "fd_sync", "i", "i", Act::Descriptor),
    (WASI, "fd_seek", "iJip", "i", Act::Seek),
    (WASI, "fd_read", "ippp", "i", Act::Read),
    (WASI, "fd_write", "ippp", "i", Act::Write),
    (WASI, "fd_fdstat_get", "ip", "i", Act::Fixed(BADF)),
    (WASI, "environ_get", "pp", "i", Act::Fixed(0)),
    (WASI, "environ_sizes_get", "pp", "i", Act::None),
    // What else modules of WASI import that were not made by emscripten.
    (WASI, "args_get", "pp", "i", Act::Fixed(0)),
    (WASI, "args_sizes_get", "pp", "i", Act::None),
    (WASI, "clock_time_get", "iIp", "i", Act::ClockTimeGet),
    (WASI, "clock_res_get", "ip", "i", Act::ClockResGet),
    (WASI, "random_get", "pp", "i", Act::RandomGet),
    (WASI, "sched_yield", "", "i", Act::Fixed(0)),
    (WASI, "poll_oneoff", "pppp", "i", Act::Fixed(NOSYS)),
    (WASI, "fd_seek", "iIip", "i", Act::Seek),
    (WASI, "fd_datasync", "i", "i", Act::Descriptor),
    (WASI, "fd_fdstat_set_flags", "ii", "i", Act::Fixed(BADF)),
    (WASI, "fd_filestat_get", "ip", "i", Act::Fixed(BADF)),
    (WASI, "fd_prestat_get", "ip", "i", Act::Fixed(BADF)),
    (WASI, "fd_prestat_dir_name", "ipp", "i", Act::Fixed(BADF)),
    (WASI, "fd_readdir", "ippIp", "i", Act::Fixed(BADF)),
    (WASI, "path_open", "iippiIIip", "i", Act::Fixed(BADF)),
    (WASI, "path_filestat_get", "iippp", "i", Act::Fixed(BADF)),
    (WASI, "path_create_directory", "ipp", "i", Act::Fixed(BADF)),
    (WASI, "path_remove_directory", "ipp", "i", Act::Fixed(BADF)),
    (WASI, "path_unlink_file", "ipp", "i", Act::Fixed(BADF)),
    (WASI, "path_readlink", "ippppp", "i", Act::Fixed(BADF)),
    (WASI, "path_rename", "ippipp", "i", Act::Fixed(BADF)),
];

/// The entries of a name; some have two types: emscripten's and WASI's own.
fn named(module: &str, name: &str) -> impl Iterator<Item = &'static Entry> {
    TABLE
        .iter()
        .filter(move |entry| (entry.0, entry.1) == (module, name))
}

/// The type of a pointer.
pub(super) const fn pointer(wide: bool) -> ValType {
    if wide { ValType::I64 } else { ValType::I32 }
}

/// The letters of an import of the family `invoke_x`.
pub(super) fn invoked<'a>(module: &str, name: &'a str) -> Option<&'a str> {
    name.strip_prefix("invoke_").filter(|_| module == ENV)
}

/// Whether the host has this function with this type (rule HO-1).
pub(super) fn knows(module: &str, name: &str, ty: &FuncType, wide: bool) -> bool {
    if invoked(module, name).is_some() {
        return ty.params().first() == Some(&pointer(wide)) && ty.results().len() <= 1;
    }
    named(module, name).any(|(_, _, params, result, _)| {
        let result: Vec<ValType> = spell(result, wide).into_iter().take(1).collect();
        ty.params() == spell(params, wide) && ty.results() == result
    })
}

fn spell(letters: &str, wide: bool) -> Vec<ValType> {
    let types = letters.chars().map(|letter| match (letter, wide) {
        ('d', _) => &[ValType::F64][..],
        ('I', _) | ('J' | 'p', true) => &[ValType::I64],
        ('J', false) => &[ValType::I32, ValType::I32],
        _ => &[ValType::I32],
    });
    types.flatten().copied().collect()
}

/// A function that a module imports.
#[derive(Debug, Clone)]
pub(super) enum HostFunction {
    /// One of the table.
    Act(Act),
    /// `invoke_x`, with the export that it calls.
    Invoke(String),
}

impl HostFunction {
    /// The function that an import names, if the host has it.
    pub(super) fn find(module: &str, name: &str) -> Option<Self> {
        if let Some(letters) = invoked(module, name) {
            return Some(Self::Invoke(format!("dynCall_{letters}")));
        }
        named(module, name)
            .next()
            .map(|&(_, _, _, _, act)| Self::Act(act))
    }

    /// Calls it.
    pub(super) fn call(
        &self,
        guest: &mut dyn Guest,
        args: &[Number],
    ) -> Result<Option<Number>, Halt> {
        guest.charge(price::CALL_GAS)?;
        // [TR-3]
        if guest.moment().calls.is_some() {
            let gas = guest.meters().gas;
            if let Some(calls) = &mut guest.moment().calls {
                calls.add(gas);
            }
        }
        match self {
            Self::Invoke(target) => unwind::invoke(guest, target, args),
            Self::Act(act) => {
                // No function of the table takes floats.
                let args: Vec<u64> = args.iter().map(|arg| arg.bits()).collect();
                perform(*act, guest, &args).map(Some)
            }
        }
    }
}

fn perform(act: Act, guest: &mut dyn Guest, args: &[u64]) -> Result<Number, Halt> {
    let arg = |i: usize| args.get(i).copied().unwrap_or(0);
    let answer = match act {
        Act::Fixed(value) => value,
        Act::Exit => return Err(Halt::Exit(low(arg(0)))),
        Act::Abort => return Err(Halt::Abort),
        Act::LongJump => return Err(Halt::LongJump),
        Act::Memcpy => {
            memory::copy_clamped(guest, arg(0), arg(1), arg(2))?;
            0
        }
        Act::ResizeHeap => i32::from(memory::resize(guest, arg(0))?),
        Act::HeapMax => return Ok(Number::pointer(memory::most(guest), guest.wide())),
        Act::Now => return Ok(time::now()),
        Act::ClockTimeGet => time::clock_time_get(guest, args)?,
        Act::BreakDown => time::break_down(guest, args)?,
        Act::Compose => return time::compose(guest, arg(0)),
        Act::Strftime => {
            let written = time::strftime(guest, [arg(0), arg(1), arg(2), arg(3)])?;
            return Ok(Number::pointer(written, guest.wide()));
        }
        Act::Tzset => time::tzset(guest, [arg(0), arg(1), arg(2), arg(3)])?,
        Act::Descriptor => {
            if arg(0) < 3 {
                0
            } else {
                BADF
            }
        }
        Act::Seek => {
            if arg(0) < 3 {
                SPIPE
            } else {
                BADF
            }
        }
        Act::Read => system::read(guest, arg(0), arg(3))?,
        Act::Write => system::write(guest, [arg(0), arg(1), arg(2), arg(3)])?,
        Act::None => system::none(guest, arg(0), arg(1))?,
        Act::ClockResGet => time::clock_res_get(guest, arg(1))?,
        Act::RandomGet => system::random_get(guest, arg(0), arg(1))?,
        Act::System => {
            if arg(0) == 0 {
                0
            } else {
                -NOSYS
            }
        }
    };
    Ok(Number::I32(answer))
}
