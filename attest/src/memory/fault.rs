//! The signal handler that opens a page at its first touch.
//!
//! It stands before wasmtime's own: what concerns the region running on this thread it decides,
//! everything else it passes on.

use std::mem;
use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::Ordering::Relaxed;

use surety_protocol::witness::PAGE_BYTES;

use super::{ONLY, RUNNING, Region, TOUCHES, UNWATCHED, WRITES};

/// The handler before ours.
static PREVIOUS: OnceLock<libc::sigaction> = OnceLock::new();

/// Installs the handler, once; wasmtime's must be there already. `false` if the host's pages are
/// not those of the rules, or the kernel refuses.
pub(crate) fn install() -> bool {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    // SAFETY: see the function, which is called once.
    *INSTALLED.get_or_init(|| unsafe { install_once() })
}

/// # Safety
/// To be called once, after wasmtime installed its handler.
unsafe fn install_once() -> bool {
    // SAFETY: sysconf has no preconditions; an all-zero sigaction is a value of it; both calls of
    // sigaction get valid pointers, and `on_fault` has the signature that SA_SIGINFO asks for.
    unsafe {
        if usize::try_from(libc::sysconf(libc::_SC_PAGESIZE)) != Ok(PAGE_BYTES) {
            return false;
        }
        let mut previous: libc::sigaction = mem::zeroed();
        if libc::sigaction(libc::SIGSEGV, ptr::null(), &raw mut previous) != 0 {
            return false;
        }
        // Set before the handler can run.
        if PREVIOUS.set(previous).is_err() {
            return false;
        }
        let mut ours: libc::sigaction = mem::zeroed();
        ours.sa_sigaction = (on_fault as *const ()).addr();
        ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK | libc::SA_NODEFER;
        libc::sigemptyset(&raw mut ours.sa_mask);
        libc::sigaction(libc::SIGSEGV, &raw const ours, ptr::null_mut()) == 0
    }
}

unsafe extern "C" fn on_fault(
    signal: libc::c_int,
    info: *mut libc::siginfo_t,
    context: *mut libc::c_void,
) {
    // SAFETY: the kernel gives a valid siginfo to a SA_SIGINFO handler, with an address for
    // SIGSEGV. The region is alive: `Running` borrows it for as long as the pointer is set.
    let settled = unsafe {
        let address = (*info).si_addr().addr();
        RUNNING
            .get()
            .as_ref()
            .is_some_and(|region| region.settle(address))
    };
    if !settled {
        // SAFETY: the arguments are the kernel's own.
        unsafe { pass_on(signal, info, context) };
    }
}

impl Region {
    /// Decides about a fault; whether the guest can go on. Runs inside the signal handler.
    fn settle(&self, address: usize) -> bool {
        let Some(offset) = address.checked_sub(self.base) else {
            return false;
        };
        if offset >= self.watched.load(Relaxed) {
            return false;
        }
        let page = offset / PAGE_BYTES;
        match self.rule.load(Relaxed) {
            // A fault on an open page has another cause; opening it again would loop.
            WRITES | TOUCHES => !self.is_open(page) && self.open_page(page).is_ok(),
            ONLY => {
                self.missing.store(true, Relaxed);
                false
            }
            UNWATCHED.. => false,
        }
    }
}

/// Gives the fault to the handler before ours.
///
/// # Safety
/// Only with the arguments of a signal handler, inside one.
unsafe fn pass_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
    type Plain = unsafe extern "C" fn(libc::c_int);
    type Informed = unsafe extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
    let Some(previous) = PREVIOUS.get() else {
        return;
    };
    // SAFETY: a handler that is neither default nor ignore is a function with the signature that
    // its flags say.
    unsafe {
        match previous.sa_sigaction {
            // The instruction faults again and the default ends the process.
            libc::SIG_DFL | libc::SIG_IGN => {
                libc::sigaction(signal, &raw const *previous, ptr::null_mut());
            }
            handler if previous.sa_flags & libc::SA_SIGINFO != 0 => {
                let handler = ptr::with_exposed_provenance::<()>(handler);
                mem::transmute::<*const (), Informed>(handler)(signal, info, context);
            }
            handler => {
                let handler = ptr::with_exposed_provenance::<()>(handler);
                mem::transmute::<*const (), Plain>(handler)(signal);
            }
        }
    }
}
