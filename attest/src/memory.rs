//! Linear memory whose pages can be watched and withheld, with the kernel's page protection.
//!
//! The one part of the crate that is not safe Rust: reserving address space, changing protection,
//! and the signal handler that learns of a first touch. It hands out no reference to memory;
//! contents are read and written through wasmtime's own safe view, after [`Region::admit`] opened
//! the pages.
//!
//! # Rules
//!
//! - `[LM-1]` While a region is watched with [`Access::Writes`], every page that is written becomes
//!   open; with [`Access::Touches`], every page that is read or written. The open pages are a
//!   superset of the changed.
//! - `[LM-2]` With [`Access::Only`] the pages outside of the set stay closed. Touching one sets
//!   [`Region::missing`] before the guest traps, so that it can be told from a touch beyond the end
//!   of memory.
//! - `[LM-6]` How written pages are found changes no root: by a fault at the first write of each, or by the
//!   kernel, which lets the write happen and remembers it.
//! - `[LM-3]` Pages by which memory grows while it is watched are open from the start, and zero.
//! - `[LM-4]` The host touches guest memory only where [`Region::admit`] let it, so that a withheld
//!   page is never a native fault.
//! - `[LM-5]` If the kernel refuses, [`Region::exhausted`] is set: the host's failure is never the
//!   guest's.

#![allow(
    unsafe_code,
    reason = "page protection and its faults exist only below safe Rust"
)]

mod fault;
mod linear;
mod written;

use std::cell::Cell;
use std::collections::BTreeSet;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU64, AtomicUsize, Ordering::Relaxed};

use surety_protocol::witness::PAGE_BYTES;
use written::Tracker;

pub(crate) use fault::install;
pub(crate) use linear::{Creator, GUARD, RESERVED, take_made};

/// Why memory cannot be used: the host's fault, or the witness'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Withheld {
    /// The page is not among those that may be touched.
    #[error("a page outside of the set was touched")]
    Missing,
    /// The kernel refused to map or to protect memory.
    #[error("the host is out of memory or mappings")]
    Exhausted,
}

/// How written pages are found. The outcome is the same, only the time is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Watching {
    /// By the kernel's account where it keeps one, else by faults.
    Kernel,
    /// By faults.
    Faults,
}

/// What happens at the first touch of a page.
#[derive(Debug, Clone)]
pub(crate) enum Access {
    /// Reads are free; a write opens its page.
    Writes,
    /// A read or a write opens its page.
    Touches,
    /// These pages are open, all others closed.
    Only(BTreeSet<u32>),
}

const UNWATCHED: u8 = 0;
const WRITES: u8 = 1;
const TOUCHES: u8 = 2;
const ONLY: u8 = 3;
/// As [`WRITES`], but the kernel keeps the account and nothing faults.
const TRACKED: u8 = 4;

/// The address space of one linear memory.
///
/// One thread at a time uses a region (its store's); the atomics serve the signal handler, which
/// runs on that same thread.
#[derive(Debug)]
pub(crate) struct Region {
    base: usize,
    mapped: usize,
    /// Bytes that the guest may address.
    size: AtomicUsize,
    /// Bytes from the start that are watched.
    watched: AtomicUsize,
    rule: AtomicU8,
    /// One bit for each open page.
    open: Box<[AtomicU64]>,
    missing: AtomicBool,
    exhausted: AtomicBool,
    /// Who tells of writes without faults, if this host can and is wanted.
    tracker: Option<&'static Tracker>,
}

thread_local! {
    /// The region whose guest runs on this thread. Without a destructor, so that the signal handler
    /// may read it.
    static RUNNING: Cell<*const Region> = const { Cell::new(ptr::null()) };
}

/// Keeps a region known to this thread's signal handler, and then the one from before again: guests call each other
/// through the host.
pub(crate) struct Running<'a> {
    region: &'a Region,
    before: *const Region,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        debug_assert_eq!(RUNNING.get(), ptr::from_ref(self.region));
        RUNNING.set(self.before);
    }
}

impl Region {
    /// Reserves address space of which the first `size` bytes are accessible and zero.
    fn reserve(
        reserved: usize,
        guard: usize,
        size: usize,
        tracker: Option<&'static Tracker>,
    ) -> Result<Self, Withheld> {
        let mapped = reserved.checked_add(guard).ok_or(Withheld::Exhausted)?;
        let flags = libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_NORESERVE;
        // SAFETY: a new private mapping at an address of the kernel's choice affects no other
        // memory.
        let base = unsafe { libc::mmap(ptr::null_mut(), mapped, libc::PROT_NONE, flags, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(Withheld::Exhausted);
        }
        let words = reserved.div_ceil(PAGE_BYTES).div_ceil(64);
        let region = Self {
            base: base.expose_provenance(),
            mapped,
            size: AtomicUsize::new(0),
            watched: AtomicUsize::new(0),
            rule: AtomicU8::new(UNWATCHED),
            open: (0..words).map(|_| AtomicU64::new(0)).collect(),
            missing: AtomicBool::new(false),
            exhausted: AtomicBool::new(false),
            tracker,
        };
        region.grow_to(size)?;
        Ok(region)
    }

    /// Makes memory larger (rule LM-3).
    fn grow_to(&self, size: usize) -> Result<(), Withheld> {
        let old = self.size.load(Relaxed);
        if size > old {
            self.protect(old..size, libc::PROT_READ | libc::PROT_WRITE)?;
            self.size.store(size, Relaxed);
        }
        Ok(())
    }

    /// Ends watching and makes all bytes accessible and zero.
    pub(crate) fn clear(&self) -> Result<(), Withheld> {
        self.rule.store(UNWATCHED, Relaxed);
        self.watched.store(0, Relaxed);
        let size = self.size.load(Relaxed);
        self.protect(0..size, libc::PROT_READ | libc::PROT_WRITE)?;
        if size == 0 {
            return Ok(());
        }
        let start = ptr::with_exposed_provenance_mut(self.base);
        // SAFETY: the range is within the own private anonymous mapping, and nobody holds a
        // reference into it: wasmtime hands out such only while its store is borrowed, which the
        // caller has.
        match unsafe { libc::madvise(start, size, libc::MADV_DONTNEED) } {
            0 => Ok(()),
            _ => Err(self.give_up()),
        }
    }

    /// Starts to watch the first `bytes` of memory.
    pub(crate) fn watch(&self, bytes: usize, access: &Access) -> Result<(), Withheld> {
        let bytes = bytes.min(self.size.load(Relaxed));
        if matches!(access, Access::Writes) && self.track(bytes)? {
            return Ok(());
        }
        for word in &self.open {
            word.store(0, Relaxed);
        }
        let (rule, protection) = match access {
            Access::Writes => (WRITES, libc::PROT_READ),
            Access::Touches => (TOUCHES, libc::PROT_NONE),
            Access::Only(_) => (ONLY, libc::PROT_NONE),
        };
        self.watched.store(bytes, Relaxed);
        self.rule.store(rule, Relaxed);
        self.protect(0..bytes, protection)?;
        if let Access::Only(pages) = access {
            let end = bytes / PAGE_BYTES;
            for page in pages
                .iter()
                .map(|page| *page as usize)
                .take_while(|page| *page < end)
            {
                self.open_page(page)?;
            }
        }
        Ok(())
    }

    /// Starts to watch writes without faults; whether this host can.
    fn track(&self, bytes: usize) -> Result<bool, Withheld> {
        let Some(tracker) = self.tracker.filter(|_| bytes > 0) else {
            return Ok(false);
        };
        let range = self.base..self.base + bytes;
        let already = self.rule.load(Relaxed) == TRACKED && self.watched.load(Relaxed) == bytes;
        // What is protected already needs only what was written since to be protected anew.
        if already && tracker.written(&range, true).is_some() {
            return Ok(true);
        }
        self.protect(0..bytes, libc::PROT_READ | libc::PROT_WRITE)?;
        if !tracker.protect(&range) {
            return Ok(false);
        }
        self.watched.store(bytes, Relaxed);
        self.rule.store(TRACKED, Relaxed);
        Ok(true)
    }

    /// The pages that the kernel saw written, if it watches.
    fn tracked(&self) -> Option<Vec<u32>> {
        let tracker = self
            .tracker
            .filter(|_| self.rule.load(Relaxed) == TRACKED)?;
        let end = self.base + self.watched.load(Relaxed);
        // If it cannot tell, every page may have been written.
        let all = || (0..u32::try_from((end - self.base) / PAGE_BYTES).unwrap_or(0)).collect();
        Some(
            tracker
                .written(&(self.base..end), false)
                .unwrap_or_else(all),
        )
    }

    /// Lets the host touch a range that lies within memory (rule LM-4).
    pub(crate) fn admit(&self, range: Range<usize>, write: bool) -> Result<(), Withheld> {
        let end = range.end.min(self.watched.load(Relaxed));
        let free = match self.rule.load(Relaxed) {
            WRITES => !write,
            TRACKED => true,
            _ => false,
        };
        if range.start >= end || free {
            return Ok(());
        }
        for page in range.start / PAGE_BYTES..end.div_ceil(PAGE_BYTES) {
            match self.rule.load(Relaxed) {
                UNWATCHED => {}
                _ if self.is_open(page) => {}
                ONLY => {
                    self.missing.store(true, Relaxed);
                    return Err(Withheld::Missing);
                }
                _ => self.open_page(page)?,
            }
        }
        Ok(())
    }

    /// The pages that may have changed since watching began (rules LM-1 and LM-3), ascending; all
    /// if it did not.
    pub(crate) fn open_pages(&self) -> Vec<u32> {
        let watched = self.watched.load(Relaxed) / PAGE_BYTES;
        let size = self.size.load(Relaxed) / PAGE_BYTES;
        let number = |page: usize| u32::try_from(page).ok();
        let mut open = self.tracked().unwrap_or_else(|| {
            let open = (0..watched).filter(|page| self.is_open(*page));
            open.filter_map(number).collect()
        });
        open.extend((watched..size).filter_map(number));
        open
    }

    /// Whether a page outside of the set was touched (rule LM-2).
    pub(crate) fn missing(&self) -> bool {
        self.missing.load(Relaxed)
    }

    /// Whether the kernel refused something (rule LM-5).
    pub(crate) fn exhausted(&self) -> bool {
        self.exhausted.load(Relaxed)
    }

    /// Makes faults on this thread ask this region.
    pub(crate) fn run(&self) -> Running<'_> {
        Running {
            region: self,
            before: RUNNING.replace(ptr::from_ref(self)),
        }
    }

    fn is_open(&self, page: usize) -> bool {
        self.open
            .get(page / 64)
            .is_some_and(|word| word.load(Relaxed) >> (page % 64) & 1 == 1)
    }

    /// Called by the signal handler too: no lock, no allocation.
    fn open_page(&self, page: usize) -> Result<(), Withheld> {
        let start = page * PAGE_BYTES;
        self.protect(
            start..start + PAGE_BYTES,
            libc::PROT_READ | libc::PROT_WRITE,
        )?;
        if let Some(word) = self.open.get(page / 64) {
            word.fetch_or(1 << (page % 64), Relaxed);
        }
        Ok(())
    }

    fn protect(&self, range: Range<usize>, protection: libc::c_int) -> Result<(), Withheld> {
        if range.is_empty() {
            return Ok(());
        }
        if range.end > self.mapped {
            return Err(self.give_up());
        }
        let start = ptr::with_exposed_provenance_mut(self.base + range.start);
        // SAFETY: the range is within the own mapping. Withdrawing access is sound because
        // references into guest memory live only inside host functions, which open what they touch
        // first (rule LM-4).
        match unsafe { libc::mprotect(start, range.len(), protection) } {
            0 => Ok(()),
            _ => Err(self.give_up()),
        }
    }

    fn give_up(&self) -> Withheld {
        self.exhausted.store(true, Relaxed);
        Withheld::Exhausted
    }
}

impl Drop for Region {
    fn drop(&mut self) {
        // SAFETY: the mapping is this region's own, and whoever could address it (the instance's
        // memory) held the region alive.
        unsafe { libc::munmap(ptr::with_exposed_provenance_mut(self.base), self.mapped) };
    }
}
